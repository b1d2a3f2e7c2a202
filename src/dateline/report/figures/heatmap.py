"""The heat map: what each condition changes in each country.

Enters: differences of the baseline, in nats per token, by country and condition. Leaves: a `Figure`.
Deliberately not done: no colour without its number, no colour scale that is not centred at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures.frame import NARROW, WIDE, Figure
from dateline.report.numerals import decimals, is_number, signed
from dateline.report.svg import Drawing, clean, drawing

MOST_ACROSS = 24
"""More rows than this stand below each other on wide screens too."""


@dataclass(frozen=True, slots=True)
class HeatColumn:
    """One condition of one model."""

    family: str
    condition: str
    """As short as it can be said: `true place`."""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One country, or everything; values in the order of the columns, None or NaN where not measured."""

    label: str
    continent: str
    values: tuple[float | None, ...]


def heat_map(columns: Sequence[HeatColumn], rows: Sequence[HeatRow], title: str, description: str) -> Figure:
    """Draws conditions against countries, zero in the colour of the paper, cooler better, warmer worse.

    A wide screen has countries side by side, as long as they fit; a narrow one has them below each other.
    """
    if len(rows) <= MOST_ACROSS:
        wide = _heat_across(columns, rows, "heat-wide", title, description, WIDE)
    else:
        wide = _blocks(columns, rows, "heat-wide", title, description, WIDE)
    return Figure(wide, _blocks(columns, rows, "heat-narrow", title, description, NARROW))


def _blocks(
    columns: Sequence[HeatColumn], rows: Sequence[HeatRow], name: str, title: str, words: str, width: float
) -> Markup:
    """Draws as many conditions side by side as can be read, and the others below them."""
    most = 6 if width < 500 else 14
    parts = []
    for start in range(0, len(columns), most):
        some = [HeatRow(row.label, row.continent, row.values[start : start + most]) for row in rows]
        scale = _scale(rows)
        parts.append(_heat_down(columns[start : start + most], some, f"{name}-{start}", title, words, width, scale))
    return Markup("").join(parts)


def _scale(rows: Sequence[HeatRow]) -> float:
    return max((abs(v) for row in rows for v in row.values if v is not None and is_number(v)), default=0.0) or 1.0


def _cell(ink: Drawing, box: tuple[float, float, float, float], value: float | None, scale: float, size: float) -> None:
    x, y, width, height = box
    if value is None or not is_number(value):
        ink.box(x + 1, y + 1, width - 2, height - 2, fill="none", edge=svg.RULE)
        ink.text(x + width / 2, y + height / 2, "n/a", size=size - 1, color=svg.MUTED, ha="center")
        return
    ink.box(x + 1, y + 1, width - 2, height - 2, fill=svg.ramp(value / scale))
    ink.text(x + width / 2, y + height / 2, signed(value, decimals(scale)), size=size, ha="center")


def _heat_across(
    columns: Sequence[HeatColumn], rows: Sequence[HeatRow], name: str, title: str, words: str, width: float
) -> Markup:
    room = 84.0 if all(len(column.condition) <= 12 for column in columns) else 150.0
    left, cell_height, gap = 104.0 + room, 32.0, 10.0
    breaks = sum(1 for a, b in pairwise(rows) if a.continent != b.continent)
    cell = min(92.0, (width - left - gap * breaks - 40) / max(1, len(rows)))
    flat = cell >= 84
    top = 56.0 if flat else 112.0
    family_breaks = sum(1 for a, b in pairwise(columns) if a.family != b.family)
    height = top + cell_height * len(columns) + gap * family_breaks + 6
    scale = _scale(rows)
    with drawing(width, height) as ink:
        x, start = left, left
        for index, row in enumerate(rows):
            if index and row.continent != rows[index - 1].continent:
                x += gap
                start = x
            y = top
            for at, column in enumerate(columns):
                y += gap if at and column.family != columns[at - 1].family else 0
                _cell(ink, (x, y, cell, cell_height), row.values[at], scale, 12 if cell >= 48 else 10.5)
                y += cell_height
            if flat:
                ink.text(x + cell / 2, top - 12, clean(row.label, cell, 12), size=12, ha="center")
            else:
                label = clean(row.label, 104, 12)
                ink.text(
                    x + cell / 2, top - 6, label, size=12, ha="left", va="bottom", rotation=50, rotation_mode="anchor"
                )
            x += cell
            last = index + 1 == len(rows) or rows[index + 1].continent != row.continent
            if last and row.continent:
                heading = clean(row.continent, x - start, 12.5)
                ink.text(start + 1, 12, heading, size=12.5, color=svg.MUTED, weight="bold")
                ink.line([start + 1, x - 1], [24, 24])
        y = top
        for at, column in enumerate(columns):
            first = not at or column.family != columns[at - 1].family
            y += gap if at and first else 0
            if first:
                ink.text(0, y + cell_height / 2, clean(column.family, 96, 12), size=12, weight="bold")
            ink.text(left - 10, y + cell_height / 2, clean(column.condition, room, 12), size=12, ha="right")
            y += cell_height
        return ink.svg(name, title, words)


def _heat_down(
    columns: Sequence[HeatColumn],
    rows: Sequence[HeatRow],
    name: str,
    title: str,
    words: str,
    width: float,
    scale: float,
) -> Markup:
    narrow = width < 500
    left, size, cell_height, top = (96.0, 10.0, 25.0, 58.0) if narrow else (170.0, 12.0, 28.0, 60.0)
    cell = max(40.0, min(110.0, (width - left) / max(1, len(columns))))
    headings = sum(
        1 for at, row in enumerate(rows) if row.continent and (not at or rows[at - 1].continent != row.continent)
    )
    height = top + cell_height * len(rows) + 26 * headings + 6
    with drawing(max(width, left + cell * len(columns)), height) as ink:
        for at, column in enumerate(columns):
            x = left + cell * at
            if not at or column.family != columns[at - 1].family:
                span = next((n for n, c in enumerate(columns[at:]) if c.family != column.family), len(columns) - at)
                ink.text(x + 2, 12, clean(column.family, cell * span, size + 1), size=size + 1, weight="bold")
                ink.line([x + 2, x + cell * span - 2], [22, 22])
            words_room = cell - 2
            first, _, rest = column.condition.partition(" ")
            ink.text(x + cell / 2, 34, clean(first, words_room, size), size=size, ha="center")
            ink.text(x + cell / 2, 46, clean(rest, words_room, size), size=size, ha="center")
        y = top
        for index, row in enumerate(rows):
            if row.continent and (not index or rows[index - 1].continent != row.continent):
                ink.text(0, y + 15, clean(row.continent, left, size + 1), size=size + 1, color=svg.MUTED, weight="bold")
                y += 26
            ink.text(0, y + cell_height / 2, clean(row.label, left, size), size=size)
            for at, value in enumerate(row.values):
                _cell(ink, (left + cell * at, y, cell, cell_height), value, scale, size)
            y += cell_height
        return ink.svg(name, title, words)
