"""The counts of a build as plain data for `audit.json`, and an error where a country is tested but not trained on.

That error is the one that the paper's corpus made: seven of its countries had test documents and no training
documents, and nobody saw.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from dateline.corpus.audit.balance import balance, estimated_tokens
from dateline.corpus.audit.problems import problems_of
from dateline.corpus.audit.tally import Tally, length_edges
from dateline.corpus.audit.uneven import uneven_filters
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.work import STATUSES
from dateline.errors import UserError
from dateline.places import country as country_named
from dateline.records import SPLITS

LARGEST_OUTLETS = 50
"""So many outlets are listed, and the largest one of every country besides."""
KINDS = ("agree", "single", "conflict", "none")
SIGNALS = ("declared", "outlet", "suffix", "subdomain", "query", "path", "any")


def summarize(tally: Tally, recipe: CorpusRecipe) -> dict[str, Any]:
    """Returns the audit as plain data, ready for JSON."""
    documents, sizes = _nested(tally, "documents"), _nested(tally, "bytes")
    dropped: defaultdict[str, Counter[str]] = defaultdict(Counter)
    drops: Counter[str] = Counter()
    for (reason, code), count in tally.table("dropped"):
        dropped[code][reason] += count
        drops[reason] += count
    kept = {code: sum(cells.values()) for code, cells in documents.items()}
    verified, lengths = _nested(tally, "verified"), _nested(tally, "characters")
    outlets, outlet_country = _outlets(tally)
    total = sum(kept.values())
    number_of_outlets = Counter(outlet_country.values())
    largest_outlet = _largest_by_country(tally)
    standing = {kind: sum(counts[kind] for counts in verified.values()) for kind in KINDS}

    def cell(code: str, split: str) -> dict[str, int]:
        return {"documents": documents[code][split], "bytes": sizes[code][split]}

    def entry(code: str) -> dict[str, Any]:
        return {
            **{split: cell(code, split) for split in SPLITS},
            "tokens": estimated_tokens(sum(sizes[code].values())),
            "verified": {kind: verified[code][kind] for kind in KINDS},
            "dropped": dict(sorted(dropped[code].items())),
            "in": kept.get(code, 0) + dropped[code].total(),
        }

    countries = sorted(code for code in kept if code)
    audit: dict[str, Any] = {
        "in": total + drops.total(),
        "documents": total,
        "drops": dict(sorted(drops.items())),
        "splits": {
            split: {
                "documents": sum(cells[split] for cells in documents.values()),
                "bytes": sum(cells[split] for cells in sizes.values()),
            }
            for split in SPLITS
        },
        "countries": {
            code: {
                "continent": _continent(code),
                "outlets": number_of_outlets[code],
                "largest_outlet": largest_outlet.get(code, {}),
                **entry(code),
            }
            for code in countries
        },
        "no_country": entry(""),
        "continent_only": {name: count for (name,), count in tally.table("continent only")},
        "years": {code: dict(years) for code, years in sorted(_nested(tally, "years").items())},
        "outlets": {
            "number": len(outlets),
            "largest": [
                {"domain": name, "country": outlet_country[name], **outlets[name]}
                for name in _largest_outlets(outlets, outlet_country)
            ],
        },
        "lengths": {
            "edges": length_edges(),
            "countries": {
                code: [lengths[code][str(number)] for number in range(len(length_edges()) - 1)]
                for code in sorted(lengths)
            },
        },
        "duplicates": _duplicates(tally, dropped),
        "verified": {kind: {"documents": standing[kind], "share": standing[kind] / max(total, 1)} for kind in KINDS},
        "review": sum(count for _, count in tally.table("review")),
        **_signals(tally, kept),
        "filters": uneven_filters(kept, dropped),
        "balance": balance({code: (kept[code], sum(sizes[code].values())) for code in countries}, _continent),
        "undated": sum(years[""] for years in _nested(tally, "years").values()),
        "unread_dates": {written: count for (written,), count in tally.table("unread dates")},
        "unknown_countries": {named: count for (named,), count in tally.table("unknown countries")},
        "without": {name: count for (name,), count in tally.table("without")},
        "files": tally.files,
    }
    audit["problems"] = problems_of(audit, recipe, outlets)
    return audit


def check_coverage(audit: Mapping[str, Any], recipe: CorpusRecipe) -> None:
    """Refuses a corpus that tests on a country it does not train on, unless the recipe holds it out.

    Raises:
        UserError: one line, naming the countries and the ways out.
    """
    missing = {
        code: found["test"]["documents"]
        for code, found in audit["countries"].items()
        if found["test"]["documents"] and not found["train"]["documents"] and code not in recipe.held_out
    }
    if missing:
        named = ", ".join(f"{code} ({count:,})" for code, count in missing.items())
        have = "country has" if len(missing) == 1 else "countries have"
        raise UserError(
            f"{len(missing)} {have} test documents but no training documents: {named}; if that is meant, write "
            f"`held_out: [{', '.join(missing)}]`, else add documents or leave them out with `countries`"
        )


def _nested(tally: Tally, name: str) -> defaultdict[str, Counter[str]]:
    """Returns first part of the key -> second part -> count."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (first, second), count in tally.table(name):
        found[first][second] += count
    return found


