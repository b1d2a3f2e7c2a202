"""Weak signs of a region in a URL: its sub-domain, its query, its path.

A section such as `/world/africa` tells what a page is about, and a sub-domain or `edition=uk` tells whom it is for;
neither tells where its publisher sits. `resolve` weighs them so.
"""

from __future__ import annotations

import re
from functools import lru_cache

from dateline.places.countries import PAPER_COUNTRIES, Country, all_countries, continent, country
from dateline.places.url import UrlParts
from dateline.records import Evidence

LABEL_CODES = frozenset({*PAPER_COUNTRIES, "uk", "au", "nz", "zw", "ug", "zm", "bw", "mw"} - {"my"})
"""Two-letter codes that mean a country when they stand alone.

Short on purpose: `my.` is one's own account, `id.` a login, and `es`, `fr`, `ar`, `pt` and the rest are first of all
languages.
"""

PATH_CODES = LABEL_CODES - {"in"}
"""As above, without `in`: `/in/` is a folder of people on LinkedIn and a preposition elsewhere."""

QUERY_KEYS = frozenset({"edition", "country", "region", "locale", "ed"})
MAX_SEGMENTS = 5
"""Path segments that can be sections; what lies deeper is the article."""

_NAME_WORDS = 5
_NOT_SECTIONS = frozenset(
    {"georgia", "jordan", "chad", "guinea", "jersey", "turkey", "america", "oceania", "pacific", "car"}
)
"""Names that a section or a sub-domain shares with a state, a person, a bird or a car."""
_WORLD = re.compile(r"world-([a-z-]+)-[0-9]+|([a-z]+)-(?:[a-z]+-){0,4}[0-9]{6,}")
"""The BBC's addresses: `/news/world-africa-46234567`, `/news/uk-politics-46234567`."""


def find_hints(parts: UrlParts) -> tuple[Evidence, ...]:
    """Returns what sub-domain, query and path suggest, in that order."""
    found = []
    if parts.subdomain:
        found.append(_subdomain_hint(parts.subdomain))
    if parts.query:
        found.append(_query_hint(parts.query))
    if len(parts.path) > 1:
        found.append(_path_hint(parts.path))
    return tuple(hint for hint in found if hint is not None)


@lru_cache(maxsize=1 << 12)
def _subdomain_hint(subdomain: str) -> Evidence | None:
    """Returns the first label that names a place: `za.`, `uk.news.`, `africa.`."""
    for label in subdomain.split("."):
        place = _place(label, LABEL_CODES)
        if place:
            return _evidence(place, f"sub-domain {label}.")
    return None


def _query_hint(query: str) -> Evidence | None:
    """Returns the place of the first edition-like parameter: `edition=uk`, `locale=en-ZA`."""
    for pair in query[:500].split("&"):
        key, _, value = pair.partition("=")
        if key.lower() not in QUERY_KEYS:
            continue
        word = value.lower()
        if len(word) == 5 and word[:2] == "en" and word[2] in "-_":
            word = word[3:]
        place = all_countries().get(word) or _place(word, LABEL_CODES)
        if place:
            return _evidence(place, f"query {key.lower()}={word}")
    return None


def _path_hint(path: str) -> Evidence | None:
    """Returns the place of the sections that the path goes through: the first country, or else the first continent."""
    region: Evidence | None = None
    for segment in path[:500].lower().replace("\\", "/").split("/")[1 : MAX_SEGMENTS + 1]:
        place = _section(segment) if 1 < len(segment) <= 80 else None
        if isinstance(place, Country):
            return _evidence(place, f"path /{segment}")
        if place and region is None:
            region = _evidence(place, f"path /{segment}")
    return region


@lru_cache(maxsize=1 << 14)
def _section(segment: str) -> Country | str | None:
    """Returns the country or continent that one path segment names (`za`, `south-africa`, `uk-news`)."""
    numbered = _WORLD.fullmatch(segment)
    if numbered:
        word = numbered[1] or numbered[2]
        return _place(word, PATH_CODES) if numbered[1] or word in ("uk", "us") else None
    if segment.endswith("-news"):
        return _place(segment.removesuffix("-news"), LABEL_CODES)
    return _place(segment, PATH_CODES)


def _place(word: str, codes: frozenset[str]) -> Country | str | None:
    """Returns the country or continent that a label names: one of the codes, or a name written with hyphens."""
    if len(word) == 2:
        return country(word) if word in codes else None
    if (len(word) < 4 and word not in ("usa", "uae")) or word in _NOT_SECTIONS or word.count("-") >= _NAME_WORDS:
        return None
    return country(word) or continent(word) or None


def _evidence(place: Country | str, detail: str) -> Evidence:
    if isinstance(place, str):
        return Evidence("hint", "", place, detail)
    return Evidence("hint", place.alpha2, place.continent, detail)
