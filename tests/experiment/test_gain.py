"""The gain is exact where the losses are made up, and absent where the grammar cannot know the entropy."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from dateline.corpus.newswire import Newswire
from dateline.errors import UserError
from dateline.experiment.gain import newswire_entropies, recovered_gain
from dateline.testing import write_corpus
from dateline.tokens.mix import Mix

NATURAL = Mix(weights="natural")
ARTICLES = [replace(article, split="test") for article in Newswire().articles(60, 3)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    elsewhere = [replace(article, split="validation") for article in Newswire().articles(5, 4)]
    return write_corpus(tmp_path_factory.mktemp("gain") / "corpus", [*ARTICLES, *elsewhere])


@pytest.fixture(scope="module")
def entropies(corpus):
    return newswire_entropies(corpus, NATURAL)


def documents(ids, nll, condition):
    """A per-document table of one condition, and another condition that nobody asks for."""
    rows = [{"id": i, "condition": condition, "nll": float(n), "num_tokens": 50} for i, n in zip(ids, nll, strict=True)]
    rows += [{"id": i, "condition": "wrong", "nll": 1e6, "num_tokens": 50} for i in ids]
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
    with pytest.raises(UserError, match="holds articles that the newswire of this version cannot write"):
        newswire_entropies(folder, NATURAL)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0, -0.5])
def test_the_gain_is_the_share_of_what_can_be_gained(entropies, share):
    ids, possible = entropies.ids, entropies.without_place - entropies.with_place
    plain = entropies.without_place + 7.0
    estimate, entropy = recovered_gain(
        documents(ids, plain, "none"), documents(ids, plain - share * possible, "gold"), entropies, resamples=200
    )
    assert estimate.value == pytest.approx(share)
    assert (estimate.low, estimate.high) == (pytest.approx(share), pytest.approx(share))
    assert entropy["without_place"] == pytest.approx(entropies.without_place.sum() / (50 * len(ids)))
    assert entropy["with_place"] == pytest.approx(entropies.with_place.sum() / (50 * len(ids)))


def test_only_documents_that_both_runs_scored_count(entropies):
    some = entropies.ids[10:30]
    possible = (entropies.without_place - entropies.with_place)[10:30]
    plain = documents(entropies.ids, np.full(60, 90.0), "none")
    told = documents(list(reversed(some)), (90.0 - 0.5 * possible)[::-1], "gold")
    estimate, entropy = recovered_gain(plain, told, entropies, resamples=200)
    assert estimate.value == pytest.approx(0.5)
    assert entropy["without_place"] == pytest.approx(entropies.without_place[10:30].sum() / (50 * 20))
