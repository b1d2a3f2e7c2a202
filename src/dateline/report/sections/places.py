"""Where the place helps: losses by country and condition, and differences by group with their intervals.

Enters: a score table. Leaves: the heat map, the forest plot, and the table behind them.
Deliberately not done: no swaps (see swaps.py); they have a map of their own.
"""

from __future__ import annotations

from typing import NamedTuple

from dateline.report import intervals, numerals, sentences
from dateline.report.figures import Figure
from dateline.report.figures.forest import ForestPanel, ForestRow
from dateline.report.figures.forest import forest as draw_forest
from dateline.report.figures.heatmap import HeatColumn, HeatRow, heat_map
from dateline.report.scoretable import Cell, Comparison, ScoreTable, country_name
from dateline.report.words import MARK, named, short

MOST_PANELS = 6
"""Comparisons that the forest plot shows; the rest stand in the table."""
MOST_COLUMNS = 28
"""Conditions of the heat map: two blocks on a wide screen."""


class Group(NamedTuple):
    """A row of a figure: everything, a continent or a country."""

    grouping: str
    group: str
    label: str
    level: int
    """0 everything, 1 a continent, 2 a country."""


def groups(table: ScoreTable) -> list[Group]:
    """Returns everything, then every continent with its countries."""
    places = table.countries()
    result = [Group("all", "", "All", 0)]
    for name in dict.fromkeys([*table.continents(), *places]):
        result.append(Group("continent", name, name, 1))
        result += [Group("country", code, country_name(code), 2) for code in places.get(name, [])]
    return result


def heat_cells(table: ScoreTable) -> list[Cell]:
    """Returns the conditions of the heat map: all but the baseline and the swaps."""
    return [cell for cell in table.cells if cell != table.baseline]


def heat(table: ScoreTable) -> Figure | None:
    """Returns the heat map of losses relative to the baseline in each country, or None where no country was scored."""
    cells = heat_cells(table)[:MOST_COLUMNS]
    places = table.countries()
    if not cells or not places:
        return None

    def values(grouping: str, group: str) -> tuple[float | None, ...]:
        base = table.level(table.baseline, "nll", grouping, group)
        levels = [table.level(cell, "nll", grouping, group) for cell in cells]
        return tuple(level.value - base.value if level and base else None for level in levels)

    rows = [HeatRow("All", "", values("all", ""))]
    rows += [
        HeatRow(country_name(code), continent, values("country", code))
        for continent, codes in places.items()
        for code in codes
    ]
    return heat_map(
        [HeatColumn(cell[0], (f"{MARK} " if table.leaks(cell) else "") + short(cell[1])) for cell in cells],
        rows,
        "Loss by condition and country, relative to the baseline",
        f"{sentences.heat_caption(table)} {len(rows) - 1} countries, {len(cells)} conditions.",
    )


def heat_lines(table: ScoreTable) -> intervals.Lines | None:
    """Returns the intervals behind the heat map: of the paired difference, or of the level where nothing was paired."""
    lines = []
    for cell in heat_cells(table)[:MOST_COLUMNS]:
        comparison = Comparison(cell, table.baseline)
        for group in groups(table):
            if group.level == 1:
                continue
            labels = (named(table, cell), group.label)
            paired = table.difference(comparison, group.grouping, group.group)
            level = table.level(cell, "nll", group.grouping, group.group)
            if paired is not None:
                lines.append(intervals.difference_line((*labels, "difference"), paired))
            elif level is not None:
                lines.append(intervals.level_line((*labels, "loss"), level))
    return intervals.table_of(("model", "texts of", "what"), lines, "nats per token")


def compared(table: ScoreTable) -> list[Comparison]:
    """Returns the comparisons of the forest plot: those by group, or any where no group was compared."""
    rows = groups(table)[1:]
    by_group = [c for c in table.comparisons if any(table.difference(c, row.grouping, row.group) for row in rows)]
    return (by_group or table.comparisons)[:MOST_PANELS]


def forest(table: ScoreTable) -> Figure | None:
    """Returns the forest plot of the first comparisons, or None where nothing was compared."""
    shown = compared(table)
    rows = [row for row in groups(table) if any(table.difference(c, row.grouping, row.group) for c in shown)]
    if not shown or not rows:
        return None
    return panels(table, shown, rows, ("forest", "Differences with 95% intervals, by group"), "Over all documents")


def panels(table: ScoreTable, shown: list[Comparison], rows: list[Group], names: tuple[str, str], what: str) -> Figure:
    """Draws comparisons over the same rows.

    Args:
        table: of scores.
        shown: a panel for each.
        rows: in order from the top.
        names: of the figure on the page, and its title.
        what: the first row is, for the description.
    """

    def row(comparison: Comparison, group: Group) -> ForestRow | None:
        found = table.difference(comparison, group.grouping, group.group)
        if found is None:
            return None
        return ForestRow(group.label, group.level, found.value, found.low, found.high, found.p_value, found.seeds)

    drawn = [
        ForestPanel(
            named(table, comparison.this),
            f"minus {named(table, comparison.versus)}",
            tuple(row(comparison, group) for group in rows),
        )
        for comparison in shown
    ]
    overall = "; ".join(
        f"{panel.title} {panel.subtitle}: {numerals.signed(panel.rows[0].value)}" for panel in drawn if panel.rows[0]
    )
    return draw_forest(drawn, names[1], f"{what}: {overall}.", names[0])
