"""Tokens of each country and continent, and what equal weights would repeat.

Tokens are estimated from bytes; `dateline encode` counts them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

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
