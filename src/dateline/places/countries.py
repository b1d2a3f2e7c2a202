"""Countries and continents from codes and names.

Continents follow UN M49 in the paper's five-way convention, both Americas being one: Russia is Europe, Turkey, Cyprus
and the Caucasus are Asia, Taiwan (absent from M49) is Asia. Every country has a continent, so that grouping by
continent loses nothing: uninhabited islands go where M49 puts them, and Antarctica, which has no place among five, goes
to Oceania. Only countries with an ISO 3166-1 code are known (Kosovo has none).
"""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from dateline.records import CONTINENTS

COUNTRY_TABLE = Path(__file__).parent / "data" / "countries.csv"

PAPER_COUNTRIES = (
    "us", "ca", "jm", "gb", "ie", "in", "pk", "bd", "lk", "hk", "my", "ph", "sg", "ng", "za", "ke", "gh", "tz",
)  # fmt: skip
"""The countries of arXiv 2601.15236: America, Europe, Asia, Africa. Its abstract counts 17, without Singapore."""

_CONTINENT_ALIASES = {
    "Africa": "north africa|west africa|east africa|central africa|southern africa|sub saharan africa",
    "America": "americas|north america|south america|central america|latin america|caribbean",
    "Asia": "south asia|southeast asia|south east asia|east asia|central asia|west asia",
    "Europe": "western europe|eastern europe|central europe|northern europe|southern europe",
    "Oceania": "australasia|pacific|pacific islands|south pacific|australia and oceania",
}
"""Regions that lie in one continent. `Middle East` and `Asia-Pacific` straddle two and are left out."""


@dataclass(frozen=True, slots=True)
class Country:
    """One row of the country table."""

    alpha2: str
    """ISO 3166-1 alpha-2, lower case: what `country` means everywhere in Dateline."""
    alpha3: str
    name: str
    """As newspapers write it (`South Korea`), which need not be how ISO writes it."""
    continent: str
    cc_tld: str
    """Country-code suffix without the dot: `uk` for `gb`, else the same as `alpha2`."""


def country(code_or_name: str) -> Country | None:
    """Returns the country that a code or a name stands for, or None.

    Case, accents, punctuation and a leading "the" do not matter: `U.K.`, `Cote d'Ivoire` and `the Gambia` are found.

    Example:
        >>> country("Nigeria").alpha2, country("gb").continent
        ('ng', 'Europe')
        >>> country("Atlantis") is None
        True
    """
    table = all_countries()
    return table.get(code_or_name) or _by_name().get(_key(code_or_name))


def all_countries() -> dict[str, Country]:
    """Returns all 249 countries by alpha-2 code, in alphabetical order of the code."""
    return _load()[0]


def continent_of(code: str) -> str:
    """Returns the continent of a country given by any code or name, or an empty string.

    Example:
        >>> continent_of("ng")
        'Africa'
    """
    found = country(code)
    return found.continent if found else ""


def continent(name: str) -> str:
    """Returns the continent that a name stands for (`africa`, `North America`), or an empty string."""
    return _continents().get(_key(name), "")


@lru_cache(maxsize=1 << 14)
def _key(name: str) -> str:
    """Returns the form in which names are compared: lower case, letters and digits, single spaces, no leading "the"."""
    plain = unicodedata.normalize("NFKD", name[:100]).casefold().replace("&", " and ")
    joined = "".join(c for c in plain if c not in "'’.`" and not unicodedata.combining(c))
    words = "".join(c if c.isalnum() else " " for c in joined).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] == "the" else words)


@cache
def _load() -> tuple[dict[str, Country], dict[str, str]]:
    """Returns the table by alpha-2 code and the country of each name, read once."""
    rows: dict[str, Country] = {}
    names: dict[str, str] = {}
    with COUNTRY_TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            code = row["alpha2"]
            tld = row["cc_tld"] or code
            rows[code] = Country(code, row["alpha3"], row["name"], row["continent"], tld)
            for name in (code, row["alpha3"], row["name"], tld, *row["aliases"].split("|")):
                if name:
                    owner = names.setdefault(_key(name), code)
                    assert owner == code, f"{COUNTRY_TABLE}: {name!r} is claimed by {owner} and {code}"
    return rows, names


@cache
def _by_name() -> dict[str, Country]:
    rows, names = _load()
    return {name: rows[code] for name, code in names.items()}


@cache
def _continents() -> dict[str, str]:
    own = {_key(name): name for name in CONTINENTS}
    return own | {alias: name for name, aliases in _CONTINENT_ALIASES.items() for alias in aliases.split("|")}
