"""The audit of a corpus as plain data for `audit.json`, with its problems in words.

Three things are judged here. A country that is tested but not trained on is an error: seven countries of the paper's
corpus were such, and nobody saw. Filters that cost one country a larger share of its documents than the others are
named, not judged, since a filter may be right about a country. Tokens, and what equal weights of countries would
repeat, are estimated from bytes; `dateline encode` counts them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from math import log
from typing import Any

from dateline.corpus.audit.tally import CONTRIBUTED, MOST_SILENT, Tally, length_edges
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.text.clean import day_of
from dateline.corpus.work import STATUSES
from dateline.errors import UserError, one_line
from dateline.places import country as country_named
from dateline.records import SPLITS
from dateline.statistics import wilson

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
        "implausible_dates": {written: count for (written,), count in tally.table("implausible dates")},
        "unknown_countries": {named: count for (named,), count in tally.table("unknown countries")},
        "without": {name: count for (name,), count in tally.table("without")},
        "files": tally.files,
        "silent_files": {
            "number": sum(count for _, count in tally.table("silent files")),
            "examples": [file for (file,), _ in tally.table("examples of silent files")][:MOST_SILENT],
        },
        "contributions": _contributions(tally),
        "remains": {kind: count for (kind,), count in tally.table("remains")},
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


BYTES_PER_TOKEN = 4.8
"""Of real English news in a byte-level BPE of 32,768 entries trained on such news; 4.2 with 8,192 entries, 5.0 with
131,072, so that estimates are right within about a seventh."""


def estimated_tokens(num_bytes: int) -> int:
    """Returns about how many tokens so many bytes of body text make."""
    return round(num_bytes / BYTES_PER_TOKEN)


def balance(countries: Mapping[str, tuple[int, int]], continent_of: Callable[[str], str]) -> dict[str, Any]:
    """Returns documents, tokens, share and repeats by continent and by country.

    `repeats` is how often a group's documents are read if all groups get the same number of tokens and as many are
    drawn as the corpus has: 1 is once, below 1 some are never read.

    Args:
        countries: country -> (documents, bytes of body text).
        continent_of: the continent of a country.
    """
    continents: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for code, (documents, size) in countries.items():
        here = continents[continent_of(code)]
        here[0] += documents
        here[1] += size
    return {
        "bytes_per_token": BYTES_PER_TOKEN,
        "tokens": estimated_tokens(sum(size for _, size in countries.values())),
        "continent": _groups({name: (cell[0], cell[1]) for name, cell in sorted(continents.items())}),
        "country": _groups(countries),
    }


def _groups(sizes: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, Any]]:
    total = sum(size for _, size in sizes.values())
    return {
        name: {
            "documents": documents,
            "tokens": estimated_tokens(size),
            "share": size / total if total else 0.0,
            "repeats": total / len(sizes) / size if size else 0.0,
        }
        for name, (documents, size) in sizes.items()
    }


def _contributions(tally: Tally) -> list[dict[str, Any]]:
    """Returns, for each path of the recipe and kind of file there, how many records were kept, and dropped for what."""
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (path, reader, reason), count in tally.table("sources"):
        found[path, reader][reason] += count
    return [
        {
            "path": path,
            "reader": reader,
            "kept": counts[CONTRIBUTED],
            "dropped": {reason: number for reason, number in counts.items() if number and reason != CONTRIBUTED},
        }
        for (path, reader), counts in found.items()
    ]


FEWEST = 30
"""Documents of a country before anything is said about it."""
MARGIN = 0.005
RATIO = 2.0
"""A country is named where its share is half a point above the share elsewhere, and twice as high."""
CHANCE = 0.001
"""Bound on the probability that an even filter names any country at all (Chernoff's bound, divided by the number of
pairs looked at)."""
NOT_FILTERS = ("unreadable", "unreadable file", "no place", "other country", "place conflict", "place unverified")
"""Reasons that are about the file or the place itself."""


def uneven_filters(kept: Mapping[str, int], dropped: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Returns one entry for each filter and country that stand out, the largest difference first.

    Args:
        kept: country -> documents; the empty country is left out.
        dropped: country -> reason -> documents.
    """
    codes = sorted(code for code in kept.keys() | dropped.keys() if code)
    total = {code: kept.get(code, 0) + sum(dropped.get(code, {}).values()) for code in codes}
    reasons = sorted({reason for code in codes for reason in dropped.get(code, {})} - set(NOT_FILTERS))
    found = []
    for reason in reasons:
        lost = {code: dropped.get(code, {}).get(reason, 0) for code in codes}
        for code in codes:
            others = sum(total.values()) - total[code]
            if total[code] < FEWEST or others < FEWEST:
                continue
            elsewhere = (sum(lost.values()) - lost[code]) / others
            share = lost[code] / total[code]
            expected = (sum(lost.values()) - lost[code] + 1) / (others + 2)
            unlikely = total[code] * _divergence(share, expected) > log(len(codes) * len(reasons) / CHANCE)
            if unlikely and share > elsewhere + MARGIN and share > RATIO * elsewhere:
                interval = wilson(lost[code], total[code])
                found.append(
                    {
                        "reason": reason,
                        "country": code,
                        "dropped": lost[code],
                        "in": total[code],
                        "share": share,
                        "low": interval.low,
                        "high": interval.high,
                        "elsewhere": elsewhere,
                    }
                )
    return sorted(found, key=lambda entry: entry["elsewhere"] - entry["low"])


