from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dateline.report.figures.frame import key, ticks
from dateline.report.svg import SERIES, drawing


@given(st.floats(-5, 5), st.floats(0.001, 10), st.integers(3, 8))
def test_ticks_lie_between_the_ends_and_zero_is_bare(low: float, span: float, most: int) -> None:
    found = ticks(low, low + span, most)
    assert all(low <= mark <= low + span for mark, _ in found)
    assert all(words == "0" for mark, words in found if abs(mark) < 1e-12)


def test_signs_are_shown_for_differences_only() -> None:
    assert [words for _, words in ticks(-1, 1, 3)] == ["\u22121", "0", "+1"]
    assert [words for _, words in ticks(0, 100, 3, sign=False)] == ["0", "50", "100"]


def test_a_key_names_every_colour() -> None:
    with drawing(300, 60) as ink:
        key(ink, [(SERIES[0], "told the true place"), (SERIES[2], "told a wrong place")], 0, 10, 300, 11)
        out = ink.svg("key", "title", "words")
    assert "told the true place" in out
    assert "var(--series-3)" in out
