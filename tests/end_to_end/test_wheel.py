"""The wheel: built without a network, whole, and enough to run the quickstart where there is no checkout."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import dateline

ROOT = Path(__file__).parents[2]
MISSING = [name for name in ("setuptools", "setuptools_scm") if find_spec(name) is None]
needs_builders = pytest.mark.skipif(
    bool(MISSING), reason=f"needs {' and '.join(MISSING)} to build a wheel: run `make setup` again"
)
SMALL = [
    *["--corpus.newswire.articles", "300", "--encode.vocab_size", "500", "--defaults.packing.sequence_length", "128"],
    *["--defaults.train.epochs", "null", "--defaults.train.steps", "2", "--defaults.train.batch_rows", "2"],
    *["--defaults.train.validate_every", "2", "--defaults.train.validation_documents", "4"],
    *["--defaults.schedule.warmup_steps", "1", "--evaluate.resamples", "100"],
    *["--samples", "{headlines: 1, places: 2, num_tokens: 2}"],
]


def run(folder, *words, **options):
    """What a command prints, run in a folder outside the checkout that no PYTHONPATH leads back to."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {"OMP_NUM_THREADS": "1", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built from a copy so that nothing is left behind in it."""
    if MISSING:
        pytest.skip(needs_builders.kwargs["reason"])
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    run(copy, sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), ".")
    (made,) = folder.glob("dateline-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of commands of a new environment that has the wheel, and this environment's other packages."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    commands = folder / "bin"
    (packages,) = (folder / "lib").glob("python*/site-packages")
    others = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "others.pth").write_text("".join(f"{path}\n" for path in others))  # which come after `packages`
    run(
        folder, sys.executable, "-m", "pip", "--python", str(commands / "python"), "install", "--no-deps",
        "--ignore-installed", str(wheel),
    )  # fmt: skip
    where = run(folder, commands / "python", "-c", "import dateline; print(dateline.__file__, dateline.__version__)")
    assert where.split() == [str(packages / "dateline" / "__init__.py"), wheel.name.split("-")[1]]
    return commands


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    source = Path(dateline.__file__).parents[1]
    package = {
        path.relative_to(source).as_posix()
        for path in (source / "dateline").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == package
    needed = {"py.typed", "cli/quickstart.yaml", "places/data/outlets.csv", "report/templates/page.css"}
    assert {f"dateline/{name}" for name in needed} <= held


def test_source_without_git_has_the_fallback_version(wheel):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools_scm"]
    assert wheel.name == f"dateline-{settings['fallback_version']}-py3-none-any.whl"


@needs_builders
def test_the_version_is_the_last_git_tag_and_counts_the_commits_since(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "git", "add", "pyproject.toml")
    run(tmp_path, *git, "commit", "--quiet", "-m", "first")
    untagged = run(tmp_path, sys.executable, "-m", "setuptools_scm")
    run(tmp_path, "git", "tag", "v9.1.0")
    tagged = run(tmp_path, sys.executable, "-m", "setuptools_scm")
    run(tmp_path, *git, "commit", "--quiet", "--allow-empty", "-m", "second")
    later = run(tmp_path, sys.executable, "-m", "setuptools_scm")
    assert [untagged.strip(), tagged.strip(), later.strip()] == ["0.1.0.dev1", "9.1.0", "9.1.1.dev1"]


def test_the_command_of_the_wheel_runs_outside_the_checkout(installed, tmp_path):
    assert run(tmp_path, installed / "dateline", "--help").startswith("usage: dateline VERB")
    assert "punchng.com" in run(tmp_path, installed / "dateline", "place", "https://punchng.com/x")


def test_the_quickstart_needs_the_wheel_only(installed, tmp_path):
    out = run(tmp_path, installed / "dateline", "quickstart", "--workers", "1", *SMALL)
    assert out.splitlines()[-2].startswith("runs/quickstart/report.html (")
    assert out.splitlines()[-1].startswith("use it: ")
    assert "Dateline quickstart" in (tmp_path / "runs" / "quickstart" / "report.html").read_text(encoding="utf-8")
