"""Uneven: filters that cost one country more of its documents than the others.

Enters: kept documents by country, and dropped ones by country and reason. Leaves: the country and reason pairs where
the difference is larger than chance and large enough to matter.
Deliberately not done: no verdict: a filter may be right about a country (a source full of Filipino text). It is named
so that somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dateline.places.learn import wilson

FEWEST = 30
"""Documents of a country before anything is said about it."""
MARGIN = 0.02
RATIO = 2.0
"""A country is named where even the low end of its interval lies this much above the share elsewhere: two points, and
twice as high."""
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
            low, high = wilson(lost[code], total[code])
            if low > elsewhere + MARGIN and low > RATIO * elsewhere:
                found.append(
                    {
                        "reason": reason,
                        "country": code,
                        "dropped": lost[code],
                        "in": total[code],
                        "share": lost[code] / total[code],
                        "low": low,
                        "high": high,
                        "elsewhere": elsewhere,
                    }
                )
    return sorted(found, key=lambda entry: entry["elsewhere"] - entry["low"])
