"""Shares with their intervals: how often something happens, against what chance would give.

Enters: values with intervals by row and series. Leaves: a `Figure` of dots and whiskers with a dashed reference line.
Deliberately not done: no bars, whose length would say that zero is the point of comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures import frame
from dateline.report.figures.frame import KEY_STEP, NARROW, WIDE, Figure
from dateline.report.numerals import is_number, percent
from dateline.report.svg import Drawing, clean, drawing

STEP = 13.0
"""Pixels from one dot of a row to the next."""
PAD = 9.0
"""Pixels around the dots of a row."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One share; the ends may be missing, and the upper one infinite: then the whisker is an arrow."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One group with a mark for each series, None where it was not measured."""

    label: str
    marks: tuple[Mark | None, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class SharePanel:
    """Rows on one scale with one line of reference; None where there is none."""

    title: str
    rows: tuple[ShareRow, ...]
    reference: float | None = None
    reference_words: str = ""


def shares(panels: Sequence[SharePanel], series: Sequence[str], name: str, title: str, description: str) -> Figure:
    """Draws dots with 95% intervals in percent, a colour for each of `series`, panels side by side where they fit."""
    words = (title, description)
    return Figure(
        _draw(panels, series, min(2, len(panels)), (f"{name}-wide", *words), WIDE),
        _draw(panels, series, 1, (f"{name}-narrow", *words), NARROW),
    )


def _draw(
    panels: Sequence[SharePanel], series: Sequence[str], per_line: int, names: tuple[str, str, str], width: float
) -> Markup:
    narrow = width < 500
    size, left, right = (10.0, 92.0, 38.0) if narrow else (11.5, 128.0, 46.0)
    keys = KEY_STEP * len(series) + 16
    room = width / per_line
    plot = min(560.0, room - left - right)
    heights = [108.0 + len(panel.rows) * _height(len(_used(panel))) for panel in panels]
    lines = [max(heights[at : at + per_line]) for at in range(0, len(panels), per_line)]
    with drawing(width, keys + sum(lines)) as ink:
        colors = [svg.SERIES[at % len(svg.SERIES)] for at in range(len(series))]
        frame.key(ink, list(zip(colors, series, strict=True)), 0, 9, width, size)
        for at, panel in enumerate(panels):
            x0, y0 = room * (at % per_line), keys + sum(lines[: at // per_line])
            ink.text(x0, y0 + 12, clean(panel.title, room - 20, size + 1.5), size=size + 1.5, weight="bold")
            _panel(ink, panel, (x0, y0 + 58.0), (left, plot), size)
        return ink.svg(*names)


def _used(panel: SharePanel) -> list[int]:
    """Returns the series of which the panel has any mark: one that was never measured takes no room."""
    most = max((len(row.marks) for row in panel.rows), default=0)
    return [at for at in range(most) if any(row.marks[at] for row in panel.rows)] or list(range(most))


def _height(series: int) -> float:
    return STEP * max(1, series) + PAD


def _panel(
    ink: Drawing, panel: SharePanel, corner: tuple[float, float], room: tuple[float, float], size: float
) -> None:
    (x0, y), (left, plot) = corner, room
    low, high = _span(panel)
    used = _used(panel)
    step = _height(len(used))
    bottom = y + step * len(panel.rows)

    def place(value: float) -> float:
        return x0 + left + plot * (min(max(value, low), high) - low) / (high - low)

    for mark, words in frame.ticks(100 * low, 100 * high, 5, sign=False):
        ink.line([place(mark / 100)] * 2, [y - 4, bottom + 4], color=svg.RULE, width=0.8)
        ink.text(place(mark / 100), bottom + 15, f"{words}%", size=size - 1, color=svg.MUTED, ha="center")
    if panel.reference is not None:
        at = place(panel.reference)
        ink.line([at, at], [y - 8, bottom + 4], color=svg.INK, width=1.1, linestyle=(0, (4, 3)))
        words = clean(panel.reference_words, left + plot, size - 1)
        half = 0.27 * (size - 1) * len(words)
        middle = min(max(at, x0 + half), x0 + left + plot + 30 - half)
        ink.text(middle, y - 18, words, size=size - 1, color=svg.MUTED, ha="center")
    for row in panel.rows:
        weight = "bold" if row.strong else "normal"
        middle = y + step / 2
        ink.text(x0, middle, clean(row.label, left - 8, size), size=size, weight=weight)
        for index, series in enumerate(used):
            _mark(
                ink,
                row.marks[series],
                place,
                y + PAD / 2 + STEP * (index + 0.5),
                svg.SERIES[series % len(svg.SERIES)],
                high,
                size,
            )
        y += step


def _mark(
    ink: Drawing, one: Mark | None, place: Callable[[float], float], y: float, color: str, top: float, size: float
) -> None:
    if one is None or not is_number(one.value):
        ink.text(place(-math.inf), y, "n/a", size=size - 2, color=svg.MUTED)
        return
    if is_number(one.low):
        ink.line([place(one.low), place(one.high)], [y, y], color=color, width=1.8)
        if one.high == math.inf:
            ink.line([place(top)], [y], color=color, marker=">", markersize=6, markeredgewidth=0)
    ink.line([place(one.value)], [y], color=color, marker="o", markersize=6, markeredgewidth=0)
    right = max(one.value, one.high if is_number(one.high) else one.value)
    ink.text(place(right) + 7, y, percent(one.value), size=size - 2, color=svg.MUTED)


def _span(panel: SharePanel) -> tuple[float, float]:
    marks = [mark for row in panel.rows for mark in row.marks if mark]
    ends = [value for mark in marks for value in (mark.value, mark.low, mark.high) if is_number(value)]
    ends += [panel.reference] if panel.reference is not None else []
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    margin = 0.08 * (high - low) or 0.05
    return max(0.0, low - margin), high + margin
