"""The code of README and of the page about the Python API runs as printed, on a small model that is trained here."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

import dateline
from dateline.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "python.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PYTHON = BLOCK.findall(PAGE)
COMMANDS = re.findall(r"^```bash\ndateline (.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE)
TRAIN = {
    "data": "encoded",
    "mix": {"weights": "natural"},
    "packing": {"sequence_length": 128},
    "model": {"size": "pico", "max_positions": 256},
    "conditions": {"dropout": 0.5, "field_dropout": {"domain": 0.5}},
    "optimizer": {"learning_rate": 1e-2},
    "schedule": {"warmup_steps": 4},
    "train": {"steps": 30, "batch_rows": 8, "validate_every": 0, "checkpoint_every": 0, "device": "cpu"},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a model at the place that the page names."""
    folder = tmp_path_factory.mktemp("guide")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(["newswire", "--articles", "300", "--out", "corpus"])
        main(["encode", "corpus", "--out", "encoded", "--vocab-size", "600"])
        Path("train.yaml").write_text(yaml.safe_dump(TRAIN), encoding="utf-8")
        main(["train", "train.yaml", "--out", "runs/quickstart/runs/conditioned"])
    return folder


def test_the_page_runs(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    names = {}
    for block in PYTHON:
        exec(compile(block, "docs/guide/python.md", "exec"), names)
    said = capsys.readouterr().out
    assert "place 'Nigerai' is not known; did you mean 'nigeria'" in said
    assert [generation.place.country for generation in names["comparison"].generations] == ["ng", "gb", ""]
    assert "".join(token.text for token in names["first"].gains) == names["first"].text
    assert set(names["written"].continuations[0].posterior) == {"ng", "gb", "in"}
    assert names["location"].country in {"ng", "gb", "in"}
    used = set(re.findall(r"model\.(\w+)\(", "\n".join(PYTHON)))
    assert used == {"generate", "stream", "compare", "score", "locate", "leakage"}


def test_the_lines_of_the_readme_run(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    (block,) = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_the_command_of_the_page_runs(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    monkeypatch.setenv("COLUMNS", "120")
    (command,) = COMMANDS
    main([*shlex.split(command), "--max-tokens", "10"])
    said = capsys.readouterr()
    assert "nats from the place" in said.out
    assert said.err == ""


def test_a_trained_model_knows_that_it_saw_texts_without_a_prefix(trained):
    """So guidance is not refused: training writes it down, and the run's manifest says it for older models."""
    run = trained / "runs" / "quickstart" / "runs" / "conditioned"
    from dateline.model.load import trained_without_prefix

    assert trained_without_prefix(run) is True
    facts = run / "model" / "dateline.json"
    kept = facts.read_text(encoding="utf-8")
    try:
        facts.write_text(kept.replace('"dropout"', '"other"'), encoding="utf-8")
        assert trained_without_prefix(run) is True
        assert dateline.load(run, device="cpu").generate("a", place="ng", guidance=2, max_tokens=2).prompt == "a"
    finally:
        facts.write_text(kept, encoding="utf-8")
