"""The page of a corpus, `corpus.html`, and what of it fits a terminal, both made of `audit.json` alone.

Older audits lack parts, and texts in an audit come from data: a part that is absent or of the wrong kind counts as not
recorded, and control characters are taken out.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
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
MOST_COUNTRIES = 48
"""Countries that figures show; the last table of the page shows all."""
MOST_REASONS, MOST_OUTLETS, MOST_FILTERS, MOST_YEARS = 20, 12, 24, 16
MOST_ROWS = 300
"""Rows of the table that holds every country, of problems and of damaged files."""
LINES, COLUMNS, SENTENCE = 60, 100, 240
"""What a terminal holds, and characters said about a part."""
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
COPIES = {"exact": "exact copies", "near": "near copies"}
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
        write_corpus_page(Path("corpora/news"))  # corpora/news/corpus.html
    """
    path = folder / PAGE if out is None else out
    html = render(read_audit(folder), folder.resolve().name)
    try:
        write_atomically(path, html)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another place") from None
    return path


def read_audit(folder: Path) -> dict[str, Any]:
    """Returns the audit of a corpus folder as plain data, with what only its manifest knows.

    That is the fingerprint, the sources and the time of each step, where the audit does not name them itself.

    Args:
        folder: of a corpus.

    Raises:
        UserError: where there is no audit, or what stands there is none, or the manifest beside it is damaged.

    Example:
        read_audit(Path("corpora/news"))["documents"]  # 9812
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


def mapping(value: object) -> Mapping[str, Any]:
    """Returns a mapping, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """Returns a list, or an empty one for anything else."""
    return value if isinstance(value, list | tuple) else ()


def amount(value: object) -> float:
    """Returns a number that may be a count or a share, or NaN for anything that is neither."""
    return float(value) if is_number(value) and 0 <= value <= LARGEST else math.nan


def dig(value: object, *keys: str) -> Any:
    """Returns what lies under nested keys, or None."""
    for key in keys:
        value = mapping(value).get(key)
    return value


def table(entries: object, texts: Sequence[str] = (), amounts: Iterable[str] = ()) -> pd.DataFrame:
    """Returns a list or a mapping of records as a data frame with these columns; `a.b` is a nested key.

    The index is the keys of a mapping, or the places in a list. NaN is what is not recorded.
    """
    numbered = {at: entry for at, entry in enumerate(items(entries)) if mapping(entry)}
    rows: Mapping[Any, Any] = mapping(entries) or numbered
    amounts = list(amounts)
    cells = [
        [*(text(dig(row, name)) for name in texts), *(amount(dig(row, *name.split("."))) for name in amounts)]
        for row in rows.values()
    ]
    return pd.DataFrame(cells, list(rows), [*texts, *amounts]).astype(dict.fromkeys(amounts, float))


def shares(part: pd.Series, of: pd.Series) -> pd.Series:
    """Returns a share for each row, None where it is not recorded."""
    return pd.Series([share(*pair) for pair in zip(part, of, strict=True)], part.index, dtype=object)


