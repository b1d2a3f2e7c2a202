"""What it was trained on, and what it writes.

Enters: coverage by country and samples. Leaves: rows for the template.
Deliberately not done: no judgement of samples: they illustrate.
"""

from __future__ import annotations

from typing import Any

from dateline.records import CONTINENTS
from dateline.report.folder import CoverageRow, Results, Sample
from dateline.report.scoretable import country_name


def coverage(results: Results) -> list[dict[str, Any]]:
    """Returns the countries of the corpus by continent with their documents, and what is wrong with them."""
    most = max((row.documents.get("train", 0) for row in results.coverage), default=0)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(results.coverage, key=lambda row: country_name(row.country)):
        share = 100 * row.documents.get("train", 0) / most if most else 0
        entry = {"row": row, "share": f"{share:.1f}", "problems": _problems(row)}
        groups.setdefault(row.continent or "Place not known", []).append(entry)
    order = [*CONTINENTS, *groups]
    return [{"continent": name, "rows": groups[name]} for name in sorted(groups, key=order.index)]


def _problems(row: CoverageRow) -> list[str]:
    found = list(row.problems)
    if row.country and row.documents.get("test") and row.documents.get("train") == 0:
        found.append("tested but not trained on")
    if row.country and row.documents.get("train") and row.documents.get("test") == 0:
        found.append("trained on but not tested")
    return found


def samples(found: tuple[Sample, ...]) -> list[dict[str, Any]]:
    """Returns the samples by headline, in the order in which they were written, runs and places side by side."""
    groups: dict[str, list[dict[str, str]]] = {}
    for sample in found:
        parts = [sample.domain, country_name(sample.country), sample.continent]
        place = ", ".join(part for part in parts if part)
        told = (
            "Told nothing" if not place else f"Told {country_name(sample.country) or sample.continent or sample.domain}"
        )
        groups.setdefault(sample.headline, []).append(
            {"run": sample.run, "place": place, "told": told, "text": sample.continuation.strip()}
        )
    return [{"headline": headline, "entries": entries} for headline, entries in groups.items()]
