import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dateline.errors import UserError
from dateline.statistics import (
    cluster_sums,
    difference_estimate,
    paired_difference,
    ratio_degrees,
    ratio_error,
    ratio_estimate,
    resampled_sums,
    two_sided_p,
    wilson,
)


def sample(rng, number):
    """Nats and tokens of documents whose nats per token are zero on average, with a skew."""
    tokens = np.clip(rng.lognormal(6, 0.8, number), 20, 8000).round()
    return np.column_stack([tokens * (0.4 * rng.standard_normal(number) + rng.gamma(1, 0.3, number) - 0.3), tokens])


def outlets(rng, number):
    """The same for outlets of unequal size whose documents are alike."""
    owners = np.repeat(np.arange(number), np.maximum(1, 20 * rng.lognormal(-0.125, 0.5, number)).astype(int))
    columns = sample(rng, len(owners))
    columns[:, 0] += columns[:, 1] * 0.3 * rng.standard_normal(number)[owners]
    return cluster_sums(columns, owners)


def test_each_end_is_the_outer_one_of_scipy_s_percentile_and_of_t():
    columns = sample(np.random.default_rng(1), 60)
    found = ratio_estimate(columns, resampled_sums(columns, resamples=20_000), 0, 1)
    quantile = stats.t.ppf(0.975, ratio_degrees(columns, 1))
    corrected = stats.norm.cdf(math.sqrt(60 / 59) * quantile)
    theirs = stats.bootstrap(
        (columns[:, 0], columns[:, 1]),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        confidence_level=2 * corrected - 1,
        n_resamples=20_000,
        rng=np.random.default_rng(5),
    )
    half = quantile * ratio_error(columns, 0, 1)
    low = min(theirs.confidence_interval.low, found.value - half)
    high = max(theirs.confidence_interval.high, found.value + half)
    assert found.low == pytest.approx(low, abs=0.03 * half)
    assert found.high == pytest.approx(high, abs=0.03 * half)
    assert ratio_error(columns, 0, 1) == pytest.approx(theirs.standard_error, rel=0.15)


def test_the_error_of_a_mean_is_the_textbook_s():
    values = np.random.default_rng(2).standard_normal(17)
    columns = np.column_stack([values, np.ones(17)])
    assert ratio_error(columns, 0, 1) == pytest.approx(stats.sem(values))


def test_units_of_unequal_size_count_for_fewer():
    even, uneven = (np.column_stack([np.zeros(4), sizes]) for sizes in ([5.0] * 4, [97.0, 1.0, 1.0, 1.0]))
    assert ratio_degrees(even, 1) == 3
    assert ratio_degrees(uneven, 1) == 1
    assert ratio_degrees(np.array([[0.0, 1.0], [0.0, 3.0], [0.0, 4.0]]), 1) == pytest.approx(64 / 26 - 1)


def test_two_units_are_judged_by_t_alone():
    columns = np.array([[1.0, 1.0], [2.0, 1.0]])
    found = difference_estimate(columns, resampled_sums(columns), 0, 1)
    expected = stats.ttest_1samp([1.0, 2.0], 0)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(("make", "units"), [(sample, 5), (sample, 40), (outlets, 2), (outlets, 5), (outlets, 20)])
def test_intervals_cover_and_tests_do_not_err_with_few_units(make, units):
    experiments = 300
    rng = np.random.default_rng(units)
    hits = false = 0
    for experiment in range(experiments):
        columns = make(rng, units)
        found = difference_estimate(columns, resampled_sums(columns, resamples=1000, seed=experiment), 0, 1)
        hits += found.low <= 0 <= found.high
        false += found.p_value <= 0.05
    margin = 2.5 * math.sqrt(0.05 * 0.95 / experiments)  # the share itself is known to this only
    assert 0.94 - margin <= hits / experiments <= 0.97 + margin
    assert false / experiments <= 0.06 + margin


@pytest.mark.parametrize("units", [2, 5, 30])
def test_the_p_value_says_what_the_interval_says(units):
    rng = np.random.default_rng(3)
    for experiment in range(60):
        columns = sample(rng, units) + np.array([60.0, 0.0])
        found = difference_estimate(columns, resampled_sums(columns, resamples=2000, seed=experiment), 0, 1)
        if min(abs(found.low), abs(found.high)) > 0.01:
            assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


def test_p_value_never_falls_below_its_floor_and_never_rises_above_one():
    tokens = np.full(50, 10)
    sure = paired_difference(np.full(50, 20.0), np.full(50, 30.0), tokens, resamples=999)
    assert 1 / 1000 <= sure.p_value < 3 / 1000
    many = np.full(5000, 10)
    floor = paired_difference(2.0 * many, 3.0 * many, many, resamples=99)
    assert floor.p_value == pytest.approx(1 / 100, rel=0.01)
    same = paired_difference(np.full(50, 20.0), np.full(50, 20.0), tokens, resamples=999)
    assert same.p_value == 1.0
    assert two_sided_p(np.array([-1.0, 1.0, 1.0, 1.0])) == 3 / 5


def test_without_anything_below_the_line_there_is_no_interval():
    columns = np.array([[1.0, 0.0], [2.0, 5.0]])
    found = difference_estimate(columns, resampled_sums(columns), 0, 1)
    assert found.value == 3 / 5
    assert math.isnan(found.low)
    assert math.isnan(found.p_value)
    assert math.isnan(ratio_error(columns, 0, 1))
    assert math.isnan(ratio_error(columns[1:], 0, 1))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)],
)
def test_wilson_matches_published_values(successes, trials, low, high):
    # the last two: Newcombe 1998, Statistics in Medicine 17, table I, method 3
    found = wilson(successes, trials)
    assert found.value == successes / trials
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert math.isnan(found.p_value)


@given(st.integers(0, 60), st.integers(0, 60))
def test_wilson_stays_inside_and_is_symmetric(right, wrong):
    if not right + wrong:
        assert all(math.isnan(part) for part in wilson(0, 0))
        return
    found, mirrored = wilson(right, right + wrong), wilson(wrong, right + wrong)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert found.low == pytest.approx(1 - mirrored.high)


def test_wilson_covers():
    rng = np.random.default_rng(0)
    for share in (0.1, 0.25, 0.7):
        intervals = [wilson(int(count), 80) for count in rng.binomial(80, share, size=400)]
        covered = np.mean([found.low <= share <= found.high for found in intervals])
        assert covered == pytest.approx(0.95, abs=0.035)


@given(st.integers(1, 10_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_wilson_is_the_formula_of_the_textbooks(counts):
    right, trials = counts
    share, z = right / trials, 1.959963984540054
    middle = share + z**2 / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    expected = (middle + np.array([-half, half])) / (1 + z**2 / trials)
    assert wilson(*counts)[1:3] == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("right", "items", "message"),
    [(3, 2, "3 of 2 is no share"), (-1, 2, "no share"), (0.5, 2, "count whole items"), (1, 0, "no share")],
)
def test_wilson_refuses_what_is_no_share(right, items, message):
    with pytest.raises(UserError, match=message):
        wilson(right, items)
