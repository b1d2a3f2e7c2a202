"""The audit of a corpus: `corpus.html`, one file, and what fits a terminal.

Only `audit.json` and the manifest are read, never the documents. Older audits lack parts, and texts in an audit come
from data: a part that is absent or of the wrong kind counts as not recorded, and control characters are taken out.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text as Styled

from dateline.errors import UserError
from dateline.manifest import read_manifest, write_atomically
from dateline.records import CONTINENTS, SPLITS
from dateline.report import figures
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
LONGEST = 300
"""Characters of a text from data that are kept."""
LARGEST = 10**18
"""A number beyond this is damage, not a count."""
FEW = 30
"""Shares and medians of fewer documents than this are not named as extremes: chance would choose them."""
MOST_COUNTRIES, MOST_REASONS, MOST_OUTLETS, MOST_FILTERS, MOST_YEARS = 48, 20, 12, 24, 16
MOST_ROWS = 300
"""Rows of the table that holds every country, of problems and of damaged files."""
LINES, COLUMNS, SENTENCE = 60, 100, 240
"""What a terminal holds, and characters said about a part."""
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


# Reading with tolerance


def text(value: object, longest: int = LONGEST) -> str:
    """Returns a text on one line without control characters or direction marks, cut with an ellipsis."""
    if value is None:
        return ""
    line = " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in str(value)[:100_000]).split())
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
    shares = [(c, o, s) for c in audit.placed if (o := _outlet(audit, c)) and (s := share(o[2], c.documents))]
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
    said = f"The URL names the country of {anything.full} of the documents in some way{f': {listed(rest)}' if rest else ''}."
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
    """Returns the share over countries; None where one does not record it, as a partial sum would read as one over all."""
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


def _outlet(audit: Audit, country: Country) -> tuple[str, str, int] | None:
    return next((outlet for outlet in audit.listed_outlets if outlet[1] == country.code), None)


def _extremes(most: str, least: str, audit: Audit, what: Callable[[Country], Share | None], before: str) -> str:
    """Names the largest and the smallest share where their intervals lie apart; otherwise chance would choose them."""
    shares = [(found, c.name) for c in audit.placed if (found := what(c)) is not None and found.whole >= FEW]
    shares.sort(key=lambda item: item[0].value)
    if len(shares) < 2 or shares[0][0].ends[1] >= shares[-1][0].ends[0]:
        return "."
    (low, first), (high, last) = shares[0], shares[-1]
    return f"{before}{most} in {last} ({high.text}) and {least} in {first} ({low.text})."


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
        outlet = _outlet(audit, country)
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