def _outlets(tally: Tally) -> tuple[dict[str, Counter[str]], dict[str, str]]:
    """Returns domain -> split -> documents, and domain -> the country of most of its documents."""
    outlets: defaultdict[str, Counter[str]] = defaultdict(Counter)
    homes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (domain, code, split), count in tally.table("outlets"):
        outlets[domain][split] += count
        homes[domain][code] += count
    return dict(outlets), {domain: found.most_common(1)[0][0] for domain, found in homes.items()}


def _largest_by_country(tally: Tally) -> dict[str, dict[str, Any]]:
    """Returns for each country the outlet with most of its documents, and how many of them."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (domain, code, _), count in tally.table("outlets"):
        found[code][domain] += count
    firsts = {code: counts.most_common(1)[0] for code, counts in found.items()}
    return {code: {"domain": domain, "documents": count} for code, (domain, count) in firsts.items()}


def _largest_outlets(outlets: Mapping[str, Counter[str]], countries: Mapping[str, str]) -> list[str]:
    """Returns the domains that are listed, the largest first."""
    order = sorted(outlets, key=lambda name: (-outlets[name].total(), name))
    firsts: dict[str, str] = {}
    for name in order:
        firsts.setdefault(countries[name], name)
    listed = {*order[:LARGEST_OUTLETS], *firsts.values()}
    return [name for name in order if name in listed]


def _duplicates(tally: Tally, dropped: Mapping[str, Counter[str]]) -> dict[str, Any]:
    exact, near = STATUSES[1:]
    counted = {code: {"exact": found[exact], "near": found[near]} for code, found in sorted(dropped.items())}
    copies = sorted(tally.table("copies"), key=lambda item: (-item[1], item[0]))
    return {
        "exact": sum(found["exact"] for found in counted.values()),
        "near": sum(found["near"] for found in counted.values()),
        "countries": {code: found for code, found in counted.items() if any(found.values())},
        "largest": [{"id": key[0], "url": key[1], "title": key[2], "copies": count} for key, count in copies],
    }


def _signals(tally: Tally, kept: Mapping[str, int]) -> dict[str, Any]:
    right: defaultdict[str, Counter[str]] = defaultdict(Counter)
    wrong: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (code, kind, standing), count in tally.table("signals"):
        (right if standing == "right" else wrong)[code][kind] += count
    codes = sorted(code for code in kept if code)
    return {
        "signals": {code: {"documents": kept[code], **{kind: right[code][kind] for kind in SIGNALS}} for code in codes},
        "signals_wrong": {code: {kind: wrong[code][kind] for kind in SIGNALS} for code in codes},
    }


def _continent(code: str) -> str:
    found = country_named(code)
    return found.continent if found else ""
