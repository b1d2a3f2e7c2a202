"""The figures of the report: numbers in, inline SVG out, each drawn once for wide and once for narrow screens.

Enters: plain values that the page has chosen. Leaves: `Figure` pairs of SVG with a title and a description in words.
Deliberately not done: no reading of files, no statistics, no choice of what is compared; see page.py and scoretable.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from dateline.report import svg
from dateline.report.numerals import is_number, p_text, percent, signed
from dateline.report.svg import Drawing, clean, drawing

WIDE, NARROW = 1040.0, 368.0
"""Pixels that the figures may take; the narrow ones fit a phone without scrolling."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure for two widths of screen."""

    wide: Markup
    narrow: Markup


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One difference with its interval; `level` 0 is everything, 1 a continent, 2 a country."""

    label: str
    level: int
    value: float
    low: float
    high: float
    p_value: float | None
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ForestPanel:
    """One comparison over the same rows as every other; None where the group was not measured."""

    title: str
    subtitle: str
    rows: tuple[ForestRow | None, ...]


def forest(panels: Sequence[ForestPanel], title: str, description: str) -> Figure:
    """Draws differences with 95% intervals, a panel for each comparison, all panels over the same rows and scale."""
    per_line = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)
    return Figure(
        _forest(panels, per_line, "forest-wide", title, description, WIDE),
        _forest(panels, 1, "forest-narrow", title, description, NARROW),
    )


def _span(panel: ForestPanel) -> tuple[float, float]:
    """Each panel has a scale of its own: a small difference would vanish beside a large one."""
    ends = [v for row in panel.rows if row for v in (row.low, row.high, row.value, *row.seeds) if is_number(v)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    margin = 0.06 * (high - low) or 0.01
    return (low - margin if low < 0 else -margin), (high + margin if high > 0 else margin)


def _forest(panels: Sequence[ForestPanel], per_line: int, name: str, title: str, words: str, width: float) -> Markup:
    narrow = width < 500
    left, size, p_room, gutter = (96.0, 10.0, 52.0, 0.0) if narrow else (154.0, 12.0, 62.0, 30.0)
    panel_width = min(620.0, (width - left - gutter * (per_line - 1)) / per_line)
    step, top, bottom = (18.0, 58.0, 62.0) if narrow else (20.0, 60.0, 70.0)
    levels = [next((p.rows[i].level for p in panels if p.rows[i]), 2) for i in range(len(panels[0].rows))]  # type: ignore[union-attr]
    labels = [next((p.rows[i].label for p in panels if p.rows[i]), "") for i in range(len(panels[0].rows))]  # type: ignore[union-attr]
    offsets = [step * i + 8.0 * sum(1 for level in levels[1 : i + 1] if level < 2) for i in range(len(levels))]
    block = top + (offsets[-1] if offsets else 0) + step + bottom
    lines = -(-len(panels) // per_line)
    with drawing(width, block * lines - (18 if narrow else 10)) as ink:
        for at, panel in enumerate(panels):
            y0 = block * (at // per_line)
            x0 = left + (panel_width + gutter) * (at % per_line)
            plot = panel_width - p_room
            low, high = _span(panel)

            def place(value: float, x0: float = x0, plot: float = plot, low: float = low, high: float = high) -> float:
                return x0 + plot * (value - low) / (high - low)

            heading = 0.0 if narrow else x0
            ink.text(heading, y0 + 12, clean(panel.title, width if narrow else panel_width, 14), size=14, weight="bold")
            ink.text(
                heading, y0 + 30, clean(panel.subtitle, width if narrow else panel_width, 12), size=12, color=svg.MUTED
            )
            _scale_lines(ink, place, low, high, y0 + top - 12, y0 + block - bottom, 4 if narrow or per_line > 2 else 6)
            ink.text(x0 + panel_width, y0 + top - 12, "p", size=size, color=svg.MUTED, ha="right", style="italic")
            ink.text(
                x0 + plot / 2,
                y0 + block - bottom + 31,
                "nats per token; left is better",
                size=size,
                color=svg.MUTED,
                ha="center",
            )
            for index, row in enumerate(panel.rows):
                y = y0 + top + offsets[index] + step / 2
                if at % per_line == 0:
                    weight = "bold" if levels[index] < 2 else "normal"
                    indent = 10.0 if levels[index] == 2 and not narrow else 0.0
                    ink.text(indent, y, clean(labels[index], left - indent - 6, size), size=size, weight=weight)
                _forest_row(ink, row, place, y, x0 + panel_width, size)
        return ink.svg(name, title, words)


def _scale_lines(
    ink: Drawing, place: Callable[[float], float], low: float, high: float, top: float, bottom: float, ticks: int
) -> None:
    marks = [t for t in MaxNLocator(ticks, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= t <= high]
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    digits = max(0, min(4, next(n for n in range(6) if n == 5 or abs(round(step, n) - step) < 1e-9)))
    for mark in marks:
        zero = abs(mark) < 1e-12
        ink.line([place(mark)] * 2, [top, bottom + 4], color=svg.INK if zero else svg.RULE, width=1.2 if zero else 0.8)
        ink.text(
            place(mark), bottom + 15, "0" if zero else signed(mark, digits), size=10.5, color=svg.MUTED, ha="center"
        )


def _forest_row(
    ink: Drawing, row: ForestRow | None, place: Callable[[float], float], y: float, right: float, size: float
) -> None:
    if row is None or not is_number(row.value):
        ink.text(right, y, "n/a", size=size - 0.5, color=svg.MUTED, ha="right")
        return
    known = is_number(row.low) and is_number(row.high)
    color = svg.UNSURE
    if known and (row.low > 0 or row.high < 0):
        color = svg.BETTER if row.high < 0 else svg.WORSE
    if known:
        ink.line([place(row.low), place(row.high)], [y, y], color=color, width=2.4 if row.level < 2 else 1.6)
    for seed in row.seeds if len(row.seeds) > 1 else ():
        if is_number(seed):
            ink.line([place(seed)] * 2, [y - 4, y + 4], color=color, width=0.8)
    marker, side = ("D", 6.5) if row.level == 0 else ("s", 5.5 if row.level == 1 else 4.5)
    ink.line([place(row.value)], [y], color=color, marker=marker, markersize=side, markeredgewidth=0)
    weight = "bold" if row.level == 0 else "normal"
    ink.text(right, y, p_text(row.p_value, name=False) or "none", size=size - 0.5, ha="right", weight=weight)


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
