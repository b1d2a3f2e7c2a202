"""A place from what a person writes: a country, a continent, a domain, a URL, or a mapping of fields."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from dateline.errors import UserError
from dateline.places.countries import all_countries, continent, country
from dateline.places.outlets import shipped_outlets
from dateline.places.resolve import resolve
from dateline.places.url import parse_url, show
from dateline.records import CONTINENTS, Place

PLACE_FIELDS = ("domain", "url", "country", "continent")
"""Keys of a mapping that stands for a place."""


def place(written: str | Place | Mapping[str, str] | None) -> Place:
    """Returns the place that something stands for; nothing is fetched.

    Args:
        written: a country's code or name, a continent, a domain, a URL, a `Place`, a mapping with some of the keys
            `domain`, `url`, `country`, `continent`, or None for no place. A domain that no table knows needs a mapping,
            so that a slip of the pen is not taken for an outlet.

    Returns:
        The place, its continent filled in from the country; an empty one for None.

    Raises:
        UserError: where nothing of that name is known; the message offers what is spelled alike.

    Example:
        >>> place("https://punchng.com/politics/budget").country
        'ng'
        >>> place("Nigeria").continent
        'Africa'
        >>> place({"domain": "thevillagevoice.ng", "country": "ng"}).domain
        'thevillagevoice.ng'
    """
    if written is None:
        return Place()
    if isinstance(written, Place):
        return written
    if isinstance(written, Mapping):
        return _from_fields(written)
    if not isinstance(written, str):
        raise UserError(f"a place is text, a Place, a mapping or None, not {type(written).__name__}")
    text = written.strip()
    if known := country(text):
        return Place(country=known.alpha2, continent=known.continent)
    if region := continent(text):
        return Place(continent=region)
    if "." in text or "/" in text:
        found = resolve(text)
        if found.country:
            return found
        near = _near(found.domain or text, list(shipped_outlets()))
        raise UserError(
            f"place {show(text)}: {found.reason or 'is no web address'}{near}; for an outlet that no table knows write "
            "a mapping, such as {'domain': 'example.com', 'country': 'ng'}"
        )
    names = {found.name.casefold(): found.name for found in all_countries().values()}
    near = _near(text.casefold(), [*names, *all_countries(), *map(str.casefold, CONTINENTS)])
    raise UserError(
        f"place {show(text)} is not known{near}; write a country's code or name (ng, Nigeria), a domain, a URL, a "
        "mapping of fields, or None"
    )


def _from_fields(fields: Mapping[str, str]) -> Place:
    for key, value in fields.items():
        if key not in PLACE_FIELDS:
            near = difflib.get_close_matches(str(key), PLACE_FIELDS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(PLACE_FIELDS)}"
            raise UserError(f"place: field {show(str(key))} is not known; {hint}")
        if not isinstance(value, str):
            raise UserError(f"place: field '{key}' is {type(value).__name__}, not text; correct it")
    address = fields.get("domain") or fields.get("url") or ""
    found = resolve(address) if address else Place()
    if address and not found.domain:
        raise UserError(f"place: {show(address)}: {found.reason}; correct it")
    named = place(fields["country"]) if fields.get("country") else Place()
    if fields.get("country") and not named.country:
        raise UserError(f"place: {show(fields['country'])} is no country; write a code or a name")
    code = named.country or found.country
    region = continent(fields.get("continent", ""))
    if fields.get("continent") and not region:
        raise UserError(f"place: continent {show(fields['continent'])} is not known; use {', '.join(CONTINENTS)}")
    region = region or named.continent or found.continent
    domain = parse_url(address).domain if address else ""
    if (code, region) == (found.country, found.continent):
        return found
    return Place(domain=domain, country=code, continent=region)


def _near(text: str, known: list[str]) -> str:
    """Returns `; did you mean 'a' or 'b'?`, or nothing where nothing is spelled alike."""
    near = difflib.get_close_matches(text, known, n=3, cutoff=0.7)
    return f"; did you mean {' or '.join(repr(one) for one in near)}?" if near else ""
