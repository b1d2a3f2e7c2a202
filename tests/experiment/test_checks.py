"""What cannot be trained or measured is refused, or said, before anything is trained."""

import re
import shutil

import pytest

from dateline.errors import UserError
from dateline.experiment.checks import FEW, check_mixes, few_documents
from dateline.experiment.run import run_experiment
from dateline.tokens.store import EncodedCorpus

PLACES = {
    "global": {},
    "oceania": {"mix": {"include": ["Oceania"]}},
    "nowhere": {"mix": {"exclude": ["Africa", "America", "Asia", "Europe"]}},
    "asia": {"mix": {"include": ["Asia"]}, "train": {"budget": "same_region_tokens"}},
    "atlantis": {"mix": {"weights": {"Atlantis": 1}}},
}
METADATA = {"with": {}, "without": {"conditions": {"fields": []}}}


@pytest.fixture
def regions(make):
    """A grid with a run for each of some values of an axis, and changes of it."""

    def recipe(*values, **more):
        grid = {"axes": {"read": PLACES, "metadata": METADATA}, "blocks": [{"read": list(values), "metadata": "all"}]}
        return make(**{"runs": {}, "seeds": [0], "measures": {}, "grid": grid, **more})

    return recipe


@pytest.fixture(scope="module")
def corpus(encoded):
    return EncodedCorpus.open(encoded / "encoded")


def test_what_the_corpus_has_is_accepted(regions, corpus):
    check_mixes(regions("global", "asia"), corpus)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("oceania", "mix: 'Oceania' is no continent or country of .*; it has Africa, America, Asia, Europe"),
        ("nowhere", "mix: no training document of .* is left by include and exclude"),
        ("atlantis", "mix.weights: give one weight for each continent in the corpus; check Africa, America, Asia, Atl"),
    ],
)
def test_a_run_without_anything_to_read_is_named_with_its_axis_value(regions, corpus, value, message):
    with pytest.raises(UserError, match=rf"^run '{value}-with' \(read: {value}\): {message}"):
        check_mixes(regions("global", value), corpus)


def test_a_run_outside_of_a_grid_is_named(make, corpus):
    with pytest.raises(UserError, match=r"^run 'far': mix: 'Oceania'"):
        check_mixes(make(runs={"far": PLACES["oceania"]}, measures={}), corpus)


def test_nothing_is_trained_where_one_run_would_find_nothing_to_read(regions, encoded, tmp_path):
    out = shutil.copytree(encoded, tmp_path / "out")
    with pytest.raises(UserError, match=r"^run 'oceania-with' \(read: oceania\)"):
        run_experiment(regions("global", "oceania"), out)
    assert not list(out.glob("runs/[!.]*"))


def test_regions_with_few_scored_documents_are_named(regions, corpus):
    counts = {"Africa": 6, "America": 6, "Asia": 6, "Europe": 6}
    sampled = {"evaluate": {"protocol": {"num_documents": None, "split": "train", "per_group": 6}}}
    said = few_documents(regions("global", "asia", **sampled), corpus)
    listed, _, rest = said.partition(f"; below {FEW} an interval says too little, and below 2 there is none: ")
    assert listed.startswith("documents scored of split 'train': Asia ")
    found = dict(part.split() for part in listed.partition(": ")[2].split(", "))
    assert {name: int(count) for name, count in found.items()} == counts
    assert "corpus.splits" in rest
    assert "\n" not in said


def test_regions_with_enough_documents_are_not(regions, corpus):
    assert (
        few_documents(regions("global", evaluate={"protocol": {"split": "train", "num_documents": None}}), corpus) == ""
    )


def test_the_warning_stands_before_the_training(regions, encoded, tmp_path, capsys):
    out = shutil.copytree(encoded, tmp_path / "out")
    run_experiment(regions("asia", defaults={"train": {"steps": 1}}, samples={"headlines": 0}), out)
    said = capsys.readouterr().err
    assert re.search(r"documents scored of split 'test': Asia \d.*\n(.*\n)*train asia-with", said)


def test_a_split_without_documents_is_refused_before_the_training(regions, encoded, tmp_path):
    out = shutil.copytree(encoded, tmp_path / "out")
    with pytest.raises(UserError, match=r"no documents in split 'test' .there are: train"):
        run_experiment(regions("global", corpus={"splits": {"train": 1.0, "validation": 0.0, "test": 0.0}}), out)
    assert not list(out.glob("runs/[!.]*"))


def test_a_study_that_cannot_be_computed_is_refused_before_the_corpus_is_built(make, tmp_path):
    for values, message in (
        ({"runs": {"alone": {}}}, "its runs answer no claim of a study"),
        ({"evaluate": {"protocol": {"name": "paper", "truncation": 100}}}, "set evaluate.protocol.name to strict"),
    ):
        with pytest.raises(UserError, match=message):
            run_experiment(make(study={}, measures={}, **values), tmp_path / "out")
    assert not (tmp_path / "out").exists()
