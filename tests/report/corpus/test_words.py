from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.report.corpus import words
from dateline.report.corpus.words import share

COUNTS = st.integers(1, 10**9).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


@given(COUNTS)
def test_the_interval_holds_the_share_and_stays_inside(counts: tuple[int, int]) -> None:
    found = share(*counts)
    assert found is not None
    low, high = found.ends
    assert 0 <= low <= found.value + 1e-12
    assert found.value - 1e-12 <= high <= 1


@pytest.mark.parametrize(("part", "whole"), [(1, 0), (2, 1), (-1, 3), (None, 3), (1, None)])
def test_impossible_counts_are_no_share(part: int | None, whole: int | None) -> None:
    assert share(part, whole) is None


@given(COUNTS)
def test_rounding_never_says_none_or_all(counts: tuple[int, int]) -> None:
    part, whole = counts
    found = share(part, whole)
    assert found is not None
    assert (found.text == "0%") == (part == 0)
    assert (found.text == "100%") == (part == whole)
    assert found.text not in ("0.00%", "100.00%", "0.0%", "100.0%")


def test_shares_in_words() -> None:
    found = share(365_623, 467_812)
    assert found is not None
    assert found.full == "78.2% (95% interval 78.0 to 78.3%)"
    all_of_them = share(365_623, 365_623)
    assert all_of_them is not None
    assert all_of_them.full == "100% (95% interval 99.999 to 100%)"


def test_small_words() -> None:
    assert words.some(1, "country") == "1 country"
    assert words.some(18, "country") == "18 countries"
    assert words.some(2, "damaged file") == "2 damaged files"
    assert words.listed(["a"]) == "a"
    assert words.listed("abc") == "a, b and c"
    assert words.listed("abcdef", 4) == "a, b, c and 3 more"
    assert [words.duration(s) for s in (4.04, 48, 400, 12_240)] == ["4.0 s", "48 s", "7 min", "3.4 h"]
    assert [words.times(n) for n in (0.234, 6.51, 431.2)] == ["0.23 times", "6.5 times", "431 times"]
    assert words.reason("near_duplicate") == "near duplicate"
