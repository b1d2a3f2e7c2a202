"""Where a URL comes from, with the evidence and its reliability.

Evidence, strongest first: the declared country, the outlet table, the country-code suffix, hints (sub-domain, query,
path).

1. The strongest piece fixes the continent, and the country if it names one. If it names only a continent (`.eu`,
   `/world/africa`), the next piece that names a country of that same continent supplies the country.
2. `verified` is `conflict` if two of declared, outlet and suffix cannot both be true (two countries, or two
   continents); else `agree` if pieces of two kinds name the country that was decided; else `single`; `none` without
   evidence. Hints can agree but never conflict, so `theguardian.com/world/africa` is gb, single, and
   `theguardian.com/uk-news` is gb, agree. Two hints are one kind.
3. `reason` is set whenever domain or country is empty, and when a declared country was given that is none.
4. Of an address inside another (archives, caches, redirects: `wrapped.py`) the inner one speaks, and each piece of
   evidence names the host around it. Sites that are nobody's home (portals, link shorteners, archives) have no country
   by suffix; what shorteners and archives have in their paths is no hint either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Literal

from dateline.places.countries import all_countries, country
from dateline.places.hints import find_hints
from dateline.places.outlets import Outlet, is_nobodys, outlet
from dateline.places.url import UrlParts, parse_url, show
from dateline.places.wrapped import stands_for_others, unwrap
from dateline.records import Evidence, EvidenceKind, Place, Verified

GENERIC_CC_TLDS = frozenset({
    # Treated as generic by Google Search (its list of "generic ccTLDs"), because most sites there are from elsewhere.
    "ad", "ai", "as", "bz", "cc", "cd", "co", "dj", "fm", "io", "la", "me", "ms", "nu", "sc", "sr", "su", "tk", "tv",
    "ws",
    # Sold worldwide without ties, or given away (ml, ga, cf, gq), so that a site there is more often foreign than not.
    "ac", "ag", "am", "cf", "cx", "ga", "gd", "gg", "gl", "gq", "gs", "im", "ly", "mg", "ml", "pw", "sh", "st", "sx",
    "tc", "to", "vc", "vg",
})  # fmt: skip
"""Country-code suffixes that are no evidence of a country. A genuine local paper there belongs in the outlet table.

