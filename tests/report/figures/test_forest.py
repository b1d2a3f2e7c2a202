from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from markupsafe import Markup

from dateline.report.figures.forest import ForestPanel, ForestRow, forest


def texts(figure: Markup) -> list[str]:
    return [element.text or "" for element in ET.fromstring(str(figure)).iter("text")]


def row(value: float = -0.1, low: float = -0.2, high: float = -0.05, p_value: float | None = 1e-6) -> ForestRow:
    return ForestRow("Ghana", 2, value, low, high, p_value)


def panel(*rows: ForestRow | None) -> ForestPanel:
    return ForestPanel("conditioned", "minus plain", (ForestRow("All", 0, -0.1, -0.11, -0.09, 0.0), *rows))


@pytest.mark.parametrize("panels", [1, 2, 3, 4, 5, 6])
def test_every_row_of_every_panel_has_its_probability(panels: int) -> None:
    figure = forest([panel(row(), row(0.01, -0.1, 0.1, 0.77))] * panels, "title", "words")
    for drawn in (figure.wide, figure.narrow):
        assert texts(drawn).count("< 0.001") == 2 * panels
        assert texts(drawn).count("0.77") == panels


def test_blue_is_better_orange_worse_grey_undecided() -> None:
    better, worse, unsure = (
        str(forest([ForestPanel("t", "s", (r,))], "t", "d").wide)
        for r in (row(), row(0.1, 0.05, 0.2), row(0.01, -0.1, 0.1))
    )
    assert ("var(--better)" in better, "var(--worse)" in better) == (True, False)
    assert ("var(--better)" in worse, "var(--worse)" in worse) == (False, True)
    assert "var(--unsure)" in unsure


def test_what_is_not_available_is_marked() -> None:
    bad = row(math.nan, math.nan, math.nan, math.nan)
    open_ended = row(-0.1, math.nan, math.nan, math.nan)
    drawn = texts(forest([panel(None, bad, open_ended)], "title", "words").wide)
    assert drawn.count("n/a") == 2
    assert "not available" in drawn
    assert not any("nan" in text.lower() for text in drawn)


def test_zero_is_in_the_frame_and_ticks_are_signed() -> None:
    drawn = texts(forest([panel(row())], "title", "words").wide)
    assert "0" in drawn
    assert any(text.startswith("\u2212") for text in drawn)
