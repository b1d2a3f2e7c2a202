"""Confidence that is right as often as it says has no error; any other has exactly its gap."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.evaluate.locate.calibration import bin_numbers, calibration_error, reliability


def constructed(shares, size=20):
    """Confidences of which exactly the stated share is right."""
    sure = [share for share in shares for _ in range(size)]
    right = [number < round(share * size) for share in shares for number in range(size)]
    return sure, right


@settings(deadline=None)  # the first call reads scipy or the tables
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


@settings(deadline=None)  # the first call reads scipy or the tables
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
