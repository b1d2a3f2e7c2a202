"""The prepared GPU call, as far as it goes without a GPU: its bundle, its parts and their budgets, its sixteen runs.

`DRY=1 bash benchmarks/gpu/run.sh` runs all of it at tiny size on a CPU; that takes minutes.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dateline.config import load_recipe
from dateline.experiment import ExperimentRecipe

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "benchmarks" / "gpu"


def script(name):
    spec = importlib.util.spec_from_file_location(f"gpu_{name}", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path):
    """A copy of the scripts, in which they may write."""
    shutil.copytree(SCRIPTS, tmp_path / "benchmarks" / "gpu")
    return tmp_path


def program(path, text):
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)
    return str(path)


def bash(folder, name, *words, **environment):
    command = ["bash", str(folder / "benchmarks" / "gpu" / name), *words]
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, env=path | environment, timeout=60)


def test_the_news_are_sixteen_runs_of_34_million_parameters():
    recipe = load_recipe(ExperimentRecipe, SCRIPTS / "news.yaml", [])
    runs = {name: recipe.run(family, seed, data="") for name, family, seed in recipe.planned()}
    regions = ("africa", "america", "asia", "europe", "no-america", "no-asia")
    wanted = {f"{region}-{metadata}-seed0" for region in ("global", *regions) for metadata in ("with", "without")}
    assert set(runs) == wanted | {"global-with-seed1", "global-without-seed1"}
    assert {run.model.size for run in runs.values()} == {"small"}
    assert all((run.conditions.fields == ()) == ("without" in name) for name, run in runs.items())
    assert recipe.grid.blocks[0] == {"trained_on": "global", "metadata": "all", "seeds": [0, 1]}


def test_finished_runs_make_a_grid_of_their_own(tmp_path):
    news = script("news")
    runs = load_recipe(ExperimentRecipe, news.RECIPE, []).planned()
    for chosen in (runs, runs[:1], runs[1::3], runs[-2:]):
        blocks = json.dumps(news.blocks_of(chosen))
        assert load_recipe(ExperimentRecipe, news.RECIPE, ["--grid.blocks", blocks]).planned() == chosen
    assert not news.is_finished(tmp_path, runs[0][0])


@pytest.mark.parametrize("rate", [5e4, 3e5, 1e6])
def test_tokens_of_a_run_fit_the_time(rate):
    news = script("news")
    tokens = news.tokens_of_a_run(rate, 190, 16, 6)
    assert tokens == news.LEAST_TOKENS or 16 * tokens / rate + 3 * news.START_SECONDS + news.TABLES_SECONDS < 190
    assert tokens <= news.tokens_of_a_run(2 * rate, 190, 16, 6) <= news.MOST_TOKENS
    assert news.tokens_of_a_run(rate, 10, 16, 6) == news.LEAST_TOKENS


@pytest.mark.parametrize("name", ["run.sh", "bundle.sh"])
def test_the_scripts_parse(name):
    subprocess.run(["bash", "-n", str(SCRIPTS / name)], check=True)


def test_the_budgets_of_all_parts_end_within_nine_minutes():
    text = (SCRIPTS / "run.sh").read_text()
    budgets = [int(seconds) for seconds in re.findall(r"^ *part (?!training 165)\w+ (\d+) ", text, re.MULTILINE)]
    assert len(budgets) == 5
    second_training = 165 - 125
    limit = int(re.search(r"LIMIT=(525)\n", text)[1])
    assert sum(budgets) + second_training <= limit < 9 * 60


def test_no_part_stops_the_next(checkout):
    (checkout / ".gpu").mkdir()
    (checkout / ".gpu" / "news.parquet").touch()
    python = program(
        checkout / "python",
        'case "$*" in *install.py*) exit 0;; *summary.py*) cat "$2/times";; "-c "*) exit 0;; *) exit 3;; esac',
    )
    done = bash(checkout, "run.sh", PYTHON=python, OUT=str(checkout / "out"))
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    names = ["tests", "training", "training", "news", "evaluation", "generation"]
    assert [row[:2] for row in rows] == [[name, "exit code 3"] for name in names]
    assert "the news could not be prepared" in done.stdout
    left = sorted(path.name for path in (checkout / "out").iterdir())
    assert len(left) <= 8
    assert {"summary.md", "logs.tar.gz"} <= set(left)


def test_a_machine_without_a_gpu_or_a_bundle_gets_one_line(checkout):
    done = bash(checkout, "run.sh", PYTHON=sys.executable, OUT=str(checkout / "out"))
    assert done.returncode == 2
    assert done.stdout == "run.sh: .gpu/ is missing; make it with: make gpu-bundle\n"
    (checkout / ".gpu").mkdir()
    (checkout / ".gpu" / "news.parquet").touch()
    python = program(checkout / "python", 'case "$*" in *install.py*) exit 0;; *) exit 1;; esac')
    done = bash(checkout, "run.sh", PYTHON=python, OUT=str(checkout / "out"))
    assert done.returncode == 2
    assert done.stdout == "run.sh: PyTorch sees no CUDA device; DRY=1 runs every part at tiny size on the CPU\n"


def test_a_bundle_that_is_too_large_is_refused(checkout):
    (checkout / "news.parquet").touch()
    python = program(
        checkout / "python",
        'case "$*" in *download*) truncate -s "$SIZE" .gpu/wheels/datatrove-1.whl;; esac',
    )
    words = (python, str(checkout / "news.parquet"), "3.12")
    done = bash(checkout, "bundle.sh", *words, SIZE="65M")
    assert done.returncode == 2
    assert done.stdout.startswith("gpu-bundle: .gpu/ takes 66 MiB, more than 60; use a smaller NEWS file")
    assert done.stdout.count("\n") == 1
    done = bash(checkout, "bundle.sh", *words, SIZE="5M")
    assert done.returncode == 0
    assert ".gpu/ is ready for Python 3.12: 6 MiB" in done.stdout
    done = bash(checkout, "bundle.sh", python, str(checkout / "nothing.parquet"), "3.12")
    assert done.returncode == 2
    assert "no file" in done.stdout


def test_what_is_missing_is_named(tmp_path, capsys, monkeypatch):
    install = script("install")
    assert install.main(tmp_path, tmp_path / "site") == 0
    installed = install.versions()
    monkeypatch.setattr(install, "versions", lambda: {**installed, "tyro": "0.1", "pydantic": None})
    capsys.readouterr()
    assert install.main(tmp_path, tmp_path / "site") == 2
    said = capsys.readouterr().out
    assert "pydantic>=2.11 (here: none), tyro>=1.0 (here: 0.1)" in said
    assert said.count("\n") == 1


def test_the_summary_is_short(tmp_path, capsys):
    (tmp_path / "logs").mkdir()
    (tmp_path / "times").write_text("| tests | done | 3 |\n")
    (tmp_path / "logs" / "training.log").write_text("Square bf16: 790\nnoise\n" + f"| {'x' * 400} |\n" * 200)
    script("summary").main(tmp_path, tmp_path, "12")
    lines = capsys.readouterr().out.splitlines()
    assert "| tests | done | 3 |" in lines
    assert "Square bf16: 790" in lines
    assert "noise" not in lines
    assert len(lines) <= 100
    assert sum(map(len, lines)) + len(lines) <= 11_501
