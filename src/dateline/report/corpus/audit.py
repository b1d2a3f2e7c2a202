"""The audit of a corpus, read with tolerance: older audits lack parts, and texts in it come from data.

Enters: `audit.json`. Leaves: `Facts`.
Deliberately not done: no repair. A part that is absent or of the wrong kind counts as not recorded; only a median that
is not recorded is interpolated between the edges of its bin.
Control characters and marks of writing direction are taken out of texts here, because a terminal would obey them;
escaping is left to the template.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dateline.errors import UserError
from dateline.manifest import read_manifest
from dateline.records import CONTINENTS, SPLITS
from dateline.report.corpus.facts import (
    NOWHERE,
    STANDINGS,
    Cluster,
    Country,
    Counts,
    Facts,
    Filter,
    Group,
    Outlet,
    Step,
)
from dateline.report.numerals import is_number
from dateline.report.scoretable import country_name

AUDIT = "audit.json"
LONGEST = 300
"""Characters of a text from data that are kept."""
LARGEST = 10**18
"""A number beyond this is damage, not a count."""


def read_audit(folder: Path) -> dict[str, Any]:
    """Returns the audit of a corpus folder as plain data, with what only its manifest knows.

    That is the fingerprint, the sources and the time of each step, where the audit does not name them itself.

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


def facts_of(audit: Mapping[str, Any], name: str = "") -> Facts:
    """Returns what an audit says; `name` is used where it does not name its corpus."""
    countries = tuple(sorted(_countries(audit), key=_place_in_order))
    outlets, copies = mapping(audit.get("outlets")), mapping(audit.get("duplicates"))
    balance = mapping(audit.get("balance"))
    known = {country.code: country.continent for country in countries}
    return Facts(
        name=text(audit.get("name")) or text(name) or "Corpus",
        fingerprint=text(audit.get("fingerprint"), 64),
        sources=tuple(text(source) for source in items(audit.get("sources"))),
        documents=whole(audit.get("documents")) or 0,
        read=whole(audit.get("in")),
        splits={split: n for split in SPLITS if (n := _documents(mapping(audit.get("splits")).get(split))) is not None},
        drops=counts(audit.get("drops")),
        countries=countries,
        undated=whole(audit.get("undated")),
        outlets=whole(outlets.get("number")),
        largest=tuple(_outlets(outlets["largest"])) if "largest" in outlets else None,
        edges=_edges(mapping(audit.get("lengths")).get("edges")),
        copies=counts({key: copies.get(key) for key in ("exact", "near", "clusters")}) if copies else None,
        clusters=tuple(_clusters(copies["largest"])) if "largest" in copies else None,
        verified=_standings(audit.get("verified")),
        filters=tuple(_filters(audit["filters"])) if isinstance(audit.get("filters"), list) else None,
        bytes_per_token=real(balance.get("bytes_per_token")),
        continents=tuple(_groups(balance["continent"], {})) if "continent" in balance else None,
        balance=tuple(_groups(balance["country"], known)) if "country" in balance else None,
        steps=tuple(_steps(audit["seconds"])) if mapping(audit.get("seconds")) else None,
        files=tuple(
            (text(entry.get("file")), text(entry.get("problem")))
            for entry in map(mapping, items(audit.get("files")))
            if entry
        ),
        problems=tuple(text(problem, 1000) for problem in items(audit.get("problems"))),
    )


def text(value: object, longest: int = LONGEST) -> str:
    """Returns a text on one line without control characters or direction marks, cut with an ellipsis."""
    if value is None:
        return ""
    line = " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in str(value)[:100_000]).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "\u2026"


def whole(value: object) -> int | None:
    """Returns a count, or None for anything that is none."""
    found = real(value)
    return int(found) if found is not None and found >= 0 else None


def real(value: object) -> float | None:
    """Returns a finite number, or None for anything that is none."""
    if isinstance(value, int | float) and -LARGEST <= value <= LARGEST and is_number(value):
        return value
    return None


