"""The corpus in a terminal: what the page says, in at most sixty lines of a hundred columns.

Enters: the audit as plain data. Leaves: renderables for rich; plain text when they are piped.
Deliberately not done: no markup is read in what comes from data, and no colour carries meaning alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dateline.report.corpus import sentences
from dateline.report.corpus.audit import facts_of
from dateline.report.corpus.facts import Country, Facts
from dateline.report.corpus.words import Share, share, times
from dateline.report.numerals import count, large

MOST_PROBLEMS = 5
LINES, COLUMNS = 60, 100
"""What a terminal holds; countries take the lines that the rest leaves."""
LONGEST = 240
"""Characters of what is said about a part: three lines."""


def describe(summary: Mapping[str, Any], name: str = "") -> list[RenderableType]:
    """Returns the audit of a corpus as renderables, in the order in which they are to be printed.

    Print them on a console about 100 columns wide; at 80 the table still fits, and sentences take more lines. `name`
    stands in where the audit has none.
    """
    facts = facts_of(summary, name)
    title = Text(facts.name, style="bold")
    title.append(f"  {facts.fingerprint}" if facts.fingerprint else "", style="dim")
    title.truncate(COLUMNS, overflow="ellipsis")
    above = [title, Text(_first(sentences.lead(facts), LONGEST)), *_problems(facts)]
    said = {
        "dropped": sentences.drops(facts),
        "countries": sentences.countries(facts),
        "years": sentences.years(facts),
        "outlets": sentences.outlets(facts),
        "lengths": sentences.lengths(facts),
        "duplicates": sentences.duplicates(facts),
        "evidence": sentences.verification(facts),
        "signals": sentences.signals(facts),
        "filters": sentences.filters(facts),
        "balance": sentences.balance(facts),
        "time": sentences.steps(facts),
    }
    told = {part: _first(sentence or "not recorded", LONGEST) for part, sentence in said.items()}
    left = LINES - 5 - sum(_lines(text.plain, COLUMNS) for text in above)
    left -= sum(_lines(sentence, COLUMNS - 2 - max(map(len, told))) for sentence in told.values())
    return [*above, Text(""), _countries(facts, left), Text(""), _sentences(told)]


def _problems(facts: Facts) -> list[Text]:
    problems = sentences.problems(facts)
    lines = [Text(_cut(f"problem: {problem}", 99), style="red") for problem in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        lines.append(Text(f"and {len(problems) - MOST_PROBLEMS} more problems in audit.json", style="red"))
    return lines


def _countries(facts: Facts, lines: int) -> Table:
    """Returns as many of the largest countries as fit, with the headings of their continents."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("country", no_wrap=True, overflow="ellipsis", max_width=24)
    for heading in ("docs", "test", "tokens", "outlets", "kept", "copies", "agree", "median", "repeat"):
        table.add_column(heading, justify="right", no_wrap=True)
    heading = ""
    repeats = {group.name: group.repeats for group in facts.balance or ()}
    shown = facts.ordered(len(facts.countries))
    while shown and len(shown) + len({country.heading for country in shown}) > lines:
        shown = facts.ordered(len(shown) - 1)
    for country in shown:
        if country.heading != heading:
            heading = country.heading
            table.add_row(Text(heading, style="bold"))
        cells = _cells(country, repeats.get(country.name))
        style = "red" if country.problems else ""
        table.add_row(Text(f"  {country.name}"), *(Text(cell) for cell in cells), style=style)
    if len(facts.countries) > len(shown):
        table.add_row(Text(f"  {len(facts.countries) - len(shown)} smaller ones"))
    return table


def _cells(country: Country, repeats: float | None) -> list[str]:
    kept = share(country.documents, country.read)
    return [
        count(country.documents) if country.documents < 1_000_000 else large(country.documents),
        count(country.splits["test"]) if "test" in country.splits else "",
        "" if country.tokens is None else large(country.tokens),
        "" if country.outlets is None else count(country.outlets),
        _percent(kept),
        _percent(country.copied),
        _percent(country.standing("agree")),
        "" if country.median is None else count(country.median),
        "" if repeats is None else times(repeats).replace(" times", "x"),
    ]


def _percent(found: Share | None) -> str:
    """Returns at most five letters; a share is 0% or 100% only where it is exact."""
    if found is None or found.part in (0, found.whole):
        return "" if found is None else found.text
    return "<0.1%" if found.value < 0.0005 else f"{min(99.9, 100 * found.value):.1f}%"


def _sentences(said: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for part, sentence in said.items():
        table.add_row(Text(part, style="bold"), Text(sentence))
    return table


def _lines(text: str, columns: int) -> int:
    return len(textwrap.wrap(text, columns)) or 1


def _first(text: str, longest: int) -> str:
    """Returns as many whole sentences as there is room for, the first one in any case."""
    kept = ""
    for sentence in re.split(r"(?<=[.]) (?=[A-Z])", text):
        if kept and len(kept) + len(sentence) + 1 > longest:
            break
        kept = f"{kept} {sentence}".strip()
    return _cut(kept, longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3].rstrip() + "..."
