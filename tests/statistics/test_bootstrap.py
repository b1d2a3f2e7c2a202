import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.statistics import (
    cluster_sums,
    micro_average,
    paired_difference,
    ratio_difference,
    resampled_sums,
)


def documents(rng, number, effect=0.0):
    """Documents whose nll per token and length vary and hang together, as in news."""
    tokens = rng.integers(50, 800, size=number)
    hardness = 2.0 + 0.4 * rng.standard_normal(number) + 100 / tokens
    first = tokens * (hardness + effect + 0.1 * rng.standard_normal(number))
    second = tokens * (hardness + 0.1 * rng.standard_normal(number))
    return first, second, tokens


def test_value_is_the_micro_average_and_not_the_mean_of_averages():
    estimate = micro_average([10.0, 90.0], [10, 30])
    assert estimate.value == 100 / 40
    assert estimate.low <= estimate.value <= estimate.high
    assert math.isnan(estimate.p_value)


def test_coverage_of_the_nominal_95_percent_interval():
    rng = np.random.default_rng(7)
    long_run = documents(rng, 2_000_000)
    truth = long_run[0].sum() / long_run[2].sum()
    hits, experiments = 0, 1500
    for experiment in range(experiments):
        nll, _, tokens = documents(rng, 150)
        estimate = micro_average(nll, tokens, resamples=400, seed=experiment)
        hits += estimate.low <= truth <= estimate.high
    assert 0.93 <= hits / experiments <= 0.97


def test_false_positives_and_power_of_the_paired_test():
    rng = np.random.default_rng(8)
    experiments = 1000
    false = true = 0
    for experiment in range(experiments):
        first, second, tokens = documents(rng, 100)
        false += paired_difference(first, second, tokens, resamples=400, seed=experiment).p_value <= 0.05
        first, second, tokens = documents(rng, 100, effect=0.05)
        true += paired_difference(first, second, tokens, resamples=400, seed=experiment).p_value <= 0.05
    assert false / experiments <= 0.06 + 2 * math.sqrt(0.05 * 0.95 / experiments)
    assert true / experiments >= 0.8


def test_pairing_narrows_the_interval_and_has_the_sign_of_first_minus_second():
    first, second, tokens = documents(np.random.default_rng(9), 500, effect=-0.05)
    level = micro_average(first, tokens)
    difference = paired_difference(first, second, tokens)
    assert difference.value == pytest.approx((first.sum() - second.sum()) / tokens.sum())
    assert difference.value < 0
    assert difference.high - difference.low < 0.6 * (level.high - level.low)


def test_same_seed_same_numbers_and_other_seed_others():
    nll, _, tokens = documents(np.random.default_rng(2), 40)
    assert micro_average(nll, tokens, seed=3)[:3] == micro_average(nll, tokens, seed=3)[:3]
    columns = np.column_stack([nll, tokens])
    assert (resampled_sums(columns, resamples=9, seed=3) != resampled_sums(columns, resamples=9, seed=4)).all()


def test_draws_are_the_same_for_every_column_and_call():
    columns = np.random.default_rng(0).random((30, 3))
    together = resampled_sums(columns, resamples=50, seed=1)
    apart = resampled_sums(columns[:, :1], resamples=50, seed=1)
    np.testing.assert_allclose(together[:, :1], apart, rtol=1e-12)
    ones = resampled_sums(np.ones((30, 1)), resamples=50, seed=1)
    np.testing.assert_array_equal(ones, 30.0)


def test_a_single_document_has_no_interval():
    level = micro_average([20.0], [10])
    assert level.value == 2.0
    assert math.isnan(level.low)
    assert math.isnan(level.high)
    difference = paired_difference([20.0], [10.0], [10])
    assert difference.value == 1.0
    assert math.isnan(difference.low)
    assert math.isnan(difference.p_value)


def test_recovered_gain():
    rng = np.random.default_rng(4)
    possible = rng.gamma(2.0, 3.0, size=400)
    recovered = 0.8 * possible + 0.5 * rng.standard_normal(400)
    gain = ratio_difference(recovered, possible)
    assert gain.low < 0.8 < gain.high
    assert gain.high - gain.low < 0.1


