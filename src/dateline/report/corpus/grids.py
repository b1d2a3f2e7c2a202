"""The grids: countries against years or signals, every cell shaded and with its number.

Enters: `Facts`. Leaves: a `Grid`, plain data for the template; None where the audit does not record the part.
Deliberately not done: no colour without its number, no HTML.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dateline.report.corpus import sentences
from dateline.report.corpus.facts import MOST_COUNTRIES, SIGNALS, Country, Facts
from dateline.report.corpus.words import SIGNAL_NAMES, Share
from dateline.report.numerals import large

MOST_YEARS = 16
"""Columns of the grid of years; older years share the first column."""
STEEP = 4.0
"""Errors are fully orange at a quarter, because a tenth of them is already much."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A shaded cell; shades lie between 0 and 100. `under` stands on an orange strip below it."""

    text: str
    shade: int = 0
    under: str | None = None
    under_shade: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of tiles under the headings of their groups."""

    name: str
    heading: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, str, tuple[Tile | None, ...]], ...]
    """Label, group, tiles."""


def years(facts: Facts) -> Grid | None:
    """Returns documents by country and year; the shade grows with the logarithm."""
    rows = [country for country in facts.ordered(MOST_COUNTRIES) if country.years]
    known = sorted({year for row in rows for year, n in (row.years or {}).items() if year and n})
    undated = any((row.years or {}).get("") for row in rows)
    if not rows or not (known or undated):
        return None
    if known and int(known[-1]) - int(known[0]) < MOST_YEARS:
        known = [str(year) for year in range(int(known[0]), int(known[-1]) + 1)]
    early, late = (known[: -MOST_YEARS + 1], known[-MOST_YEARS + 1 :]) if len(known) > MOST_YEARS else ([], known)
    columns = [(f"to {early[-1]}", early)] if early else []
    columns += [(year, [year]) for year in late]
    columns += [("undated", [""])] if undated else []
    cells = [[sum((row.years or {}).get(year, 0) for year in group) for _, group in columns] for row in rows]
    low, high = (math.log(end(n for line in cells for n in line if n)) for end in (min, max))

    def tile(documents: int) -> Tile | None:
        if not documents:
            return None
        return Tile(large(documents), round(100 * (math.log(documents) - low) / (high - low)) if high > low else 100)

    lines = [(row.name, row.heading, tuple(map(tile, line))) for row, line in zip(rows, cells, strict=True)]
    return Grid("years", "Country", tuple(name for name, _ in columns), tuple(lines))


def signal_grid(facts: Facts) -> Grid | None:
    """Returns the same by country: above how often it is right, below how often it is wrong, in percent."""
    rows = [country for country in facts.ordered(MOST_COUNTRIES) if country.code and country.right]
    if not rows:
        return None

    def tile(country: Country, name: str) -> Tile | None:
        right = sentences.signal([country], name, right=True)
        wrong = sentences.signal([country], name, right=False)
        if right is None:
            return None
        under = "" if wrong is None else _short(wrong)
        return Tile(
            _short(right), round(100 * right.value), under, round(100 * min(1, 4 * wrong.value)) if wrong else 0
        )

    lines = [(row.name, row.heading, tuple(tile(row, name) for name in SIGNALS)) for row in rows]
    return Grid("signal-grid", "Country", tuple(SIGNAL_NAMES[name] for name in SIGNALS), tuple(lines))


def _short(found: Share) -> str:
    """Returns a percentage without its sign, for narrow cells: `92`, `3.1`, `<0.1`."""
    value = 100 * found.value
    if found.part in (0, found.whole):
        return f"{value:.0f}"
    if value < 0.1 or value > 99.9:
        return "<0.1" if value < 0.1 else ">99.9"
    return f"{value:.1f}" if value < 10 or value >= 99.5 else f"{value:.0f}"
