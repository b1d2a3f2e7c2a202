"""The audit of a corpus as it is shown: read with tolerance, and one sentence for each of its parts.

Older audits lack parts, and texts in an audit come from data: a part that is absent or of the wrong kind counts as not
recorded, and control characters are taken out. The documents are never read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dateline.errors import UserError
from dateline.manifest import read_manifest
from dateline.records import CONTINENTS, SPLITS
from dateline.report.words import (
    NOT_RECORDED,
    OTHER,
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

PAGE, AUDIT = "corpus.html", "audit.json"
MOST_COUNTRIES = 48
"""Countries that figures show; the last table of the page shows all."""
LONGEST = 300
"""Characters of a text from data that are kept."""
LARGEST = 10**18
"""A number beyond this is damage, not a count."""
FEW = 30
"""Shares and medians of fewer documents than this are not named as extremes: chance would choose them."""
SIGNALS = {
    "suffix": "suffix",
    "outlet": "outlet table",
    "subdomain": "sub-domain",
    "path": "path",
    "query": "query",
    "any": "any of these",
    "declared": "declared",
}

STANDINGS = {"agree": "two agree", "single": "one alone", "conflict": "conflict", "none": "no evidence"}


@dataclass(frozen=True, slots=True)
class Country:
    """One country of the audit; the documents without one have an empty code. None is what is not recorded."""

    code: str
    name: str
    continent: str
    splits: dict[str, int]
    bytes: int | None
    tokens: int | None
    outlets: int | None
    read: int | None
    median: int | None
    verified: dict[str, int]
    years: dict[str, int]
    lengths: list[int]
    copies: dict[str, int] | None
    right: dict[str, int]
    """Signal -> documents in which it names this country; `documents` -> all that were looked at."""
    wrong: dict[str, int]

    @property
    def documents(self) -> int:
        """Of all splits."""
        return sum(self.splits.values())

    @property
    def copied(self) -> Share | None:
        """The share of the records read that were copies of another."""
        return share(sum(self.copies.get(kind, 0) for kind in ("exact", "near")), self.read) if self.copies else None

    def standing(self, kind: str) -> Share | None:
        """Returns the share of the documents whose evidence stands so."""
        return share(self.verified.get(kind, 0), sum(self.verified.values()))

    def signal(self, name: str, *, right: bool) -> Share | None:
        """Returns the share of the documents in which a signal names this country, or another one."""
        found = self.right if right else self.wrong
        return share(found.get(name), self.right.get("documents", self.documents)) if self.right else None

    @property
    def problem(self) -> str:
        """What is wrong with this country's splits; empty where nothing is."""
        train, test = self.splits.get("train"), self.splits.get("test")
        if not self.code or train is None or test is None or (train and test):
            return ""
        return "tested but not trained on" if test else "trained on but not tested" if train else "no document was kept"