def test_recovered_gain_without_a_bounded_interval_is_marked():
    gain = ratio_difference([1.0, 1.0, 1.0], [5.0, -1.0, -1.0])
    assert gain.value == 1.0
    assert math.isnan(gain.low)
    assert math.isnan(gain.high)


@given(st.lists(st.tuples(st.floats(-9, 9), st.integers(1, 99)), min_size=1, max_size=30), st.integers(0, 5))
def test_outlets_of_one_document_are_drawn_as_documents_are(documents, seed):
    columns = np.array(documents, dtype=np.float64)
    singles = np.array([f"outlet{number}" for number in range(len(columns))][::-1])
    alone = resampled_sums(columns, resamples=20, seed=seed)
    np.testing.assert_array_equal(resampled_sums(columns, resamples=20, seed=seed, clusters=singles), alone)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30), st.randoms())
def test_cluster_sums_lose_nothing_and_do_not_care_for_names(labels, random):
    columns = np.arange(2.0 * len(labels)).reshape(-1, 2)
    sums = cluster_sums(columns, labels)
    assert len(sums) == len(set(labels))
    np.testing.assert_array_equal(sums.sum(axis=0), columns.sum(axis=0))
    names = dict(zip("abcd", random.sample(["x", "y", "z", ""], 4), strict=True))
    np.testing.assert_array_equal(cluster_sums(columns, [names[label] for label in labels]), sums)


def test_whole_clusters_are_drawn():
    columns = np.array([[1.0], [10.0], [100.0], [1000.0]])
    sums = resampled_sums(columns, resamples=500, seed=0, clusters=["a", "b", "a", "b"])
    assert {float(total) for total in sums[:, 0]} == {202.0, 1111.0, 2020.0}


def test_documents_of_one_outlet_are_alike_and_widen_the_interval():
    rng = np.random.default_rng(5)
    outlet = rng.integers(0, 30, size=600)
    tokens = rng.integers(50, 800, size=600)
    nll = tokens * (2 + 0.3 * rng.standard_normal(30)[outlet] + 0.3 * rng.standard_normal(600))
    by_document, by_outlet = (micro_average(nll, tokens, clusters=labels) for labels in (None, outlet))
    assert by_outlet.value == pytest.approx(by_document.value)
    assert by_outlet.high - by_outlet.low > 2 * (by_document.high - by_document.low)


def test_documents_of_a_single_outlet_have_no_interval_over_outlets():
    first, second, tokens = documents(np.random.default_rng(6), 50)
    found = paired_difference(first, second, tokens, clusters=["bbc.co.uk"] * 50)
    assert found.value == paired_difference(first, second, tokens).value
    assert math.isnan(found.low)
    assert math.isnan(found.p_value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_by_their_place(bad):
    with pytest.raises(UserError, match=f"document 1 of 3 has {bad} where a finite number is needed"):
        micro_average([1.0, bad, 2.0], [1, 1, 1])
    with pytest.raises(UserError, match="finite number"):
        resampled_sums(np.array([[1.0], [bad]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: micro_average([], []), "no documents"),
        (lambda: micro_average([1.0, 2.0], [1]), "different documents: 2 and 1"),
        (lambda: micro_average([1.0], [0]), "no tokens or bytes"),
        (lambda: paired_difference([1.0], [1.0, 2.0], [1]), "same documents on both sides, not 1 and 2"),
        (lambda: ratio_difference([1.0, 1.0], [1.0, -2.0]), "no gain to recover"),
        (lambda: micro_average([1.0], [1], resamples=0), "resamples must be 1 or more"),
        (lambda: micro_average(np.ones((2, 2)), np.ones(2)), "one number a document"),
        (lambda: micro_average([1.0, 2.0], [1, 1], clusters=["a"]), "one cluster label a document"),
        (lambda: resampled_sums(np.empty((0, 2))), "leave out empty groups"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()


@pytest.mark.parametrize("clusters", [None, np.arange(10_000)])
def test_ten_thousand_resamples_of_ten_thousand_documents_are_quick(clusters):
    nll, _, tokens = documents(np.random.default_rng(3), 10_000)
    started = time.process_time()
    micro_average(nll, tokens, resamples=10_000, clusters=clusters)
    assert time.process_time() - started < 4.0  # 0.4 s alone on one core; room for a busy machine
