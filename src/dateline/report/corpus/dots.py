"""The dots: one number for each row on a common scale, against the number that it should be compared with.

Enters: values, intervals and references. Leaves: a `Figure`.
Deliberately not done: no statistics; intervals come in as they are to be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from dateline.report import svg
from dateline.report.figures import NARROW, WIDE, Figure
from dateline.report.numerals import is_number, number
from dateline.report.svg import Drawing, clean, drawing

HEADING = 32.0
"""Pixels of a heading."""
TIMES = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class Dot:
    """One row: blue where it lies below its reference, orange where above, grey where the interval holds it."""

    label: str
    group: str
    value: float
    reference: float
    text: str
    low: float = math.nan
    high: float = math.nan
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """What the horizontal axis is."""

    name: str
    ratio: bool = False
    """Logarithmic, around 1, with a stem from 1 to every dot; otherwise linear from zero, in percent."""


def dots(rows: Sequence[Dot], scale: Scale, name: str, title: str, description: str) -> Figure:
    """Draws the rows under the headings of their groups."""
    return Figure(
        _draw(rows, scale, f"{name}-wide", title, description, WIDE),
        _draw(rows, scale, f"{name}-narrow", title, description, NARROW),
    )


def _span(rows: Sequence[Dot], scale: Scale) -> tuple[float, float]:
    values = [v for row in rows for v in (row.value, row.reference, row.low, row.high) if is_number(v)]
    if scale.ratio:
        low, high = math.log10(min([0.8, *values])), math.log10(max([1.25, *values]))
        return low - 0.05 * (high - low), high + 0.05 * (high - low)
    return 0.0, 1.05 * max([0.01, *values])


def _draw(rows: Sequence[Dot], scale: Scale, name: str, title: str, words: str, width: float) -> Markup:
    narrow = width < 500
    size, step, left, right = (10.5, 20.0, 96.0, 92.0) if narrow else (12.0, 22.0, 132.0, 210.0)
    low, high = _span(rows, scale)
    x0, x1, top = left, min(width, 900.0) - right, 12.0

    def place(value: float) -> float:
        at = math.log10(value) if scale.ratio else value
        return x0 + (x1 - x0) * (at - low) / (high - low)

    groups = sum(1 for at, row in enumerate(rows) if row.group and (not at or rows[at - 1].group != row.group))
    end = top + step * len(rows) + HEADING * groups
    with drawing(width, end + 44) as ink:
        _axis(ink, scale, place, (low, high), (top, end), size, narrow)
        ink.text((x0 + x1) / 2, end + 34, scale.name, size=size - 0.5, color=svg.MUTED, ha="center")
        y = top
        for at, row in enumerate(rows):
            if row.group and (not at or rows[at - 1].group != row.group):
                heading = clean(row.group, width, size + 1)
                ink.box(0, y + 9, 0.6 * (size + 1) * len(heading), HEADING - 12, fill=svg.PAPER)
                ink.text(0, y + 20, heading, size=size + 1, color=svg.MUTED, weight="bold")
                y += HEADING
            _row(ink, row, scale, place, y + step / 2)
            weight = "bold" if row.strong else "normal"
            ink.text(0, y + step / 2, clean(row.label, left - 4, size), size=size, weight=weight)
            ink.text(x1 + 14, y + step / 2, clean(row.text, right - 14, size), size=size, weight=weight)
            y += step
        return ink.svg(name, title, words)


def _row(ink: Drawing, row: Dot, scale: Scale, place: Callable[[float], float], y: float) -> None:
    known = is_number(row.low) and is_number(row.high)
    unsure = known and row.low <= row.reference <= row.high
    color = svg.UNSURE if unsure or row.value == row.reference else svg.WORSE
    color = svg.BETTER if row.value < row.reference and not unsure else color
    if scale.ratio:
        ink.line([place(row.reference), place(row.value)], [y, y], color=color, width=3 if row.strong else 2)
    else:
        ink.line([place(row.reference)] * 2, [y - 7, y + 7], color=svg.INK, width=1.6)
    if known:
        ink.line([place(row.low), place(row.high)], [y, y], color=color, width=1.8)
    side = 8.5 if row.strong else 6.5
    ink.line([place(row.value)], [y], color=color, marker="o", markersize=side, markeredgewidth=0)


def _axis(
    ink: Drawing,
    scale: Scale,
    place: Callable[[float], float],
    span: tuple[float, float],
    ends: tuple[float, float],
    size: float,
    narrow: bool,
) -> None:
    if scale.ratio:
        marks = [mark for mark in TIMES if span[0] <= math.log10(mark) <= span[1]]
        if len(marks) > (5 if narrow else 9):
            marks = [mark for mark in marks if math.log10(mark) == round(math.log10(mark))]
    else:
        marks = [float(mark) for mark in MaxNLocator(4 if narrow else 6).tick_values(*span) if 0 <= mark <= span[1]]
    step = 100 * (marks[1] - marks[0]) if len(marks) > 1 else 1.0
    for mark in marks:
        bold = scale.ratio and mark == 1
        ink.line([place(mark)] * 2, list(ends), color=svg.INK if bold else svg.RULE, width=1.2 if bold else 0.8)
        shown = f"{mark:g}" if scale.ratio else f"{number(100 * mark, 0 if step >= 1 else 1)}%"
        ink.text(place(mark), ends[1] + 14, shown, size=size - 1, color=svg.MUTED, ha="center")
