"""What would run is counted, and nothing runs."""

import re

import pytest

from dateline.cli import main, validate
from dateline.errors import UserError
from dateline.manifest import read_manifest
from dateline.model.sizes import ModelRecipe, num_parameters

EPOCH = ["--defaults.train.steps", "null", "--defaults.train.epochs", "1"]


def row(said, name):
    """Parameters, steps, rows, tokens and body tokens of a run, as printed."""
    [line] = [line for line in said.out.splitlines() if re.match(rf"{name} +\S+ +\S+ +\S+ +\S+ +\S+$", line)]
    return line.split()[1:]


def number(text):
    return int(text.lstrip("~").replace(",", ""))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, checked to be empty afterwards."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_recipe(dateline, folder, tmp_path_factory):
    recipe = tmp_path_factory.mktemp("r") / "corpus.yaml"
    recipe.write_text("paths: [nowhere.jsonl]\n")
    said = dateline("validate", recipe, "--language", "null")
    assert said.code == 0, said.err
    assert "language: null" in said.out
    assert re.search(r"^corpus recipe, fingerprint [0-9a-f]{16}$", said.out, re.MULTILINE)


def test_a_training_recipe_with_and_without_its_data(dateline, folder, train_recipe):
    said = dateline("validate", train_recipe, "--data", "nowhere", "--train.steps", "7")
    assert said.code == 0, said.err
    assert row(said, "run") == ["?", "7", "28", "3,584", "?"]
    assert "? is known once the corpus is encoded" in said.out
    said = dateline("validate", train_recipe, "--train.steps", "7")
    parameters = num_parameters(ModelRecipe(size="pico", max_positions=128), 600)
    assert row(said, "run")[:4] == [f"{parameters:,}", "7", "28", "3,584"]
    assert row(said, "run")[4].startswith("~")
    assert 0 < number(row(said, "run")[4]) < 3584


def test_an_experiment_is_estimated_and_then_counted(dateline, folder, experiment_recipe, finished, untouched):
    about = dateline("validate", experiment_recipe, *EPOCH)
    assert about.code == 0, about.err
    assert "corpus: 300 newswire articles\n" in about.out
    assert "evaluate plain: none\nevaluate conditioned: gold, none, wrong\n" in about.out
    before = untouched(finished)
    known = dateline("validate", experiment_recipe, "--out", finished, *EPOCH)
    assert untouched(finished) == before
    assert "~" not in known.out
    for run in ("plain", "conditioned"):
        estimate, truth = row(about, run), row(known, run)
        assert all(value.startswith("~") for value in estimate[1:])
        for one, other in zip(map(number, estimate), map(number, truth), strict=True):
            assert one == pytest.approx(other, rel=0.05)
    trained = read_manifest(finished / "runs" / "plain").counts["body_tokens"]
    assert number(row(known, "plain")[4]) > trained


def test_a_length_in_steps_is_known_before_anything(dateline, folder, experiment_recipe):
    said = dateline("validate", experiment_recipe)
    assert row(said, "plain")[1:4] == ["4", "16", "2,048"]
    plain, conditioned = (number(row(said, run)[4]) for run in ("plain", "conditioned"))
    assert conditioned < plain < 2048


def test_an_estimate_extrapolates_from_part_of_the_corpus(dateline, folder, experiment_recipe, monkeypatch):
    whole = dateline("validate", experiment_recipe, *EPOCH)
    monkeypatch.setattr(validate, "SAMPLE", 150)
    part = dateline("validate", experiment_recipe, *EPOCH)
    assert "~ is estimated from 150 of its articles" in part.out
    assert row(part, "plain") != row(whole, "plain")
    assert number(row(part, "plain")[4]) == pytest.approx(number(row(whole, "plain")[4]), rel=0.1)


def test_a_mix_and_a_gate_count(dateline, folder, experiment_recipe):
    everything = number(row(dateline("validate", experiment_recipe, *EPOCH), "plain")[4])
    africa = number(
        row(dateline("validate", experiment_recipe, *EPOCH, "--defaults.mix.include", "[Africa]"), "plain")[4]
    )
    rest = number(
        row(dateline("validate", experiment_recipe, *EPOCH, "--defaults.mix.exclude", "[Africa]"), "plain")[4]
    )
    assert africa + rest == pytest.approx(everything, abs=2)
    half = number(
        row(
            dateline("validate", experiment_recipe, *EPOCH, "--corpus.splits", "{train: 0.5, test: 0.45, enough: 1}"),
            "plain",
        )[4]
    )
    assert 0.4 * everything < half < 0.7 * everything


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--defaults.mix.include", "[Atlantis]"],
            "mix: 'Atlantis' is no continent or country of the newswire; it has",
        ),
        (["--corpus.min_characters", "100000"], "no usable document is left of 300 read; dropped most often"),
    ],
)
def test_nothing_to_train_on_is_said(dateline, folder, experiment_recipe, more, message):
    said = dateline("validate", experiment_recipe, *more)
    assert said.code == 2
    assert message in said.err


def test_files_are_not_guessed_at(dateline, folder, experiment_recipe):
    said = dateline("validate", experiment_recipe, *EPOCH, "--corpus", "{paths: [news.parquet]}")
    assert said.code == 0, said.err
    assert row(said, "plain")[1:] == ["?", "?", "?", "?"]
    assert "corpus: news.parquet\n" in said.out
    assert "? is known once the corpus is encoded" in said.out


def test_full_shows_defaults(dateline, folder, experiment_recipe):
    assert "min_characters" not in dateline("validate", experiment_recipe).out
    assert "min_characters" in dateline("validate", experiment_recipe, "--full").out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo: 1\n", "not a recipe: it has none of the sections"),
        ("runs: [\n", "not valid YAML"),
        ("- 1\n", "a recipe is a"),
    ],
)
def test_what_is_no_recipe(dateline, tmp_path, text, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    said = dateline("validate", path)
    assert said.code == 2
    assert message in said.err


def test_the_kind_follows_from_the_sections(tmp_path):
    path = tmp_path / "recipe.yaml"
    kinds = {
        "runs: {}\ntrain: {}\n": "experiment",
        "newswire: {articles: 5}\n": "corpus",
        "train: {steps: 1}\n": "train",
    }
    for text, kind in kinds.items():
        path.write_text(text)
        assert validate.recipe_kind(path) == kind
    path.write_text("model: {size: pico}\n")
    assert validate.recipe_kind(path, ["--train.steps", "5"]) == "train"
    with pytest.raises(UserError, match="none of the sections runs, train, data, paths, newswire"):
        validate.recipe_kind(path)


def test_nothing_there(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["validate", str(tmp_path / "none.yaml")])
    assert left.value.code == 2
    assert "no such recipe" in capsys.readouterr().err
