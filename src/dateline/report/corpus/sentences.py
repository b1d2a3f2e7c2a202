"""What one sees in a corpus, in words: one plain sentence for every section, computed from the audit.

Enters: `Facts`. Leaves: sentences; an empty one where the audit does not record the part. The page escapes them.
Deliberately not done: no praise and no blame. A sentence names the extremes and how sure their shares are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from dateline.report.corpus.facts import SIGNALS, STANDINGS, Country, Counts, Facts
from dateline.report.corpus.words import (
    SIGNAL_NAMES,
    Share,
    duration,
    listed,
    percent,
    reason,
    share,
    some,
    times,
    were,
)
from dateline.report.numerals import count, large, number

FEW = 30
"""Shares and medians of fewer documents than this are not named as extremes: chance would choose them."""


def lead(facts: Facts) -> str:
    """Says how much was read, how much was kept, and from where."""
    kept = share(facts.documents, facts.read)
    start = f"{some(facts.documents, 'document')} kept"
    if kept is not None:
        start = f"Of {some(kept.whole, 'record')} read, {count(kept.part)} {were(kept.part)} kept, {kept.full}"
    parts = [f"from {some(len(facts.placed), 'country')}"]
    parts += [f"{some(facts.outlets, 'outlet')}"] if facts.outlets is not None else []
    parts += [f"about {large(facts.tokens)} tokens"] if facts.tokens is not None else []
    return f"{start}: {', '.join(parts)}."


def unaccounted(facts: Facts) -> str:
    """Says by how much kept and dropped miss what was read; empty where they add up or it is not recorded."""
    if facts.read is None or facts.drops is None:
        return ""
    missing = facts.read - facts.documents - sum(facts.drops.values())
    if not missing:
        return ""
    way = "are missing" if missing > 0 else "are too many"
    return f"{count(abs(missing))} records {way}: what was kept and what was dropped do not add up to what was read"


def problems(facts: Facts) -> list[str]:
    """Returns everything that is wrong: sums, splits of countries, damaged files, and what the audit names itself."""
    found = [sentence for sentence in (unaccounted(facts),) if sentence]
    for problem in dict.fromkeys(problem for country in facts.placed for problem in country.problems):
        if not any(named.startswith(problem) for named in facts.problems):
            names = [country.name for country in facts.placed if problem in country.problems]
            found.append(f"{problem}: {listed(names, 8)}")
    for file, problem in facts.files:
        if not any(named.startswith(file) for named in facts.problems):
            found.append(f"{file}: {problem}")
    return [*found, *facts.problems]


def drops(facts: Facts) -> str:
    """Says what was dropped, and why most of it was."""
    if facts.drops is None:
        return ""
    reasons = sorted(facts.drops.items(), key=lambda item: -item[1])
    total = sum(facts.drops.values())
    if not total:
        return "Nothing was dropped."
    of_read = share(reasons[0][1], facts.read)
    most = f"{reason(reasons[0][0])} ({count(reasons[0][1])}{f', {of_read.text} of what was read' if of_read else ''})"
    if total == reasons[0][1]:
        return f"The only reason to drop a record was {most}."
    text = f"{some(total, 'record')} {were(total)} dropped; the most frequent reason is {most}"
    if facts.read is not None and not unaccounted(facts):
        text += f". Every record is accounted for: {count(facts.read)} read = {count(facts.documents)} kept + "
        text += f"{count(total)} dropped"
    return text + "."


def countries(facts: Facts) -> str:
    """Says which country has the most documents, which the fewest, and how the continents share them."""
    placed = sorted((c for c in facts.placed if c.documents), key=lambda country: -country.documents)
    if not placed:
        return "No document has a country."
    first, last = placed[0], placed[-1]
    first_share = share(first.documents, facts.documents)
    if len(placed) == 1:
        return f"All documents with a country come from {first.name} ({some(first.documents, 'document')})."
    ratio = first.documents / last.documents
    text = f"{first.name} has the most documents, {count(first.documents)}"
    text += f" or {first_share.full}" if first_share else ""
    text += f"; {last.name} has the fewest, {count(last.documents)}"
    text += f", so that the largest is {number(ratio, 0 if ratio > 9 else 1)} times the smallest." if ratio > 1 else "."
    nowhere = sum(country.documents for country in facts.countries if not country.code)
    if found := share(nowhere, facts.documents):
        text += f" {found.text} of all documents have no country." if nowhere else ""
    return text


def years(facts: Facts) -> str:
    """Says which years are covered, which one most, and which countries have gaps between their years."""
    total = _sums(country.years or {} for country in facts.countries)
    if not total:
        return ""
    dated = {year: documents for year, documents in total.items() if year and documents}
    undated = share(total.get("", 0), sum(total.values()))
    without = f"{undated.text} ({count(undated.part)}) have no date" if undated and undated.part else ""
    if not dated:
        return "No document has a date."
    first, last = min(dated), max(dated)
    best = max(dated, key=lambda year: (dated[year], year))
    of_all = share(dated[best], sum(total.values()))
    span = f"from {first} to {last}; the most frequent year is {best}" if first != last else f"{first}"
    text = f"The documents are dated {span} ({count(dated[best])}{f', {of_all.text}' if of_all else ''})"
    text += f"; {without}." if without else "; all have a date."
    gaps = {country.name: _gaps(country) for country in facts.placed}
    holes = [f"{name} ({listed(found, 3)})" for name, found in gaps.items() if found]
    return text + (f" No documents for years in between: {listed(holes, 5)}." if holes else "")


def _sums(parts: Iterable[Counts]) -> Counts:
    total: Counts = {}
    for part in parts:
        for name, documents in part.items():
            total[name] = total.get(name, 0) + documents
    return total


def _gaps(country: Country) -> list[str]:
    known = sorted(int(year) for year, documents in (country.years or {}).items() if year and documents)
    return [str(year) for a, b in pairwise(known) for year in range(a + 1, b)]


def outlets(facts: Facts) -> str:
    """Says how many outlets there are, how large the largest is, and where one outlet dominates."""
    if facts.outlets is None and facts.largest is None:
        return ""
    text = f"{some(facts.outlets, 'outlet')}" if facts.outlets is not None else "The number of outlets is not recorded"
    if facts.largest:
        top = max(facts.largest, key=lambda outlet: outlet.documents)
        of_all = share(top.documents, facts.documents)
        text += f"; the largest, {top.domain}, wrote {some(top.documents, 'document')}"
        text += f", {of_all.full} of all" if of_all else ""
    text += "."
    found = [(country, facts.largest_of(country.code)) for country in facts.placed]
    shares = [(c.name, o, s) for c, o in found if o and (s := share(o.documents, c.documents)) and s.whole >= FEW]
    if len(shares) > 1:
        name, outlet, most = max(shares, key=lambda item: item[2].value)
        text += f" {name} depends most on a single one: {most.full} of its documents are from {outlet.domain}."
    return text


def lengths(facts: Facts) -> str:
    """Says how long the median article is where it is shortest and where it is longest."""
    known = sorted((c.median, c.name) for c in facts.placed if c.median is not None and c.documents >= FEW)
    known = known or sorted((c.median, c.name) for c in facts.placed if c.median is not None)
    if not known:
        return ""
    if len(known) == 1 or known[0][0] == known[-1][0]:
        return f"The median article has {count(known[0][0])} characters."
    (low, first), (high, last) = known[0], known[-1]
    return f"The median article has {count(low)} characters in {first}, the fewest, and {count(high)} in {last}."


def duplicates(facts: Facts) -> str:
    """Says how much of what was read had been read before, and where most."""
    if facts.copies is None:
        return ""
    exact, near = facts.copies.get("exact"), facts.copies.get("near")
    if exact is None and near is None:
        return ""
    total = (exact or 0) + (near or 0)
    of_read = share(total, facts.read)
    text = f"{some(total, 'record')} {were(total)} dropped as {'a copy' if total == 1 else 'copies'}"
    text += f", {of_read.full} of what was read" if of_read else ""
    text += f": {count(exact)} exact" if exact is not None else ": exact ones not recorded"
    text += f" and {count(near)} near" if near is not None else ", near ones not recorded"
    return text + _extremes("the share is largest", "smallest", _by(facts, lambda country: country.copied), "; ", ".")


def verification(facts: Facts) -> str:
    """Says for how much of the corpus two pieces of evidence agree on the country, and where they do least."""
    standings = facts.verified or _sums(country.verified or {} for country in facts.countries)
    total = sum(standings.values())
    found = {kind: share(standings[kind], total) for kind in STANDINGS if kind in standings}
    agree = found.get("agree")
    if agree is None:
        return ""
    text = f"For {agree.full} of the documents two independent pieces of evidence agree on the country"
    words = {"single": "one stands alone for", "conflict": "they conflict for", "none": "there is none for"}
    rest = [f"{words[kind]} {part.text}" for kind, part in found.items() if kind in words and part and part.part]
    text += f"; {listed(rest)}" if rest else ""
    return text + _extremes(
        "Agreement is most frequent", "least", _by(facts, lambda country: country.standing("agree")), ". ", "."
    )


def signal(countries: Iterable[Country], name: str, *, right: bool) -> Share | None:
    """Returns the share of the documents of some countries in which a signal names their country, or another one."""
    parts, wholes = [], []
    for country in countries:
        found = country.right if right else country.wrong
        if country.right is not None and found is not None:
            if name not in found:
                return None  # a sum over some of the countries would be read as one over all
            parts.append(found[name])
            wholes.append(country.right.get("documents", country.documents))
    return share(sum(parts), sum(wholes))


def signals(facts: Facts) -> str:
    """Says how much of the country can be read from the URL, by which signal, and how often it is wrong."""
    right = {name: signal(facts.placed, name, right=True) for name in SIGNALS}
    wrong = {name: signal(facts.placed, name, right=False) for name in SIGNALS}
    anything = right["any"]
    if anything is None:
        return ""
    text = f"The URL names the country of {anything.full} of the documents in some way"
    single = {name: found for name, found in right.items() if found and name not in ("any", "declared")}
    order = sorted(single, key=lambda name: -single[name].value)
    rest = [f"the {SIGNAL_NAMES[name]} for {single[name].text}" for name in order if single[name].part]
    text += f": {listed(rest, 5)}." if rest else "."
    astray = {name: found for name, found in wrong.items() if found and found.part and name != "any"}
    if astray:
        worst = max(astray, key=lambda name: astray[name].value)
        text += f" Another country is named most often by the {SIGNAL_NAMES[worst]}, for {astray[worst].full}"
        misled = _by(facts, lambda country: signal([country], worst, right=False))
        text += _extremes("most of all", "least", misled, ", ", ".")
    return text


def filters(facts: Facts) -> str:
    """Says how many filters remove countries unevenly, and where the gap is widest."""
    if facts.filters is None:
        return ""
    if not facts.filters:
        return "No filter takes noticeably more of one country than of the others."
    worst = max(facts.filters, key=lambda found: abs(found.share - found.elsewhere))
    places = next((country.name for country in facts.countries if country.code == worst.country), worst.country)
    reasons = {found.reason for found in facts.filters}
    return (
        f"{some(len(reasons), 'filter')} {'removes' if len(reasons) == 1 else 'remove'} countries unevenly, in "
        f"{some(len(facts.filters), 'case')}. The widest gap: {reason(worst.reason)} takes {percent(worst.share)} of "
        f"what was read from {places} (95% interval {number(100 * worst.low, 1)} to {number(100 * worst.high, 1)}%), "
        f"and {percent(worst.elsewhere)} elsewhere."
    )


def balance(facts: Facts) -> str:
    """Says how often groups are read when all weigh the same."""
    parts = []
    for groups, what in ((facts.continents, "continent"), (facts.balance, "country")):
        if groups and len(groups) > 1:
            most, least = max(groups, key=lambda g: g.repeats), min(groups, key=lambda g: g.repeats)
            parts.append(
                f"every {what}, {most.name} is read {times(most.repeats)} and {least.name} {times(least.repeats)}"
            )
    if not parts:
        return "There is only one group, so nothing has to be repeated." if facts.continents or facts.balance else ""
    return f"If as many tokens are drawn as there are, and the same number from {'; from '.join(parts)}."


def steps(facts: Facts) -> str:
    """Says which step took the most time, and how fast it was."""
    if not facts.steps:
        return ""
    total = sum(step.seconds for step in facts.steps)
    slowest = max(facts.steps, key=lambda step: step.seconds)
    text = (
        f"The steps took {duration(total)} together; the slowest is {reason(slowest.name)}, {duration(slowest.seconds)}"
    )
    if total:
        text += f" or {percent(slowest.seconds / total)} of the time"
    if slowest.documents is not None and slowest.seconds:
        text += f", at {count(slowest.documents / slowest.seconds)} documents a second"
    return text + "."


def _by(facts: Facts, what: Callable[[Country], Share | None]) -> list[tuple[str, Share]]:
    found = [(country.name, what(country)) for country in facts.placed]
    return [(name, part) for name, part in found if part is not None and part.whole >= FEW]


def _extremes(most: str, least: str, shares: list[tuple[str, Share]], before: str, after: str) -> str:
    """Names the largest and the smallest share where their intervals lie apart; otherwise chance would choose them."""
    if len(shares) < 2:
        return after
    shares = sorted(shares, key=lambda item: item[1].value)
    (low_name, low), (high_name, high) = shares[0], shares[-1]
    if low.ends[1] >= high.ends[0]:
        return after
    return f"{before}{most} in {high_name} ({high.text}) and {least} in {low_name} ({low.text}){after}"