class Audit:
    """An audit as data frames; NaN is what is not recorded."""

    def __init__(self, data: Mapping[str, Any], name: str = "") -> None:
        self.data = data
        self.name = text(data.get("name")) or text(name) or "Corpus"
        self.fingerprint = text(data.get("fingerprint"), 64)
        self.sources = [text(source) for source in items(data.get("sources"))]
        self.documents, self.read = whole(data.get("documents")) or 0, whole(data.get("in"))
        self.drops: dict[str, int] | None = None
        """Reason -> records, the most frequent first; None where it is not recorded."""
        if isinstance(data.get("drops"), Mapping):
            found = [(words(name), n) for name, entry in data["drops"].items() if (n := whole(entry)) is not None]
            self.drops = dict(sorted(found, key=lambda item: (-item[1], item[0])))
        edges = [float(edge) for edge in items(dig(data, "lengths", "edges")) if is_number(edge)]
        rising = len(edges) > 1 and edges[0] >= 0 and sorted(set(edges)) == edges
        self.edges = edges if rising else []
        """Of the bins of lengths, in characters."""

        self.countries = self._countries()
        """A row for each country, in the order of the page; the documents without a country have an empty code."""
        self.placed = self.countries[self.countries.index != ""]
        largest = self.countries.nlargest(MOST_COUNTRIES, "documents").index
        self.shown = self.countries[self.countries.index.isin(largest)]
        """The largest countries, in the order of the page."""
        self.tokens = float(self.countries["tokens"].sum(min_count=1))
        self.years = self._years()
        """Documents by country and year; an empty year is no date."""

        looked = table(data.get("signals"), (), [*SIGNALS, "documents"]).reindex(self.countries.index)
        self.right = looked.fillna({"documents": self.countries["documents"]}).dropna(subset=[*SIGNALS], how="all")
        """Documents in which a signal names the country, and all `documents` that were looked at."""
        self.wrong = table(data.get("signals_wrong"), (), SIGNALS).reindex(self.countries.index)
        """Documents in which a signal names another country."""
        single = self.wrong.drop(columns=["any", "declared"]).max(axis=1)
        # smaller than a signal that it includes: it cannot have been counted
        self.wrong["any"] = self.wrong["any"].mask(self.wrong["any"] < single)

        self.outlets = whole(dig(data, "outlets", "number"))
        listed = table(items(dig(data, "outlets", "largest")), ("domain", "country"), SPLITS)
        listed["documents"] = listed[[*SPLITS]].sum(axis=1)
        listed = listed.sort_values(["documents", "domain"], ascending=[False, True], ignore_index=True)
        self.listed = listed[["domain", "country", "documents"]]
        """The largest outlets: domain, country, documents."""
        leaders = self.listed.drop_duplicates("country").set_index("country")[["domain", "documents"]]
        leaders = leaders.rename(columns={"documents": "there"})
        leaders = self.placed[["name", "documents"]].join(leaders, how="inner")
        leaders["share"] = shares(leaders["there"], leaders["documents"])
        self.leaders = leaders[["name", "domain", "share"]].dropna()
        """The largest outlet of each country that has one among the largest of all."""
        self.filters = table(items(data.get("filters")), ("reason", "country"), ("share", "low", "high", "elsewhere"))
        """Filters that remove countries unevenly, the widest gap first."""
        self.filters = self.filters[(self.filters.iloc[:, 2:] <= 1).all(axis=1)]
        gap = (self.filters["share"] - self.filters["elsewhere"]).abs()
        self.filters = self.filters.loc[gap.sort_values(ascending=False, kind="stable").index]
        self.filters["reason"] = self.filters["reason"].map(words)
        self.filters["country"] = self.filters["country"].map(country_name).map(text)
        self.steps = table(data.get("seconds"), (), ("seconds", "documents")).dropna(subset="seconds")
        self.steps.index = self.steps.index.map(words)
        self.files = table(items(data.get("files")), ("file", "problem"))
        """Damaged files and what is wrong with them."""

    def _countries(self) -> pd.DataFrame:
        sizes, standings = [f"{split}.bytes" for split in SPLITS], [f"verified.{kind}" for kind in STANDINGS]
        documents = [f"{split}.documents" for split in SPLITS]
        entries = {**mapping(self.data.get("countries")), "": mapping(self.data.get("no_country"))}
        found = table(entries, ["continent"], [*documents, *sizes, "tokens", "outlets", "in", *standings])
        found["documents"] = found[documents].sum(axis=1)
        found["bytes"] = found[sizes].sum(axis=1, min_count=1)
        found["verified"] = found[standings].sum(axis=1, min_count=1)
        names = dict(zip([*documents, *standings, "in"], [*SPLITS, *STANDINGS, "read"], strict=True))
        found = found.rename(columns=names)
        found["name"] = [text(country_name(code)) if code else "no country" for code in found.index]
        found["continent"] = found["continent"].replace("", OTHER)
        bins = {code: [whole(n) or 0 for n in items(dig(self.data, "lengths", "countries", code))] for code in entries}
        medians = {code: whole(dig(self.data, "lengths", "median", code)) for code in entries}
        found["median"] = [float(medians[code] or _middle(bins[code], self.edges)) for code in entries]
        found["lengths"] = [b if abs(len(b) - len(self.edges)) <= 1 and any(b) else [] for b in bins.values()]
        copies = dig(self.data, "duplicates", "countries")
        found = found.join(table(copies, (), COPIES))
        if isinstance(copies, Mapping):  # a country without copies has no entry
            found.loc[found[[*COPIES]].isna().all(axis=1), [*COPIES]] = 0
        found["copied"] = shares(found[[*COPIES]].sum(axis=1, min_count=1), found["read"])
        found["kept"] = shares(found["documents"], found["read"])
        found["problem"] = [_problem(*row) for row in found[["train", "test"]].itertuples()]
        ranks = {name: rank for rank, name in enumerate(CONTINENTS)}
        found["rank"] = found["continent"].map(ranks).fillna(len(ranks)) + 0.5 * (found.index == "")
        found = found[(found.index != "") | (found["documents"] > 0)]
        return found.sort_values(["rank", "continent", "documents", "name"], ascending=[True, True, False, True])

    def _years(self) -> pd.DataFrame:
        entries = {code: mapping(dig(self.data, "years", code)) for code in self.countries.index}
        years = sorted({year for entry in entries.values() for year in entry if re.fullmatch("([0-9]{4})?", year)})
        return table(entries, (), years).dropna(how="all").fillna(0)

    def balance(self, by: str) -> pd.Series:
        """Returns how often each continent or country is read when all weigh the same, the smallest first."""
        repeats = table(dig(self.data, "balance", by), (), ["repeats"])["repeats"].sort_values(kind="stable")
        repeats.index = repeats.index.map(country_name if by == "country" else lambda key: key or OTHER).map(text)
        return repeats[repeats > 0]

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
        for problem, rows in self.placed.groupby("problem", sort=False):
            if problem and not any(one.startswith(problem) for one in named):
                found.append(f"{problem}: {listed(rows['name'], 8)}")
        for _, file, problem in self.files.itertuples():
            found += [] if any(one.startswith(file) for one in named) else [f"{file}: {problem}"]
        return [*found, *named]

    def signal(self, name: str, *, right: bool) -> Share | None:
        """Returns the share over countries; None where one does not record it: a partial sum would be misread."""
        side = (self.right if right else self.wrong).loc[self.right.index.drop("", errors="ignore")]
        side = side.dropna(how="all", subset=[*SIGNALS])
        if side[name].isna().any():
            return None
        return share(side[name].sum(), self.right.loc[side.index, "documents"].sum())

    def signals(self, name: str, *, right: bool) -> pd.Series:
        """Returns the share of each country's documents in which a signal names it, or another country."""
        return shares((self.right if right else self.wrong).loc[self.right.index, name], self.right["documents"])

    def standings(self, kind: str) -> pd.Series:
        """Returns the share of each country's documents whose evidence stands so."""
        return shares(self.countries[kind].fillna(0), self.countries["verified"])


