"""What would run is counted, and nothing runs."""

import json
import re
from pathlib import Path

import pytest

from dateline.cli import main, validate
from dateline.errors import UserError
from dateline.manifest import read_manifest
from dateline.model.sizes import ModelRecipe, num_parameters

RECIPES = Path(__file__).parents[2] / "recipes"
EPOCH = ["--defaults.train.steps", "null", "--defaults.train.epochs", "1"]


def row(said, name):
    """Parameters, steps, body tokens, repeats, FLOPs and hours of a run, as printed."""
    [line] = [line for line in said.out.splitlines() if re.match(rf"{name} +\d+( +\S+){{6}}$", line)]
    return line.split()[2:]


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
    assert row(said, "run") == ["?", "7", "?", "?", "?", "?"]
    assert "? is known once the corpus is encoded" in said.out
    said = dateline("validate", train_recipe, "--train.steps", "7")
    parameters = num_parameters(ModelRecipe(size="pico", max_positions=128), 600)
    assert row(said, "run")[:2] == [f"{parameters:,}", "7"]
    assert row(said, "run")[2].startswith("~")
    assert 0 < number(row(said, "run")[2]) < 3584


def test_an_experiment_is_estimated_and_then_counted(dateline, folder, experiment_recipe, finished, untouched):
    about = dateline("validate", experiment_recipe, *EPOCH)
    assert about.code == 0, about.err
    assert "corpus: 300 newswire articles\n" in about.out
    assert "conditions: gold, none, wrong; runs without fields: none\n" in about.out
    before = untouched(finished)
    known = dateline("validate", experiment_recipe, "--out", finished, *EPOCH)
    assert untouched(finished) == before
    assert "~" not in known.out
    for run in ("plain", "conditioned"):
        estimate, truth = row(about, run), row(known, run)
        assert all(value.startswith("~") for value in estimate[1:3])
        for one, other in zip(map(number, estimate[:3]), map(number, truth[:3]), strict=True):
            assert one == pytest.approx(other, rel=0.05)
    trained = read_manifest(finished / "runs" / "plain").counts["body_tokens"]
    assert number(row(known, "plain")[2]) > trained


@pytest.mark.parametrize(("length", "unequal"), [([], True), (EPOCH, False)])
def test_equal_steps_are_no_equal_text(dateline, experiment_recipe, length, unequal):
    said = dateline("validate", experiment_recipe, *length)
    assert said.code == 0, said.err
    assert ("train.body_tokens gives all runs the same text" in said.out) == unequal


def test_a_length_in_steps_is_known_before_anything(dateline, folder, experiment_recipe):
    said = dateline("validate", experiment_recipe)
    assert row(said, "plain")[1] == "4"
    plain, conditioned = (number(row(said, run)[2]) for run in ("plain", "conditioned"))
    assert conditioned < plain < 2048


def test_an_estimate_extrapolates_from_part_of_the_corpus(dateline, folder, experiment_recipe, monkeypatch):
    whole = dateline("validate", experiment_recipe, *EPOCH)
    monkeypatch.setattr(validate, "SAMPLE", 150)
    part = dateline("validate", experiment_recipe, *EPOCH)
    assert "~ is estimated from 150 of its articles" in part.out
    assert row(part, "plain") != row(whole, "plain")
    assert number(row(part, "plain")[2]) == pytest.approx(number(row(whole, "plain")[2]), rel=0.1)


def test_a_mix_and_a_gate_count(dateline, folder, experiment_recipe):
    everything = number(row(dateline("validate", experiment_recipe, *EPOCH), "plain")[2])
    africa = number(
        row(dateline("validate", experiment_recipe, *EPOCH, "--defaults.mix.include", "[Africa]"), "plain")[2]
    )
    rest = number(
        row(dateline("validate", experiment_recipe, *EPOCH, "--defaults.mix.exclude", "[Africa]"), "plain")[2]
    )
    assert africa + rest == pytest.approx(everything, abs=2)
    half = number(
        row(
            dateline("validate", experiment_recipe, *EPOCH, "--corpus.splits", "{train: 0.5, test: 0.45, enough: 1}"),
            "plain",
        )[2]
    )
    assert 0.4 * everything < half < 0.7 * everything


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--defaults.mix.include", "[Atlantis]"],
            "dateline: run 'plain': mix: 'Atlantis' is no continent or country of the newswire; it has",
        ),
        (
            [
                "--runs",
                "{}",
                "--grid",
                '{"axes": {"read": {"new": {"mix": {"include": ["Oceania"]}}}}, "blocks": [{"read": "all"}]}',
            ],
            "dateline: run 'new' (read: new): mix: 'Oceania' is no continent or country of the newswire; it has Africa",
        ),
        (["--study", "{}", "--runs", '{"alone": {}}'], "dateline: Tiny: its runs answer no claim of a study"),
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
    assert row(said, "plain")[1:] == ["?", "?", "?", "?", "?"]
    assert "corpus: news.parquet\n" in said.out
    assert "? is known once the corpus is encoded" in said.out


