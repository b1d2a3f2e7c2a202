"""The forest plot: differences with their intervals, group by group, a panel for each comparison.

Enters: differences with intervals and p-values. Leaves: a `Figure`.
Deliberately not done: no common scale of the panels: a small difference would vanish beside a large one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures import frame
from dateline.report.figures.frame import NARROW, WIDE, Figure
from dateline.report.numerals import is_number, p_text
from dateline.report.svg import Drawing, clean, drawing


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


def forest(panels: Sequence[ForestPanel], title: str, description: str, name: str = "forest") -> Figure:
    """Draws differences with 95% intervals, a panel for each comparison, all panels over the same rows and scale."""
    per_line = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)
    return Figure(
        _forest(panels, per_line, f"{name}-wide", title, description, WIDE),
        _forest(panels, 1, f"{name}-narrow", title, description, NARROW),
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
    for mark, words in frame.ticks(low, high, ticks):
        zero = abs(mark) < 1e-12
        ink.line([place(mark)] * 2, [top, bottom + 4], color=svg.INK if zero else svg.RULE, width=1.2 if zero else 0.8)
        ink.text(place(mark), bottom + 15, words, size=10.5, color=svg.MUTED, ha="center")


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
