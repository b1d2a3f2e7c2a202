"""The commands of the page about benchmarks run as printed, on fewer articles; those for a server are understood."""

import re
import shlex
from pathlib import Path

import pytest

from dateline.benchmark.questions import read_questions
from dateline.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "benchmark.md").read_text(encoding="utf-8")
RUN = [
    line for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) for line in block.splitlines()
]
SHOWN = re.findall(
    r"^dateline (benchmark .*?(?<!\\))$",
    "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)),
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the recipe of the page, of fewer articles."""
    monkeypatch.chdir(tmp_path)
    recipe = (ROOT / "recipes" / "benchmark.yaml").read_text(encoding="utf-8")
    assert "articles: 40000" in recipe
    assert "test: 0.15" in recipe
    small = recipe.replace("articles: 40000", "articles: 500").replace("train: 0.80", "train: 0.40")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "benchmark.yaml").write_text(small.replace("test: 0.15", "test: 0.55"), encoding="utf-8")
    return tmp_path


def run(words):
    try:
        main(words)
    except SystemExit as left:
        return left.code
    return 0


def test_the_commands_run_in_order(folder, capsys):
    assert len(RUN) == 3
    for line in RUN:
        words = shlex.split(line.replace("--quota paper", "--quota gb=4,ie=4,us=4,ca=4"))
        assert words[0] == "dateline"
        assert run(words[1:]) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "closed book, options" in said
    assert len(read_questions(folder / "runs" / "benchmark" / "questions.jsonl")) == 16


def test_the_commands_for_a_server_are_understood(folder, monkeypatch, capsys):
    monkeypatch.delenv("DATELINE_WRITER_URL", raising=False)
    main(["newswire", "--articles", "200", "--out", "runs/corpus"])
    shown = [words for words in SHOWN if "--generator llm" in words]
    assert len(shown) == 2
    for words in shown:
        assert run(shlex.split(words.replace("\\\n", " "))) == 2
        assert "the environment variable DATELINE_WRITER_URL is not set" in capsys.readouterr().err


def test_the_example_is_what_the_generator_asks():
    from dateline.benchmark.facts import frames, is_true

    rows = re.findall(r"^\| (\w\w) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    by_question = {frame.question: frame.table for frame in frames()[0]}
    for code, question, answer in rows:
        assert is_true(by_question[question], answer, code)
