"""What an experiment says in the end is what its tables say; the gain is exact where the losses are made up."""

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from dateline.corpus.newswire import Newswire
from dateline.errors import UserError
from dateline.experiment import summary as summaries
from dateline.experiment.grid import expand
from dateline.experiment.summary import newswire_entropies, recovered_gain, summarize, write_samples
from dateline.scores import read_scores
from dateline.testing import write_corpus
from dateline.tokens.mix import Mix

PAIR = "reseed2-seed0/gold - noseed1-seed0/none"


@pytest.fixture(scope="module")
def parts(make, finished):
    recipe = make()
    runs = expand(recipe, str(finished / "encoded"))
    return recipe, runs, read_scores(finished)


def test_differences_are_those_of_the_levels(parts, finished):
    recipe, runs, scores = parts
    summary = summarize(recipe, runs, finished, scores)
    found = summary["nll_difference"][PAIR]
    expected = math.log(summary["ppl"]["reseed2-seed0"]["gold"] / summary["ppl"]["noseed1-seed0"]["none"])
    assert found["value"] == pytest.approx(expected, abs=1e-9)
    assert found["ci"][0] <= found["value"] <= found["ci"][1]
    assert 0 < found["p"] <= found["p_holm"] <= 1
    assert found["mde"] > 0
    assert found["seeds"] == 1
    assert summary["leaks"] == []
    assert 0 <= summary["title_in_url"]["value"] <= 1


def test_the_gain_is_that_of_the_losses_and_the_entropy(parts, finished):
    summary = summarize(*parts[:2], finished, parts[2])
    entropy = summary["entropy"]
    gained = -summary["nll_difference"][PAIR]["value"]
    assert summary["recovered_gain"] == pytest.approx(gained / (entropy["without_place"] - entropy["with_place"]))
    assert summary["recovered_gain_by_run"].keys() == {"reseed2-seed0", "reseed2-seed1"}


@pytest.mark.parametrize("corpus", [{"countries": ["gb", "ng"]}, {"held_out": ["gb"]}, {"held_out_outlets": ["a.com"]}])
def test_a_corpus_without_all_places_in_training_has_no_gain(make, parts, finished, corpus):
    summary = summarize(make(corpus=corpus), *parts[1:2], finished, parts[2])
    assert "recovered_gain" not in summary
    assert summary["ppl"]["noseed1-seed0"]["none"] > 0


@pytest.mark.parametrize("other", [{"mix": {"weights": "equal"}}, {"model": {"size": "nano"}}], ids=["mix", "model"])
def test_another_mix_or_model_than_the_plain_runs_has_no_gain(make, parts, finished, other):
    recipe = make(runs={"noseed1": {"conditions": {"fields": []}}, "reseed2": other})
    assert "recovered_gain" not in summarize(recipe, expand(recipe, ""), finished, parts[2])


@pytest.fixture
def asked(monkeypatch):
    """What the samples ask of the model."""
    calls = []

    def continuations(model, headlines, places, *, run, num_tokens):
        calls.append((model, list(headlines), list(places), run, num_tokens))
        return [{"run": run}]

    monkeypatch.setattr(summaries, "continuations", continuations)
    return calls


def test_samples_are_of_the_first_conditioned_run_under_places_from_different_continents(
    make, finished, tmp_path, asked
):
    recipe = make(samples={"headlines": 3, "places": 4})
    write_samples(tmp_path / "samples.json", recipe, expand(recipe, ""), finished)
    [(model, headlines, places, run, num_tokens)] = asked
    assert (model, run, num_tokens) == (finished / "runs" / "reseed2-seed0", "reseed2-seed0", 4)
    assert len(set(headlines)) == 3
    assert places[-1] is None
    assert sorted(place.continent for place in places[:-1]) == ["Africa", "America", "Asia", "Europe"]
    assert all(place.domain and place.country for place in places[:-1])
    assert json.loads((tmp_path / "samples.json").read_text()) == [{"run": "reseed2-seed0"}]


@pytest.mark.parametrize(
    "values",
    [{"samples": {"headlines": 0}}, {"runs": {"plain": {"conditions": {"fields": []}}}}],
    ids=["none", "plain"],
)
def test_nothing_to_continue_leaves_an_empty_list(make, finished, tmp_path, asked, values):
    recipe = make(**values)
    write_samples(tmp_path / "samples.json", recipe, expand(recipe, ""), finished)
    assert not asked
    assert json.loads((tmp_path / "samples.json").read_text()) == []


# Recovered gain

