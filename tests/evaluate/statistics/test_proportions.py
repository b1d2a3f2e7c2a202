import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.evaluate.statistics import chi_square_uniform, mcnemar, wilson


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


def test_mcnemar_is_a_binomial_test_of_the_items_that_differ():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 * 0.5**6)
    assert mcnemar(2, 10) == pytest.approx(2 * sum(math.comb(12, k) for k in range(3)) / 2**12)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_does_not_care_who_is_first(first, second):
    assert mcnemar(first, second) == pytest.approx(mcnemar(second, first))
    assert 0 < mcnemar(first, second) <= 1


def test_even_counts_are_even_and_the_published_set_is_not():
    assert chi_square_uniform([200, 200, 200, 200]) == 1.0
    assert chi_square_uniform([780, 10, 5, 5]) < 1e-300
    # 2 degrees of freedom, where the tail is exp(-x / 2)
    assert chi_square_uniform([30, 20, 10]) == pytest.approx(math.exp(-10 / 2))


def test_chi_square_errs_in_one_of_twenty():
    rng = np.random.default_rng(1)
    false = np.mean([chi_square_uniform(rng.multinomial(400, [0.25] * 4)) <= 0.05 for _ in range(600)])
    assert false <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 600)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(3, 2), "3 of 2 is no share"),
        (lambda: wilson(-1, 2), "no share"),
        (lambda: wilson(0.5, 2), "count whole items"),
        (lambda: mcnemar(-1, 2), "no number of items"),
        (lambda: mcnemar(0.5, 2), "count whole items"),
        (lambda: chi_square_uniform([5]), "two or more cells"),
        (lambda: chi_square_uniform([0, 0]), "two or more cells"),
        (lambda: chi_square_uniform([3, -1]), "two or more cells"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()
