"""Audits that were never measured: eighteen countries with plausible numbers that add up, and a tiny corpus."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from dateline.places.countries import PAPER_COUNTRIES, continent_of

EDGES = [round(100 * 10 ** (at / 10)) for at in range(31)]
REASONS = ("exact_duplicate", "near_duplicate", "too_short", "language", "no_country", "symbols", "repeated_lines")
SIZES = {"us": 9.0, "in": 7.0, "gb": 5.5, "ca": 3.0, "za": 2.4, "ng": 2.2, "ie": 1.5, "pk": 1.2, "my": 1.1, "sg": 1.0}
HEADLINES = (
    "Central bank holds rates as prices rise",
    "Storm closes schools along the coast",
    "Election date announced",
)


def audit(countries: Sequence[str] = PAPER_COUNTRIES, scale: int = 10_000, seed: int = 7) -> dict[str, Any]:
    """Returns a whole audit; record by record it adds up."""
    rng = random.Random(seed)
    rows = {code: _country(rng, code, scale) for code in countries}
    drops = {reason: sum(row["dropped"][reason] for row in rows.values()) for reason in REASONS}
    drops["no_country"] = scale // 4
    documents = {code: sum(row[s]["documents"] for s in ("train", "validation", "test")) for code, row in rows.items()}
    total = sum(documents.values())
    outlets = [
        {"domain": f"{name}{at}.{code}", "country": code, "train": int(documents[code] * part)}
        for code in countries
        for at, (name, part) in enumerate((("daily", rng.uniform(0.1, 0.7)), ("herald", 0.08), ("mail", 0.05)))
    ]
    outlets.sort(key=lambda entry: -int(str(entry["train"])))
    verified = {k: sum(row["verified"][k] for row in rows.values()) for k in ("agree", "single", "conflict", "none")}
    continents: dict[str, int] = {}
    for code, row in rows.items():
        name = continent_of(code)
        continents[name] = continents.get(name, 0) + row["tokens"]
    tokens = sum(row["tokens"] for row in rows.values())
    lengths = {code: _lengths(rng, documents[code]) for code in countries}
    right, wrong = {}, {}
    for code in countries:
        right[code], wrong[code] = _signals(rng, code, documents[code])
    return {
        "name": "News of eighteen countries",
        "fingerprint": "3f6b9d0c1a2e4f58",
        "sources": ["s3://news/2016-2024/*.jsonl.zst", "now/text/*.zip"],
        "documents": total,
        "in": total + sum(drops.values()),
        "splits": {
            s: {k: sum(row[s][k] for row in rows.values()) for k in ("documents", "bytes")}
            for s in ("train", "validation", "test")
        },
        "countries": rows,
        "no_country": {"dropped": {"no_country": scale // 4}},
        "continent_only": {"Africa": 12},
        "years": {code: _years(rng, code, documents[code]) for code in countries},
        "outlets": {"number": sum(row["outlets"] for row in rows.values()), "largest": outlets[:40]},
        "lengths": {
            "edges": EDGES,
            "countries": lengths,
            "median": {code: _median(bins) for code, bins in lengths.items()},
        },
        "duplicates": {
            "exact": drops["exact_duplicate"],
            "near": drops["near_duplicate"],
            "clusters": drops["near_duplicate"] // 3,
            "countries": {
                code: {"exact": row["dropped"]["exact_duplicate"], "near": row["dropped"]["near_duplicate"]}
                for code, row in rows.items()
            },
            "largest": [
                {"id": f"{at:016x}", "url": f"https://wire.example/{at}/story", "title": title, "copies": 412 - 90 * at}
                for at, title in enumerate(HEADLINES)
            ],
        },
        "verified": {k: {"documents": n, "share": n / total} for k, n in verified.items()},
        "signals": right,
        "signals_wrong": wrong,
        "filters": [
            _filter("language", "in", 0.184, 0.02, 0.041),
            _filter("language", "pk", 0.121, 0.03, 0.044),
            _filter("too_short", "jm", 0.093, 0.04, 0.031),
            _filter("too_short", "us", 0.012, 0.004, 0.036),
            _filter("repeated_lines", "hk", 0.071, 0.03, 0.009),
        ],
        "balance": {
            "bytes_per_token": 4.4,
            "tokens": tokens,
            "continent": {
                name: {"documents": 1, "tokens": n, "share": n / tokens, "repeats": tokens / len(continents) / n}
                for name, n in continents.items()
            },
            "country": {
                code: {
                    "documents": documents[code],
                    "tokens": row["tokens"],
                    "share": row["tokens"] / tokens,
                    "repeats": tokens / len(rows) / row["tokens"],
                }
                for code, row in rows.items()
            },
        },
        "drops": drops,
        "undated": 23,
        "problems": [
            "country fj is expected and absent",
            "1,204 documents have conflicting evidence of their country",
        ],
        "files": [{"file": "now/text/21-04.zip", "problem": "the archive ends in the middle, at byte 4,193,280"}],
        "seconds": {
            step: {"seconds": seconds, "documents": total}
            for step, seconds in (
                ("read", 41.0),
                ("clean", 63.5),
                ("language", 410.2),
                ("quality", 38.8),
                ("place", 71.0),
                ("exact_duplicates", 12.1),
                ("near_duplicates", 233.7),
                ("split", 4.0),
                ("write", 88.3),
            )
        },
    }


def tiny() -> dict[str, Any]:
    """Returns an audit of one country and three documents, with little recorded."""
    return {
        "documents": 3,
        "in": 4,
        "splits": {"train": {"documents": 3, "bytes": 4000}},
        "countries": {
            "gh": {
                "continent": "Africa",
                "outlets": 1,
                "train": {"documents": 3, "bytes": 4000},
                "validation": {"documents": 0, "bytes": 0},
                "test": {"documents": 0, "bytes": 0},
                "tokens": 909,
                "in": 4,
                "verified": {"agree": 2, "single": 1, "conflict": 0, "none": 0},
                "dropped": {"exact_duplicate": 1},
            }
        },
        "drops": {"exact_duplicate": 1},
        "years": {"gh": {"2021": 2, "": 1}},
        "outlets": {"number": 1, "largest": [{"domain": "graphic.com.gh", "country": "gh", "train": 3}]},
        "lengths": {"edges": EDGES, "countries": {"gh": [0] * 12 + [2, 1] + [0] * 16}, "median": {"gh": 1700}},
        "duplicates": {
            "exact": 1,
            "near": 0,
            "clusters": 1,
            "countries": {"gh": {"exact": 1, "near": 0}},
            "largest": [],
        },
        "filters": [],
        "balance": {"continent": {"Africa": {"repeats": 1.0}}, "country": {"gh": {"repeats": 1.0}}},
        "problems": ["trained on but not tested: gh", "no document is in test"],
    }


def _country(rng: random.Random, code: str, scale: int) -> dict[str, Any]:
    train = int(scale * SIZES.get(code, 0.35) * rng.uniform(0.8, 1.2))
    test = max(100, train // 50)
    total = train + 2 * test
    dropped = {reason: int(total * rng.uniform(0, 0.06)) for reason in REASONS if reason != "no_country"}
    dropped["near_duplicate"] = int(total * rng.uniform(0.05, 0.22))
    dropped["no_country"] = 0
    conflict, none = int(total * rng.uniform(0.001, 0.04)), int(total * 0.01)
    single = int(total * rng.uniform(0.1, 0.5))
    return {
        "continent": continent_of(code),
        "outlets": max(3, int(train / scale * rng.uniform(20, 120))),
        "train": {"documents": train, "bytes": train * 2500},
        "validation": {"documents": test, "bytes": test * 2500},
        "test": {"documents": test, "bytes": test * 2500},
        "tokens": int(total * 2500 / 4.4),
        "verified": {"agree": total - conflict - none - single, "single": single, "conflict": conflict, "none": none},
        "dropped": dropped,
        "in": total + sum(dropped.values()),
    }


def _years(rng: random.Random, code: str, documents: int) -> dict[str, int]:
    weights = {str(year): rng.uniform(0.5, 1.5) * (year - 2013) for year in range(2016, 2025)}
    if code == "jm":
        del weights["2018"]
    total = sum(weights.values()) * 1.01
    return {year: int(documents * weight / total) for year, weight in weights.items()} | {"": documents // 100}


def _lengths(rng: random.Random, documents: int) -> list[int]:
    middle, spread = rng.uniform(3.1, 3.6), rng.uniform(0.22, 0.34)
    bins = [0] * (len(EDGES) - 1)
    for _ in range(1500):
        at = int((rng.gauss(middle, spread) - 2) * 10)
        bins[min(max(at, 0), len(bins) - 1)] += max(1, documents // 1500)
    return bins


def _median(bins: Sequence[int]) -> int:
    """Returns the geometric middle of the bin that holds the middle document."""
    below, at = 0, 0
    while 2 * (below + bins[at]) < sum(bins):
        below, at = below + bins[at], at + 1
    return round(math.sqrt(EDGES[at] * EDGES[at + 1]))


def _signals(rng: random.Random, code: str, documents: int) -> tuple[dict[str, int], dict[str, int]]:
    suffix = 0.04 if code == "us" else rng.uniform(0.2, 0.85)
    outlet = rng.uniform(0.4, 0.9)
    parts = {"suffix": suffix, "outlet": outlet, "subdomain": 0.01, "path": rng.uniform(0, 0.08), "query": 0.002}
    parts |= {"any": min(0.99, max(suffix, outlet) + 0.06), "declared": 1.0}
    wrongs = {"suffix": 0.001, "outlet": 0.004, "subdomain": 0.002, "path": rng.uniform(0, 0.12), "query": 0.0}
    wrongs |= {"any": rng.uniform(0.004, 0.05), "declared": 0.0}
    right = {name: int(documents * part) for name, part in parts.items()}
    return {"documents": documents} | right, {name: int(documents * part) for name, part in wrongs.items()}


def _filter(reason: str, country: str, share: float, half: float, elsewhere: float) -> dict[str, Any]:
    read = 10_000
    return {
        "reason": reason,
        "country": country,
        "dropped": int(read * share),
        "in": read,
        "share": share,
        "low": max(0.0, share - half),
        "high": share + half,
        "elsewhere": elsewhere,
    }
