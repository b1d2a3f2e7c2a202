"""Hostile files through the readers, the gates and whole builds: only `UserError`, nothing lost, nothing let out.

The generators and the rules are those of `benchmarks/hostile*.py` and `benchmarks/fuzz.py`, which run far longer.
"""

import json
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SLOW = {"html", "warc"}


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """The modules of the long run, loaded and warm."""
    names = ("hostile", "hostile_web", "fuzz", "hostile_builds")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        found = SimpleNamespace(**{name: import_module(name) for name in names})
    finally:
        sys.path.remove(str(BENCHMARKS))
    found.hostile_builds.warm_up_builds(tmp_path_factory.mktemp("warm"))
    found.watch = found.fuzz.Watch()
    yield found
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize(
    "kind", ["jsonl", "json", "csv", "parquet, arrow", "saved data set", "feed", "html", "warc", "now"]
)
def test_files_of_every_kind(tools, tmp_path, kind):
    cases = [(kind, number) for number in range(40 if kind in SLOW else 200)]
    table, broken = tools.fuzz.run_cases(cases, 7, tmp_path, tools.watch)
    assert not broken, "\n".join(broken)
    assert table[kind].outcomes.total() == len(cases)
    assert len(table[kind].outcomes) > 1, "hostile files that all end alike test little"


def test_every_kind_is_tested(tools):
    assert set(tools.hostile_web.KINDS) == {
        *("jsonl", "json", "csv", "parquet, arrow", "saved data set", "feed", "html", "warc", "now"),
        *("1 MB of one piece", "50 to 70 MB"),
    }


def test_lines_and_pages_of_50_megabytes(tools, tmp_path):
    _, broken = tools.fuzz.run_cases([("50 to 70 MB", number) for number in range(2)], 7, tmp_path, tools.watch)
    assert not broken, "\n".join(broken)


def test_whole_builds(tools, tmp_path):
    codes = [tools.hostile_builds.build(number, 7, tmp_path, tools.watch) for number in range(12)]
    assert set(codes) == {0, 2}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_case_is_the_same_whenever_it_is_made(tools, tmp_path, seed):
    made = []
    for name in ("a", "b"):
        here = tmp_path / name
        tools.hostile_builds.make_folder(tools.hostile_builds.Random(seed), here)
        made.append({str(path.relative_to(here)): path.stat().st_size for path in here.rglob("*") if path.is_file()})
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("tried", "event"),
    [
        (lambda here: (here.parent / "elsewhere").write_text("x"), "open"),
        (lambda here: (here.parent / "elsewhere").mkdir(), "os.mkdir"),
        (lambda here: import_module("socket").create_connection(("127.0.0.1", 9)), "socket."),
        (lambda here: import_module("subprocess").run(["true"], check=False), "subprocess."),
    ],
)
def test_the_watch_sees_what_is_not_allowed_even_where_it_is_caught(tools, tmp_path, tried, event):
    here = tmp_path / "here"
    here.mkdir()

    def caught():
        with tools.watch.within(here):
            (here / "allowed").write_text("x")
            with suppress(OSError):
                tried(here)

    with pytest.raises(AssertionError, match=event):
        caught()
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_names_of_files_do_not_reach_the_terminal_or_the_readme_as_they_are(tools, tmp_path):
    rows = [
        {"text": f"The council met {n} farmers by the river and watched the maize. " * 5, "url": f"https://a{n}.co.ke/"}
        for n in range(5)
    ]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "\x1b[31m<b>\nred.jsonl").write_text("[]\n")
    out = tmp_path / "corpus"
    code, said, _ = tools.hostile_builds.run(["corpus", str(folder), "--out", str(out), "--workers", "1"])
    assert code == 0
    assert r"\x1b[31m<b> red.jsonl: not one of its 1 lines is a JSON object" in said
    tools.hostile_builds.check_terminal(said)
    tools.hostile_builds.check_page((out / "corpus.html").read_text())
    assert r"\\x1b\[31m\<b\> red.jsonl" in (out / "README.md").read_text()


def test_an_error_that_names_a_hostile_file_is_one_printable_line(tools, tmp_path):
    (tmp_path / "\x1b[31m\nred.jsonl").write_text(json.dumps({"\x1b[2J\u202e<b>": "x"}))
    code, said, complained = tools.hostile_builds.run(["corpus", str(tmp_path), "--out", str(tmp_path / "corpus")])
    assert (code, said) == (2, "")
    line = complained.splitlines()[-1]
    assert line.startswith(f"dateline: {tmp_path}/" + r"\x1b[31m red.jsonl: no column looks like the text")
    assert r"columns there: \x1b[2J\u202e<b>; write" in line
    tools.hostile_builds.check_terminal(complained)
