from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from dateline.report.figures.reliability import Bin, Panel, reliability

BINS = (Bin(0.3, 0.25, 0.2, 0.31, 40), Bin(0.9, 0.8, 0.7, 0.88, 160))


@pytest.mark.parametrize("panels", [1, 2, 4, 8])
def test_every_panel_is_named_and_says_how_many_documents(panels: int) -> None:
    drawn = reliability([Panel(f"model {n}", "on the text", BINS) for n in range(panels)], "r", "title", "words")
    for figure in (drawn.wide, drawn.narrow):
        words = [element.text for element in ET.fromstring(str(figure)).iter("text")]
        assert {f"model {n}" for n in range(panels)} <= set(words)
        assert words.count("documents, up to 160 in a bin") == panels


def test_the_baseline_is_grey() -> None:
    ours, theirs = (str(reliability([Panel("m", "s", BINS, baseline)], "r", "t", "d").wide) for baseline in (0, 1))
    assert ("var(--better)" in ours, "var(--better)" in theirs) == (True, False)
    assert "var(--unsure)" in theirs


def test_a_bin_without_an_interval_is_a_dot_and_one_without_a_share_is_nothing() -> None:
    open_bin = Bin(0.5, 0.5, math.nan, math.nan, 1)
    empty = Bin(0.5, math.nan, math.nan, math.nan, 1)
    drawn = [str(reliability([Panel("m", "s", bins)], "r", "t", "d").wide) for bins in ((open_bin,), (empty,), ())]
    assert len(set(drawn)) == 3
    assert not any("nan" in figure.lower() for figure in drawn)
