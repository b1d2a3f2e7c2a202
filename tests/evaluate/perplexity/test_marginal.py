"""A mixture over places, against brute force."""

import math

import numpy as np
import pytest

from dateline.conditions import Metadata, parse_condition
from dateline.errors import UserError
from dateline.evaluate.perplexity.averages import Scored
from dateline.evaluate.perplexity.marginal import countries_of, marginal, prior_of, with_swaps
from dateline.tokens.store import EncodedCorpus

PLACES = [Metadata(country="ng"), Metadata(country="gb"), Metadata(), Metadata(country="ng")]


def condition(name):
    return parse_condition(name, ("country",))


def scored(*nll):
    ones = np.ones(len(nll), dtype=np.int64)
    return Scored("country", np.array(nll), ones, ones)


def test_what_a_mixture_is_made_of_is_scored_once():
    asked = [condition(name) for name in ("gold", "swap:gb", "marginal:corpus", "marginal")]
    assert [one.name for one in with_swaps(asked, PLACES)] == ["gold", "swap:gb", "swap:ng"]
    assert countries_of(PLACES) == ["gb", "ng"]
    with pytest.raises(UserError, match="condition 'marginal:uniform': no document has a known country"):
        with_swaps([condition("marginal")], [Metadata()])


def test_the_mixture_is_that_of_probabilities_not_of_losses():
    swapped = {"swap:gb": scored(2.0, 700.0), "swap:ng": scored(3.0, 900.0)}
    found = marginal(condition("marginal"), swapped, {"gb": 0.25, "ng": 0.75})
    assert found.nll[0] == pytest.approx(-math.log(0.25 * math.exp(-2) + 0.75 * math.exp(-3)))
    assert found.nll[1] == pytest.approx(700 - math.log(0.25))  # no underflow
    assert found.fields == "country"
    alone = marginal(condition("marginal"), swapped, {"gb": 1.0, "ng": 0.0})
    np.testing.assert_array_equal(alone.nll, swapped["swap:gb"].nll)


def test_priors_are_even_or_those_of_the_training_split(corpus, write_corpus, articles, tokenizer, tmp_path):
    encoded = EncodedCorpus.open(corpus)
    assert prior_of(condition("marginal"), encoded, PLACES) == {"gb": 0.5, "ng": 0.5}
    with pytest.raises(UserError, match="has no training documents from gb, ng; use marginal:uniform"):
        prior_of(condition("marginal:corpus"), encoded, PLACES)
    changed = [dict(article, split="train") for article in articles if article["country"] in ("ng", "gb", "pk")]
    trained = EncodedCorpus.open(write_corpus(tmp_path / "trained", changed, tokenizer))
    found = prior_of(condition("marginal:corpus"), trained, PLACES)
    counts = {code: sum(article["country"] == code for article in changed) for code in ("ng", "gb")}
    assert found == {code: count / sum(counts.values()) for code, count in counts.items()}
