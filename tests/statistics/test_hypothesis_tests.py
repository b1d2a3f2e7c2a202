import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dateline.errors import UserError
from dateline.statistics import (
    chi_square_uniform,
    holm,
    holm_by_family,
    mcnemar,
    minimum_detectable_effect,
    paired_difference,
    ratio_error,
)

P_VALUES = st.lists(st.floats(0, 1), max_size=20)


def test_holm_matches_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]


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
        (lambda: mcnemar(-1, 2), "no number of items"),
        (lambda: mcnemar(0.5, 2), "count whole items"),
        (lambda: chi_square_uniform([5]), "two or more cells"),
        (lambda: chi_square_uniform([0, 0]), "two or more cells"),
        (lambda: chi_square_uniform([3, -1]), "two or more cells"),
    ],
)
def test_bad_counts_are_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()


@given(P_VALUES)
def test_corrected_values_are_no_smaller_and_keep_their_order(p_values):
    corrected = holm(p_values)
    assert all(raw <= new <= 1 for raw, new in zip(p_values, corrected, strict=True))
    by_raw = [new for _, new in sorted(zip(p_values, corrected, strict=True))]
    assert by_raw == sorted(by_raw)


@given(P_VALUES, st.randoms())
def test_the_order_of_the_tests_does_not_matter(p_values, random):
    order = random.sample(range(len(p_values)), len(p_values))
    shuffled = holm([p_values[index] for index in order])
    assert shuffled == [holm(p_values)[index] for index in order]


@given(P_VALUES, st.floats(0, 1))
def test_one_test_more_never_makes_another_surer(p_values, extra):
    assert all(new >= old for old, new in zip(holm(p_values), holm([*p_values, extra]), strict=False))


def test_one_false_alarm_among_many_is_rare():
    rng = np.random.default_rng(0)
    experiments = 2000
    alarms = sum(min(holm(rng.random(18).tolist())) <= 0.05 for _ in range(experiments))
    assert alarms / experiments <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / experiments)


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.5])
def test_what_is_no_p_value_is_refused(bad):
    with pytest.raises(UserError, match="is no p-value"):
        holm([0.1, bad])


def test_each_family_is_corrected_by_itself_and_tests_that_were_not_made_count_in_none():
    p_values = [0.01, None, 0.04, 0.02, math.nan, 0.03]
    corrected = holm_by_family(p_values, ["a", "a", "b", "a", "b", "b"])
    assert corrected[1] is None
    assert math.isnan(corrected[4])
    assert [corrected[at] for at in (0, 3)] == holm([0.01, 0.02]) == [0.02, 0.02]
    assert [corrected[at] for at in (2, 5)] == holm([0.04, 0.03]) == [0.06, 0.06]
    assert holm_by_family([], []) == []


def test_with_many_documents_it_is_two_point_eight_errors():
    assert minimum_detectable_effect(0.01) == pytest.approx(0.01 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)))
    assert minimum_detectable_effect(0.01) == pytest.approx(0.02802, abs=1e-5)
    assert minimum_detectable_effect(0.01, degrees=1e7) == pytest.approx(0.02802, abs=1e-5)
    assert minimum_detectable_effect(0.0) == 0.0
    assert math.isnan(minimum_detectable_effect(math.nan))


@pytest.mark.parametrize(("degrees", "slack"), [(1, 0.12), (2, 0.06), (4, 0.03), (10, 0.01), (100, 0.005)])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_the_exact_power_of_the_t_test_is_near(degrees, slack, power):
    effect = minimum_detectable_effect(1.0, degrees=degrees, power=power)
    exact = stats.nct.sf(stats.t.ppf(0.975, degrees), degrees, effect)
    assert exact == pytest.approx(power, abs=slack)


def test_an_effect_of_that_size_is_found_in_eighty_percent():
    rng = np.random.default_rng(1)
    tokens = rng.integers(50, 800, size=(301, 60)).astype(float)
    noise = tokens * 0.2 * rng.standard_normal((301, 60))
    errors = [ratio_error(np.column_stack(pair), 0, 1) for pair in zip(noise, tokens, strict=True)]
    effect = minimum_detectable_effect(float(np.sqrt(np.mean(np.square(errors)))), degrees=59)
    found = [
        paired_difference(row + effect * length, np.zeros(60), length, resamples=1000).p_value <= 0.05
        for row, length in zip(noise, tokens, strict=True)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=2.5 * math.sqrt(0.8 * 0.2 / 301))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"standard_error": -1.0}, "zero or more"),
        ({"standard_error": 1.0, "degrees": 0}, "more than 0"),
        ({"standard_error": 1.0, "power": 1.0}, "power"),
        ({"standard_error": 1.0, "level": 95}, "level"),
    ],
)
def test_an_effect_of_bad_numbers_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        minimum_detectable_effect(**arguments)
