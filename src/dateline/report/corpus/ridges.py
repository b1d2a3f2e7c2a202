"""The ridges: how long the articles of each country are, one small hill for each, all on one scale of characters.

Enters: counts between log-spaced edges, and medians. Leaves: a `Figure`.
Deliberately not done: no smoothing beyond straight lines between the middles of bins, no common height: every hill
fills its row, because its shape is what is compared; how many documents it stands for is said elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures import NARROW, WIDE, Figure
from dateline.report.numerals import count, large
from dateline.report.svg import Drawing, clean, drawing

HEADING, STEP, HILL = 30.0, 31.0, 26.0
"""Pixels of a heading, of a row, and of the highest point of a hill above its base."""
TICKS = (1, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 10_000_000)
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ridge:
    """The lengths of one country; `bins` has one entry fewer than the edges, as many, or one more.

    As many: the last bin is open. One more: the first is, too.
    """

    label: str
    group: str
    bins: tuple[int, ...]
    median: int | None


def ridges(rows: Sequence[Ridge], edges: Sequence[float], title: str, description: str) -> Figure:
    """Draws the hills under the headings of their groups: two columns on wide screens, one on narrow ones."""
    hills = [(row, _points(row.bins, edges)) for row in rows]
    used = [x for _, points in hills for x, height in points if height]
    low, high = (min(used), max(used)) if used else (1.0, 2.0)
    room = max(0.1, (1 - (high - low)) / 2)  # a decade at least, so that the axis has marks
    span = (low - room, high + room)
    halves = 2 if len(rows) > 6 else 1
    return Figure(
        _draw(hills, span, halves, "ridges-wide", title, description, WIDE),
        _draw(hills, span, 1, "ridges-narrow", title, description, NARROW),
    )


def _points(bins: Sequence[int], edges: Sequence[float]) -> list[Point]:
    """Returns (log10 of characters, share of the highest density) at the middle of every bin."""
    ends = [edge for edge in edges if edge > 0]
    ratio = ends[1] / ends[0] if len(ends) > 1 else 2.0
    if len(ends) < len(edges):
        ends.insert(0, ends[0] / ratio)  # the first edge is zero, which has no logarithm
    if len(bins) > len(edges):
        ends.insert(0, ends[0] / ratio)
    if len(bins) >= len(ends):
        ends.append(ends[-1] * ratio)
    marks = [math.log10(edge) for edge in ends]
    density = [n / (b - a) for n, (a, b) in zip(bins, pairwise(marks), strict=True)]
    most = max(density, default=0.0) or 1.0
    points = [((a + b) / 2, height / most) for height, (a, b) in zip(density, pairwise(marks), strict=True)]
    width = marks[1] - marks[0]
    return [(points[0][0] - width, 0.0), *points, (points[-1][0] + width, 0.0)]


def _height(rows: Sequence[tuple[Ridge, list[Point]]]) -> float:
    return STEP * len(rows) + HEADING * len({row.group for row, _ in rows if row.group})


def _columns(rows: Sequence[tuple[Ridge, list[Point]]], halves: int) -> list[Sequence[tuple[Ridge, list[Point]]]]:
    """Splits the rows where the two columns are most alike in height."""
    if halves == 1:
        return [rows]
    at = min(range(1, len(rows)), key=lambda index: max(_height(rows[:index]), _height(rows[index:])))
    return [rows[:at], rows[at:]]


def _draw(
    rows: Sequence[tuple[Ridge, list[Point]]],
    span: tuple[float, float],
    halves: int,
    name: str,
    title: str,
    words: str,
    width: float,
) -> Markup:
    narrow = width < 500
    size, left, right = (10.5, 96.0, 44.0) if narrow else (12.0, 132.0, 62.0)
    columns = _columns(rows, halves)
    gutter = 44.0
    each = (width - gutter * (len(columns) - 1)) / len(columns) if len(columns) > 1 else min(width, 760.0)
    top, bottom = 22.0, 44.0
    with drawing(width, top + max(_height(column) for column in columns) + bottom) as ink:
        for at, column in enumerate(columns):
            x0, x1 = (each + gutter) * at + left, (each + gutter) * at + each - right

            def place(value: float, x0: float = x0, x1: float = x1) -> float:
                return x0 + (x1 - x0) * (value - span[0]) / (span[1] - span[0])

            end = top + _height(column)
            _axis(ink, place, span, (top, end), size, 3 if narrow else 2)
            ink.text((x0 + x1) / 2, end + 32, "characters", size=size - 0.5, color=svg.MUTED, ha="center")
            ink.text(x1 + right, 8, "median", size=size - 0.5, color=svg.MUTED, ha="right")
            y, group = top, ""
            for row, points in column:
                if row.group and row.group != group:
                    heading = clean(row.group, each, size + 1)
                    ink.text(x0 - left, y + 20, heading, size=size + 1, color=svg.MUTED, weight="bold")
                    y += HEADING
                group = row.group
                y += STEP
                _hill(ink, points, place, span, y)
                ink.text(x0 - left, y - 8, clean(row.label, left - 4, size), size=size)
                if row.median:
                    x = min(max(place(math.log10(row.median)), x0), x1)
                    ink.line([x, x], [y - HILL, y], color=svg.INK, width=1.4)
                median = "not recorded" if row.median is None else count(row.median)
                ink.text(x1 + right, y - 8, median, size=size, ha="right")
        return ink.svg(name, title, words)


def _axis(
    ink: Drawing,
    place: Callable[[float], float],
    span: tuple[float, float],
    ends: tuple[float, float],
    size: float,
    apart: int,
) -> None:
    shown = [tick for tick in TICKS if span[0] <= math.log10(tick) <= span[1]]
    shown = shown if len(shown) <= 12 // apart else [tick for tick in shown if str(tick)[0] == "1"]
    for tick in shown:
        x = place(math.log10(tick))
        ink.line([x, x], list(ends), color=svg.RULE, width=0.8)
        ink.text(x, ends[1] + 14, large(tick), size=size - 1, color=svg.MUTED, ha="center")


def _hill(
    ink: Drawing, points: list[Point], place: Callable[[float], float], span: tuple[float, float], base: float
) -> None:
    seen = [(x, height) for x, height in points if span[0] <= x <= span[1]]
    xs, ys = [place(x) for x, _ in seen], [base - HILL * height for _, height in seen]
    if not xs:
        return
    ink.line([place(span[0]), place(span[1])], [base, base], color=svg.RULE)
    ink.ax.fill([xs[0], *xs, xs[-1]], [base, *ys, base], facecolor=svg.ramp(-0.6), edgecolor="none", zorder=0.5)
    ink.line([xs[0], *xs, xs[-1]], [base, *ys, base], color=svg.BETTER, width=1.3)
