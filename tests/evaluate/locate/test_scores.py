"""Rows by hand: Wilson's intervals, gaps without documents, paired tests; calibration of constructed cases."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.evaluate.locate.scores import (
    Cases,
    Guesses,
    Origin,
    bin_numbers,
    calibration_error,
    confusion_table,
    difference_scores,
    level_scores,
    posterior_table,
    reliability,
    reliability_table,
)
from dateline.statistics import mcnemar, wilson

MODEL = Origin("model", "swap:all", "p", "m", "d", "country")
WORDS = Origin("tfidf", "", "p", "tfidf", "d", "")
CODES, CONTINENTS = ["ng", "ke", "gb", "us"], ["Africa", "Africa", "Europe", "America"]


def make(probabilities, truth, origin=MODEL, masked=False):
    number = len(truth)
    domains = ["a.com", "b.com"][:number] * (number // 2 or 1)
    cases = Cases([f"{n:02x}" for n in range(number)], domains, CODES, CONTINENTS, np.array(truth))
    tokens = np.full(number, 7) if origin is MODEL else None
    return Guesses(origin, masked, np.log(np.array(probabilities)), tokens, cases)


SURE = [0.7, 0.1, 0.1, 0.1]
OTHER = [0.1, 0.2, 0.6, 0.1]
SPLIT = [0.3, 0.3, 0.35, 0.05]


@pytest.fixture
def guesses():
    return make([SURE, SURE, OTHER, SPLIT], [0, 1, 2, 0])


def pick(scores, metric, slice_by="all", name="all"):
    [score] = [s for s in scores if (s.metric, s.slice_by, s.slice) == (metric, slice_by, name)]
    return score


def test_accuracies_by_hand(guesses):
    scores = level_scores(guesses, 200, 0)
    country = pick(scores, "accuracy_country")
    assert (country.value, country.ci_low, country.ci_high) == wilson(2, 4)[:3]
    assert (country.n_documents, country.n_tokens, country.n_outlets) == (4, 28, 2)
    assert pick(scores, "top3_country").value == 1
    # of SPLIT the likeliest country is gb, but Africa has 0.6: continents are sums
    assert pick(scores, "accuracy_continent").value == 1
    losses = -np.log([0.7, 0.1, 0.6, 0.3])
    assert pick(scores, "log_loss").value == pytest.approx(losses.mean())
    assert pick(scores, "ece").value > 0
    assert pick(scores, "accuracy_country", "country", "ng").value == 0.5


def test_a_country_without_documents_is_a_gap_and_no_number(guesses):
    scores = level_scores(guesses, 200, 0)
    gaps = [s for s in scores if s.slice in ("us", "America")]
    assert {s.metric for s in gaps} == {"accuracy_country", "top3_country", "accuracy_continent", "log_loss", "ece"}
    assert all(math.isnan(s.value) and s.n_documents == 0 for s in gaps)


def test_one_document_has_a_value_and_no_bootstrap_interval():
    scores = level_scores(make([SURE], [0]), 200, 0)
    assert pick(scores, "accuracy_country").value == 1
    assert math.isnan(pick(scores, "log_loss").ci_low)
    one = make([SURE], [0])
    [row, *_] = difference_scores([(one, make([OTHER], [0], WORDS))], "locate model", 200, 0)
    assert (row.value, row.p, row.mde) == (1.0, 1.0, None)


def test_a_truth_with_a_prior_of_zero_is_infinitely_wrong():
    with np.errstate(divide="ignore"):
        scores = level_scores(make([[0.5, 0.5, 0, 0]] * 2, [0, 2]), 200, 0)
    assert pick(scores, "log_loss").value == math.inf


def test_differences_are_tested_on_the_same_documents():
    first = make([SURE] * 40, [0] * 40)
    second = make([SURE] * 28 + [OTHER] * 12, [0] * 40, WORDS)
    scores = difference_scores([(first, second), (second, first)], "locate model", 500, 0)
    row = scores[0]
    assert (row.slice_by, row.metric) == ("all", "accuracy_country_difference")
    assert (row.condition, row.versus_run, row.versus_condition) == ("swap:all", "tfidf", "")
    assert {s.family_of_tests for s in scores} == {"locate model"}
    assert row.value == pytest.approx(0.3)
    assert row.p == mcnemar(12, 0)
    assert 0 < row.ci_low < 0.3 < row.ci_high
    assert row.mde > 0
    tested = [s for s in scores if s.p is not None]
    assert row.p_holm == pytest.approx(min(1, row.p * len(tested)))
    gap = next(s for s in scores if s.slice == "America")
    assert math.isnan(gap.value)
    assert gap.p is None


def test_metrics_say_whether_names_were_masked():
    plain, masked = make([SURE] * 4, [0] * 4), make([OTHER, SURE, SURE, SURE], [0] * 4, masked=True)
    words = make([SURE] * 4, [0] * 4, WORDS, masked=True)
    assert {s.metric for s in level_scores(masked, 200, 0)} == {
        f"{name}_masked" for name in ("accuracy_country", "top3_country", "accuracy_continent", "log_loss", "ece")
    }
    rows = difference_scores([(masked, plain), (masked, words)], "locate model", 200, 0)
    overall = [(s.metric, s.versus, s.value) for s in rows if s.slice_by == "all"]
    assert overall == [
        ("accuracy_country_masking_difference", "model/swap:all", -0.25),
        ("accuracy_country_masked_difference", "tfidf/", -0.25),
    ]


def test_units_and_tokens(guesses):
    scores = level_scores(guesses, 200, 0)
    assert {s.unit for s in scores if s.metric == "log_loss"} == {"nats"}
    assert {s.unit for s in scores if s.metric != "log_loss"} == {"share"}
    words = level_scores(make([SURE], [0], WORDS), 200, 0)
    assert {(s.run, s.condition, s.shown, s.n_tokens) for s in words} == {("tfidf", "", "", None)}


def test_tables(guesses):
    posteriors = posterior_table([guesses]).to_pylist()
    assert posteriors[1] == {
        "run": "model",
        "masked": False,
        "id": "01",
        "truth": "ke",
        "predicted": "ng",
        "confidence": pytest.approx(0.7),
        "rank": 2,
        "probabilities": pytest.approx(SURE),
    }
    confusion = {(r["truth"], r["predicted"]): r["count"] for r in confusion_table([guesses]).to_pylist()}
    assert confusion == {("ng", "ng"): 1, ("ke", "ng"): 1, ("gb", "gb"): 1, ("ng", "gb"): 1}
    bins = reliability_table([guesses]).to_pylist()
    assert len(bins) == 10
    assert sum(row["count"] for row in bins) == 4
    assert math.isnan(bins[0]["accuracy"])


def constructed(shares, size=20):
    """Confidences of which exactly the stated share is right."""
    sure = [share for share in shares for _ in range(size)]
    right = [number < round(share * size) for share in shares for number in range(size)]
    return sure, right


@given(st.lists(st.sampled_from([0.05, 0.25, 0.45, 0.65, 0.85, 1.0]), min_size=1, max_size=6, unique=True))
def test_perfect_calibration_has_no_error(shares):
    sure, right = constructed(shares)
    found = calibration_error(sure, right, resamples=200)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.low == 0


def test_overconfidence_is_the_gap_and_the_interval_is_around_it():
    right = [True, False] * 200
    found = calibration_error([0.9] * 400, right, resamples=2000)
    assert found.value == pytest.approx(0.4)
    assert 0.33 < found.low < 0.4 < found.high < 0.47


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_the_error_is_a_mean_of_gaps_and_bins_hold_every_text(pairs):
    sure, right = map(list, zip(*pairs, strict=True))
    bins = reliability(sure, right)
    assert sum(one.number for one in bins) == len(sure)
    gaps = [one.number * abs(one.accuracy.value - one.confidence) for one in bins if one.number]
    found = calibration_error(sure, right, resamples=20)
    assert found.value == pytest.approx(sum(gaps) / len(sure), abs=1e-9)
    assert 0 <= found.value <= 1


def test_borders_belong_to_the_bin_above_and_one_to_the_last():
    assert bin_numbers(np.array([0.0, 0.1, 0.99, 1.0])).tolist() == [0, 1, 9, 9]


def test_an_empty_bin_has_no_average():
    empty = reliability([0.95], [True])[0]
    assert empty.number == 0
    assert math.isnan(empty.confidence)
    assert math.isnan(empty.accuracy.value)


def test_one_text_has_no_interval_and_none_has_no_error():
    one = calibration_error([0.7], [True])
    assert one.value == pytest.approx(0.3)
    assert math.isnan(one.low)
    assert math.isnan(calibration_error([], []).value)


def test_the_interval_covers_a_calibrated_truth():
    """40 samples of 300 texts that are right exactly as often as they say: their true error is zero."""
    covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sure = rng.uniform(0.3, 1.0, 300)
        found = calibration_error(sure.tolist(), (rng.uniform(size=300) < sure).tolist(), resamples=300, seed=seed)
        covered += found.low == 0
    assert covered >= 36
