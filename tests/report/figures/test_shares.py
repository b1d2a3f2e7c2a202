from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from dateline.report.figures.shares import Mark, SharePanel, ShareRow, shares


def texts(figure: object) -> list[str]:
    return [element.text or "" for element in ET.fromstring(str(figure)).iter("text")]


def panel(*marks: Mark | None, reference: float | None = 0.25) -> SharePanel:
    return SharePanel("Right, cloze form", (ShareRow("All", marks, strong=True),), reference, "guessing: 25%")


def test_rows_series_values_and_the_reference_are_named() -> None:
    figure = shares([panel(Mark(0.41, 0.38, 0.44), Mark(0.36, 0.33, 0.39))], ["gold", "none"], "s", "title", "words")
    for drawn in (figure.wide, figure.narrow):
        assert {"All", "gold", "none", "41%", "36%", "guessing: 25%", "Right, cloze form"} <= set(texts(drawn))


def test_what_was_not_measured_is_marked() -> None:
    rows = (ShareRow("All", (None, Mark(math.nan, 0, 1))), ShareRow("Asia", (Mark(0.4, 0.3, 0.5), None)))
    drawn = shares([SharePanel("Right", rows)], ["a", "b"], "s", "title", "words").wide
    assert texts(drawn).count("n/a") == 3
    assert "nan" not in str(drawn).lower()


def test_an_interval_without_an_upper_end_is_an_arrow() -> None:
    closed, open_end = (
        str(shares([panel(Mark(0.6, 0.5, high), reference=1.0)], ["a"], "s", "t", "d").wide) for high in (0.7, math.inf)
    )
    assert "inf" not in open_end.replace("info", "")
    assert open_end.count("<path") > closed.count("<path")


def test_a_series_that_a_panel_never_measured_takes_no_room() -> None:
    drawn = shares([panel(Mark(0.4, 0.3, 0.5), None)], ["a", "b"], "s", "title", "words").wide
    assert "n/a" not in texts(drawn)
