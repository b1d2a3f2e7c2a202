"""What all figures share: two widths, tick marks, a key of colours.

Enters: the ends of a scale, the labels of series. Leaves: `Figure`, ticks with their words, keys on a drawing.
Deliberately not done: no figure of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from dateline.report import svg
from dateline.report.numerals import number, signed
from dateline.report.svg import Drawing, clean

WIDE, NARROW = 1040.0, 368.0
"""Pixels that the figures may take; the narrow ones fit a phone without scrolling."""
KEY_STEP = 19.0
"""Pixels from one line of a key to the next."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure for two widths of screen."""

    wide: Markup
    narrow: Markup


def ticks(low: float, high: float, most: int, *, sign: bool = True) -> list[tuple[float, str]]:
    """Returns round values between two ends and how they are written; zero is `0`.

    Args:
        low: lower end of the scale.
        high: upper end of the scale, above `low`.
        most: about how many ticks there is room for.
        sign: whether the sign is always shown, as for differences.
    """
    marks = [t for t in MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= t <= high]
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    digits = max(0, min(4, next(n for n in range(6) if n == 5 or abs(round(step, n) - step) < 1e-9)))
    show = signed if sign else number
    return [(mark, "0" if abs(mark) < 1e-12 else show(mark, digits)) for mark in marks]


def key(ink: Drawing, entries: Sequence[tuple[str, str]], x: float, y: float, width: float, size: float) -> None:
    """Names colours, one line for each, from (x, y) downwards.

    Args:
        ink: where to draw.
        entries: colour and label of each series.
        x: pixels from the left.
        y: middle of the first line, pixels from the top.
        width: pixels that a line may take.
        size: of the letters in pixels.
    """
    for at, (color, label) in enumerate(entries):
        middle = y + KEY_STEP * at
        ink.line([x, x + 18], [middle, middle], color=color, width=3.0)
        ink.text(x + 26, middle, clean(label, width - 26, size), size=size, color=svg.INK)