class Audit:
    """An audit, read with tolerance: every access says whether the part was recorded."""

    def __init__(self, data: Mapping[str, Any], name: str = "") -> None:
        self.data = data
        self.name = text(data.get("name")) or text(name) or "Corpus"
        self.documents, self.read = whole(data.get("documents")) or 0, whole(data.get("in"))
        self.drops = counts(data["drops"]) if isinstance(data.get("drops"), Mapping) else None
        self.outlets = whole(self.get("outlets", "number"))
        edges = [float(edge) for edge in items(self.get("lengths", "edges")) if is_number(edge)]
        rising = len(edges) > 1 and edges[0] >= 0 and sorted(set(edges)) == edges
        self.edges = edges if rising else []
        codes = [*mapping(data.get("countries")), *([""] if documents_of(data.get("no_country")) else [])]
        self.countries = sorted((self._country(code) for code in codes), key=_order)
        self.placed = [country for country in self.countries if country.code]
        self.largest = sorted(self.countries, key=lambda c: -c.documents)[:MOST_COUNTRIES]
        self.shown = [country for country in self.countries if country in self.largest]
        """The largest countries, in the order of the page."""

    def get(self, *keys: str) -> Any:
        """Returns what lies under nested keys, or None."""
        found: Any = self.data
        for key in keys:
            found = mapping(found).get(key)
        return found

    def _country(self, code: str) -> Country:
        entry = mapping(self.get("countries", code) if code else self.data.get("no_country"))
        sizes = [whole(mapping(entry.get(split)).get("bytes")) for split in SPLITS]
        bins = [whole(n) or 0 for n in items(self.get("lengths", "countries", code))]
        recorded = isinstance(self.get("duplicates", "countries"), Mapping)
        wrong = counts(self.get("signals_wrong", code))
        if wrong.get("any", 0) < max((n for name, n in wrong.items() if name not in ("any", "declared")), default=0):
            wrong.pop("any", None)  # smaller than a signal that it includes: it cannot have been counted
        copies = counts(self.get("duplicates", "countries", code))
        return Country(
            code=text(code, 40),
            name=text(country_name(code)) if code else "no country",
            continent=text(entry.get("continent"), 40) or OTHER,
            splits={s: n for s in SPLITS if (n := whole(mapping(entry.get(s)).get("documents"))) is not None},
            bytes=sum(n for n in sizes if n is not None) if any(n is not None for n in sizes) else None,
            tokens=whole(entry.get("tokens")),
            outlets=whole(entry.get("outlets")),
            read=whole(entry.get("in")),
            median=whole(self.get("lengths", "median", code)) or _middle(bins, self.edges),
            verified=counts(entry.get("verified")),
            years={y: n for y, n in counts(self.get("years", code)).items() if not y or re.fullmatch("[0-9]{4}", y)},
            lengths=bins if abs(len(bins) - len(self.edges)) <= 1 and any(bins) else [],
            copies=copies or ({"exact": 0, "near": 0} if recorded else None),
            right=counts(self.get("signals", code)),
            wrong=wrong,
        )

    @property
    def tokens(self) -> int | None:
        """Estimated tokens of all countries that have an estimate."""
        known = [country.tokens for country in self.countries if country.tokens is not None]
        return sum(known) if known else None

    @property
    def listed_outlets(self) -> list[tuple[str, str, int]]:
        """The largest outlets: domain, country, documents; most documents first."""
        found = [
            (text(e.get("domain"), 100), text(e.get("country"), 40), sum((whole(e.get(s)) or 0 for s in SPLITS), 0))
            for e in map(mapping, items(self.get("outlets", "largest")))
        ]
        return sorted(found, key=lambda outlet: (-outlet[2], outlet[0]))

    @property
    def filters(self) -> list[tuple[str, str, float, float, float, float]] | None:
        """Filters that remove countries unevenly: reason, country, share, low, high, elsewhere; widest gap first."""
        if not isinstance(self.data.get("filters"), list):
            return None
        found = []
        for entry in map(mapping, self.data["filters"]):
            part, low, high, elsewhere = (real(entry.get(key)) for key in ("share", "low", "high", "elsewhere"))
            if all(0 <= n <= 1 for n in (part, low, high, elsewhere)):
                found.append((words(entry.get("reason")), text(entry.get("country"), 40), part, low, high, elsewhere))
        return sorted(found, key=lambda f: -abs(f[2] - f[5]))

    def balance(self, by: str) -> list[tuple[str, float]]:
        """Returns how often each continent or country is read when all weigh the same."""
        entries = mapping(self.get("balance", by)).items()
        found = [(text(key, 40), mapping(entry).get("repeats")) for key, entry in entries]
        return [
            (text(country_name(key)) if by == "country" else key or OTHER, float(n))
            for key, n in found
            if is_number(n) and 0 < n < LARGEST
        ]

    @property
    def steps(self) -> list[tuple[str, float, int | None]]:
        """Steps: name, seconds, documents."""
        found = [
            (words(k), mapping(e).get("seconds"), whole(mapping(e).get("documents")))
            for k, e in mapping(self.data.get("seconds")).items()
        ]
        return [(name, float(s), n) for name, s, n in found if is_number(s) and 0 <= s < LARGEST]

    @property
    def files(self) -> list[tuple[str, str]]:
        """Damaged files and what is wrong with them."""
        entries = map(mapping, items(self.data.get("files")))
        return [(text(entry.get("file")), text(entry.get("problem"))) for entry in entries if entry]

    @property
    def unaccounted(self) -> int:
        """Records read minus kept and dropped; 0 where they add up or are not recorded."""
        if self.read is None or self.drops is None:
            return 0
        return self.read - self.documents - sum(self.drops.values())

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong: sums, splits of countries, damaged files, and what the audit names itself."""
        named = [text(problem, 1000) for problem in items(self.data.get("problems"))]
        found = []
        if self.unaccounted:
            way = "are missing" if self.unaccounted > 0 else "are too many"
            found.append(f"{count(abs(self.unaccounted))} records {way}: kept and dropped do not add up to those read")
        for problem in dict.fromkeys(country.problem for country in self.placed):
            if problem and not any(one.startswith(problem) for one in named):
                found.append(f"{problem}: {listed((c.name for c in self.placed if c.problem == problem), 8)}")
        found += [f"{f}: {p}" for f, p in self.files if not any(one.startswith(f) for one in named)]
        return [*found, *named]


def read_audit(folder: Path) -> dict[str, Any]:
    """Returns the audit of a corpus folder as plain data, with what only its manifest knows.

    That is the fingerprint, the sources and the time of each step, where the audit does not name them itself.

    Args:
        folder: of a corpus.

    Raises:
        UserError: where there is no audit, or what stands there is none, or the manifest beside it is damaged.
    """
    path = folder / AUDIT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder}: holds no {AUDIT}; name a folder that `dateline corpus` made") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({text(error, 120)}); build the corpus again") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds no mapping; build the corpus again")
    manifest = read_manifest(folder)
    if manifest is None:
        return found
    seconds = {name: {"seconds": spent} for name, spent in mapping(manifest.facts.get("seconds")).items()}
    known = {"fingerprint": manifest.fingerprint, "sources": items(manifest.recipe.get("paths")), "seconds": seconds}
    return known | found


# Reading with tolerance


def text(value: object, longest: int = LONGEST) -> str:
    """Returns a text on one line without control characters or direction marks, cut with an ellipsis."""
    if value is None:
        return ""
    words = value if isinstance(value, str) else json.dumps(value, default=str)
    line = " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in words[:100_000]).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "\u2026"


def words(name: object) -> str:
    """Returns a reason or a step as words: `near_duplicate` -> `near duplicate`."""
    return text(name, 80).replace("_", " ")


def whole(value: object) -> int | None:
    """Returns a count, or None for anything that is none."""
    return int(value) if isinstance(value, int | float) and is_number(value) and 0 <= value <= LARGEST else None


def real(value: object) -> float:
    """Returns a number, or NaN for anything that is none."""
    return float(value) if is_number(value) else math.nan


def mapping(value: object) -> Mapping[str, Any]:
    """Returns a mapping, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """Returns a list, or an empty one for anything else."""
    return value if isinstance(value, list | tuple) else ()