def _problem(code: str, train: float, test: float) -> str:
    """Says what is wrong with the splits of a country; empty where nothing is."""
    if not code or math.isnan(train) or math.isnan(test) or (train and test):
        return ""
    return "tested but not trained on" if test else "trained on but not tested" if train else "no document was kept"


def _middle(bins: Sequence[int], edges: Sequence[float]) -> float:
    """Returns the median between the edges of its bin, where bins are all that is recorded and none is open."""
    if len(bins) + 1 != len(edges) or not edges[0] or not sum(bins):
        return math.nan
    half = sum(bins) / 2
    at = int(np.searchsorted(np.cumsum(bins), half))
    inside = (half - sum(bins[:at])) / bins[at]
    return round(edges[at] * math.exp(inside * math.log(edges[at + 1] / edges[at])))


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
    """Returns as many of the largest countries as fit, with the headings of their continents."""
    table = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("country", no_wrap=True, overflow="ellipsis", max_width=24)
    for name in ("docs", "test", "tokens", "outlets", "kept", "copies", "agree", "median", "repeat"):
        table.add_column(name, justify="right", no_wrap=True)
    repeats, agree = dict(audit.balance("country")), audit.standings("agree")
    fits = audit.countries.sort_values("documents", ascending=False, kind="stable")
    while len(fits) and len(fits) + fits["continent"].nunique() > lines:
        fits = fits[:-1]

    def known(value: float, show: Callable[[float], str] = count) -> str:
        return "" if math.isnan(value) else show(value)

    for continent, rows in audit.countries[audit.countries.index.isin(fits.index)].groupby("continent", sort=False):
        table.add_row(Styled(continent, style="bold"))
        for c in rows.itertuples():
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
    if left := len(audit.countries) - len(fits):
        table.add_row(Styled(f"  {left} smaller ones"))
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
