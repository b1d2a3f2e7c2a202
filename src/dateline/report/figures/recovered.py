"""The recovered gain: what a place can bring at best, and what it brought, on one scale.

Enters: entropies of the newswire and losses of two models, nats per token. Leaves: a `Figure`.
Deliberately not done: no gain is computed here.
"""

from __future__ import annotations

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures.frame import NARROW, WIDE, Figure
from dateline.report.numerals import percent, signed
from dateline.report.svg import clean, drawing


def recovered(
    floors: tuple[float, float],
    losses: tuple[float, float],
    labels: tuple[str, str],
    gain: float,
    interval: str,
    title: str,
    description: str,
) -> Figure:
    """Draws the gain that a place can bring at best and the gain that was measured, on one scale of nats per token.

    Args:
        floors: entropy of the newswire without and with the place, nats per token.
        losses: loss of the baseline told nothing and of the conditioned model told the truth.
        labels: what the two losses are called.
        gain: measured over possible.
        interval: the 95% interval of `gain` in words; empty where unknown.
        title: for the screen reader.
        description: for the screen reader.
    """
    pair = [
        _recovered(floors, losses, labels, gain, interval, (f"recovered-{kind}", title, description), width)
        for kind, width in (("wide", WIDE), ("narrow", NARROW))
    ]
    return Figure(*pair)


def _recovered(
    floors: tuple[float, float],
    losses: tuple[float, float],
    labels: tuple[str, str],
    gain: float,
    interval: str,
    names: tuple[str, str, str],
    width: float,
) -> Markup:
    narrow = width < 500
    size = 10.5 if narrow else 13.0
    left, right = (14.0, width - 14.0) if narrow else (190.0, width - 90.0)
    values = [*floors, *losses]
    low, high = min(values), max(values)
    pad = 0.04 * (high - low) or 0.1
    low, high = low - pad, high + pad

    def place(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    rows = (
        (74.0, floors, svg.UNSURE, "Best possible", "", ("without place", "with place")),
        (74.0 + (136 if narrow else 116), losses, svg.BETTER, "Measured", f"{percent(gain)} of it", labels),
    )
    height = rows[1][0] + 92
    with drawing(width, height) as ink:
        for value in floors:
            ink.line([place(value)] * 2, [74, rows[1][0] + 14], color=svg.MUTED, width=1.0, linestyle=(0, (3, 3)))
        for y, (upper, lower), color, name, share, ends in rows:
            words = f"{name}: {share}" if share and narrow else name
            ink.box(0, y - 58 if narrow else y - 9, 0.6 * size * len(words), 20, fill=svg.PAPER)
            ink.text(0, y - 47 if narrow else y, words, size=size + 1, weight="bold")
            if share and not narrow:
                ink.text(0, y + 20, share, size=size)
                ink.text(0, y + 38, interval and f"95%: {interval}", size=size - 1.5, color=svg.MUTED)
            ink.line([place(lower), place(upper)], [y, y], color=color, width=9)
            middle = (place(lower) + place(upper)) / 2
            ink.box(middle - 3 * size, y - 26, 6 * size, 18, fill=svg.PAPER)
            ink.text(middle, y - 17, f"{signed(lower - upper, 3)} nats", size=size, weight="bold", ha="center")
            for value, end in zip((upper, lower), ends, strict=True):
                ink.line([place(value)], [y], color=color, marker="o", markersize=13, markeredgewidth=0)
                words = clean(end, 184 if narrow else 300, size)
                half = max(24.0, 0.27 * size * len(words))
                at = min(max(place(value), half), width - half)
                ink.box(at - half, y + 18, 2 * half, 34, fill=svg.PAPER)
                ink.text(at, y + 25, words, size=size, color=svg.MUTED, ha="center")
                ink.text(at, y + 43, f"{value:.3f}", size=size, ha="center")
        note = "nats per token, lower is better"
        ink.text((left + right) / 2, height - 12, note, size=size - 1, color=svg.MUTED, ha="center")
        return ink.svg(*names)
