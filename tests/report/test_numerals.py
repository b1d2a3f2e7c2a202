from __future__ import annotations

import math

import pytest

from dateline.report import numerals


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "p < 0.001"),
        (1e-5, "p < 0.001"),
        (0.000999, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0123, "p = 0.012"),
        (0.34, "p = 0.34"),
        (1.0, "p = 1.00"),
        (math.nan, "p not available"),
        (-0.1, "p not available"),
        (None, ""),
    ],
)
def test_probabilities_are_never_zero(value: float | None, text: str) -> None:
    assert numerals.p_text(value) == text
    assert "0.0 " not in numerals.p_text(value) + " "


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_said_to_be_not_available(value: float | None) -> None:
    assert numerals.number(value) == numerals.signed(value) == numerals.percent(value) == "not available"
    assert numerals.interval(1.0, value) == numerals.interval(value, 1.0) == "not available"
    assert numerals.count(value) == "not available"


def test_signs_are_shown_and_zero_has_none() -> None:
    assert numerals.signed(0.118) == "+0.118"
    assert numerals.signed(-0.118) == "\u22120.118"
    assert numerals.signed(-0.0001) == "0.000"
    assert numerals.number(-1234.5, 1) == "\u22121,234.5"


def test_large_counts_for_axes() -> None:
    assert [numerals.large(v) for v in (0, 950, 1500, 2.5e6, 4.19e10)] == ["0", "950", "1.5k", "2.5M", "41.9B"]


def test_small_differences_get_a_third_decimal() -> None:
    assert (numerals.decimals(0.05), numerals.decimals(0.2), numerals.decimals(math.nan)) == (3, 2, 2)


def test_booleans_are_no_numbers() -> None:
    assert not numerals.is_number(True)
    assert numerals.is_number(3)


def test_a_count_has_its_noun() -> None:
    assert numerals.counted(1, "document") == "1 document"
    assert numerals.counted(1800, "outlet") == "1,800 outlets"
    assert numerals.counted(0, "outlet") == "0 outlets"
