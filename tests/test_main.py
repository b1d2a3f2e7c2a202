"""The command: exit codes, one line on standard error, and nothing heavy before it is needed."""

import contextlib
import errno
import json
import os
import pty
import subprocess
import sys
from types import SimpleNamespace

import pytest

from dateline import __version__, cli
from dateline.cli import VERBS, main
from dateline.cli.completion import ACTIONS
from dateline.errors import Interrupted, TrainingDiverged, UserError

HEAVY = ("torch", "transformers", "pyarrow", "matplotlib")
HELP = [*([verb] for verb in VERBS), *([verb, action] for verb, several in ACTIONS.items() for action in several)]


def run(capsys, *words):
    """Exit code, standard output and standard error of a command line."""
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code, *capsys.readouterr()


@pytest.fixture
def failing(monkeypatch):
    """Makes the verb `place` raise something."""

    def arrange(error):
        def verb(words):
            raise error

        monkeypatch.setattr(cli, "verb", lambda name: verb)

    return arrange


def python(*words, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, **options)


def test_the_module_is_the_command():
    done = python("-m", "dateline", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"dateline {__version__}\n", "")


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["train", "--version"]])
def test_version(capsys, words):
    assert run(capsys, *words) == (0, f"dateline {__version__}\n", "")


@pytest.mark.parametrize(("words", "code"), [([], 2), (["--help"], 0), (["-h"], 0), (["help"], 0)])
def test_the_overview_names_every_verb(capsys, words, code):
    left, out, err = run(capsys, *words)
    assert (left, err) == (code, "")
    rows = [line for line in out.splitlines() if line.startswith("  ")]
    assert [name for row in rows for name in row[2:].split("  ")[0].split(", ")] == list(VERBS)


def test_the_overview_fits_a_terminal_of_80_columns_with_its_prompt(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run(capsys, "--help")
    assert len(out.splitlines()) <= 23
    monkeypatch.setenv("COLUMNS", "40")
    _, narrow, _ = run(capsys, "--help")
    assert max(map(len, narrow.splitlines())) <= 40
    assert narrow.split() == out.split()


@pytest.mark.parametrize(("value", "styled"), [("1", False), ("", True)])
def test_no_color_takes_all_styles_from_help(value, styled):
    environment = {**os.environ, "NO_COLOR": value, "TERM": "xterm", "OMP_NUM_THREADS": "1"}
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "dateline", "report", "--help"], stdout=theirs, env=environment):
        os.close(theirs)
        out = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(ours, 4096):
                out += part
    os.close(ours)
    assert b"dateline" in out
    assert (b"\x1b[" in out) == styled


@pytest.fixture(scope="module")
def helped():
    """What one process prints for every `--help`, and which heavy packages it has imported by then."""
    program = (
        "import contextlib, io, json, sys\nfrom dateline.cli import main\n"
        f"for words in {HELP!r}:\n"
        "    said = io.StringIO()\n"
        "    try:\n"
        "        with contextlib.redirect_stdout(said):\n"
        "            main([*words, '--help'])\n"
        "    except SystemExit as left:\n"
        f"        found = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "        print(json.dumps([' '.join(words), left.code, found, said.getvalue()]))\n"
    )
    done = python("-c", program, check=True)
    return {words: rest for words, *rest in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_imports_nothing_heavy(helped, words):
    code, heavy, said = helped[" ".join(words)]
    assert (code, heavy) == (0, [])
    assert f"dateline {' '.join(words)}" in said


def test_an_unknown_verb_is_answered_with_the_nearest(capsys):
    assert run(capsys, "trian", "x") == (2, "", "dateline: unknown verb 'trian'; did you mean 'train'?\n")
    code, _, err = run(capsys, "zzz")
    assert (code, err) == (2, f"dateline: unknown verb 'zzz'; known verbs: {', '.join(VERBS)}\n")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("recipe.yaml:3: bad\nvalue"), 2, "recipe.yaml:3: bad value"),
        (Interrupted("SIGTERM: stopped"), 130, "SIGTERM: stopped"),
        (KeyboardInterrupt(), 130, "stopped"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x"), 1,
            "runs/x: the disk is full; free some space and run the same command again; what was finished is kept",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "runs/x"), 1,
         "runs/x: Permission denied (--debug shows where)"),
        (OSError("no number"), 1, "no number (--debug shows where)"),
        (TrainingDiverged("loss nan"), 1, "loss nan"),
        (KeyError("a\nb"), 1, "failed: KeyError: 'a\\nb' (--debug shows where)"),
        (ValueError("first\nsecond"), 1, "failed: ValueError: first (--debug shows where)"),
        (AssertionError(), 1, "failed: AssertionError: no message (--debug shows where)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)  # fmt: skip
def test_every_failure_is_one_line_and_a_code(capsys, failing, error, code, line):
    failing(error)
    assert run(capsys, "place", "x") == (code, "", f"dateline: {line}\n")


@pytest.mark.parametrize("words", [["--debug", "place"], ["place", "x", "--debug"]])
def test_debug_shows_where(capsys, failing, words):
    failing(UserError("bad"))
    code, _, err = run(capsys, *words)
    assert code == 2
    assert err.startswith("Traceback (most recent call last):")
    assert "in verb" in err
    assert err.endswith("dateline: bad\n")


def test_success_returns(monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "verb", lambda name: lambda words: seen.append((name, words)))
    main(["place", "a", "--debug", "b"])
    assert seen == [("place", ["a", "b"])]


def test_words_come_from_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dateline", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out == f"dateline {__version__}\n"


def test_a_closed_pipe_is_no_news():
    program = f"{sys.executable} -m dateline place --json https://punchng.com | (exec true)"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {program}"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""


def test_writing_into_a_closed_pipe_is_no_failure():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "dateline", "place", "--json", "https://punchng.com"],
            stdout=pipe, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_verbs_that_have_another_module(monkeypatch):
    asked = []
    module = SimpleNamespace(run="it", report="page")
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: asked.append(name) or module)
    assert [cli.verb("eval"), cli.verb("train"), cli.verb("report")] == ["it", "it", "page"]
    assert asked == ["dateline.cli.evaluate", "dateline.cli.train", "dateline.cli.experiment"]