def counts(value: object) -> dict[str, int]:
    """Returns the counts of a mapping; what is no count is left out."""
    return {text(key, 80): n for key, entry in mapping(value).items() if (n := whole(entry)) is not None}


def documents_of(entry: object) -> int:
    """Returns the documents of all splits."""
    return sum(whole(mapping(mapping(entry).get(split)).get("documents")) or 0 for split in SPLITS)


def _order(country: Country) -> tuple[int, str, int, str]:
    known = country.continent in CONTINENTS
    rank = CONTINENTS.index(country.continent) if known else len(CONTINENTS) + (not country.code)
    return rank, country.continent, -country.documents, country.name


def _middle(bins: Sequence[int], edges: Sequence[float]) -> int | None:
    """Returns the median between the edges of its bin, where bins are all that is recorded and none is open."""
    if len(bins) + 1 != len(edges) or not edges[0] or not sum(bins):
        return None
    below, at = 0, 0
    while 2 * (below + bins[at]) < sum(bins):
        below, at = below + bins[at], at + 1
    inside = (sum(bins) / 2 - below) / bins[at]
    return round(edges[at] * math.exp(inside * math.log(edges[at + 1] / edges[at])))


# Sentences: what one sees in each part; empty where the audit does not record it


def lead(audit: Audit) -> str:
    """Says how much was read, how much was kept, and from where."""
    kept = share(audit.documents, audit.read)
    start = f"{some(audit.documents, 'document')} kept"
    if kept is not None:
        start = f"Of {some(kept.whole, 'record')} read, {count(kept.part)} {_were(kept.part)} kept, {kept.full}"
    parts = [f"from {some(len(audit.placed), 'country')}"]
    parts += [some(audit.outlets, "outlet")] if audit.outlets is not None else []
    parts += [f"about {large(audit.tokens)} tokens"] if audit.tokens is not None else []
    return f"{start}: {', '.join(parts)}."


