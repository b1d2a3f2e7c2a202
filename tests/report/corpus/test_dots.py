from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from markupsafe import Markup

from dateline.report.corpus.dots import Dot, Scale, dots

SHARES = Scale("dropped, of what was read")
TIMES = Scale("times read", ratio=True)


def texts(figure: Markup) -> list[str]:
    return [element.text or "" for element in ET.fromstring(str(figure)).iter("text")]


def test_rows_stand_under_the_headings_of_their_groups() -> None:
    rows = [Dot("Ghana", "language", 0.2, 0.1, "20%", 0.15, 0.25), Dot("Kenya", "language", 0.3, 0.1, "30%")]
    rows.append(Dot("India", "too short", 0.01, 0.1, "1%"))
    figure = dots(rows, SHARES, "filters", "title", "words")
    for drawn in (figure.wide, figure.narrow):
        words = [word for word in texts(drawn) if not word.endswith("%")]
        assert words == ["dropped, of what was read", "language", "Ghana", "Kenya", "too short", "India"]
        assert {"20%", "30%", "1%", "0%"} <= set(texts(drawn))


@pytest.mark.parametrize(
    ("value", "low", "high", "color"),
    [(0.3, 0.2, 0.4, "worse"), (0.05, 0.01, 0.08, "better"), (0.12, 0.05, 0.2, "unsure")],
)
def test_colour_says_on_which_side_of_the_reference_the_interval_lies(
    value: float, low: float, high: float, color: str
) -> None:
    out = str(dots([Dot("Ghana", "", value, 0.1, "x", low, high)], SHARES, "filters", "title", "words").wide)
    assert {name for name in ("worse", "better", "unsure") if f"var(--{name})" in out} == {color}


def test_ratios_are_drawn_around_one() -> None:
    rows = [Dot("Ghana", "", 40.0, 1.0, "40 times"), Dot("India", "", 0.02, 1.0, "0.02 times")]
    out = dots(rows, TIMES, "balance", "title", "words").wide
    assert {"1", "0.1", "10"} <= set(texts(out))
    assert "var(--worse)" in str(out)
    assert "var(--better)" in str(out)


@pytest.mark.parametrize("values", [(1.0,), (1e-9, 1e12), (1.0, 1.0001)])
def test_any_span_can_be_drawn(values: tuple[float, ...]) -> None:
    rows = [Dot("Ghana", "", value, 1.0, "x") for value in values]
    box = re.search(r'viewBox="0 0 ([\d.]+)', str(dots(rows, TIMES, "balance", "title", "words").narrow))
    assert box
    assert float(box.group(1)) <= 368
