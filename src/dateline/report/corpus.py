"""The page of a corpus, `corpus.html`, and what of it fits a terminal, both made of its audit alone."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text as Styled

from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.records import SPLITS
from dateline.report import figures
from dateline.report.audit import (
    AUDIT,
    COPIES,
    SIGNALS,
    STANDINGS,
    Audit,
    dig,
    items,
    read_audit,
    table,
    text,
    whole,
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
    listed,
    number,
    percent,
    share,
    some,
    times,
)

PAGE = "corpus.html"
MOST_REASONS, MOST_OUTLETS, MOST_FILTERS, MOST_YEARS = 20, 12, 24, 16
MOST_ROWS = 300
"""Rows of the table that holds every country, of problems and of damaged files."""
LINES, COLUMNS, SENTENCE = 60, 100, 240
"""What a terminal holds, and characters said about a part."""
FEW = 30
"""Shares and medians of fewer documents than this are not named as extremes: chance would choose them."""
NUMBERS = (*SPLITS, "bytes", "tokens", "read", "kept", *COPIES, "outlets", "median", *STANDINGS)
"""Columns of the last table."""
NOTHING = "\u00b7"


def write_corpus_page(folder: Path, out: Path | None = None) -> Path:
    """Writes the page of a corpus folder.

    Args:
        folder: that `dateline corpus` made.
        out: where the page is written; `corpus.html` in the folder unless given.

    Returns:
        The path of the page.

    Raises:
        UserError: where the folder holds no audit that can be read, or the page cannot be written.

    Example:
        >>> write_corpus_page(Path("corpora/news"))
        PosixPath('corpora/news/corpus.html')
    """
    path = folder / PAGE if out is None else out
    html = render(read_audit(folder), folder.resolve().name)
    try:
        write_atomically(path, html)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another place") from None
    return path


def render(data: Mapping[str, Any], name: str = "") -> str:
    """Returns the whole page as HTML: the same audit gives the same text.

    Args:
        data: the audit, as `read_audit` gives it.
        name: stands in where the audit has none.
    """
    audit = Audit(data, name)
    sections = []
    for part in PARTS:
        blocks = [block for block in part.make(audit) if block != Text("", "said")]
        sections.append(Section(part.anchor, part.title, blocks or [_missing(part.anchor)]))
    problems = audit.problems
    if len(problems) > MOST_ROWS:
        problems = [*problems[:MOST_ROWS], f"{count(len(problems) - MOST_ROWS)} more in {AUDIT}"]
    return render_page(
        "corpus.html.j2",
        title=audit.name,
        fingerprint=audit.fingerprint,
        lead=lead(audit),
        problems=problems,
        keys=cards(audit),
        sections=[*sections, numbers(audit), sources(audit)],
    )


def describe(data: Mapping[str, Any], name: str = "") -> list[RenderableType]:
    """Returns the audit as renderables for rich, at most sixty lines of a hundred columns, in order of printing.

    Args:
        data: the audit, as `read_audit` gives it.
        name: stands in where the audit has none.
    """
    audit = Audit(data, name)
    title = Styled(audit.name, style="bold")
    title.append(f"  {audit.fingerprint}", style="dim")
    title.truncate(COLUMNS, overflow="ellipsis")
    above = [title, Styled(_first(lead(audit)))]
    problems = audit.problems
    above += [Styled(_cut(f"problem: {problem}", COLUMNS - 1), style="red") for problem in problems[:5]]
    above += [Styled(f"and {len(problems) - 5} more problems in {AUDIT}", style="red")] if len(problems) > 5 else []
    said = {part.word: _first(part.say(audit) or NOT_RECORDED) for part in PARTS}
    room = COLUMNS - 2 - max(map(len, said))
    left = LINES - 5 - sum(_height(one.plain, COLUMNS) for one in above)
    left -= sum(_height(sentence, room) for sentence in said.values())
    below = Grid(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    below.add_column(no_wrap=True)
    below.add_column(overflow="fold")
    for word, sentence in said.items():
        below.add_row(Styled(word, style="bold"), Styled(sentence))
    return [*above, Styled(""), _terminal_countries(audit, left), Styled(""), below]


# Parts of the page: first one sentence, empty where the audit does not record it, then what it was read from


def drops(audit: Audit) -> Iterator[Block]:
    """What was kept, and what was dropped for which reason."""
    if audit.drops is None:
        return
    total, order = sum(audit.drops.values()), list(audit.drops.items())
    said = "Nothing was dropped."
    if total:
        name, most = order[0]
        part = share(most, audit.read)
        said = f"{name} ({count(most)}{f', {part.text} of what was read' if part else ''})"
        said = f"{some(total, 'record')} {_were(total)} dropped; the most frequent reason is {said}."
    if total and audit.read is not None and not audit.unaccounted:
        said += f" Every record is accounted for: {count(audit.read)} read = {count(audit.documents)} kept + "
        said += f"{count(total)} dropped."
    yield Text(said, "said")
    rest = sum(n for _, n in order[MOST_REASONS:])
    found = [("kept", audit.documents, "agree"), *((name, n, "none") for name, n in order[:MOST_REASONS])]
    found += [(f"{len(order) - MOST_REASONS} other reasons", rest, "none")] if rest else []
    read = audit.read if audit.read is not None else audit.documents + total
    most = max(*(n for _, n, _ in found), 1)
    rows = [Row([name, count(n), *_said(share(n, read)), Bar([(100 * n / most, c, "")])]) for name, n, c in found]
    yield Table(("reason", "#records", "#of those read", "#95% CI", "|"), rows)


def countries(audit: Audit) -> Iterator[Block]:
    """Documents and estimated tokens by country."""
    placed = audit.placed[audit.placed["documents"] > 0].sort_values("documents", ascending=False, kind="stable")
    if placed.empty:
        yield Text("No document has a country.", "said")
    else:
        first, last = placed.iloc[0], placed.iloc[-1]
        said = f"All documents with a country come from {first['name']} ({some(first.documents, 'document')})."
        if len(placed) > 1:
            part, ratio = share(first.documents, audit.documents), first.documents / last.documents
            nowhere = share(audit.countries["documents"].get("", 0), audit.documents)
            said = f"{first['name']} has the most documents, {count(first.documents)}"
            said += f" or {part.full}; " if part else "; "
            said += f"{last['name']} has the fewest, {count(last.documents)}, a factor of "
            said += f"{number(ratio, 0 if ratio > 9 else 1)}."
            said += f" {nowhere.text} of all documents have no country." if nowhere and nowhere.part else ""
        yield Text(said, "said")
    most, most_tokens = (max(audit.countries[name].max(), 1) for name in ("documents", "tokens"))
    total = audit.countries.groupby("continent")["documents"].sum()
    rows = []
    for c in audit.shown.itertuples():
        train = 0 if math.isnan(c.train) else c.train
        pieces = [(100 * train / most, "agree", ""), (100 * (c.documents - train) / most, "single", "")]
        estimate: list[Cell] = [NOT_RECORDED, None]
        if not math.isnan(c.tokens):
            estimate = [large(c.tokens), Bar([(100 * c.tokens / most_tokens, "third", "")])]
        part = share(total[c.continent], audit.documents)
        group = f"{c.continent}: {some(total[c.continent], 'document')}{f', {part.text}' if part else ''}"
        rows.append(Row([c.name, count(c.documents), Bar(pieces), *estimate], group, bool(c.problem)))
    legend = (("agree", "train"), ("single", "validation and test"), ("third", "estimated tokens"))
    if rows:
        yield Table(("country", "#documents", "|", "#tokens", "|"), rows, legend)
        yield from _smaller(audit)


def years(audit: Audit) -> Iterator[Block]:
    """Documents by country and year."""
    total = audit.years.sum()
    dated = total[(total > 0) & (total.index != "")]
    if audit.years.empty:
        return
    said = "No document has a date."
    if len(dated):
        best, undated = max(dated.index, key=lambda year: (dated[year], year)), share(total.get("", 0), total.sum())
        span = f"from {dated.index[0]} to {dated.index[-1]}; the most frequent year is {best}"
        said = f"The documents are dated {span if len(dated) > 1 else best} ({count(dated[best])})"
        some_undated = f"; {undated.text} ({count(undated.part)}) have no date." if undated and undated.part else ""
        said += some_undated or "; all have one."
        holes = []
        for code, row in audit.years.drop(index="", errors="ignore").iterrows():
            seen = [int(year) for year in dated.index if row[year]]
            gaps = [str(year) for year in range(seen[0], seen[-1]) if year not in seen] if seen else []
            holes += [f"{audit.countries.at[code, 'name']} ({listed(gaps, 3)})"] if gaps else []
        said += f" No documents for years in between: {listed(holes, 5)}." if holes else ""
    yield Text(said, "said")
    shown = audit.years[audit.years.index.isin(audit.shown.index)]
    known = [year for year in shown if year and shown[year].any()]
    if known and int(known[-1]) - int(known[0]) < MOST_YEARS:
        known = [str(year) for year in range(int(known[0]), int(known[-1]) + 1)]
    early = known[: -MOST_YEARS + 1] if len(known) > MOST_YEARS else []
    cells = shown.reindex(columns=known[len(early) :], fill_value=0)
    if early:
        cells.insert(0, f"to {early[-1]}", shown[early].sum(axis=1))
    if "" in shown and shown[""].any():
        cells["undated"] = shown[""]
    if not cells.to_numpy().any():
        return
    low, high = (math.log(end(cells.to_numpy()[cells.to_numpy() > 0])) for end in (min, max))

    def tile(n: int) -> Cell:
        return Tile(large(n), round(100 * (math.log(n) - low) / (high - low)) if high > low else 100) if n else NOTHING

    rows = [
        Row([audit.shown.at[code, "name"], *map(tile, row)], audit.shown.at[code, "continent"])
        for code, *row in cells.itertuples()
    ]
    yield Text("The shade grows with the logarithm of the number of documents; a dot stands for none.")
    yield Table(("country", *(f"|{name}" for name in cells)), rows, kind="grid")


def outlets(audit: Audit) -> Iterator[Block]:
    """Outlets by country with the share of the largest one, then the largest of all."""
    top, leaders = audit.listed, audit.leaders
    said = ""
    if audit.outlets is not None or len(top):
        said = some(audit.outlets, "outlet") if audit.outlets is not None else "The number of outlets is not recorded"
    if len(top):
        part = share(top.documents[0], audit.documents)
        said += f"; the largest, {top.domain[0]}, wrote {some(top.documents[0], 'document')}"
        said += f", {part.full}" if part else ""
    large_enough = [leader for leader in leaders.itertuples() if leader.share.whole >= FEW]
    if len(large_enough) > 1:
        name, domain, most = max(large_enough, key=lambda leader: leader.share.value)[1:]
        said += f". {name} depends most on a single one: {most.full} of its documents are from {domain}"
    yield Text(f"{said}." if said else "", "said")
    if audit.placed["outlets"].isna().all():
        return

    def cells(c: Any) -> Sequence[Cell]:
        if c.Index not in leaders.index:
            return _recorded(c.outlets), NOT_RECORDED, None, ""
        _, domain, part = leaders.loc[c.Index]
        return _recorded(c.outlets), part.text, share_bar(part, "agree"), domain

    words = "The largest outlet of each country as a share of its documents. An outlet counts for the country of most "
    yield Text(f"{words}of its documents.")
    yield from _by_country(audit, ("#outlets", "#largest one", "|", ""), cells)
    rows = [
        Row(
            [
                domain or "no domain",
                text(country_name(code)) or "not known",
                count(n),
                *_said(share(n, audit.documents)),
            ]
        )
        for _, domain, code, n in top.itertuples()
    ]
    headings = ("outlet", "country", "#documents", "#of all", "#95% CI")
    if rows:
        yield from (Heading("The largest outlets"), Table(headings, rows[:MOST_OUTLETS]))
    if len(rows) > MOST_OUTLETS:
        yield Fold(f"{len(rows) - MOST_OUTLETS} more", [Table(headings, rows[MOST_OUTLETS:])])


def lengths(audit: Audit) -> Iterator[Block]:
    """Distribution of article lengths by country."""
    known = audit.placed.dropna(subset="median")
    known = known[known["documents"] >= FEW] if (known["documents"] >= FEW).any() else known
    known = known.sort_values(["median", "name"])
    said = ""
    if len(known):
        first, last = known.iloc[0], known.iloc[-1]
        said = f"The median article has {count(first['median'])} characters"
        if first["median"] != last["median"]:
            said += f" in {first['name']}, the fewest, and {count(last['median'])} in {last['name']}"
        said += "."
    yield Text(said, "said")
    rows = [c for c in audit.shown.itertuples() if c.Index and c.lengths]
    edges = [edge for edge in audit.edges if edge > 0]
    if not rows or not edges:
        return
    ratio = edges[1] / edges[0] if len(edges) > 1 else 2.0
    # a first edge of zero has no logarithm, and open bins have no second edge: both get one of the usual width
    longest = max(len(row.lengths) for row in rows)
    edges = [edges[0] / ratio] * (len(edges) < len(audit.edges)) + edges
    edges = [edges[0] / ratio] * (longest > len(audit.edges)) + edges
    edges += [edges[-1] * ratio] * (longest >= len(audit.edges))
    drawn = [
        (
            row.name,
            [0] * (len(edges) - 1 - len(row.lengths)) + row.lengths,
            None if math.isnan(row.median) else row.median,
        )
        for row in rows
    ]
    half = len(drawn) if len(drawn) <= 12 else -(-len(drawn) // 2)
    title = "Lengths of articles by country"
    yield Text("Every distribution fills its row, so shapes can be compared and sizes cannot; the line is the median.")
    yield Figures(
        [
            figures.ridges(drawn[at : at + half], edges, f"lengths{number}", title, said)
            for number, at in enumerate(range(0, len(drawn), half))
        ]
    )


def duplicates(audit: Audit) -> Iterator[Block]:
    """Copies dropped by country, and what was copied most often."""
    copies = {kind: whole(dig(audit.data, "duplicates", kind)) for kind in COPIES}
    said = ""
    if any(n is not None for n in copies.values()):
        total = sum(n or 0 for n in copies.values())
        part = share(total, audit.read)
        said = f"{some(total, 'record')} {_were(total)} dropped as copies"
        said += f", {part.full} of what was read: " if part else ": "
        said += " and ".join(f"{_recorded(n)} {kind}" for kind, n in copies.items())
        said += _extremes("; the share is largest", "smallest", audit, audit.countries["copied"])
    yield Text(said, "said")
    if audit.placed[[*COPIES]].isna().all(axis=None):
        return
    top = max((part.ends[1] for part in audit.placed["copied"] if part), default=1.0) or 1.0
    colors = {"exact": "agree", "near": "third"}

    def cells(c: Any) -> Sequence[Cell]:
        numbers = [_recorded(n) for n in (c.exact, c.near)]
        if c.copied is None:
            return *numbers, NOT_RECORDED, None
        pieces = [
            (100 * n / c.copied.whole / top, colors[kind], "")
            for kind, n in (("exact", c.exact), ("near", c.near))
            if n == n
        ]
        low, high = c.copied.ends
        return *numbers, c.copied.text, Bar(pieces, 100 * low / top, 100 * high / top)

    legend = [(color, kind) for kind, color in colors.items()]
    yield from _by_country(audit, ("#exact", "#near", "#of those read", "|"), cells, legend=legend)
    clusters = table(items(dig(audit.data, "duplicates", "largest")), ("title", "url"), ["copies"]).dropna(
        subset="copies"
    )
    if len(clusters):
        rows = [
            Row([title or "(no title)", url or "no address", count(n)]) for _, title, url, n in clusters.itertuples()
        ]
        yield from (Heading("Copied most often"), Table(("title", "address", "#copies"), rows))


def verification(audit: Audit) -> Iterator[Block]:
    """How the evidence of the country stands."""
    totals = {kind: whole(dig(audit.data, "verified", kind, "documents")) for kind in STANDINGS}
    if all(n is None for n in totals.values()):
        totals = audit.countries[[*STANDINGS]].sum(min_count=1)
    known = {kind: int(n) for kind, n in totals.items() if n is not None and not math.isnan(n)}
    found = {kind: share(n, sum(known.values())) for kind, n in known.items()}
    agree = found.get("agree")
    said = ""
    if agree is not None:
        ways = {"single": "one stands alone for", "conflict": "they conflict for", "none": "there is none for"}
        rest = [f"{ways[kind]} {part.text}" for kind, part in found.items() if kind in ways and part and part.part]
        said = f"For {agree.full} of the documents two independent pieces of evidence agree on the country"
        said += f"; {listed(rest)}" if rest else ""
        said += _extremes(". Agreement is most frequent", "least", audit, audit.standings("agree"))
    yield Text(said, "said")
    if audit.placed["verified"].isna().all():
        return

    def cells(c: Any) -> Sequence[Cell]:
        parts = {kind: part for kind in STANDINGS if (part := standings[kind][c.Index])}
        pieces = [(100 * p.value, k, f"{100 * p.value:.0f}%" if p.value > 0.12 else "") for k, p in parts.items()]
        return Bar(pieces) if parts else None, _recorded(c.verified)

    standings = {kind: audit.standings(kind) for kind in STANDINGS}
    yield Text("Evidence is what the data declares, the outlet table, the suffix and hints in the address.")
    yield from _by_country(audit, ("|", "#documents"), cells, legend=tuple(STANDINGS.items()))


def signals(audit: Audit) -> Iterator[Block]:
    """How often each signal of the address names the decided country, or another one."""
    right, wrong = ({name: audit.signal(name, right=side) for name in SIGNALS} for side in (True, False))
    said = ""
    if anything := right["any"]:
        single = [(name, found) for name, found in right.items() if found and found.part]
        single = sorted((one for one in single if one[0] not in ("any", "declared")), key=lambda one: -one[1].value)
        rest = [f"the {SIGNALS[name]} for {found.text}" for name, found in single]
        said = f"The URL names the country of {anything.full} of the documents in some way"
        said += f": {listed(rest)}." if rest else "."
        astray = {name: found for name, found in wrong.items() if found and found.part and name != "any"}
        if astray:
            worst = max(astray, key=lambda name: astray[name].value)
            said += f" Another country is named most often by the {SIGNALS[worst]}, for {astray[worst].full}"
            said += _extremes(", most of all", "least", audit, audit.signals(worst, right=False))
    yield Text(said, "said")
    if not any(right.values()):
        return
    rows = []
    for name, label in SIGNALS.items():
        pieces = [(100 * p.value, color) for p, color in ((right[name], "agree"), (wrong[name], "conflict")) if p]
        room = max(1.0, sum(width for width, _ in pieces) / 100)  # a document may show both
        bar = Bar([(width / room, color, "") for width, color in pieces])
        rows.append(Row([label, *_said(right[name]), *_said(wrong[name]), bar]))
    legend = (("agree", "names the country"), ("conflict", "names another one"))
    yield Table(("signal", "#right", "#95% CI", "#wrong", "#95% CI", "|"), rows, legend)
    by_country = [[audit.signals(name, right=side) for side in (True, False)] for name in SIGNALS]

    def tile(found: Share | None, astray: Share | None) -> Cell:
        if found is None:
            return NOTHING
        under = "n/a" if astray is None else _short(astray)
        shade = round(100 * min(1, 4 * astray.value)) if astray else 0
        return Tile(_short(found), round(100 * found.value), under, shade)

    words = "Percent of a country's documents: in blue where the signal names it, below in orange where it names "
    yield from (Heading("By country"), Text(f"{words}another one."))
    yield from _by_country(
        audit,
        [f"|{label}" for label in SIGNALS.values()],
        lambda c: [tile(*(side.get(c.Index) for side in sides)) for sides in by_country],
        kind="grid",
    )


def filters(audit: Audit) -> Iterator[Block]:
    """Filters that remove countries unevenly."""
    found = audit.filters
    if not isinstance(audit.data.get("filters"), list):
        return
    if found.empty:
        yield Text("No filter takes noticeably more of one country than of the others.", "said")
        return
    widest, reasons = found.iloc[0], found["reason"].nunique()
    ends = f"{number(100 * widest['low'], 1)} to {number(100 * widest['high'], 1)}%"
    said = f"{some(reasons, 'filter')} {'removes' if reasons == 1 else 'remove'} countries unevenly, in "
    said += (
        f"{some(len(found), 'case')}. The widest gap: {widest['reason']} takes {percent(widest['share'])} of what was "
    )
    said += f"read from {widest['country']} (95% CI {ends}), and {percent(widest['elsewhere'])} elsewhere."
    yield Text(said, "said")
    yield Text("Share of a country's records that a filter drops, with its 95% CI; the tick is the share elsewhere.")
    rows = [
        figures.Row(f"{country}: {reason}", (Interval(part, low, high),), percent(part), ticks=(elsewhere,))
        for _, reason, country, part, low, high, elsewhere in found[:MOST_FILTERS]
        .sort_values("reason", kind="stable")
        .itertuples()
    ]
    look: dict[str, Any] = {"unit": "dropped, of what was read", "reference": None, "show": figures.percents}
    yield Figures([figures.intervals(rows, "filters", "Filters that remove countries unevenly", said, **look)])
    if len(found) > MOST_FILTERS:
        yield Text(f"{len(found) - MOST_FILTERS} smaller gaps stand in {AUDIT}.", "gap")


def balance(audit: Audit) -> Iterator[Block]:
    """How often continents and countries are read when they weigh the same."""
    groups = {by: audit.balance(by) for by in ("continent", "country")}
    several = {by: found for by, found in groups.items() if len(found) > 1}
    said = (
        ""
        if all(found.empty for found in groups.values())
        else "There is only one group, so nothing has to be repeated."
    )
    if several:
        parts = [
            f"every {by}, {found.index[-1]} is read {times(found.iloc[-1])} and {found.index[0]} {times(found.iloc[0])}"
            for by, found in several.items()
        ]
        said = f"If as many tokens are drawn as there are, and the same number from {'; from '.join(parts)}."
    yield Text(said, "said")
    drawn = []
    unit = "times read, when as many tokens are drawn as there are"
    for by, found in several.items():
        chosen = found if by == "continent" else found[found.index.isin(audit.shown["name"])]
        rows = [figures.Row(n, (Interval(r),), times(r), by == "continent") for n, r in chosen.sort_index().items()]
        title = f"{'Continents' if by == 'continent' else 'Countries'} with equal weight"
        look: dict[str, Any] = {"unit": unit, "reference": 1.0, "scale": "log", "show": lambda value: f"{value:g}"}
        drawn.append(figures.intervals(rows, f"balance-{by}", title, said, **look))
    if drawn:
        yield from (Text("Right of 1 a group is repeated, left of 1 only a part of it is read."), Figures(drawn))


def steps(audit: Audit) -> Iterator[Block]:
    """The time by step."""
    found = audit.steps
    if found.empty:
        return
    total, most, slowest = found["seconds"].sum(), found["seconds"].max(), int(found["seconds"].argmax())
    rates = found["documents"] / found["seconds"]
    said = f"The steps took {duration(total)} together; the slowest is {found.index[slowest]}, {duration(most)}"
    said += f" or {percent(most / total)} of the time" if total else ""
    said += f", at {count(rates.iloc[slowest])} documents a second." if rates.iloc[slowest] > 0 else "."
    yield from (Text(said, "said"), Text("Time of all processes together."))
    rows = []
    for name, seconds, rate in zip(found.index, found["seconds"], rates, strict=True):
        speed = number(rate, 0 if rate >= 10 else 1) if is_number(rate) else NOT_RECORDED
        bar = Bar([(100 * seconds / (most or 1), "agree", "")])
        rows.append(Row([name, duration(seconds), percent(seconds / (total or 1)), speed, bar]))
    yield Table(("step", "#time", "#of all", "#documents/s", "|"), rows)


def numbers(audit: Audit) -> Section:
    """Every number by country."""
    title = "Every number by country"
    if audit.countries.empty:
        return Section("numbers", title, [_missing("countries")])
    first = audit.countries[:MOST_ROWS]
    kept = {c: f"{part.text} ({part.interval})" if part else "" for c, part in first["kept"].items()}
    rows = [
        Row(
            [
                [c["name"], c["problem"]] if c["problem"] else c["name"],
                *(kept[code] if name == "kept" else _recorded(c[name]) for name in NUMBERS),
            ],
            c["continent"],
            bool(c["problem"]),
        )
        for code, c in first.iterrows()
    ]
    named = COPIES | STANDINGS | {"median": "median characters"}
    headings = ("country", *(f"#{named.get(name, name)}" for name in NUMBERS))
    sides = [side.reindex(first.index) for side in (audit.right, audit.wrong)]
    looked = [
        Row(
            [
                first.at[code, "name"],
                _recorded(sides[0].at[code, "documents"]),
                *(_recorded(side.at[code, name]) for name in SIGNALS for side in sides),
            ]
        )
        for code in first.index
    ]
    columns = [f"#{label}{wrong}" for label in SIGNALS.values() for wrong in ("", ", wrong")]
    blocks: list[Block] = [
        Fold("Documents, sizes and evidence", [Table(headings, rows)]),
        Fold("Documents by signal", [Table(("country", "#looked at", *columns), looked)]),
    ]
    if (left := len(audit.countries) - MOST_ROWS) > 0:
        blocks.append(Text(f"{count(left)} more countries stand in {AUDIT}.", "gap"))
    return Section("numbers", title, blocks)


def sources(audit: Audit) -> Section:
    """What the corpus was made of, damaged files, and its fingerprint."""
    found = [Row([source]) for source in audit.sources]
    broken = [Row([file, problem], bad=True) for _, file, problem in audit.files.itertuples()]
    blocks: list[Block] = [Text("Not recorded. The audit names no sources.", "gap")]
    if found:
        blocks = [Table(("source",), found[:MOST_ROWS])]
    if broken:
        blocks.append(Text(f"{some(len(broken), 'damaged file')}: what could be read was kept.", "problem"))
        blocks.append(Table(("file", "problem"), broken[:MOST_ROWS]))
    for what, left in (("sources", len(found) - MOST_ROWS), ("damaged files", len(broken) - MOST_ROWS)):
        blocks += [Text(f"{count(left)} more {what} stand in {AUDIT}.", "gap")] if left > 0 else []
    blocks += [Text(f"Fingerprint {audit.fingerprint}.")] if audit.fingerprint else []
    return Section("making", "Sources", blocks)


def lead(audit: Audit) -> str:
    """Says how much was read, how much was kept, and from where."""
    kept = share(audit.documents, audit.read)
    start = f"{some(audit.documents, 'document')} kept"
    if kept is not None:
        start = f"Of {some(kept.whole, 'record')} read, {count(kept.part)} {_were(kept.part)} kept, {kept.full}"
    parts = [f"from {some(len(audit.placed), 'country')}"]
    parts += [some(audit.outlets, "outlet")] if audit.outlets is not None else []
    parts += [f"about {large(audit.tokens)} tokens"] if not math.isnan(audit.tokens) else []
    return f"{start}: {', '.join(parts)}."


def cards(audit: Audit) -> list[tuple[str, str, str]]:
    """Returns the key numbers: label, value, note."""
    kept, undated = share(audit.documents, audit.read), share(whole(audit.data.get("undated")), audit.documents)
    reasons = [f"{count(n)} {name}" for name, n in list((audit.drops or {}).items())[:2] if n]
    dropped = None if audit.drops is None else sum(audit.drops.values())
    totals = {split: whole(dig(audit.data, "splits", split, "documents")) for split in SPLITS}
    per_token = dig(audit.data, "balance", "bytes_per_token")
    note = f"{per_token:g} bytes a token" if is_number(per_token) and per_token else ""
    tokens = NOT_RECORDED if math.isnan(audit.tokens) else large(audit.tokens)
    found = [
        ("records read", _recorded(audit.read), some(len(audit.sources), "source") if audit.sources else ""),
        ("documents kept", count(audit.documents), kept.full if kept else "share not recorded"),
        ("records dropped", _recorded(dropped), ", ".join(reasons)),
        (
            "countries",
            count(len(audit.placed)),
            ", ".join(f"{s} {count(n)}" for s, n in totals.items() if n is not None),
        ),
        ("outlets", _recorded(audit.outlets), ""),
    ]
    found += [("without a date", count(undated.part), undated.full)] if undated and undated.part else []
    return [*found, ("tokens, estimated", tokens, note)]


class Part(NamedTuple):
    """A part of the page and of the terminal."""

    anchor: str
    word: str
    """Its name in the terminal."""
    title: str
    make: Callable[[Audit], Iterator[Block]]

    def say(self, audit: Audit) -> str:
        """Returns its sentence; empty where the audit does not record it."""
        first = next(self.make(audit), None)
        return first.words if isinstance(first, Text) else ""


PARTS = (
    Part("drops", "dropped", "Kept and dropped records", drops),
    Part("countries", "countries", "Documents by country", countries),
    Part("years", "years", "Documents by year", years),
    Part("outlets", "outlets", "Outlets", outlets),
    Part("lengths", "lengths", "Article lengths", lengths),
    Part("duplicates", "duplicates", "Duplicates", duplicates),
    Part("verification", "evidence", "Evidence for the country", verification),
    Part("signals", "signals", "Country signals in the URL", signals),
    Part("filters", "filters", "Uneven filters", filters),
    Part("balance", "balance", "Repetitions under equal weights", balance),
    Part("steps", "time", "Time by step", steps),
)


def _by_country(
    audit: Audit, headings: Sequence[str], cells: Callable[[Any], Sequence[Cell]], **look: Any
) -> Iterator[Block]:
    """Yields a table with a row for each country that figures show."""
    shown = audit.shown[audit.shown.index != ""]
    rows = [Row([c.name, *cells(c)], c.continent, bool(c.problem)) for c in shown.itertuples()]
    yield Table(("country", *headings), rows, **look)
    yield from _smaller(audit)


def _smaller(audit: Audit) -> Iterator[Block]:
    if left := len(audit.countries) - len(audit.shown):
        yield Text(f"{count(left)} smaller countries stand in the last table.", "gap")


def _extremes(most: str, least: str, audit: Audit, of: pd.Series) -> str:
    """Names the largest and the smallest share where their intervals lie apart; otherwise chance would choose them."""
    placed = audit.placed["name"]
    found = [(part, placed[code]) for code, part in of.items() if code in placed and part and part.whole >= FEW]
    found.sort(key=lambda item: item[0].value)
    if len(found) < 2 or found[0][0].ends[1] >= found[-1][0].ends[0]:
        return "."
    (low, first), (high, last) = found[0], found[-1]
    return f"{most} in {last} ({high.text}) and {least} in {first} ({low.text})."


def _missing(what: str) -> Text:
    return Text(f"Not recorded. The audit of this corpus holds no {what}. Build the corpus again to have it.", "gap")


def _said(found: Share | None) -> tuple[str, str]:
    return (found.text, found.interval) if found else (NOT_RECORDED, "")


def _recorded(value: float | None) -> str:
    return NOT_RECORDED if value is None or math.isnan(value) else count(value)


def _were(amount: int) -> str:
    return "was" if amount == 1 else "were"


def _short(found: Share) -> str:
    """Returns a percentage without its sign, for narrow cells: `92`, `3.1`, `<0.1`."""
    value = 100 * found.value
    if found.part in (0, found.whole):
        return f"{value:.0f}"
    if value < 0.1 or value > 99.9:
        return "<0.1" if value < 0.1 else ">99.9"
    return f"{value:.1f}" if value < 10 or value >= 99.5 else f"{value:.0f}"


def _terminal_countries(audit: Audit, lines: int) -> Grid:
    """Returns as many of the largest countries as fit under their continents, which say how many smaller they have."""
    table = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("country", no_wrap=True, overflow="ellipsis", max_width=24)
    for name in ("docs", "test", "tokens", "outlets", "kept", "copies", "agree", "median", "repeat"):
        table.add_column(name, justify="right", no_wrap=True)
    repeats, agree = dict(audit.balance("country")), audit.standings("agree")
    placed = audit.placed.sort_values("documents", ascending=False, kind="stable")
    nowhere = audit.countries.loc[audit.countries.index == ""]
    held = audit.countries.groupby("continent", sort=False).size()
    for largest in range(len(placed), -1, -1):
        shown = audit.countries.index.isin([*placed.index[:largest], *nowhere.index])
        smaller = held.sub(audit.countries[shown].groupby("continent").size(), fill_value=0).astype(int)
        if shown.sum() + len(held) + (smaller > 0).sum() <= lines:
            break
    # a line for a single country is as well spent on itself
    shown |= audit.countries["continent"].map(smaller).eq(1).to_numpy()

    def known(value: float, show: Callable[[float], str] = count) -> str:
        return "" if math.isnan(value) else show(value)

    for continent, rows in audit.countries.groupby("continent", sort=False):
        table.add_row(Styled(continent, style="bold"))
        for c in rows[rows.index.isin(audit.countries.index[shown])].itertuples():
            cells = [
                known(c.documents, count if c.documents < 1_000_000 else large),
                known(c.test),
                known(c.tokens, large),
                known(c.outlets),
                *(_narrow(found) for found in (c.kept, c.copied, agree[c.Index])),
                known(c.median),
                times(repeats[c.name]).replace(" times", "x") if c.name in repeats else "",
            ]
            table.add_row(Styled(f"  {c.name}"), *map(Styled, cells), style="red" if c.problem else "")
        if smaller[continent] > 1:
            table.add_row(Styled(f"  {smaller[continent]} smaller ones"))
    return table


def _narrow(found: Share | None) -> str:
    """Returns at most five letters; a share is 0% or 100% only where it is exact."""
    if found is None or found.part in (0, found.whole):
        return "" if found is None else found.text
    return "<0.1%" if found.value < 0.0005 else f"{min(99.9, 100 * found.value):.1f}%"


def _height(words: str, columns: int) -> int:
    return len(textwrap.wrap(words, columns)) or 1


def _first(words: str) -> str:
    """Returns as many whole sentences as there is room for, the first one in any case."""
    kept = ""
    for sentence in re.split(r"(?<=[.]) (?=[A-Z])", words):
        if kept and len(kept) + len(sentence) + 1 > SENTENCE:
            break
        kept = f"{kept} {sentence}".strip()
    return _cut(kept, SENTENCE)


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 3].rstrip() + "..."
