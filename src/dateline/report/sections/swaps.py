"""The swap map: texts of every country, told every country.

Enters: a score table with conditions `swap:<country>`. Leaves: a map for each model, with the table of its intervals.
Deliberately not done: no reference from outside: every row is held against its own diagonal, where the country that is
told is the country of the texts. So the diagonal is zero, and a row says what a false country costs these texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from dateline.report import intervals
from dateline.report.figures import Figure
from dateline.report.figures.matrix import Side, Tile, matrix
from dateline.report.numerals import decimals, is_number, signed
from dateline.report.scoretable import SWAP, Comparison, Estimate, ScoreTable, country_name
from dateline.report.words import MARK, listed

MOST_MAPS = 3
"""Models whose maps are drawn; the others stand in the score table."""


@dataclass(frozen=True, slots=True)
class SwapMap:
    """The map of one model."""

    name: str
    figure: Figure
    paired: bool
    """Whether every number off the diagonal is a paired difference with an interval of its own."""
    lines: intervals.Lines | None
    gaps: tuple[str, ...]


def swap_maps(table: ScoreTable) -> list[SwapMap]:
    """Returns the maps of the first models that were told several countries."""
    known = [swap_map(table, name, at) for at, name in enumerate(swapped(table)[:MOST_MAPS])]
    return [found for found in known if found is not None]


def swapped(table: ScoreTable) -> list[str]:
    """Returns the models that were told countries, conditioned ones first."""
    names = [name for name, codes in table.swaps.items() if len(codes) > 1]
    return sorted(names, key=lambda name: name == table.baseline[0])


def swap_map(table: ScoreTable, name: str, at: int) -> SwapMap | None:
    """Returns the map of one model, or None where no country was scored by itself."""
    places = table.countries()
    texts = [Side(code, continent) for continent, codes in places.items() for code in codes]
    if not texts:
        return None
    scored = [side.label for side in texts]
    order = [code for code in scored if code in table.swaps[name]]
    order += sorted((code for code in table.swaps[name] if code not in scored), key=country_name)
    groups = {side.label: side.group for side in texts}
    columns = [Side(country_name(code), groups.get(code, "")) for code in order]
    cells = {(text, told): _cell(table, name, text, told) for text in scored for told in order}
    values = [abs(value) for value, _ in cells.values() if value is not None and is_number(value)]
    scale = max(values, default=0.0) or 1.0
    rows = [
        (
            Side(country_name(side.label), side.group),
            [_tile(cells[side.label, told][0], scale, own=side.label == told) for told in order],
        )
        for side in texts
    ]
    title = f"Loss of {name} on the texts of each country when told each country, relative to the row's own country"
    words = f"{len(rows)} countries of texts, {len(columns)} countries told; at most {signed(scale)} nats per token."
    axes = ("texts of", "told")
    return SwapMap(
        name=f"{MARK} {name}" if any(table.leaks((name, SWAP + code)) for code in order) else name,
        figure=matrix(columns, rows, axes, f"swaps{at}", title, words),
        paired=all(found is not None for (text, told), (_, found) in cells.items() if text != told),
        lines=_lines(table, name, cells),
        gaps=tuple(_gaps(table, name, scored, order)),
    )


def _cell(table: ScoreTable, name: str, text: str, told: str) -> tuple[float | None, Estimate | None]:
    """Returns what telling one country costs the texts of another, and the paired difference where there is one."""
    this, own = (name, SWAP + told), (name, SWAP + text)
    paired = table.difference(Comparison(this, own), "country", text) if this != own else None
    if paired is not None:
        return paired.value, paired
    level, base = (table.level(cell, "nll", "country", text) for cell in (this, own))
    return (level.value - base.value if level and base else None), None


def _tile(value: float | None, scale: float, *, own: bool) -> Tile:
    if value is None or not is_number(value):
        return Tile("n/a", None, own)
    return Tile("0" if own else signed(value, decimals(scale)), value / scale, own)


def _lines(
    table: ScoreTable, name: str, cells: dict[tuple[str, str], tuple[float | None, Estimate | None]]
) -> intervals.Lines | None:
    lines = []
    for (text, told), (_, paired) in cells.items():
        labels = (country_name(text), country_name(told))
        level = table.level((name, SWAP + told), "nll", "country", text)
        if paired is not None:
            lines.append(intervals.difference_line((*labels, "difference"), paired))
        elif level is not None:
            lines.append(intervals.level_line((*labels, "loss"), level))
    return intervals.table_of(("texts of", "told", "what"), lines, "nats per token")


def _gaps(table: ScoreTable, name: str, scored: list[str], order: list[str]) -> list[str]:
    result = []
    empty = [country_name(code) for code in order if code not in scored]
    if empty:
        result.append(f"{listed(empty)}: told, but no document to score, so there is no row.")
    unknown = [country_name(code) for code in scored if code not in order]
    if unknown:
        result.append(f"{listed(unknown)}: never told, so the row has nothing to be held against.")
    sizes = {
        code: [e.num_documents for told in order if (e := table.level((name, SWAP + told), "nll", "country", code))]
        for code in scored
    }
    single = [country_name(code) for code, documents in sizes.items() if 1 in documents]
    if single:
        result.append(f"{listed(single)}: a single document, so no interval is available.")
    return result