def say_drops(audit: Audit) -> str:
    """Says what was dropped, and why most of it was."""
    if audit.drops is None:
        return ""
    total = sum(audit.drops.values())
    if not total:
        return "Nothing was dropped."
    name, most = max(audit.drops.items(), key=lambda item: item[1])
    part = share(most, audit.read)
    said = f"{words(name)} ({count(most)}{f', {part.text} of what was read' if part else ''})"
    said = f"{some(total, 'record')} {_were(total)} dropped; the most frequent reason is {said}."
    if audit.read is not None and not audit.unaccounted:
        said += f" Every record is accounted for: {count(audit.read)} read = {count(audit.documents)} kept + "
        said += f"{count(total)} dropped."
    return said


def say_countries(audit: Audit) -> str:
    """Says which country has the most documents, and which the fewest."""
    placed = sorted((c for c in audit.placed if c.documents), key=lambda country: -country.documents)
    if not placed:
        return "No document has a country."
    first, last = placed[0], placed[-1]
    if len(placed) == 1:
        return f"All documents with a country come from {first.name} ({some(first.documents, 'document')})."
    part = share(first.documents, audit.documents)
    ratio = first.documents / last.documents
    said = f"{first.name} has the most documents, {count(first.documents)}{f' or {part.full}' if part else ''}; "
    said += f"{last.name} has the fewest, {count(last.documents)}, a factor of {number(ratio, 0 if ratio > 9 else 1)}."
    nowhere = share(sum(c.documents for c in audit.countries if not c.code), audit.documents)
    return said + (f" {nowhere.text} of all documents have no country." if nowhere and nowhere.part else "")


def say_years(audit: Audit) -> str:
    """Says which years are covered, and which countries have gaps between their years."""
    total = _sums(country.years for country in audit.countries)
    dated = {year: n for year, n in total.items() if year and n}
    if not total:
        return ""
    if not dated:
        return "No document has a date."
    best, undated = max(dated, key=lambda y: (dated[y], y)), share(total.get("", 0), sum(total.values()))
    span = f"from {min(dated)} to {max(dated)}; the most frequent year is {best}" if len(dated) > 1 else best
    said = f"The documents are dated {span} ({count(dated[best])})"
    said += f"; {undated.text} ({count(undated.part)}) have no date." if undated and undated.part else "; all have one."
    holes = []
    for country in audit.placed:
        known = sorted(int(year) for year, n in country.years.items() if year and n)
        gaps = [str(year) for year in range(known[0], known[-1]) if year not in known] if known else []
        holes += [f"{country.name} ({listed(gaps, 3)})"] if gaps else []
    return said + (f" No documents for years in between: {listed(holes, 5)}." if holes else "")


