"""The audit of a corpus, `audit.json`, read into data frames.

Older audits lack parts, and texts in an audit come from data: a part that is absent or of the wrong kind counts as not
recorded, and control characters are taken out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dateline.errors import UserError
from dateline.manifest import read_manifest
from dateline.records import CONTINENTS, SPLITS
from dateline.report.words import (
    OTHER,
    Share,
    count,
    country_name,
    is_number,
    listed,
    share,
)

AUDIT = "audit.json"
MOST_COUNTRIES = 48
"""Countries that figures show; the last table of the page shows all."""
LONGEST = 300
"""Characters of a text from data that are kept."""
LARGEST = 10**18
"""A number beyond this is damage, not a count."""
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


def read_audit(folder: Path) -> dict[str, Any]:
    """Returns the audit of a corpus folder as plain data, with what only its manifest knows.

    That is the fingerprint, the sources and the time of each step, where the audit does not name them itself.

    Args:
        folder: of a corpus.

    Raises:
        UserError: where there is no audit, or what stands there is none, or the manifest beside it is damaged.

    Example:
        >>> read_audit(Path("corpora/news"))["documents"]
        9812
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