def _divergence(share: float, expected: float) -> float:
    """Returns the Kullback-Leibler divergence of two shares: n times it bounds -log P(a share so high by chance)."""
    return sum(part * log(part / other) for part, other in ((share, expected), (1 - share, 1 - expected)) if part > 0)


LEAP_YEAR = 2000
MOST_NAMED = 10
"""Sources without a document that are named; what lies beyond is counted."""
SMALL_TEST = 100
"""Fewer test documents than this in a country are named as a problem: their interval will be wide."""
NOTICEABLE = 0.1
"""Share of the documents that may lack an address, a headline or a date before that is named."""
DOMINANT = 0.5
"""Share of a country's documents that one outlet may have before it is named."""


def problems_of(audit: Mapping[str, Any], recipe: CorpusRecipe, outlets: Collection[str]) -> list[str]:
    """Returns the problems of a corpus; `outlets` are all its domains."""
    countries = audit["countries"]

    def tested(code: str, split: str) -> int:
        return int(countries[code][split]["documents"])

    problems = [one_line(f"{found['file']}: {_short(found['problem'], found['file'])}") for found in audit["files"][:5]]
    if len(audit["files"]) > 5:
        problems.append(f"{len(audit['files']) - 5} more files could not be read, or not to their end")
    if (silent := audit["silent_files"])["number"] and any(found["kept"] for found in audit["contributions"]):
        files = "1 file holds" if silent["number"] == 1 else f"{silent['number']:,} files hold"
        more = ", ..." if silent["number"] > len(silent["examples"]) else ""
        problems.append(one_line(f"{files} no record: {', '.join(silent['examples'])}{more}"))
    problems += _no_document(audit["contributions"])
    problems += [f"country {name} is expected and absent" for name in recipe.countries if name not in countries]
    problems += [f"country {name} is held out and absent" for name in recipe.held_out if name not in countries]
    problems += [f"outlet {name} is held out and absent" for name in recipe.held_out_outlets if name not in outlets]
    problems += [f"no document is in {split}" for split in SPLITS if not audit["splits"][split]["documents"]]
    untested = [code for code in countries if tested(code, "train") and not tested(code, "test")]
    if untested:
        problems.append(f"trained on but not tested: {', '.join(untested)}")
    small = [f"{code} ({tested(code, 'test')})" for code in countries if 0 < tested(code, "test") < SMALL_TEST]
    if small:
        problems.append(f"fewer than {SMALL_TEST} test documents: {', '.join(small)}")
    problems += [
        f"the {found['reason']} filter takes {found['share']:.1%} of {found['country']} "
        f"({found['dropped']:,} of {found['in']:,}) and {found['elsewhere']:.1%} elsewhere"
        for found in audit["filters"]
    ]
    dominant = [
        f"{code} ({largest['domain']}, {largest['documents'] / total:.0%})"
        for code, found in countries.items()
        if (largest := found["largest_outlet"])
        and (total := sum(found[split]["documents"] for split in SPLITS)) >= recipe.splits.enough
        and largest["documents"] > DOMINANT * total
    ]
    if dominant and recipe.newswire is None:
        problems.append(f"one outlet has most of the documents of: {', '.join(dominant)}")
    if unplaced := sum(audit["no_country"][split]["documents"] for split in SPLITS):
        problems.append(f"{_documents(unplaced)} no country")
    for name, missing in audit["without"].items():
        if missing > NOTICEABLE * audit["documents"]:
            problems.append(f"{_documents(missing)} no {name}; is its column named in `columns`?")
    if remains := audit["remains"]:
        found = ", ".join(f"{kind} {number:,}" for kind, number in remains.items())
        done = {
            "keep": "kept; `page_remains: strip` removes them",
            "strip": "removed; of texts that were cut off the rest is missing",
            "drop": "removed, and texts that were cut off are dropped",
        }
        problems.append(f"remains of pages in documents: {found}: {done[recipe.page_remains]}")
    if unknown := audit["unknown_countries"]:
        problems.append(f"{sum(unknown.values()):,} documents declare a country that is none: {_most(unknown)}")
    if unread := audit["unread_dates"]:
        no_year = recipe.year is None and any(day_of(written, LEAP_YEAR) for written in unread)
        hint = "; `year` supplies the year where a date names none" if no_year else ""
        problems.append(f"{sum(unread.values()):,} dates cannot be read for certain, such as: {_most(unread)}" + hint)
    if strange := audit["implausible_dates"]:
        bounds = f"before {recipe.dates_from} or after {recipe.dates_until or 'the day of the build'}"
        problems.append(f"{sum(strange.values()):,} dates {bounds} count as unknown, such as: {_most(strange)}")
    without = audit["undated"] - sum(audit["unread_dates"].values()) - sum(audit["implausible_dates"].values())
    if without > NOTICEABLE * audit["documents"]:
        problems.append(f"{_documents(without)} no date; is its column named in `columns`?")
    if conflicts := audit["verified"]["conflict"]["documents"]:
        problems.append(f"{_documents(conflicts)} conflicting evidence of their country")
    if recipe.test_from is not None and audit["undated"]:
        problems.append(f"{audit['undated']:,} documents without a date were split by their hash in spite of test_from")
    if recipe.splits.by == "date" and audit["undated"]:
        problems.append(f"{audit['undated']:,} documents without a date are trained on, though splits go by date")
    return problems


def _no_document(contributions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names paths, and kinds of files in them, of which no document is in the corpus, with the commonest reasons."""
    problems = []
    for found in contributions:
        if found["kept"]:
            continue
        dropped = sorted(found["dropped"].items(), key=lambda item: (-item[1], item[0]))
        why = ", ".join(f"{number:,} {reason}" for reason, number in dropped[:3]) or "no record in it"
        problems.append(one_line(f"{found['path']} ({found['reader']}): contributes no document: {why}"))
    if len(problems) > MOST_NAMED:
        problems[MOST_NAMED:] = [f"{len(problems) - MOST_NAMED} further sources contribute no document"]
    return problems


def _documents(number: int) -> str:
    return "1 document has" if number == 1 else f"{number:,} documents have"


def _short(problem: str, file: str) -> str:
    return problem.removeprefix(f"{file}: ").removeprefix(f"{file}:")


def _most(counts: Mapping[str, int]) -> str:
    """Returns the three most frequent, quoted as they were written."""
    return ", ".join(f"'{name}'" for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3])