def say_outlets(audit: Audit) -> str:
    """Says how many outlets there are, how large the largest is, and where one outlet dominates."""
    top = audit.listed_outlets
    if audit.outlets is None and not top:
        return ""
    said = some(audit.outlets, "outlet") if audit.outlets is not None else "The number of outlets is not recorded"
    if top:
        part = share(top[0][2], audit.documents)
        said += f"; the largest, {top[0][0]}, wrote {some(top[0][2], 'document')}{f', {part.full}' if part else ''}"
    shares = [(c, o, s) for c in audit.placed if (o := largest_outlet(audit, c)) and (s := share(o[2], c.documents))]
    shares = [found for found in shares if found[2].whole >= FEW]
    if len(shares) > 1:
        country, outlet, most = max(shares, key=lambda found: found[2].value)
        said += f". {country.name} depends most on a single one: {most.full} of its documents are from {outlet[0]}"
    return said + "."


def say_lengths(audit: Audit) -> str:
    """Says how long the median article is where it is shortest and where it is longest."""
    known = sorted((c.median, c.name) for c in audit.placed if c.median is not None and c.documents >= FEW)
    known = known or sorted((c.median, c.name) for c in audit.placed if c.median is not None)
    if not known or known[0][0] == known[-1][0]:
        return f"The median article has {count(known[0][0])} characters." if known else ""
    (low, first), (high, last) = known[0], known[-1]
    return f"The median article has {count(low)} characters in {first}, the fewest, and {count(high)} in {last}."


def say_duplicates(audit: Audit) -> str:
    """Says how much of what was read had been read before, and where most."""
    found = counts(audit.data.get("duplicates"))
    if "exact" not in found and "near" not in found:
        return ""
    total = found.get("exact", 0) + found.get("near", 0)
    part = share(total, audit.read)
    kinds = [f"{count(found[k]) if k in found else NOT_RECORDED} {k}" for k in ("exact", "near")]
    said = (
        f"{some(total, 'record')} {_were(total)} dropped as copies{f', {part.full} of what was read' if part else ''}"
    )
    return (
        f"{said}: {' and '.join(kinds)}{_extremes('the share is largest', 'smallest', audit, lambda c: c.copied, '; ')}"
    )


def say_evidence(audit: Audit) -> str:
    """Says for how much of the corpus two pieces of evidence agree on the country, and where they do least."""
    totals = {k: n for k in STANDINGS if (n := whole(audit.get("verified", k, "documents"))) is not None}
    totals = totals or _sums(country.verified for country in audit.countries)
    found = {kind: share(totals[kind], sum(totals.values())) for kind in STANDINGS if kind in totals}
    agree = found.get("agree")
    if agree is None:
        return ""
    said = {"single": "one stands alone for", "conflict": "they conflict for", "none": "there is none for"}
    rest = [f"{said[kind]} {part.text}" for kind, part in found.items() if kind in said and part and part.part]
    return (
        f"For {agree.full} of the documents two independent pieces of evidence agree on the country"
        + (f"; {listed(rest)}" if rest else "")
        + _extremes("Agreement is most frequent", "least", audit, lambda c: c.standing("agree"), ". ")
    )


def say_signals(audit: Audit) -> str:
    """Says how much of the country can be read from the URL, by which signal, and how often it is wrong."""
    right = {name: signal(audit.placed, name, right=True) for name in SIGNALS}
    wrong = {name: signal(audit.placed, name, right=False) for name in SIGNALS}
    anything = right["any"]
    if anything is None:
        return ""
    single = [
        (name, found) for name, found in right.items() if found and found.part and name not in ("any", "declared")
    ]
    rest = [f"the {SIGNALS[name]} for {found.text}" for name, found in sorted(single, key=lambda s: -s[1].value)]
    said = f"The URL names the country of {anything.full} of the documents in some way"
    said += f": {listed(rest)}." if rest else "."
    astray = {name: found for name, found in wrong.items() if found and found.part and name != "any"}
    if astray:
        worst = max(astray, key=lambda name: astray[name].value)
        said += f" Another country is named most often by the {SIGNALS[worst]}, for {astray[worst].full}"
        said += _extremes("most of all", "least", audit, lambda c: c.signal(worst, right=False), ", ")
    return said


