"""Where in the document the place helps: by position, and by title, first 64 tokens and rest.

Enters: a score table with the groupings `position` and `part`. Leaves: the position curve, the parts, their tables.
Deliberately not done: no grouping is made here; a table without them gives None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dateline.report import intervals
from dateline.report.figures import Figure
from dateline.report.figures.positions import Band, position_curve
from dateline.report.scoretable import Comparison, Estimate, ScoreTable
from dateline.report.sections.places import Group, panels
from dateline.report.words import named

MOST_BANDS = 4
"""Bands of the position curve that can still be told apart."""
MOST_PANELS = 4
PARTS = ("title", "first 64", "rest")


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure with the table behind it."""

    figure: Figure
    lines: intervals.Lines | None
    paired: bool
    """Whether it shows paired differences; else levels."""
    left_out: int
    """Further comparisons or conditions, which stand in the score table."""


def positions(table: ScoreTable) -> Shown | None:
    """Returns the loss by position: paired differences where the table holds them, else levels."""
    ranges = sorted(table.groups("position"), key=_start)
    if not ranges:
        return None
    compared = [c for c in table.comparisons if any(table.difference(c, "position", name) for name in ranges)]
    cells = [c for c in table.cells if any(table.level(c, "nll", "position", name) for name in ranges)]
    named_rows: list[tuple[str, list[Estimate | None]]]
    if compared:
        named_rows = [
            (versus_name(table, c), [table.difference(c, "position", name) for name in ranges]) for c in compared
        ]
    else:
        named_rows = [(named(table, c), [table.level(c, "nll", "position", name) for name in ranges]) for c in cells]
    if not named_rows:
        return None
    line = intervals.difference_line if compared else intervals.level_line
    lines = [
        line((label, name), found)
        for label, row in named_rows
        for name, found in zip(ranges, row, strict=True)
        if found is not None
    ]
    bands = [
        Band(label, tuple((e.value, e.low, e.high) if e else None for e in row))
        for label, row in named_rows[:MOST_BANDS]
    ]
    unit = "difference, nats per token; lower is better" if compared else "loss, nats per token"
    figure = position_curve(
        ranges,
        bands,
        unit,
        "Loss by position in the document",
        f"{len(ranges)} ranges of tokens, {len(bands)} lines with 95% bands.",
        zero=bool(compared),
    )
    table_of = intervals.table_of(("what", "tokens of the body"), lines, "nats per token")
    return Shown(figure, table_of, bool(compared), len(named_rows) - len(bands))


def parts(table: ScoreTable) -> Shown | None:
    """Returns the differences in title, first 64 tokens and rest, or None where nothing was compared by part."""
    found = table.groups("part")
    order = [name for name in PARTS if name in found] + sorted(set(found) - set(PARTS))
    compared = [c for c in table.comparisons if any(table.difference(c, "part", name) for name in order)]
    if not compared:
        return None
    rows = [Group("all", "", "All", 0), *(Group("part", name, name, 1) for name in order)]
    lines = [
        intervals.difference_line((versus_name(table, c), name), e)
        for c in compared
        for name in order
        if (e := table.difference(c, "part", name))
    ]
    figure = panels(
        table, compared[:MOST_PANELS], rows, ("parts", "Differences by part of the document"), "Over all tokens"
    )
    table_of = intervals.table_of(("what", "part"), lines, "nats per token")
    return Shown(figure, table_of, True, max(0, len(compared) - MOST_PANELS))


def versus_name(table: ScoreTable, comparison: Comparison) -> str:
    """Names a comparison on one line: `conditioned, told the true place, minus plain, told nothing`."""
    return f"{named(table, comparison.this)}, minus {named(table, comparison.versus)}"


def _start(name: str) -> tuple[float, str]:
    """Returns where a range begins; what is no range comes last."""
    start = name.partition("-")[0].rstrip("+")
    return (float(start) if start.isdecimal() else math.inf, name)
