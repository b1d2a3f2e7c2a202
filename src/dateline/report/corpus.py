"""The page of a corpus, `corpus.html`, one file, and what of it fits a terminal."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text as Styled

from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.records import SPLITS
from dateline.report import figures
from dateline.report.audit import (
    AUDIT,
    PAGE,
    SIGNALS,
    STANDINGS,
    Audit,
    Country,
    items,
    largest_outlet,
    lead,
    mapping,
    read_audit,
    say_balance,
    say_countries,
    say_drops,
    say_duplicates,
    say_evidence,
    say_filters,
    say_lengths,
    say_outlets,
    say_signals,
    say_steps,
    say_years,
    signal,
    text,
    whole,
    words,
)
from dateline.report.figures import Interval
from dateline.report.page import (
    Bar,
    Block,
    Cell,
    Figures,
    Fold,
    Heading,
    Row,
    Section,
    Table,
    Text,
    Tile,
    render_page,
    share_bar,
)
from dateline.report.words import (
    NOT_RECORDED,
    Share,
    count,
    country_name,
    duration,
    is_number,
    large,
    number,
    percent,
    share,
    some,
    times,
)

__all__ = ["describe", "read_audit", "render", "write_corpus_page"]

MOST_REASONS, MOST_OUTLETS, MOST_FILTERS, MOST_YEARS = 20, 12, 24, 16
MOST_ROWS = 300
"""Rows of the table that holds every country, of problems and of damaged files."""
LINES, COLUMNS, SENTENCE = 60, 100, 240
"""What a terminal holds, and characters said about a part."""


def write_corpus_page(folder: Path, out: Path | None = None) -> Path:
    """Writes the page of a corpus folder.

    Args:
        folder: that `dateline corpus` made.
        out: where the page is written; `corpus.html` in the folder unless given.

    Returns:
        The path of the page.

    Raises:
        UserError: where the folder holds no audit that can be read, or the page cannot be written.
    """
    path = folder / PAGE if out is None else out
    html = render(read_audit(folder), folder.resolve().name)
    try:
        write_atomically(path, html)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another place") from None
    return path


def render(data: Mapping[str, Any], name: str = "") -> str:
    """Returns the whole page as HTML: the same audit gives the same text. `name` stands in where the audit has none."""
    audit = Audit(data, name)
    sections = [make(audit, title, sentence(audit)) for _, title, sentence, make in PARTS]
    problems = audit.problems
    if len(problems) > MOST_ROWS:
        problems = [*problems[:MOST_ROWS], f"{count(len(problems) - MOST_ROWS)} more in {AUDIT}"]
    return render_page(
        "corpus.html.j2",
        title=audit.name,
        fingerprint=text(data.get("fingerprint"), 64),
        lead=lead(audit),
        problems=problems,
        keys=_cards(audit),
        sections=[*sections, _numbers(audit), _sources(audit)],
    )


def describe(data: Mapping[str, Any], name: str = "") -> list[RenderableType]:
    """Returns the audit as renderables for rich, at most sixty lines of a hundred columns, in order of printing.

    Args:
        data: the audit, as `read_audit` gives it.
        name: stands in where the audit has none.
    """
    audit = Audit(data, name)
    title = Styled(audit.name, style="bold")
    title.append(f"  {text(data.get('fingerprint'), 64)}", style="dim")
    title.truncate(COLUMNS, overflow="ellipsis")
    above = [title, Styled(_first(lead(audit)))]
    problems = audit.problems
    above += [Styled(_cut(f"problem: {problem}", COLUMNS - 1), style="red") for problem in problems[:5]]
    above += [Styled(f"and {len(problems) - 5} more problems in {AUDIT}", style="red")] if len(problems) > 5 else []
    said = {part: _first(sentence(audit) or NOT_RECORDED) for part, _, sentence, _ in PARTS}
    room = COLUMNS - 2 - max(map(len, said))
    left = LINES - 5 - sum(_height(one.plain, COLUMNS) for one in above)
    left -= sum(_height(sentence, room) for sentence in said.values())
    words = Grid(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    words.add_column(no_wrap=True)
    words.add_column(overflow="fold")
    for part, sentence in said.items():
        words.add_row(Styled(part, style="bold"), Styled(sentence))
    return [*above, Styled(""), _terminal_countries(audit, left), Styled(""), words]


# Sections: a sentence, then what it was read from


def section(name: str) -> Callable[[Callable[[Audit], list[Block]]], Callable[[Audit, str, str], Section]]:
    """Makes a section of the blocks that a function returns; where it returns none, the section says so."""

    def wrap(blocks: Callable[[Audit], list[Block]]) -> Callable[[Audit, str, str], Section]:
        def make(audit: Audit, title: str, sentence: str) -> Section:
            found: list[Block] = [Text(sentence, "said")] if sentence else []
            found += blocks(audit)
            missing = f"Not recorded. The audit of this corpus holds no {name}. Build the corpus again to have it."
            return Section(name.replace(" ", "-"), title, found or [Text(missing, "gap")])

        return make

    return wrap


def _by_country(
    audit: Audit, headings: Sequence[str], cells: Callable[[Country], Sequence[Cell]], **look: Any
) -> list[Block]:
    rows = [Row([c.name, *cells(c)], c.continent, bool(c.problem)) for c in audit.shown if c.code]
    table = Table(("country", *headings), rows, **look)
    left = len(audit.countries) - len(audit.shown)
    more = [Text(f"{count(left)} smaller countries stand in the last table.", "gap")] if left else []
    return [table, *more]


def _said(found: Share | None) -> tuple[str, str]:
    return (found.text, found.interval) if found else (NOT_RECORDED, "")


@section("drops")
def drops(audit: Audit) -> list[Block]:
    """What was kept, and what was dropped for which reason."""
    if audit.drops is None:
        return []
    order = sorted(audit.drops.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(n for _, n in order[MOST_REASONS:])
    found = [("kept", audit.documents, "agree"), *((words(name), n, "none") for name, n in order[:MOST_REASONS])]
    found += [(f"{len(order) - MOST_REASONS} other reasons", rest, "none")] if rest else []
    read = audit.read if audit.read is not None else sum(n for _, n, _ in found)
    most = max(*(n for _, n, _ in found), 1)
    rows = [Row([name, count(n), *_said(share(n, read)), Bar([(100 * n / most, c, "")])]) for name, n, c in found]
    return [Table(("reason", "#records", "#of those read", "#95% CI", "|"), rows)]


@section("countries")
def countries(audit: Audit) -> list[Block]:
    """Documents and estimated tokens by country."""
    if not audit.countries:
        return []
    most = max(*(c.documents for c in audit.countries), 1)
    tokens = max(*(c.tokens or 0 for c in audit.countries), 1)
    rows = []
    for c in audit.shown:
        train = c.splits.get("train", 0)
        pieces = [(100 * train / most, "agree", ""), (100 * (c.documents - train) / most, "single", "")]
        estimate: list[Cell] = [NOT_RECORDED, None]
        if c.tokens is not None:
            estimate = [large(c.tokens), Bar([(100 * c.tokens / tokens, "third", "")])]
        inside = [one for one in audit.countries if one.continent == c.continent]
        part = share(sum(one.documents for one in inside), audit.documents)
        heading = f"{c.continent}: {some(sum(one.documents for one in inside), 'document')}"
        heading += f", {part.text}" if part else ""
        rows.append(Row([c.name, count(c.documents), Bar(pieces), *estimate], heading, bool(c.problem)))
    legend = (("agree", "train"), ("single", "validation and test"), ("third", "estimated tokens"))
    left = len(audit.countries) - len(audit.shown)
    more = [Text(f"{count(left)} smaller countries stand in the last table.", "gap")] if left else []
    return [Table(("country", "#documents", "|", "#tokens", "|"), rows, legend), *more]


@section("years")
def years(audit: Audit) -> list[Block]:
    """Documents by country and year."""
    rows = [country for country in audit.shown if country.years]
    known = sorted({year for row in rows for year, n in row.years.items() if year and n})
    undated = any(row.years.get("") for row in rows)
    if not rows or not (known or undated):
        return []
    if known and int(known[-1]) - int(known[0]) < MOST_YEARS:
        known = [str(year) for year in range(int(known[0]), int(known[-1]) + 1)]
    early, late = (known[: -MOST_YEARS + 1], known[-MOST_YEARS + 1 :]) if len(known) > MOST_YEARS else ([], known)
    columns = [(f"to {early[-1]}", early)] if early else []
    columns += [(year, [year]) for year in late] + ([("undated", [""])] if undated else [])
    cells = [[sum(row.years.get(year, 0) for year in group) for _, group in columns] for row in rows]
    low, high = (math.log(end(n for line in cells for n in line if n)) for end in (min, max))

    def tile(n: int) -> Cell:
        return Tile(large(n), round(100 * (math.log(n) - low) / (high - low)) if high > low else 100) if n else "\u00b7"

    table = [Row([row.name, *map(tile, line)], row.continent) for row, line in zip(rows, cells, strict=True)]
    words = "The shade grows with the logarithm of the number of documents; a dot stands for none."
    return [Text(words), Table(("country", *(f"|{name}" for name, _ in columns)), table, kind="grid")]


@section("outlets")
def outlets(audit: Audit) -> list[Block]:
    """Outlets by country with the share of the largest one, then the largest of all."""
    if not any(country.outlets is not None for country in audit.placed):
        return []

    def cells(country: Country) -> Sequence[Cell]:
        outlet = largest_outlet(audit, country)
        found = share(outlet[2], country.documents) if outlet else None
        number_of = NOT_RECORDED if country.outlets is None else count(country.outlets)
        if outlet is None or found is None:
            return number_of, NOT_RECORDED, None, ""
        return number_of, found.text, share_bar(found, "agree"), outlet[0]

    blocks: list[Block] = [
        Text(
            "The largest outlet of each country as a share of its documents. An outlet counts for the country of most "
            "of its documents."
        ),
        *_by_country(audit, ("#outlets", "#largest one", "|", ""), cells),
    ]
    if audit.listed_outlets:
        rows = [
            Row(
                [
                    domain or "no domain",
                    text(country_name(code)) or "not known",
                    count(n),
                    *_said(share(n, audit.documents)),
                ]
            )
            for domain, code, n in audit.listed_outlets
        ]
        headings = ("outlet", "country", "#documents", "#of all", "#95% CI")
        blocks += [Heading("The largest outlets"), Table(headings, rows[:MOST_OUTLETS])]
        if len(rows) > MOST_OUTLETS:
            blocks.append(Fold(f"{len(rows) - MOST_OUTLETS} more", [Table(headings, rows[MOST_OUTLETS:])]))
    return blocks


@section("lengths")
def lengths(audit: Audit) -> list[Block]:
    """Distribution of article lengths by country."""
    rows = [country for country in audit.shown if country.code and country.lengths]
    if not rows or not audit.edges:
        return []
    edges = [edge for edge in audit.edges if edge > 0]
    ratio = edges[1] / edges[0] if len(edges) > 1 else 2.0
    # a first edge of zero has no logarithm, and open bins have no second edge: both get one of the usual width
    longest = max(len(row.lengths) for row in rows)
    edges = [edges[0] / ratio] * (len(edges) < len(audit.edges)) + edges
    edges = [edges[0] / ratio] * (longest > len(audit.edges)) + edges
    edges += [edges[-1] * ratio] * (longest >= len(audit.edges))
    drawn = [(row.name, [0] * (len(edges) - 1 - len(row.lengths)) + row.lengths, row.median) for row in rows]
    halves = [drawn] if len(drawn) <= 12 else [drawn[: -(-len(drawn) // 2)], drawn[-(-len(drawn) // 2) :]]
    return [
        Text("Every distribution fills its row, so shapes can be compared and sizes cannot; the line is the median."),
        Figures(
            [
                figures.ridges(half, edges, f"lengths{at}", "Lengths of articles by country", say_lengths(audit))
                for at, half in enumerate(halves)
            ]
        ),
    ]


@section("duplicates")
def duplicates(audit: Audit) -> list[Block]:
    """Copies dropped by country, and what was copied most often."""
    if not any(country.copies for country in audit.placed):
        return []
    top = max((found.ends[1] for c in audit.placed if (found := c.copied)), default=1.0) or 1.0

    def cells(country: Country) -> Sequence[Cell]:
        copies, found = country.copies or {}, country.copied
        numbers = [count(copies[kind]) if kind in copies else NOT_RECORDED for kind in ("exact", "near")]
        if found is None:
            return *numbers, NOT_RECORDED, None
        colors = (("exact", "agree"), ("near", "third"))
        pieces = [(100 * copies.get(kind, 0) / found.whole / top, color, "") for kind, color in colors]
        return *numbers, found.text, Bar(pieces, 100 * found.ends[0] / top, 100 * found.ends[1] / top)

    legend = (("agree", "exact"), ("third", "near"))
    blocks = _by_country(audit, ("#exact", "#near", "#of those read", "|"), cells, legend=legend)
    clusters = [
        Row([text(e.get("title")) or "(no title)", text(e.get("url")) or "no address", count(copies)])
        for e in map(mapping, items(audit.get("duplicates", "largest")))
        if (copies := whole(e.get("copies"))) is not None
    ]
    if clusters:
        blocks += [Heading("Copied most often"), Table(("title", "address", "#copies"), clusters)]
    return blocks


@section("verification")
def verification(audit: Audit) -> list[Block]:
    """How the evidence of the country stands."""
    if not any(country.verified for country in audit.placed):
        return []

    def cells(country: Country) -> Sequence[Cell]:
        found = {kind: part for kind in STANDINGS if country.verified and (part := country.standing(kind))}
        pieces = [(100 * p.value, k, f"{100 * p.value:.0f}%" if p.value > 0.12 else "") for k, p in found.items()]
        return (Bar(pieces) if found else None), count(sum(country.verified.values())) if found else NOT_RECORDED

    words = "Evidence is what the data declares, the outlet table, the suffix and hints in the address."
    return [Text(words), *_by_country(audit, ("|", "#documents"), cells, legend=tuple(STANDINGS.items()))]


@section("signals")
def signals(audit: Audit) -> list[Block]:
    """How often each signal of the address names the decided country, or another one."""
    rows = []
    for name, label in SIGNALS.items():
        right, wrong = (signal(audit.placed, name, right=side) for side in (True, False))
        pieces = [(100 * p.value, color) for p, color in ((right, "agree"), (wrong, "conflict")) if p]
        room = max(1.0, sum(width for width, _ in pieces) / 100)  # a document may show both
        bar = Bar([(width / room, color, "") for width, color in pieces])
        rows.append(Row([label, *_said(right), *_said(wrong), bar]))
    if all(signal(audit.placed, name, right=True) is None for name in SIGNALS):
        return []
    legend = (("agree", "names the country"), ("conflict", "names another one"))

    def tile(country: Country, name: str) -> Cell:
        right, wrong = country.signal(name, right=True), country.signal(name, right=False)
        if right is None:
            return "\u00b7"
        under = "n/a" if wrong is None else _short(wrong)
        return Tile(
            _short(right), round(100 * right.value), under, round(100 * min(1, 4 * wrong.value)) if wrong else 0
        )

    grid = _by_country(
        audit, [f"|{label}" for label in SIGNALS.values()], lambda c: [tile(c, name) for name in SIGNALS], kind="grid"
    )
    return [
        Table(("signal", "#right", "#95% CI", "#wrong", "#95% CI", "|"), rows, legend),
        Heading("By country"),
        Text(
            "Percent of a country's documents: in blue where the signal names it, below in orange where it names "
            "another one."
        ),
        *grid,
    ]


@section("filters")
def filters(audit: Audit) -> list[Block]:
    """Filters that remove countries unevenly."""
    found = audit.filters
    if not found:
        return []
    gaps = sorted(found[:MOST_FILTERS], key=lambda f: f[0])
    rows = [
        figures.Row(
            f"{text(country_name(code))}: {reason}",
            (Interval(part, low, high),),
            f"{percent(part)}",
            ticks=(elsewhere,),
        )
        for reason, code, part, low, high, elsewhere in gaps
    ]
    blocks: list[Block] = [
        Text("Share of a country's records that a filter drops, with its 95% CI; the tick is the share elsewhere."),
        Figures(
            [
                figures.intervals(
                    rows,
                    "filters",
                    "Filters that remove countries unevenly",
                    say_filters(audit),
                    unit="dropped, of what was read",
                    reference=None,
                    show=figures.percents,
                )
            ]
        ),
    ]
    if len(found) > MOST_FILTERS:
        blocks.append(Text(f"{len(found) - MOST_FILTERS} smaller gaps stand in {AUDIT}.", "gap"))
    return blocks


@section("balance")
def balance(audit: Audit) -> list[Block]:
    """How often continents and countries are read when they weigh the same."""
    drawn: list[Markup] = []
    for by in ("continent", "country"):
        groups = audit.balance(by)
        if len(groups) > 1:
            chosen = {country.name for country in audit.shown} | {name for name, _ in groups if by == "continent"}
            rows = [
                figures.Row(n, (Interval(r),), times(r), by == "continent") for n, r in sorted(groups) if n in chosen
            ]
            title = f"{'Continents' if by == 'continent' else 'Countries'} with equal weight"
            unit = "times read, when as many tokens are drawn as there are"
            drawn.append(
                figures.intervals(
                    rows,
                    f"balance-{by}",
                    title,
                    say_balance(audit),
                    unit=unit,
                    reference=1.0,
                    scale="log",
                    show=lambda value: f"{value:g}",
                )
            )
    words = "Right of 1 a group is repeated, left of 1 only a part of it is read."
    return [Text(words), Figures(drawn)] if drawn else []


@section("steps")
def steps(audit: Audit) -> list[Block]:
    """The time by step."""
    if not audit.steps:
        return []
    total = sum(seconds for _, seconds, _ in audit.steps) or 1.0
    most = max(*(seconds for _, seconds, _ in audit.steps), 1e-9)
    rows = []
    for name, seconds, documents in audit.steps:
        rate = documents / seconds if documents is not None and seconds else None
        speed = NOT_RECORDED if rate is None else number(rate, 0 if rate >= 10 else 1)
        bar = Bar([(100 * seconds / most, "agree", "")])
        rows.append(Row([name, duration(seconds), percent(seconds / total), speed, bar]))
    headings = ("step", "#time", "#of all", "#documents/s", "|")
    return [Text("Time of all processes together."), Table(headings, rows)]


def _numbers(audit: Audit) -> Section:
    if not audit.countries:
        missing = "Not recorded. The audit of this corpus holds no countries. Build the corpus again to have it."
        return Section("numbers", "Every number by country", [Text(missing, "gap")])

    def known(value: int | None) -> str:
        return NOT_RECORDED if value is None else count(value)

    rows, by_signal = [], []
    for c in audit.countries[:MOST_ROWS]:
        kept = share(c.documents, c.read)
        rows.append(
            Row(
                [
                    [c.name, c.problem] if c.problem else c.name,
                    *(known(c.splits.get(s)) for s in SPLITS),
                    known(c.bytes),
                    known(c.tokens),
                    known(c.read),
                    f"{kept.text} ({kept.interval})" if kept else "",
                    *(known((c.copies or {}).get(kind)) for kind in ("exact", "near")),
                    known(c.outlets),
                    known(c.median),
                    *(known(c.verified.get(kind)) for kind in STANDINGS),
                ],
                c.continent,
                bool(c.problem),
            )
        )
        pairs = [known(side.get(name)) for name in SIGNALS for side in (c.right, c.wrong)]
        by_signal.append(Row([c.name, known(c.right.get("documents")), *pairs]))
    headings = [
        *SPLITS,
        "bytes",
        "tokens",
        "read",
        "kept",
        "exact copies",
        "near copies",
        "outlets",
        "median characters",
    ]
    table = Table(("country", *(f"#{name}" for name in (*headings, *STANDINGS.values()))), rows)
    columns = [f"#{label}{wrong}" for label in SIGNALS.values() for wrong in ("", ", wrong")]
    blocks: list[Block] = [
        Fold("Documents, sizes and evidence", [table]),
        Fold("Documents by signal", [Table(("country", "#looked at", *columns), by_signal)]),
    ]
    if len(audit.countries) > MOST_ROWS:
        blocks.append(Text(f"{count(len(audit.countries) - MOST_ROWS)} more countries stand in {AUDIT}.", "gap"))
    return Section("numbers", "Every number by country", blocks)


def _sources(audit: Audit) -> Section:
    sources = [text(source) for source in items(audit.data.get("sources"))]
    blocks: list[Block] = []
    if sources:
        blocks.append(Table(("source",), [Row([source]) for source in sources[:MOST_ROWS]]))
    else:
        blocks.append(Text("Not recorded. The audit names no sources.", "gap"))
    if audit.files:
        rows = [Row([file, problem], bad=True) for file, problem in audit.files[:MOST_ROWS]]
        blocks.append(Text(f"{some(len(audit.files), 'damaged file')}: what could be read was kept.", "problem"))
        blocks.append(Table(("file", "problem"), rows))
    for what, left in (("sources", len(sources) - MOST_ROWS), ("damaged files", len(audit.files) - MOST_ROWS)):
        blocks += [Text(f"{count(left)} more {what} stand in {AUDIT}.", "gap")] if left > 0 else []
    fingerprint = text(audit.data.get("fingerprint"), 64)
    blocks += [Text(f"Fingerprint {fingerprint}.")] if fingerprint else []
    return Section("making", "Sources", blocks)


def _cards(audit: Audit) -> list[tuple[str, str, str]]:
    kept = share(audit.documents, audit.read)
    undated = share(whole(audit.data.get("undated")), audit.documents)
    per_token = audit.get("balance", "bytes_per_token")
    main = sorted((audit.drops or {}).items(), key=lambda item: -item[1])[:2]
    totals = [(split, whole(audit.get("splits", split, "documents"))) for split in SPLITS]
    sources = len(items(audit.data.get("sources")))
    found = [
        ("records read", audit.read, some(sources, "source") if sources else ""),
        ("documents kept", audit.documents, kept.full if kept else "share not recorded"),
        (
            "records dropped",
            None if audit.drops is None else sum(audit.drops.values()),
            ", ".join(f"{count(n)} {words(name)}" for name, n in main if n),
        ),
        ("countries", len(audit.placed), ", ".join(f"{split} {count(n)}" for split, n in totals if n is not None)),
        ("outlets", audit.outlets, ""),
    ]
    found += [("without a date", undated.part, undated.full)] if undated and undated.part else []
    cards = [(label, NOT_RECORDED if n is None else count(n), note) for label, n, note in found]
    tokens = NOT_RECORDED if audit.tokens is None else large(audit.tokens)
    note = f"{per_token:g} bytes a token" if is_number(per_token) and per_token else ""
    return [*cards, ("tokens, estimated", tokens, note)]


def _short(found: Share) -> str:
    """Returns a percentage without its sign, for narrow cells: `92`, `3.1`, `<0.1`."""
    value = 100 * found.value
    if found.part in (0, found.whole):
        return f"{value:.0f}"
    if value < 0.1 or value > 99.9:
        return "<0.1" if value < 0.1 else ">99.9"
    return f"{value:.1f}" if value < 10 or value >= 99.5 else f"{value:.0f}"


def _terminal_countries(audit: Audit, lines: int) -> Grid:
    """Returns as many of the largest countries as fit, with the headings of their continents."""
    table = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("country", no_wrap=True, overflow="ellipsis", max_width=24)
    for name in ("docs", "test", "tokens", "outlets", "kept", "copies", "agree", "median", "repeat"):
        table.add_column(name, justify="right", no_wrap=True)
    repeats = dict(audit.balance("country"))
    order = sorted(audit.countries, key=lambda c: -c.documents)
    while order and len(order) + len({country.continent for country in order}) > lines:
        order.pop()
    heading = ""
    for c in (country for country in audit.countries if country in order):
        if c.continent != heading:
            heading = c.continent
            table.add_row(Styled(heading, style="bold"))
        test = c.splits.get("test")
        cells = [
            count(c.documents) if c.documents < 1_000_000 else large(c.documents),
            "" if test is None else count(test),
            "" if c.tokens is None else large(c.tokens),
            "" if c.outlets is None else count(c.outlets),
            *(_narrow(found) for found in (share(c.documents, c.read), c.copied, c.standing("agree"))),
            "" if c.median is None else count(c.median),
            times(repeats[c.name]).replace(" times", "x") if c.name in repeats else "",
        ]
        table.add_row(Styled(f"  {c.name}"), *map(Styled, cells), style="red" if c.problem else "")
    if len(audit.countries) > len(order):
        table.add_row(Styled(f"  {len(audit.countries) - len(order)} smaller ones"))
    return table


def _narrow(found: Share | None) -> str:
    """Returns at most five letters; a share is 0% or 100% only where it is exact."""
    if found is None or found.part in (0, found.whole):
        return "" if found is None else found.text
    return "<0.1%" if found.value < 0.0005 else f"{min(99.9, 100 * found.value):.1f}%"


def _height(words: str, columns: int) -> int:
    return len(textwrap.wrap(words, columns)) or 1


def _first(words: str, longest: int = SENTENCE) -> str:
    """Returns as many whole sentences as there is room for, the first one in any case."""
    kept = ""
    for sentence in re.split(r"(?<=[.]) (?=[A-Z])", words):
        if kept and len(kept) + len(sentence) + 1 > longest:
            break
        kept = f"{kept} {sentence}".strip()
    return _cut(kept, longest)


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 3].rstrip() + "..."


PARTS: tuple[tuple[str, str, Callable[[Audit], str], Callable[[Audit, str, str], Section]], ...] = (
    ("dropped", "Kept and dropped records", say_drops, drops),
    ("countries", "Documents by country", say_countries, countries),
    ("years", "Documents by year", say_years, years),
    ("outlets", "Outlets", say_outlets, outlets),
    ("lengths", "Article lengths", say_lengths, lengths),
    ("duplicates", "Duplicates", say_duplicates, duplicates),
    ("evidence", "Evidence for the country", say_evidence, verification),
    ("signals", "Country signals in the URL", say_signals, signals),
    ("filters", "Uneven filters", say_filters, filters),
    ("balance", "Repetitions under equal weights", say_balance, balance),
    ("time", "Time by step", say_steps, steps),
)
"""Part in the terminal, title on the page, sentence, section."""
