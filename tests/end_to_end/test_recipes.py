"""Every recipe that is shipped loads and plans; those that a small machine can run do so, for a few steps."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from dateline.cli import main
from dateline.config import load_recipe
from dateline.experiment import ExperimentRecipe
from dateline.experiment.grid import expand
from dateline.manifest import read_manifest
from dateline.scores import read_runs, read_scores
from dateline.train.recipe import TrainRecipe

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
    names = {
        "paper",
        "study-newswire",
        "study-real",
        "quickstart",
        "train",
        "nano",
        "micro",
        "small",
        "real-mini",
        "paper-0.5b",
        "paper-1b",
    }
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


@pytest.mark.parametrize("path", [p for p in RECIPES if p.name.startswith("paper-")], ids=lambda path: path.name)
def test_the_published_size_is_the_published_length(path, capsys):
    main(["validate", str(path)])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("run  ") and "step" not in line]
    assert line.split()[3] == "10,000"
    recipe = load_recipe(TrainRecipe, path)
    assert recipe.train.batch_rows * recipe.packing.sequence_length == 4_194_304


@pytest.mark.parametrize("name", ["paper", "study-newswire", "study-real"])
def test_a_study_has_the_published_31_runs_in_few_lines(name):
    path = ROOT / "recipes" / f"{name}.yaml"
    assert len(path.read_text().splitlines()) <= 80
    recipe = load_recipe(ExperimentRecipe, path)
    runs = [run.identity(recipe.corpus) for run in expand(recipe, "")]
    small, large = list(dict.fromkeys(run.size for run in runs))
    continents = ("Africa", "America", "Asia", "Europe")
    everywhere = runs[0].trained_on
    both = [{"fields": ""}, {"fields": "domain+country+continent", "dropout": 0.1}]
    sizes, places = (small, large), (everywhere, *continents)
    published = [
        *({"size": size, "trained_on": place, "left_out": "", **how}
          for size in sizes for place in places for how in both),
        *({"size": large, "trained_on": everywhere, "left_out": left, **how} for left in continents for how in both),
        *({"size": large, "trained_on": everywhere, "left_out": "", "fields": fields}
          for fields in ("domain", "domain+country", "domain+continent")),
    ]  # fmt: skip
    assert len(published) == 31
    usual = {"cooldown": 0.0, "budget": "same_steps", "mix": runs[0].mix}
    for wanted in published:
        found = {
            run.family for run in runs if all(getattr(run, key) == value for key, value in {**usual, **wanted}.items())
        }
        assert len(found) == 1, wanted
    if name != "study-newswire":
        assert len(runs) == 31


def test_the_newswire_study_runs_in_part(tmp_path, capsys):
    """Every kind of block, at the smallest size."""
    blocks = """[{size: pico, trained_on: [global, africa], metadata: [without, with], seeds: 0},
      {size: pico, trained_on: africa, metadata: [without, with], budget: all}]"""
    words = """
    --corpus.newswire.articles 300 --encode.vocab_size 600 --samples.headlines 1 --samples.num_tokens 4
    --defaults.packing.sequence_length 128 --defaults.train.body_tokens 3000 --defaults.train.checkpoint_every 2
    --defaults.schedule.warmup_steps 1 --evaluate.protocol.per_group 4 --evaluate.resamples 200 --workers 1
    """
    out = tmp_path / "out"
    recipe = str(ROOT / "recipes" / "study-newswire.yaml")
    with suppress(SystemExit):  # 3: so short a training finds none of the known truths
        main(["experiment", recipe, "--out", str(out), "--grid.blocks", " ".join(blocks.split()), *words.split()])
    runs = {run.run: run.body_tokens for run in read_runs(out)}
    assert len(runs) == 6
    assert runs["pico-africa-with-region-tokens-seed0"] < 0.5 * runs["pico-africa-with-seed0"]


@pytest.mark.parametrize(("name", "steps"), [("train", 2), ("nano", 2), ("micro", 1), ("small", 1)])
def test_a_training_recipe_runs_for_a_few_steps(name, steps, encoded, tmp_path):
    """With two rows a step; everything else that fits a small machine is as it is shipped."""
    words = ["--data", str(encoded), "--train.epochs", "null", "--train.steps", f"{steps}"]
    words += ["--schedule.warmup_steps", "1"]
    words += ["--train.batch_rows", "2", "--train.micro_rows", "1", "--train.validation_documents", "5"]
    main(["train", str(ROOT / "recipes" / f"{name}.yaml"), "--out", str(tmp_path / "run"), *words])
    assert read_manifest(tmp_path / "run").counts["steps"] == steps


def test_the_real_recipe_runs_on_a_slice(tmp_path, capsys):
    if not NEWS.is_file():
        pytest.skip(f"{NEWS} is not there; set DATELINE_SHARED to the folder that holds data/news-real.parquet")
    import pyarrow.parquet as pq

    rows = next(pq.ParquetFile(NEWS).iter_batches(batch_size=300))
    with pq.ParquetWriter(tmp_path / "news.parquet", rows.schema) as writer:
        writer.write_batch(rows)
    words = f"""
    --workers 1 --corpus.paths {tmp_path / "news.parquet"} --encode.vocab_size 600 --seeds [0] --samples.headlines 1
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