def say_filters(audit: Audit) -> str:
    """Says how many filters remove countries unevenly, and where the gap is widest."""
    found = audit.filters
    if not found:
        return "" if found is None else "No filter takes noticeably more of one country than of the others."
    reason, code, part, low, high, elsewhere = found[0]
    reasons = len({one[0] for one in found})
    return (
        f"{some(reasons, 'filter')} {'removes' if reasons == 1 else 'remove'} countries unevenly, in "
        f"{some(len(found), 'case')}. The widest gap: {reason} takes {percent(part)} of what was read from "
        f"{text(country_name(code))} (95% CI {number(100 * low, 1)} to {number(100 * high, 1)}%), and "
        f"{percent(elsewhere)} elsewhere."
    )


def say_balance(audit: Audit) -> str:
    """Says how often groups are read when all weigh the same."""
    parts = []
    for by in ("continent", "country"):
        groups = sorted(audit.balance(by), key=lambda group: group[1])
        if len(groups) > 1:
            (low, least), (high, most) = groups[0], groups[-1]
            parts.append(f"every {by}, {high} is read {times(most)} and {low} {times(least)}")
    if parts:
        return f"If as many tokens are drawn as there are, and the same number from {'; from '.join(parts)}."
    only = audit.balance("continent") or audit.balance("country")
    return "There is only one group, so nothing has to be repeated." if only else ""


def say_steps(audit: Audit) -> str:
    """Says which step took the most time, and how fast it was."""
    if not audit.steps:
        return ""
    total = sum(seconds for _, seconds, _ in audit.steps)
    name, seconds, documents = max(audit.steps, key=lambda step: step[1])
    said = f"The steps took {duration(total)} together; the slowest is {name}, {duration(seconds)}"
    said += f" or {percent(seconds / total)} of the time" if total else ""
    return said + (f", at {count(documents / seconds)} documents a second." if documents and seconds else ".")


def signal(countries: Iterable[Country], name: str, *, right: bool) -> Share | None:
    """Returns the share over countries; None where one does not record it: a partial sum would be misread."""
    used = [(country, country.right if right else country.wrong) for country in countries]
    used = [(country, found) for country, found in used if country.right and found]
    if any(name not in found for _, found in used):
        return None
    wholes = [country.right.get("documents", country.documents) for country, _ in used]
    return share(sum(found[name] for _, found in used), sum(wholes))


def _were(amount: int) -> str:
    return "was" if amount == 1 else "were"


def _sums(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, documents in part.items():
            total[name] = total.get(name, 0) + documents
    return total


def largest_outlet(audit: Audit, country: Country) -> tuple[str, str, int] | None:
    """Returns the largest outlet of a country, if it is among the largest of all."""
    return next((outlet for outlet in audit.listed_outlets if outlet[1] == country.code), None)


def _extremes(most: str, least: str, audit: Audit, what: Callable[[Country], Share | None], before: str) -> str:
    """Names the largest and the smallest share where their intervals lie apart; otherwise chance would choose them."""
    shares = [(found, c.name) for c in audit.placed if (found := what(c)) is not None and found.whole >= FEW]
    shares.sort(key=lambda item: item[0].value)
    if len(shares) < 2 or shares[0][0].ends[1] >= shares[-1][0].ends[0]:
        return "."
    (low, first), (high, last) = shares[0], shares[-1]
    return f"{before}{most} in {last} ({high.text}) and {least} in {first} ({low.text})."
