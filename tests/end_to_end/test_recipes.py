"""Every recipe that is shipped loads and plans; those that a small machine can run do so, for a few steps."""

import os
from pathlib import Path

import pytest

from dateline.cli import main
from dateline.manifest import read_manifest
from dateline.scores import read_scores

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
NEWS = Path(os.environ.get("DATELINE_SHARED") or ROOT.parent / "shared") / "data" / "news-real.parquet"


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    main(["newswire", "--articles", "300", "--out", str(folder / "corpus")])
    main(["encode", str(folder / "corpus"), "--out", str(folder / "encoded"), "--vocab-size", "600"])
    return folder / "encoded"


def test_there_are_recipes():
    names = {"quickstart", "train", "nano", "micro", "small", "real-mini", "paper-0.5b", "paper-1b"}
    assert {path.stem for path in RECIPES} >= names


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_validates(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["validate", str(path)])
    said = capsys.readouterr()
    assert "recipe, fingerprint " in said.out
    assert "parameters" in said.out or "\ncorpus recipe, " in said.out
    assert said.err == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [p for p in RECIPES if p.name.startswith("paper")], ids=lambda path: path.name)
def test_the_published_size_is_the_published_length(path, capsys):
    main(["validate", str(path)])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("run  ") and "step" not in line]
    assert line.split()[2:5] == ["10,000", "20,480,000", "41,943,040,000"]


@pytest.mark.parametrize("name", ["train", "nano", "micro", "small"])
def test_a_training_recipe_runs_for_two_steps(name, encoded, tmp_path):
    """With two rows a step; everything else that fits a small machine is as it is shipped."""
    words = ["--data", str(encoded), "--train.epochs", "null", "--train.steps", "2", "--schedule.warmup_steps", "1"]
    words += ["--train.batch_rows", "2", "--train.micro_rows", "1", "--train.validation_documents", "5"]
    main(["train", str(ROOT / "recipes" / f"{name}.yaml"), "--out", str(tmp_path / "run"), *words])
    assert read_manifest(tmp_path / "run").counts["steps"] == 2


def test_the_real_recipe_runs_on_a_slice(tmp_path, capsys):
    if not NEWS.is_file():
        pytest.skip(f"{NEWS} is not there; set DATELINE_SHARED to the folder that holds data/news-real.parquet")
    import pyarrow.parquet as pq

    rows = next(pq.ParquetFile(NEWS).iter_batches(batch_size=300))
    with pq.ParquetWriter(tmp_path / "news.parquet", rows.schema) as writer:
        writer.write_batch(rows)
    words = f"""
    --corpus.paths {tmp_path / "news.parquet"} --encode.vocab_size 600 --seeds [0] --samples.headlines 1
    --defaults.packing.sequence_length 128 --defaults.packing.window_rows 64 --defaults.model.size pico
    --defaults.train.epochs null --defaults.train.steps 2 --defaults.train.batch_rows 2
    --defaults.train.validation_documents 4 --defaults.schedule.warmup_steps 1
    --evaluate.protocol.num_documents 8 --evaluate.resamples 200 --samples.num_tokens 4
    """.split()
    out = tmp_path / "out"
    main(["experiment", str(ROOT / "recipes" / "real-mini.yaml"), "--out", str(out), *words])
    assert {score.run for score in read_scores(out)} == {"plain", "conditioned"}
    counts = read_manifest(out / "corpus").counts
    assert counts["in"] == 300
    assert counts["kept"] > 100
    said = capsys.readouterr().out
    assert "recovered gain" not in said
    assert said.splitlines()[-1].startswith(f"{out / 'report.html'} (")
