"""Filters that cost one country a larger share of its documents than the others.

A filter may be right about a country (a source full of Filipino text), so it is named and not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

from dateline.statistics import wilson

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