def mapping(value: object) -> Mapping[str, Any]:
    """Returns a mapping, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """Returns a list, or an empty one for anything else."""
    return value if isinstance(value, list | tuple) else ()


def counts(value: object) -> Counts | None:
    """Returns the counts of a mapping, or None where it is no mapping; what is no count is left out."""
    if not isinstance(value, Mapping):
        return None
    return {text(key, 80): n for key, entry in value.items() if (n := whole(entry)) is not None}


def _place_in_order(country: Country) -> tuple[int, str, int, str]:
    known = country.continent in CONTINENTS
    rank = CONTINENTS.index(country.continent) if known else len(CONTINENTS) + (not country.code)
    return rank, country.continent, -country.documents, country.name


def _documents(cell: object) -> int | None:
    return whole(mapping(cell).get("documents"))


def _countries(audit: Mapping[str, Any]) -> Iterator[Country]:
    for code, entry in mapping(audit.get("countries")).items():
        yield _country(audit, code, mapping(entry))
    nowhere = _country(audit, "", mapping(audit.get("no_country")))
    if nowhere.documents:
        yield nowhere


def _country(audit: Mapping[str, Any], code: str, entry: Mapping[str, Any]) -> Country:
    def part(name: str, *inside: str) -> Any:
        found = audit.get(name)
        for key in (*inside, code):
            found = mapping(found).get(key)
        return found

    # a country that the counts of copies leave out had none
    copies = {"exact": 0, "near": 0} if "countries" in mapping(audit.get("duplicates")) else None
    sizes = [whole(mapping(entry.get(split)).get("bytes")) for split in SPLITS]
    lengths = part("lengths", "countries")
    bins = [whole(n) or 0 for n in items(lengths)]
    edges = _edges(mapping(audit.get("lengths")).get("edges")) or ()
    return Country(
        code=text(code, 40),
        name=text(country_name(code)) if code else "no country",
        continent=text(entry.get("continent"), 40),
        splits={split: n for split in SPLITS if (n := _documents(entry.get(split))) is not None},
        bytes=sum(n for n in sizes if n is not None) if any(n is not None for n in sizes) else None,
        tokens=whole(entry.get("tokens")),
        outlets=whole(entry.get("outlets")),
        read=whole(entry.get("in")),
        dropped=counts(entry.get("dropped")),
        verified=counts(entry.get("verified")),
        years={year: n for year, n in (counts(part("years")) or {}).items() if not year or _is_year(year)} or None,
        lengths=tuple(bins) if edges and abs(len(bins) - len(edges)) <= 1 and sum(bins) else None,
        median=whole(part("lengths", "median")) or _middle(bins, edges),
        copies=counts(part("duplicates", "countries")) or copies,
        right=counts(part("signals")),
        wrong=_possible(counts(part("signals_wrong"))),
    )


def _middle(bins: Sequence[int], edges: Sequence[float]) -> int | None:
    """Returns the median between the edges of its bin, where bins are all that is recorded and none is open."""
    if len(bins) + 1 != len(edges) or not edges[0] or not sum(bins):
        return None
    below, at = 0, 0
    while 2 * (below + bins[at]) < sum(bins):
        below, at = below + bins[at], at + 1
    inside = (sum(bins) / 2 - below) / bins[at]
    return round(edges[at] * math.exp(inside * math.log(edges[at + 1] / edges[at])))


def _possible(wrong: Counts | None) -> Counts | None:
    """Leaves out `any` where it is smaller than a signal that it must include, so that it cannot have been counted."""
    single = [n for name, n in (wrong or {}).items() if name not in ("any", "declared")]
    if wrong is None or wrong.get("any", 0) >= max(single, default=0):
        return wrong
    return {name: n for name, n in wrong.items() if name != "any"}


def _is_year(year: str) -> bool:
    return len(year) == 4 and year.isascii() and year.isdigit()


def _edges(value: object) -> tuple[float, ...] | None:
    found = tuple(float(edge) for edge in items(value) if is_number(edge))
    rising = len(found) > 1 and found[0] >= 0 and sorted(set(found)) == list(found)
    return found if rising else None


def _standings(value: object) -> Counts | None:
    found = {kind: n for kind in STANDINGS if (n := _documents(mapping(value).get(kind))) is not None}
    return found or None


def _outlets(value: object) -> Iterator[Outlet]:
    for entry in map(mapping, items(value)):
        documents = sum(whole(entry.get(split)) or 0 for split in SPLITS)
        yield Outlet(text(entry.get("domain"), 100), text(entry.get("country"), 40), documents)


def _clusters(value: object) -> Iterator[Cluster]:
    for entry in map(mapping, items(value)):
        copies = whole(entry.get("copies"))
        if copies is not None:
            yield Cluster(text(entry.get("url")), text(entry.get("title")), copies)


def _filters(value: object) -> Iterator[Filter]:
    for entry in map(mapping, items(value)):
        shares = [n for key in ("share", "low", "high", "elsewhere") if (n := real(entry.get(key))) is not None]
        if len(shares) == 4 and all(0 <= n <= 1 for n in shares):
            names = text(entry.get("reason"), 80), text(entry.get("country"), 40)
            yield Filter(*names, whole(entry.get("dropped")), whole(entry.get("in")), *shares)


def _groups(value: object, continents: Mapping[str, str]) -> Iterator[Group]:
    for key, entry in mapping(value).items():
        repeats = real(mapping(entry).get("repeats"))
        if repeats is not None and repeats > 0:
            name = text(country_name(key)) if key in continents else text(key, 40)
            sizes = whole(entry.get("documents")), whole(entry.get("tokens"))
            yield Group(name or NOWHERE, continents.get(key, ""), *sizes, repeats)


def _steps(value: object) -> Iterator[Step]:
    for name, entry in mapping(value).items():
        seconds = real(mapping(entry).get("seconds"))
        if seconds is not None and seconds >= 0:
            yield Step(text(name, 80), seconds, whole(mapping(entry).get("documents")))