def test_the_published_study_is_31_runs(dateline, folder):
    said = dateline("validate", RECIPES / "paper.yaml", "--vocab-size", "128256", "--rate", "4e14")
    assert said.code == 0, said.err
    runs = {line.split()[0]: line.split() for line in said.out.splitlines() if re.match(r"(0.5|1)b-\S+ +1 ", line)}
    assert len(runs) == 31
    assert sum(name.endswith(("-with", "-without")) and "-no-" not in name for name in runs) == 20
    assert sum("1b-no-" in name for name in runs) == 8
    assert sum("1b-global-domain" in name for name in runs) == 3
    # 10,000 steps of 2,048 rows of 2,048 tokens, 6 FLOPs a weight and token, and attention over half a row
    tokens, weights, attended = 10_000 * 2048 * 2048, 128256 * 2048 + 16 * (4 * 2048**2 + 3 * 2048 * 5632), 1024
    flops = tokens * (6 * weights + 12 * 16 * 2048 * attended)
    assert runs["1b-global-with"][-2:] == [f"{flops:.1e}".replace("e+", "e"), f"{flops / 4e14 / 3600:.0f}"]
    assert re.search(r"^31 runs: \S+ FLOPs, [\d,]+ hours at 4.0e14 FLOP/s", said.out, re.MULTILINE)


def test_repeats_and_the_budget_of_a_region_are_counted(dateline, folder, experiment_recipe):
    grid = {
        "axes": {
            "trained-on": {"global": {}, "europe": {"mix": {"include": ["Europe"]}}},
            "budget": {"region": {"train": {"budget": "same_region_tokens"}}},
            "balance": {"equal": {"mix": {"weights": "equal"}}},
        },
        "blocks": [
            {"trained-on": "all"},
            {"trained-on": "europe", "budget": "all"},
            {"trained-on": "global", "balance": "all"},
        ],
    }
    length = ["--defaults.train.steps", "null", "--defaults.train.body_tokens", "100000"]
    said = dateline("validate", experiment_recipe, *length, "--grid", json.dumps(grid))
    assert said.code == 0, said.err
    local, control, everything = (row(said, name) for name in ("europe", "europe-region", "global"))
    assert number(local[2]) == number(everything[2]) == 100_000
    assert number(control[2]) < 30_000
    assert float(local[3]) > 4 > float(everything[3])
    assert float(control[3]) == pytest.approx(float(everything[3]), rel=0.1)
    assert re.search(r"^repeats of each group: Africa \S+, America .*\(global-equal\)$", said.out, re.MULTILINE)
    assert re.search(r"^read some of their documents more than 4 times.*: .*europe", said.out, re.MULTILINE)


def test_a_study_is_counted_with_its_holes(dateline, folder, experiment_recipe):
    assert "study" not in dateline("validate", experiment_recipe).out
    said = dateline("validate", experiment_recipe, "--study", "{}")
    assert said.code == 0, said.err
    [line] = [line for line in said.out.splitlines() if re.match(r"study: \d", line)]
    assert line.startswith("study: 3 findings, 0 of them holes by design; not asked: in_region, out_of_region, ")
    blocks = [
        {"metadata": "all"},
        {"read": "all", "metadata": "with", "seeds": [1]},
        {"read": "all", "metadata": "without", "seeds": [2]},
    ]
    plain = {"conditions": {"fields": []}}
    axes = {"read": {"africa": {"mix": {"include": ["Africa"]}}}, "metadata": {"with": {}, "without": plain}}
    grid = json.dumps({"axes": axes, "blocks": blocks})
    said = dateline("validate", experiment_recipe, "--study", "{}", "--runs", "{}", "--grid", grid)
    [line] = [line for line in said.out.splitlines() if re.match(r"study: \d", line)]
    claims = "in_region, out_of_region, global_local_with, global_local_without, global_with_local_without, gap_closed"
    assert line.startswith(f"study: 9 findings, 6 of them holes by design (no seed in common: {claims}); not asked: ")


def test_regions_with_few_test_documents_are_named_where_they_are_known(dateline, folder, experiment_recipe, finished):
    for known in (["--out", finished], []):  # 300 articles are fewer than a sample, and written as they will be
        said = dateline("validate", experiment_recipe, *known)
        [line] = [line for line in said.out.splitlines() if line.startswith("documents scored of split 'test': ")]
        counts = dict(part.split() for part in line.partition("': ")[2].partition(";")[0].split(", "))
        assert counts
        assert all(0 < int(count) < 10 for count in counts.values())
        assert set(counts) <= {"Africa", "America", "Asia", "Europe"}
    many = dateline("validate", experiment_recipe, "--corpus.newswire.articles", "5000")
    assert "documents scored" not in many.out  # not known of a sample


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


def test_a_run_that_is_too_short_to_mean_anything_is_named(dateline, folder, experiment_recipe):
    short = dateline("validate", str(experiment_recipe), "--defaults.train.steps", "2").out
    assert "undertrained: " in short
    long = dateline("validate", str(experiment_recipe), "--defaults.train.steps", "100000").out
    assert "undertrained" not in long


def test_no_number_fuses_with_its_neighbour(dateline, folder, experiment_recipe):
    words = ["--corpus.newswire", "null", "--corpus.paths", "a.jsonl", "--defaults.train.steps", 10**18]
    said = dateline("validate", experiment_recipe, *words)
    heading, *runs = [line for line in said.out.splitlines() if re.match(r"(run|plain|conditioned) ", line)]
    assert len(runs) == 2, said.err
    assert {len(line) for line in runs} == {len(heading)}
    said = dateline("validate", experiment_recipe, *words[:-1], "1" * 21)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "--defaults.train.steps: must be at most 1e+18" in said.err