NATURAL = Mix(weights="natural")
ARTICLES = [replace(article, split="test") for article in Newswire().articles(60, 3)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    elsewhere = [replace(article, split="validation") for article in Newswire().articles(5, 4)]
    return write_corpus(tmp_path_factory.mktemp("gain") / "corpus", [*ARTICLES, *elsewhere])


@pytest.fixture(scope="module")
def entropies(corpus):
    return newswire_entropies(corpus, NATURAL)


WHOLE = {"slice_by": "all", "slice": "all"}


def losses(ids, nll, condition):
    """A table of losses of one condition, and another condition that nobody asks for."""
    rows = [
        {"id": i, "condition": condition, "nll": float(n), "n_tokens": 50, **WHOLE}
        for i, n in zip(ids, nll, strict=True)
    ]
    rows += [{"id": i, "condition": "wrong", "nll": 1e6, "n_tokens": 50, **WHOLE} for i in ids]
    return pa.Table.from_pylist(rows)


def test_entropies_are_those_of_the_grammar(entropies):
    assert entropies.ids == [article.id for article in ARTICLES]
    wire = Newswire()
    found = [wire.log_probabilities(article) for article in ARTICLES]
    np.testing.assert_array_equal(entropies.without_place, [-one.none for one in found])
    np.testing.assert_array_equal(entropies.with_place, [-one.domain for one in found])
    assert entropies.with_place.sum() < entropies.without_place.sum()


def test_another_split_can_be_asked_for(corpus):
    assert len(newswire_entropies(corpus, NATURAL, split="validation").ids) == 5


@pytest.mark.parametrize(
    ("fields", "known"),
    [(("country",), "country"), (("continent", "date"), "continent"), (("country", "continent"), "country"),
     (("url",), "domain"), (("url_hash", "country"), "domain")],
)  # fmt: skip
def test_the_prefix_decides_what_is_known(corpus, fields, known):
    wire = Newswire()
    expected = [-getattr(wire.log_probabilities(article), known) for article in ARTICLES]
    np.testing.assert_array_equal(newswire_entropies(corpus, NATURAL, fields).with_place, expected)


def test_equal_continents_average_over_continents(corpus, entropies):
    found = newswire_entropies(corpus, Mix())
    wire = Newswire(balance="continent")
    np.testing.assert_array_equal(found.without_place, [-wire.log_probabilities(a).none for a in ARTICLES])
    assert not np.array_equal(found.without_place, entropies.without_place)


@pytest.mark.parametrize(
    "mix",
    [Mix(by="country"), Mix(weights={"Africa": 1.0, "Asia": 2.0}), Mix(weights="natural", include=("Africa",)),
     Mix(exclude=("gb",))],
)  # fmt: skip
def test_a_mix_that_the_grammar_cannot_average_has_no_gain(corpus, mix):
    assert newswire_entropies(corpus, mix) is None


@pytest.mark.parametrize("fields", [(), ("date",)])
def test_a_prefix_without_a_place_has_no_gain(corpus, fields):
    assert newswire_entropies(corpus, NATURAL, fields) is None


def test_articles_of_another_grammar_are_refused(tmp_path):
    folder = write_corpus(tmp_path / "corpus", [replace(ARTICLES[0], text="Nobody's grammar writes this.")])
    with pytest.raises(UserError, match="the newswire of this version cannot write it; build the corpus again"):
        newswire_entropies(folder, NATURAL)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0, -0.5])
def test_the_gain_is_the_share_of_what_can_be_gained(entropies, share):
    ids, possible = entropies.ids, entropies.without_place - entropies.with_place
    plain = entropies.without_place + 7.0
    estimate, entropy = recovered_gain(
        losses(ids, plain, "none"), losses(ids, plain - share * possible, "gold"), entropies, resamples=200
    )
    assert estimate.value == pytest.approx(share)
    assert (estimate.low, estimate.high) == (pytest.approx(share), pytest.approx(share))
    assert entropy["without_place"] == pytest.approx(entropies.without_place.sum() / (50 * len(ids)))
    assert entropy["with_place"] == pytest.approx(entropies.with_place.sum() / (50 * len(ids)))


def test_only_documents_that_both_runs_scored_count(entropies):
    some = entropies.ids[10:30]
    possible = (entropies.without_place - entropies.with_place)[10:30]
    plain = losses(entropies.ids, np.full(60, 90.0), "none")
    conditioned = losses(list(reversed(some)), (90.0 - 0.5 * possible)[::-1], "gold")
    estimate, entropy = recovered_gain(plain, conditioned, entropies, resamples=200)
    assert estimate.value == pytest.approx(0.5)
    assert entropy["without_place"] == pytest.approx(entropies.without_place[10:30].sum() / (50 * 20))
