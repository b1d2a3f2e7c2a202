"""News outlets by registered domain: the reviewed table in the package, and the portals that have no home country.

`country` is where the publisher sits, not where its readers are: the New York Times is American on every page. Where an
outlet keeps an edition under another country's suffix, that edition is left to the suffix. Other tables, a user's own
or published lists, are read by `dateline.places.outlet_tables`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

OUTLET_TABLE = Path(__file__).parent / "data" / "outlets.csv"

PORTALS = frozenset({
    "yahoo.com", "yahoo.co.jp", "msn.com", "aol.com", "google.com", "bing.com", "apple.news", "flipboard.com",
    "newsbreak.com", "smartnews.com", "dailyhunt.in", "inshorts.com", "feedly.com", "pressreader.com", "newsnow.co.uk",
    "allafrica.com", "einnews.com", "topix.com", "drudgereport.com", "facebook.com", "instagram.com", "linkedin.com",
    "pinterest.com", "quora.com", "reddit.com", "twitter.com", "x.com", "vk.com", "telegram.org", "t.me", "tiktok.com",
    "youtube.com", "youtu.be", "archive.org", "wikipedia.org", "prnewswire.com", "businesswire.com",
    "globenewswire.com",
})  # fmt: skip
"""Registered domains that carry what others publish: aggregators, social networks, archives, press releases.

They have no home, so no list and no count of declared countries makes outlets of them. A user's own table may.
"""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One news outlet."""

    domain: str
    """Registered domain in lower case (`bbc.co.uk`)."""
    country: str
    """ISO 3166 alpha-2, lower case: the publisher's home."""
    name: str


def outlet(domain: str) -> Outlet | None:
    """Returns the outlet that owns a registered domain, or None."""
    return shipped_outlets().get(domain)


@cache
def shipped_outlets() -> Mapping[str, Outlet]:
    """Returns the table inside the package by domain, read on first use (a few milliseconds) and not to be changed."""
    with OUTLET_TABLE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType(
            {row["domain"]: Outlet(row["domain"], row["country"], row["name"]) for row in csv.DictReader(file)}
        )
