"""The commands of the page about tuning run as printed, on fewer articles and with a smaller model."""

import re
import shlex
from pathlib import Path

import pytest

import dateline
from dateline.cli import main
from dateline.tune.data import read_examples

pytest.importorskip("trl", reason="tuning needs the extra 'tune' (trl)")
pytest.importorskip("peft", reason="tuning needs the extra 'tune' (peft)")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "tune.md").read_text(encoding="utf-8")
RUN = [
    line for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) for line in block.splitlines()
]
SMALL = {
    "newswire": ["--articles", "20"],
    "encode": ["--vocab-size", "512"],
    "train": [
        "--train.epochs", "null", "--train.steps", "2", "--train.batch_rows", "2", "--train.device", "cpu",
        "--train.validate_every", "0", "--model.max_positions", "512",
    ],
}  # fmt: skip


def test_the_commands_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "train.yaml").write_text((ROOT / "recipes" / "train.yaml").read_text(encoding="utf-8"))
    assert len(RUN) == 5
    for line in RUN:
        words = shlex.split(line)
        assert words[0] == "dateline"
        if words[1] == "newswire":
            words[words.index("--articles") : words.index("--articles") + 2] = []
        main([*words[1:], *SMALL.get(words[1], [])])
    assert re.search(r"runs/tuned: \d+ examples, \d+ with a place; \d+ steps, loss ", capsys.readouterr().out)
    assert dateline.load("runs/tuned", device="cpu").fields == ("domain", "country", "continent")


def test_the_example_of_a_row_is_one(tmp_path):
    (row,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "data.jsonl").write_text(" ".join(row.split()), encoding="utf-8")
    (example,) = read_examples(tmp_path / "data.jsonl")
    assert example.place.country == "ng"
