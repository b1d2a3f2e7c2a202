"""Problems in words: what is no error but weakens what can be said of a model trained on a corpus."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dateline.corpus.recipe import CorpusRecipe
from dateline.errors import one_line
from dateline.records import SPLITS

SMALL_TEST = 100
"""Fewer test documents than this in a country are named as a problem: their interval will be wide."""
NOTICEABLE = 0.1
"""Share of the documents that may lack an address or a headline before that is named."""
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
        problems.append(f"{unplaced:,} documents have no country")
    for name, missing in audit["without"].items():
        if missing > NOTICEABLE * audit["documents"]:
            problems.append(f"{missing:,} documents have no {name}; is its column named in `columns`?")
    if unknown := audit["unknown_countries"]:
        problems.append(f"{sum(unknown.values()):,} documents declare a country that is none: {_most(unknown)}")
    if unread := audit["unread_dates"]:
        problems.append(f"{sum(unread.values()):,} dates cannot be read for certain, such as: {_most(unread)}")
    if conflicts := audit["verified"]["conflict"]["documents"]:
        problems.append(f"{conflicts:,} documents have conflicting evidence of their country")
    if recipe.test_from is not None and audit["undated"]:
        problems.append(f"{audit['undated']:,} documents without a date were split by their hash in spite of test_from")
    if recipe.splits.by == "date" and audit["undated"]:
        problems.append(f"{audit['undated']:,} documents without a date are trained on, though splits go by date")
    return problems


def _short(problem: str, file: str) -> str:
    return problem.removeprefix(f"{file}: ").removeprefix(f"{file}:")


def _most(counts: Mapping[str, int]) -> str:
    """Returns the three most frequent, quoted as they were written."""
    return ", ".join(f"'{name}'" for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3])
