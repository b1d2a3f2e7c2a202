"""The matrix: one group against another, every cell shaded and with its number.

Enters: rows of `Tile`s under columns, in the order in which they stand. Leaves: a `Figure`; where the columns do not
fit side by side they stand in blocks below each other, each with all rows.
Deliberately not done: no colour without its number, no choice of scale: a tile brings its own shade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures.frame import NARROW, WIDE, Figure
from dateline.report.svg import clean, drawing

MOST_WIDE, MOST_NARROW = 20, 6
"""Columns that stand side by side with numbers that can be read."""
GAP = 7.0
"""Pixels between two continents."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell."""

    text: str
    """Empty where there is nothing to show; such a cell is left blank, which keeps a large page light."""
    shade: float | None = None
    """Between -1 (blue) and 1 (orange), 0 is the paper; None draws an empty frame: not available."""
    own: bool = False
    """Whether row and column are the same group; drawn with an edge."""


@dataclass(frozen=True, slots=True)
class Side:
    """A column's or row's name, and what it belongs to."""

    label: str
    group: str = ""


def matrix(
    columns: Sequence[Side],
    rows: Sequence[tuple[Side, Sequence[Tile]]],
    axes: tuple[str, str],
    name: str,
    title: str,
    description: str,
) -> Figure:
    """Draws rows against columns.

    Args:
        columns: in order; groups of one name stand together.
        rows: each with one tile for every column.
        axes: what the rows are, and what the columns are, in a word or two.
        name: unique on the page.
        title: for the screen reader.
        description: for the screen reader.
    """
    words = (title, description)
    return Figure(
        _blocks(columns, rows, axes, f"{name}-wide", words, WIDE, MOST_WIDE),
        _blocks(columns, rows, axes, f"{name}-narrow", words, NARROW, MOST_NARROW),
    )


def _blocks(
    columns: Sequence[Side],
    rows: Sequence[tuple[Side, Sequence[Tile]]],
    axes: tuple[str, str],
    name: str,
    words: tuple[str, str],
    width: float,
    most: int,
) -> Markup:
    starts = range(0, len(columns), most)
    some = [(columns[at : at + most], [(side, tiles[at : at + most]) for side, tiles in rows]) for at in starts]
    parts = [_block(block, lines, axes, (f"{name}-{at}", *words), width) for at, (block, lines) in enumerate(some)]
    return Markup("").join(parts)


def _block(
    columns: Sequence[Side],
    rows: Sequence[tuple[Side, Sequence[Tile]]],
    axes: tuple[str, str],
    names: tuple[str, str, str],
    width: float,
) -> Markup:
    narrow = width < 500
    size, left, right, step = (10.0, 98.0, 44.0, 23.0) if narrow else (11.0, 142.0, 64.0, 26.0)
    top = 92.0 if narrow else 112.0
    across, down = _offsets(columns), _offsets([side for side, _ in rows])
    most = MOST_NARROW if narrow else MOST_WIDE
    cell = min(62.0, (width - left - right - GAP * min(4, most - 1)) / min(most, max(len(columns), most // 2)))
    height = top + step * len(rows) + (down[-1] if down else 0.0) + 6
    with drawing(width, height) as ink:
        ink.text(0, top - 9, f"{axes[0]} \u2193", size=size, color=svg.MUTED)
        ink.text(0, top - 24, f"{axes[1]} \u2192", size=size, color=svg.MUTED)
        for at, side in enumerate(columns):
            x = left + cell * at + across[at] + cell / 2 - 3
            label = clean(side.label, 92 if narrow else 108, size)
            ink.text(x, top - 6, label, size=size, ha="left", va="bottom", rotation=50, rotation_mode="anchor")
        for index, (side, tiles) in enumerate(rows):
            y = top + step * index + down[index]
            ink.text(0, y + step / 2, clean(side.label, left - 6, size), size=size)
            for at, tile in enumerate(tiles):
                if not tile.text and not tile.own:
                    continue
                x = left + cell * at + across[at]
                fill = "none" if tile.shade is None else svg.ramp(tile.shade)
                edge = svg.INK if tile.own else svg.RULE if tile.shade is None else "none"
                ink.box(x + 1, y + 1, cell - 2, step - 2, fill=fill, edge=edge)
                color = svg.MUTED if tile.shade is None else svg.INK
                ink.text(x + cell / 2, y + step / 2, tile.text, size=size - 0.5, color=color, ha="center")
        return ink.svg(*names)


def _offsets(sides: Sequence[Side]) -> list[float]:
    """Returns how far each is moved by the gaps between the groups before it."""
    moved, result = 0.0, []
    for at, side in enumerate(sides):
        moved += GAP if at and side.group != sides[at - 1].group else 0.0
        result.append(moved)
    return result
