import math

import numpy as np
import pytest
from scipy import stats

from dateline.errors import UserError
from dateline.evaluate.statistics import minimum_detectable_effect, paired_difference, ratio_error


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
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        minimum_detectable_effect(**arguments)
