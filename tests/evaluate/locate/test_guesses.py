"""Guesses become rows: shares with Wilson's interval, gaps where there is no document, differences tested in pairs."""

import math

import numpy as np
import pytest

from dateline.evaluate.locate.guesses import (
    Cases,
    Guesses,
    confusion_table,
    difference_scores,
    level_scores,
    posterior_table,
    reliability_table,
)
from dateline.statistics import mcnemar, wilson

ABOUT = {"protocol": "p", "model": "m", "corpus": "c", "fields": "country"}
CODES, CONTINENTS = ["ng", "ke", "gb", "us"], ["Africa", "Africa", "Europe", "America"]


def make(probabilities, truth, run="model", condition="text"):
    number = len(truth)
    cases = Cases([f"{n:02x}" for n in range(number)], ["a.com", "b.com"][:number] * (number // 2 or 1), CODES,
                  CONTINENTS, np.array(truth))  # fmt: skip
    return Guesses(run, condition, np.log(np.array(probabilities)), np.full(number, 7), cases)


SURE = [0.7, 0.1, 0.1, 0.1]
OTHER = [0.1, 0.2, 0.6, 0.1]
SPLIT = [0.3, 0.3, 0.35, 0.05]


@pytest.fixture
def guesses():
    return make([SURE, SURE, OTHER, SPLIT], [0, 1, 2, 0])


def pick(scores, metric, grouping="all", group="all"):
    [score] = [s for s in scores if (s.metric, s.grouping, s.group) == (metric, grouping, group)]
    return score


def test_accuracies_by_hand(guesses):
    scores = level_scores(guesses, ABOUT, 200, 0)
    country = pick(scores, "accuracy_country")
    assert (country.value, country.ci_low, country.ci_high) == wilson(2, 4)[:3]
    assert (country.num_documents, country.num_tokens, country.num_outlets) == (4, 28, 2)
    assert pick(scores, "top3_country").value == 1
    # of SPLIT the likeliest country is gb, but Africa has 0.6: continents are sums
    assert pick(scores, "accuracy_continent").value == 1
    losses = -np.log([0.7, 0.1, 0.6, 0.3])
    assert pick(scores, "log_loss").value == pytest.approx(losses.mean())
    assert pick(scores, "ece").value > 0
    assert pick(scores, "accuracy_country", "country", "ng").value == 0.5


def test_a_country_without_documents_is_a_gap_and_no_number(guesses):
    scores = level_scores(guesses, ABOUT, 200, 0)
    gaps = [s for s in scores if s.group in ("us", "America")]
    assert {s.metric for s in gaps} == {"accuracy_country", "top3_country", "accuracy_continent", "log_loss", "ece"}
    assert all(math.isnan(s.value) and s.num_documents == 0 for s in gaps)


def test_one_document_has_a_value_and_no_bootstrap_interval():
    scores = level_scores(make([SURE], [0]), ABOUT, 200, 0)
    assert pick(scores, "accuracy_country").value == 1
    assert math.isnan(pick(scores, "log_loss").ci_low)
    one = make([SURE], [0])
    [row, *_] = difference_scores([(one, make([OTHER], [0], "tfidf"))], {"model": ABOUT}, 200, 0)
    assert (row.value, row.p_value, row.mde) == (1.0, 1.0, None)


def test_a_truth_with_a_prior_of_zero_is_infinitely_wrong():
    with np.errstate(divide="ignore"):
        scores = level_scores(make([[0.5, 0.5, 0, 0]] * 2, [0, 2]), ABOUT, 200, 0)
    assert pick(scores, "log_loss").value == math.inf


def test_differences_are_tested_on_the_same_documents():
    first = make([SURE] * 40, [0] * 40)
    second = make([SURE] * 28 + [OTHER] * 12, [0] * 40, "tfidf")
    scores = difference_scores([(first, second), (second, first)], {"model": ABOUT, "tfidf": ABOUT}, 500, 0)
    row = scores[0]
    assert (row.grouping, row.metric, row.versus) == ("all", "accuracy_country_difference", "tfidf/text")
    assert row.value == pytest.approx(0.3)
    assert row.p_value == mcnemar(12, 0)
    assert 0 < row.ci_low < 0.3 < row.ci_high
    assert row.mde > 0
    tested = [s for s in scores if s.p_value is not None]
    assert row.p_holm == pytest.approx(min(1, row.p_value * len(tested)))
    gap = next(s for s in scores if s.group == "America")
    assert math.isnan(gap.value)
    assert gap.p_value is None


def test_tables(guesses):
    posteriors = posterior_table([guesses]).to_pylist()
    assert posteriors[1] == {
        "run": "model", "condition": "text", "id": "01", "truth": "ke", "predicted": "ng",
        "confidence": pytest.approx(0.7), "rank": 2, "probabilities": pytest.approx(SURE),
    }  # fmt: skip
    confusion = {(r["truth"], r["predicted"]): r["count"] for r in confusion_table([guesses]).to_pylist()}
    assert confusion == {("ng", "ng"): 1, ("ke", "ng"): 1, ("gb", "gb"): 1, ("ng", "gb"): 1}
    bins = reliability_table([guesses]).to_pylist()
    assert len(bins) == 10
    assert sum(row["count"] for row in bins) == 4
    assert math.isnan(bins[0]["accuracy"])
