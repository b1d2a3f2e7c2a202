import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.evaluate.statistics import holm

P_VALUES = st.lists(st.floats(0, 1), max_size=20)


def test_holm_matches_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]


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
