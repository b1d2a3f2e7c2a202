"""The reliability diagram: how often it is right, against how sure it says it is.

Enters: bins of confidence with accuracy, interval and count. Leaves: a `Figure` with a square for each guesser.
Deliberately not done: no line between bins; a bin without a document is not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures.frame import NARROW, WIDE, Figure
from dateline.report.numerals import count, is_number
from dateline.report.svg import Drawing, clean, drawing

BARS = 44.0
"""Pixels for the counts below a square."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Documents whose best guess has a probability in one range."""

    confidence: float
    """Mean probability of the guess."""
    accuracy: float
    low: float
    high: float
    documents: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One guesser on one form of the text."""

    title: str
    subtitle: str
    bins: tuple[Bin, ...]
    baseline: bool = False
    """Drawn in grey: what the model is held against."""


def reliability(panels: Sequence[Panel], name: str, title: str, description: str) -> Figure:
    """Draws accuracy against confidence with 95% intervals; on the dashed line they agree."""
    words = (title, description)
    return Figure(
        _draw(panels, min(4, max(3, len(panels))), (f"{name}-wide", *words), WIDE),
        _draw(panels, 1, (f"{name}-narrow", *words), NARROW),
    )


def _draw(panels: Sequence[Panel], per_line: int, names: tuple[str, str, str], width: float) -> Markup:
    narrow = width < 500
    size = 10.0 if narrow else 11.5
    room = width / per_line
    left = 34.0
    side = min(290.0, room - left - 22.0)
    top = 50.0
    block = top + side + BARS + 66.0
    with drawing(width, block * -(-len(panels) // per_line) - 14) as ink:
        for at, panel in enumerate(panels):
            x0, y0 = room * (at % per_line) + left, block * (at // per_line) + top
            ink.text(x0 - left, y0 - 40, clean(panel.title, room - 12, size + 1.5), size=size + 1.5, weight="bold")
            ink.text(x0 - left, y0 - 21, clean(panel.subtitle, room - 12, size), size=size, color=svg.MUTED)
            _square(ink, x0, y0, side, size)
            _bins(ink, panel, x0, y0, side, size)
        return ink.svg(*names)


def _square(ink: Drawing, x0: float, y0: float, side: float, size: float) -> None:
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = x0 + side * tick, y0 + side * (1 - tick)
        ink.line([x0, x0 + side], [y, y], color=svg.RULE, width=0.8)
        ink.text(x0 - 6, y, f"{100 * tick:.0f}", size=size - 1, color=svg.MUTED, ha="right")
        ink.text(x, y0 + side + BARS + 14, f"{100 * tick:.0f}", size=size - 1, color=svg.MUTED, ha="center")
    ink.line([x0, x0 + side], [y0 + side, y0], color=svg.MUTED, width=1.0, linestyle=(0, (4, 3)))
    words = "says so, % (across); is right, % (up)"
    ink.text(x0 + side / 2, y0 + side + BARS + 32, words, size=size - 0.5, color=svg.MUTED, ha="center")


def _bins(ink: Drawing, panel: Panel, x0: float, y0: float, side: float, size: float) -> None:
    color = svg.UNSURE if panel.baseline else svg.BETTER
    most = max((one.documents for one in panel.bins), default=0)
    floor = y0 + side + BARS
    for one in panel.bins:
        if not (is_number(one.confidence) and is_number(one.accuracy)):
            continue
        x, y = x0 + side * one.confidence, y0 + side * (1 - one.accuracy)
        if is_number(one.low) and is_number(one.high):
            ink.line([x, x], [y0 + side * (1 - one.low), y0 + side * (1 - one.high)], color=color, width=1.8)
        ink.line([x], [y], color=color, marker="o", markersize=6, markeredgewidth=0)
        if most:
            bar = (BARS - 18) * one.documents / most
            ink.box(x - 5, floor - bar, 10, bar, fill=color)
    ink.line([x0, x0 + side], [floor, floor], color=svg.MUTED, width=0.8)
    words = f"documents, up to {count(most)} in a bin"
    ink.text(x0, y0 + side + 9, words, size=size - 1.5, color=svg.MUTED)
