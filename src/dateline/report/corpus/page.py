"""The page of a corpus: chooses what is shown, asks for tables, figures and sentences, and renders them.

Enters: the folder of a corpus, or its audit. Leaves: `corpus.html`, one file that needs nothing else.
Deliberately not done: no script and no outside address; what came from data is escaped by the template, and addresses
are shown as text, never as links. A part that is not recorded is named where it would have stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.records import CONTINENTS, SPLITS
from dateline.report.corpus import grids, sentences, tables
from dateline.report.corpus.audit import facts_of, read_audit
from dateline.report.corpus.dots import Dot, Scale, dots
from dateline.report.corpus.facts import MOST_COUNTRIES, SIGNALS, STANDINGS, Facts, Group
from dateline.report.corpus.ridges import Ridge, ridges
from dateline.report.corpus.words import STANDING_NAMES, percent, reason, share, some, times
from dateline.report.figures import Figure
from dateline.report.numerals import count, large
from dateline.report.page import templates
from dateline.report.scoretable import country_name

PAGE = "corpus.html"
MOST_FILTERS = 24
MOST_ROWS = 300
"""Rows of the table that holds every country, of problems and of damaged files; the audit holds more."""


def write_corpus_page(folder: Path, out: Path | None = None) -> Path:
    """Writes the page of a corpus folder, `corpus.html` in it unless `out` says otherwise, and returns its path.

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


def render(audit: Mapping[str, Any], name: str = "") -> str:
    """Returns the whole page as HTML: the same audit gives the same text. `name` stands in where the audit has none."""
    environment = templates()
    environment.filters.update(
        count=count, large=large, country=country_name, share=lambda part, whole: share(part, whole)
    )
    page = environment.get_template("corpus.html.j2").render(context(facts_of(audit, name)))
    return page.encode("utf-8", "replace").decode("utf-8")


def context(facts: Facts) -> dict[str, Any]:
    """Returns everything that the template shows, already chosen and put in order."""
    problems = sentences.problems(facts)
    return {
        "facts": facts,
        "lead": sentences.lead(facts),
        "keys": cards(facts),
        "problems": problems[:MOST_ROWS],
        "more_problems": max(0, len(problems) - MOST_ROWS),
        "hidden": max(0, len(facts.countries) - MOST_COUNTRIES),
        "drops": (tables.drops(facts), sentences.drops(facts)),
        "countries": (tables.countries(facts), sentences.countries(facts)),
        "years": (grids.years(facts), sentences.years(facts)),
        "outlets": (tables.outlets(facts), sentences.outlets(facts)),
        "largest": tables.largest(facts),
        "lengths": (lengths(facts), sentences.lengths(facts)),
        "duplicates": (tables.duplicates(facts), sentences.duplicates(facts)),
        "verification": (tables.verification(facts), sentences.verification(facts)),
        "signals": (tables.signals(facts), sentences.signals(facts)),
        "signal_grid": grids.signal_grid(facts),
        "filters": (filters(facts), sentences.filters(facts)),
        "balance": (balance(facts), sentences.balance(facts)),
        "steps": (tables.steps(facts), sentences.steps(facts)),
        "splits": SPLITS,
        "standings": {kind: STANDING_NAMES[kind] for kind in STANDINGS},
        "signals_order": SIGNALS,
        "most_rows": MOST_ROWS,
    }


def cards(facts: Facts) -> list[dict[str, str]]:
    """Returns the numbers at the top."""
    kept = share(facts.documents, facts.read)
    dropped = None if facts.drops is None else sum(facts.drops.values())
    missing = tables.NOT_RECORDED
    undated = share(facts.undated, facts.documents)
    main = sorted((facts.drops or {}).items(), key=lambda item: -item[1])[:2]
    reasons = ", ".join(f"{count(n)} {reason(name)}" for name, n in main if n)
    splits = ", ".join(f"{split} {count(n)}" for split, n in facts.splits.items())
    sources = some(len(facts.sources), "source") if facts.sources else ""
    found = [
        ("records read", None if facts.read is None else count(facts.read), sources),
        ("documents kept", count(facts.documents), kept.full if kept else "share not recorded"),
        ("records dropped", None if dropped is None else count(dropped), reasons),
        ("countries", count(len(facts.placed)), splits),
        ("outlets", None if facts.outlets is None else count(facts.outlets), ""),
        (
            "tokens, estimated",
            None if facts.tokens is None else large(facts.tokens),
            f"{facts.bytes_per_token:g} bytes a token" if facts.bytes_per_token else "",
        ),
    ]
    if undated is not None and undated.part:
        found.append(("without a date", count(undated.part), undated.full))
    return [{"label": label, "value": value or missing, "note": note} for label, value, note in found]


def lengths(facts: Facts) -> Figure | None:
    """Returns the ridges of lengths by country, or None where they are not recorded."""
    rows = [row for row in facts.ordered(MOST_COUNTRIES) if row.code and row.lengths]
    if not rows or facts.edges is None:
        return None
    drawn = [Ridge(row.name, row.continent, row.lengths or (), row.median) for row in rows]
    return ridges(drawn, facts.edges, "Lengths of articles by country", sentences.lengths(facts))


def filters(facts: Facts) -> Figure | None:
    """Returns the filters that remove countries unevenly, the widest gaps first within each, or None."""
    if not facts.filters:
        return None
    gaps = sorted(facts.filters, key=lambda found: -abs(found.share - found.elsewhere))[:MOST_FILTERS]
    order = list(dict.fromkeys(found.reason for found in gaps))
    gaps.sort(key=lambda found: order.index(found.reason))
    rows = [
        Dot(
            country_name(found.country) or "no country",
            reason(found.reason),
            found.share,
            found.elsewhere,
            f"{percent(found.share)} vs {percent(found.elsewhere)}",
            found.low,
            found.high,
        )
        for found in gaps
    ]
    scale = Scale("dropped, of what was read")
    return dots(rows, scale, "filters", "Filters that remove countries unevenly", sentences.filters(facts))


def balance(facts: Facts) -> Figure | None:
    """Returns how often continents and countries are read when they weigh the same, or None where there is nothing to
    weigh against.
    """
    if max(len(facts.continents or ()), len(facts.balance or ())) < 2:
        return None
    order = {country.name: at for at, country in enumerate(facts.ordered(MOST_COUNTRIES))}

    def row(group: Group, heading: str, strong: bool) -> Dot:
        return Dot(group.name, heading, group.repeats, 1.0, times(group.repeats), strong=strong)

    shown = sorted((group for group in facts.balance or () if group.name in order), key=lambda g: order[g.name])
    rank = {name: at for at, name in enumerate(CONTINENTS)}
    continents = sorted(facts.continents or (), key=lambda group: rank.get(group.name, len(rank)))
    rows = [row(group, "Continents with equal weight", True) for group in continents]
    rows += [row(group, "Countries with equal weight", False) for group in shown]
    scale = Scale("times read, when as many tokens are drawn as there are", ratio=True)
    return dots(rows, scale, "balance", "How often each group is read", sentences.balance(facts))