Kept as evidence although they are sold as words, because home use prevails in news: be, in, is, it, my, rs, so, us.
"""

PLACE_TLDS = {
    "gov": "us", "mil": "us", "nyc": "us", "boston": "us", "miami": "us", "vegas": "us",
    "london": "gb", "scot": "gb", "wales": "gb", "cymru": "gb", "quebec": "ca", "kiwi": "nz", "sydney": "au",
    "melbourne": "au", "capetown": "za", "durban": "za", "joburg": "za", "berlin": "de", "hamburg": "de", "koeln": "de",
    "paris": "fr", "bzh": "fr", "wien": "at", "amsterdam": "nl", "istanbul": "tr", "moscow": "ru", "tokyo": "jp",
    "osaka": "jp", "taipei": "tw", "dubai": "ae", "xn--h2brj9c": "in", "xn--54b7fta0cc": "bd", "xn--fzc2c9e2c": "lk",
    "xn--xkc2al3hye2a": "lk", "xn--mgbai9azgqp6j": "pk", "xn--j6w193g": "hk", "xn--mgbx4cd0ab": "my",
    "xn--yfro4i67o": "sg", "xn--clchc0ea0b2g2a9gcd": "sg",
}  # fmt: skip
"""Longer suffixes that are tied to one country: cities, governments, and country codes in other scripts."""

CONTINENT_TLDS = {"eu": "Europe", "africa": "Africa", "asia": "Asia"}
"""Suffixes that name a continent only."""


def resolve(url: str, declared_country: str = "", *, outlets: Mapping[str, Outlet] | None = None) -> Place:
    """Returns the place of a URL, for any two strings, at some 50,000 URLs a second on one core.

    Args:
        url: Any string; see `parse_url` for what is forgiven.
        declared_country: What the file says of the article's origin, a code or an English name; empty if nothing.
        outlets: A user's table (`load_outlets`), asked before the one inside the package.

    Example:
        >>> place = resolve("https://punchng.com/politics/budget")
        >>> place.domain, place.country, place.continent, place.decided_by, place.verified
        ('punchng.com', 'ng', 'Africa', 'outlet', 'single')
    """
    parts, wrapper = unwrap(parse_url(url))
    inside = f" (inside {wrapper})" if wrapper else ""
    others = stands_for_others(parts)
    reasons = [parts.reason] if parts.reason else []
    evidence: list[Evidence] = []
    if declared_country and not declared_country.isspace():
        declared = _declared(declared_country)
        if declared:
            evidence.append(declared)
        else:
            reasons.append(f"declared country {show(declared_country.strip())} is not a country")
    listed = _listed(parts.domain, outlets)
    of_url = [listed, None if is_nobodys(parts) else _suffix(parts.suffix)]
    of_url += () if others else find_hints(parts)
    evidence += (_at(piece, inside) if inside else piece for piece in of_url if piece is not None)

    code, continent, decided_by = _decide(evidence)
    if not code and parts.domain:
        reasons.append(_why_no_country(parts, others, continent) + inside)
    return Place(
        domain=parts.domain,
        country=code,
        continent=continent,
        decided_by=decided_by,
        verified=_verify(evidence, code),
        evidence=tuple(evidence),
        reason="; ".join(reasons),
    )


def _decide(evidence: Sequence[Evidence]) -> tuple[str, str, EvidenceKind | Literal[""]]:
    """Returns country, continent and the kind of evidence that decided, by rule 1 above."""
    if not evidence:
        return "", "", ""
    continent = evidence[0].continent
    for piece in evidence:
        if piece.country and piece.continent == continent:
            return piece.country, continent, piece.kind
    return "", continent, evidence[0].kind


def _verify(evidence: Sequence[Evidence], code: str) -> Verified:
    """Returns how the pieces of evidence stand to each other, by rule 2 above."""
    if not evidence:
        return "none"
    firm = [piece for piece in evidence if piece.kind != "hint"]
    if len({piece.continent for piece in firm}) > 1 or len({piece.country for piece in firm if piece.country}) > 1:
        return "conflict"
    return "agree" if code and len({piece.kind for piece in evidence if piece.country == code}) > 1 else "single"


@lru_cache(maxsize=1 << 10)
def _declared(written: str) -> Evidence | None:
    """Returns what a file says of itself as evidence, or None if it is no country."""
    found = country(written)
    return Evidence("declared", found.alpha2, found.continent, f"declared {show(written.strip())}") if found else None


def _listed(domain: str, outlets: Mapping[str, Outlet] | None) -> Evidence | None:
    """Returns the outlet table's word on a domain: the user's table first, then the shipped one."""
    if not domain:
        return None
    found = (outlets.get(domain) if outlets is not None else None) or outlet(domain)
    return _outlet_evidence(found) if found else None


@lru_cache(maxsize=1 << 14)
def _outlet_evidence(found: Outlet) -> Evidence:
    home = all_countries().get(found.country)
    return Evidence("outlet", found.country, home.continent if home else "", f"outlet table: {found.name}")


@lru_cache(maxsize=1 << 12)
def _suffix(suffix: str) -> Evidence | None:
    """Returns what a public suffix says: a country, a continent, or nothing."""
    top = suffix.rpartition(".")[2]
    if top in CONTINENT_TLDS:
        return Evidence("suffix", "", CONTINENT_TLDS[top], f"suffix .{suffix}")
    code = PLACE_TLDS.get(top) or ("" if top in GENERIC_CC_TLDS else _country_by_tld().get(top, ""))
    return Evidence("suffix", code, all_countries()[code].continent, f"suffix .{suffix}") if code else None


@cache
def _country_by_tld() -> dict[str, str]:
    """Returns the country of each two-letter suffix, `uk` and `gb` among them."""
    return {tld: found.alpha2 for found in all_countries().values() for tld in (found.cc_tld, found.alpha2)}


def _at(piece: Evidence, inside: str) -> Evidence:
    """Returns a piece of evidence that says around which address its own stood."""
    return Evidence(piece.kind, piece.country, piece.continent, piece.detail + inside)


def _why_no_country(parts: UrlParts, others: str, continent: str) -> str:
    """Returns the sentence that tells why a site with a domain has no country."""
    if continent:
        return f"evidence names only a continent, {continent}"
    if others:
        return f"{parts.domain} is {others}; what is behind the link is not in it"
    if parts.platform:
        return f"{parts.platform} is a shared platform and outlet not in table"
    if is_nobodys(parts):
        return f"{parts.domain} carries what others publish and is in no outlet table"
    return f"generic suffix .{parts.suffix} and outlet not in table"
