"""Numbers and names: true minus signs, no rounding to nothing or all, no p of zero, intervals that hold their share."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.report import words
from dateline.report.words import MINUS, share


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "< 0.001"),
        (0.0004, "< 0.001"),
        (0.012, "0.012"),
        (0.34, "0.34"),
        (1.0, "1.00"),
        (None, ""),
        (math.nan, "not available"),
        (1.2, "not available"),
    ],
)
def test_p_values_are_never_zero(value: float | None, text: str) -> None:
    assert words.p_text(value) == text


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_not_finite_is_not_available(value: float | None) -> None:
    for show in (words.number, words.percent, words.count):
        assert show(value) == "not available"  # type: ignore[arg-type]
    assert words.interval(0.0, value) == ("0.00 or more" if value == math.inf else "not available")


def test_signs_are_shown_and_zero_has_none() -> None:
    assert words.number(-0.1234, 3, sign=True) == f"{MINUS}0.123"
    assert words.number(0.1234, 3, sign=True) == "+0.123"
    assert words.number(-0.0001, 3, sign=True) == words.number(0.0, 3, sign=True) == "0.000"
    assert words.interval(-0.1, 0.2, 1, sign=True) == f"{MINUS}0.1 to +0.2"
    assert words.number(12345.678, 1) == "12,345.7"


def test_booleans_are_no_numbers() -> None:
    assert not words.is_number(True)
    assert words.count(True) == "not available"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.00001, "under 0.01%"),
        (0.99999, "over 99.99%"),
        (0.0004, "0.04%"),
        (0.934, "93.4%"),
        (0.9996, "99.96%"),
        (-0.07, f"{MINUS}7.0%"),
        (1.2, "120.0%"),
    ],
)
def test_rounding_never_says_none_or_all(value: float, text: str) -> None:
    assert words.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(-0.118, "11.1% lower"), (0.0953, "10.0% higher"), (0.0, "less than 0.05% different")]
)
def test_nats_as_perplexity(value: float, text: str) -> None:
    assert words.perplexity_change(value) == text


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("gold", "gold metadata"),
        ("none", "no metadata"),
        ("wrong", "wrong metadata"),
        ("country", "only the country"),
        ("country+continent", "only the country and continent"),
        ("swap:gh", "Ghana for every text"),
        ("swap:all", "each country in turn"),
        ("swap:zz", "zz for every text"),
        ("marginal:uniform", "marginal over countries, uniform"),
        ("", "condition not recorded"),
        ("something", "something"),
    ],
)
def test_conditions_in_standard_terms(condition: str, text: str) -> None:
    assert words.condition_name(condition) == text


@given(st.integers(1, 10**6).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_the_interval_of_a_share_holds_it_and_stays_inside(counts: tuple[int, int]) -> None:
    found = share(*counts)
    assert found is not None
    low, high = found.ends
    assert 0 <= low <= found.value <= high <= 1
    assert found.interval.endswith("%")
    assert (found.text != "0%") or found.part == 0
    assert (found.text != "100%") or found.part == found.whole


@pytest.mark.parametrize(("part", "whole"), [(None, 3), (3, None), (0, 0), (4, 3), (-1, 3)])
def test_impossible_counts_are_no_share(part: int | None, whole: int | None) -> None:
    assert share(part, whole) is None


def test_small_words() -> None:
    assert words.some(1, "country") == "1 country"
    assert words.some(1200, "country") == "1,200 countries"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.listed(["a", "b", "c", "d"], 3) == "a, b and 2 more"
    assert [words.duration(s) for s in (0.01, 48, 720, 12240)] == ["under 0.1 s", "48 s", "12 min", "3.4 h"]
    assert [words.times(n) for n in (0.42, 6.8, 120)] == ["0.42 times", "6.8 times", "120 times"]
    assert [words.large(n) for n in (950, 1_500_000, 2e12)] == ["950", "1.5M", "2T"]
