"""The tables that are read like figures: bars beside their numbers.

Enters: `Facts`. Leaves: a `Table`, plain data for the template; None where the audit does not record the part.
Deliberately not done: no HTML here, and no bar without its number. Long corpora show their largest countries; every
country stands in the last table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dateline.report.corpus import sentences
from dateline.report.corpus.facts import MOST_COUNTRIES, SIGNALS, STANDINGS, Country, Facts
from dateline.report.corpus.words import SIGNAL_NAMES, STANDING_NAMES, Share, duration, percent, reason, share, some
from dateline.report.numerals import count, large, number
from dateline.report.scoretable import country_name

MOST_OUTLETS = 12
MOST_REASONS = 20
NOT_RECORDED = "not recorded"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar: its width in percent of the whole track, its colour by name, and what is written on it."""

    width: float
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in its track; `low` and `high`, in percent of the track, are the ends of an interval."""

    pieces: tuple[Piece, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """`kind` is `n` for numbers, `words`, `bar`, or `whole` for bars that always fill their track."""

    heading: str
    kind: str
    extra: bool = False
    """Left out on narrow screens."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row, under the heading of its group."""

    label: str
    group: str
    cells: tuple[str | Bar | None, ...]
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with bars; the legend names colours."""

    name: str
    heading: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    legend: tuple[tuple[str, str], ...] = ()


def drops(facts: Facts) -> Table | None:
    """Returns what was kept and what was dropped for which reason, as shares of what was read."""
    if facts.drops is None:
        return None
    order = sorted(facts.drops.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(documents for _, documents in order[MOST_REASONS:])
    rows = [("kept", facts.documents, "agree"), *((reason(name), n, "none") for name, n in order[:MOST_REASONS])]
    rows += [(f"{len(order) - MOST_REASONS} other reasons", rest, "none")] if rest else []
    read = facts.read if facts.read is not None else sum(n for _, n, _ in rows)
    most = max(*(n for _, n, _ in rows), 1)
    columns = (
        Column("records", "n"),
        Column("of those read", "n"),
        Column("95% interval", "n", extra=True),
        Column("", "bar"),
    )
    lines = [
        Line(name, "", (count(n), *_said(share(n, read)), Bar((Piece(100 * n / most, kind),))))
        for name, n, kind in rows
    ]
    return Table("drops", "Reason", columns, tuple(lines))


def countries(facts: Facts) -> Table | None:
    """Returns documents and estimated tokens by country."""
    if not facts.countries:
        return None
    most = max(*(country.documents for country in facts.countries), 1)
    tokens = max(*(country.tokens or 0 for country in facts.countries), 1)
    columns = (Column("documents", "n"), Column("", "bar"), Column("tokens", "n"), Column("", "bar"))

    def cells(country: Country) -> tuple[str | Bar | None, ...]:
        held = country.splits.get("train", 0)
        pieces = (Piece(100 * held / most, "agree"), Piece(100 * (country.documents - held) / most, "single"))
        if country.tokens is None:
            return count(country.documents), Bar(pieces), NOT_RECORDED, None
        bar = Bar((Piece(100 * country.tokens / tokens, "third"),))
        return count(country.documents), Bar(pieces), large(country.tokens), bar

    legend = (("agree", "train"), ("single", "validation and test"), ("third", "estimated tokens"))
    found = _by_country("countries", facts, columns, cells, legend, nowhere=True)
    headings = {heading: _continent(facts, heading) for heading in {country.heading for country in facts.countries}}
    return replace(found, lines=tuple(replace(line, group=headings[line.group]) for line in found.lines))


def _continent(facts: Facts, heading: str) -> str:
    """Returns the heading of a continent with its totals."""
    inside = [country for country in facts.countries if country.heading == heading]
    documents = sum(country.documents for country in inside)
    part = share(documents, facts.documents)
    tokens = [country.tokens for country in inside if country.tokens is not None]
    text = f"{heading}: {some(documents, 'document')}{f', {part.text}' if part else ''}"
    return f"{text}; {large(sum(tokens))} tokens" if tokens else text


def outlets(facts: Facts) -> Table | None:
    """Returns the number of outlets by country and how much of it the largest one wrote."""
    if not any(country.outlets is not None for country in facts.placed):
        return None
    most = max(*(country.outlets or 0 for country in facts.placed), 1)
    columns = (
        Column("outlets", "n"),
        Column("", "bar", extra=True),
        Column("largest one", "n"),
        Column("", "bar"),
        Column("", "words", extra=True),
    )

    def cells(country: Country) -> tuple[str | Bar | None, ...]:
        number_of = NOT_RECORDED if country.outlets is None else count(country.outlets)
        bar = Bar((Piece(100 * (country.outlets or 0) / most, "none"),))
        largest = facts.largest_of(country.code)
        found = share(largest.documents, country.documents) if largest else None
        if largest and found:
            return number_of, bar, found.text, _bar_of(found, "agree"), largest.domain
        return number_of, bar, NOT_RECORDED, None, ""

    return _by_country("outlets", facts, columns, cells)


def largest(facts: Facts) -> Table | None:
    """Returns the largest outlets of all."""
    if not facts.largest:
        return None
    order = sorted(facts.largest, key=lambda outlet: (-outlet.documents, outlet.domain))[:MOST_OUTLETS]
    most = max(order[0].documents, 1)
    columns = (
        Column("country", "words"),
        Column("documents", "n"),
        Column("of all", "n"),
        Column("95% interval", "n", extra=True),
        Column("", "bar", extra=True),
    )
    lines = [
        Line(
            outlet.domain or "no domain",
            "",
            (
                country_name(outlet.country) or "not known",
                count(outlet.documents),
                *_said(share(outlet.documents, facts.documents)),
                Bar((Piece(100 * outlet.documents / most, "agree"),)),
            ),
        )
        for outlet in order
    ]
    return Table("largest", "Outlet", columns, tuple(lines))


def duplicates(facts: Facts) -> Table | None:
    """Returns the copies dropped by country, as shares of what was read."""
    if not any(country.copies for country in facts.placed):
        return None
    shares = [found for country in facts.placed if (found := country.copied)]
    top = max((found.ends[1] for found in shares), default=1.0) or 1.0
    columns = (
        Column("exact", "n", extra=True),
        Column("near", "n", extra=True),
        Column("of those read", "n"),
        Column("", "bar"),
    )

    def cells(country: Country) -> tuple[str | Bar | None, ...]:
        copies, found = country.copies, country.copied
        if copies is None:
            return NOT_RECORDED, NOT_RECORDED, NOT_RECORDED, None
        numbers = tuple(count(copies[kind]) if kind in copies else NOT_RECORDED for kind in ("exact", "near"))
        if found is None:
            return *numbers, NOT_RECORDED, None
        pieces = tuple(
            Piece(100 * copies.get(kind, 0) / found.whole / top, colour)
            for kind, colour in (("exact", "agree"), ("near", "third"))
        )
        low, high = found.ends
        return *numbers, found.text, Bar(pieces, 100 * low / top, 100 * high / top)

    return _by_country("duplicates", facts, columns, cells, (("agree", "exact"), ("third", "near")))


def verification(facts: Facts) -> Table | None:
    """Returns how the evidence of the country stands, by country."""
    if not any(country.verified for country in facts.placed):
        return None

    def cells(country: Country) -> tuple[str | Bar | None, ...]:
        found = {kind: part for kind in STANDINGS if (part := country.standing(kind))}
        if not found:
            return None, NOT_RECORDED
        pieces = tuple(
            Piece(100 * part.value, kind, f"{100 * part.value:.0f}%" if part.value > 0.1 else "")
            for kind, part in found.items()
        )
        return Bar(pieces), count(next(iter(found.values())).whole)

    legend = tuple(STANDING_NAMES.items())
    return _by_country("verification", facts, (Column("", "whole"), Column("documents", "n")), cells, legend)


def signals(facts: Facts) -> Table | None:
    """Returns how often each signal names the decided country, or another one, over all countries."""
    found = {name: sentences.signal(facts.placed, name, right=True) for name in SIGNALS}
    if not any(found.values()):
        return None
    columns = (
        Column("right", "n"),
        Column("95% interval", "n", extra=True),
        Column("wrong", "n"),
        Column("95% interval", "n", extra=True),
        Column("", "whole"),
    )
    lines = []
    for name, right in found.items():
        wrong = sentences.signal(facts.placed, name, right=False)
        parts = [Piece(100 * part.value, kind) for part, kind in ((right, "agree"), (wrong, "conflict")) if part]
        room = max(1.0, sum(piece.width for piece in parts) / 100)  # a document may show both
        bar = Bar(tuple(Piece(piece.width / room, piece.kind) for piece in parts))
        lines.append(Line(SIGNAL_NAMES[name], "", (*_said(right), *_said(wrong), bar)))
    legend = (("agree", "names the country"), ("conflict", "names another one"), ("track", "says nothing"))
    return Table("signals", "Signal", columns, tuple(lines), legend)


def steps(facts: Facts) -> Table | None:
    """Returns the time by step, in the order in which the steps are recorded."""
    if not facts.steps:
        return None
    total = sum(step.seconds for step in facts.steps) or 1.0
    most = max(*(step.seconds for step in facts.steps), 1e-9)
    headings = (("time", "n"), ("of all", "n"), ("documents/s", "n"), ("", "bar"))
    columns = tuple(Column(heading, kind) for heading, kind in headings)
    lines = []
    for step in facts.steps:
        speed = NOT_RECORDED
        if step.documents is not None and step.seconds:
            rate = step.documents / step.seconds
            speed = number(rate, 0 if rate >= 10 else 1)
        bar = Bar((Piece(100 * step.seconds / most, "agree"),))
        lines.append(Line(reason(step.name), "", (duration(step.seconds), percent(step.seconds / total), speed, bar)))
    if all(step.documents is None for step in facts.steps):
        columns = columns[:2] + columns[3:]
        lines = [replace(line, cells=line.cells[:2] + line.cells[3:]) for line in lines]
    return Table("steps", "Step", columns, tuple(lines))


def _by_country(
    name: str,
    facts: Facts,
    columns: tuple[Column, ...],
    cells: Callable[[Country], tuple[str | Bar | None, ...]],
    legend: Sequence[tuple[str, str]] = (),
    *,
    nowhere: bool = False,
) -> Table:
    rows = [row for row in facts.ordered(MOST_COUNTRIES) if row.code or nowhere]
    lines = [Line(row.name, row.heading, cells(row), nowhere and bool(row.problems)) for row in rows]
    return Table(name, "Country", columns, tuple(lines), tuple(legend))


def _said(found: Share | None) -> tuple[str, str]:
    return (found.text, found.interval) if found else (NOT_RECORDED, "")


def _bar_of(found: Share, kind: str) -> Bar:
    low, high = found.ends
    return Bar((Piece(100 * found.value, kind),), 100 * low, 100 * high)
