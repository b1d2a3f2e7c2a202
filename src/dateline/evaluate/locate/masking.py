"""Texts without the names of places: what is left to tell where they come from.

Enters: texts; the tables of countries, outlets and the newswire's facts. Leaves: the same texts in which one neutral
word stands for every name of a country, its people, a city, a region, an outlet or a domain that the tables know.
Deliberately not done: no recognition of names that no table has (a small town, a minister, a club): what a model finds
out from those is knowledge of a place, which is what is measured. Demonyms, cities and regions are known for the 18
countries of the newswire only.

Places are found in any case (`nigeria`), but for abbreviations and names that are also English words; outlets only as
they are written, because many are called Time or Today. A "the" before a name goes with it: it would tell the United
States from Canada.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from dateline.places.countries import COUNTRY_TABLE
from dateline.places.outlets import shipped_outlets

NEUTRAL = "somewhere"
_PLACE_FACTS = ("country", "demonym", "capital", "city", "region")
_ALSO = ("US", "U.S", "UK", "U.K", "U.K.", "EU", "Africa", "African", "America", "Asia", "Asian", "Europe", "European",
         "Oceania")  # fmt: skip
"""What the tables leave out: abbreviations that newspapers write, and the continents with their people."""
_ENGLISH = frozenset(("Central", "Chad", "Cork", "Jersey", "Mayo", "Phoenix", "Turkey", "Wales", "Woodlands"))
_WORD = re.compile(r"[^\W_]+")
_THE = re.compile(r"^[Tt]he (?=\S)")
_THE_BEFORE = re.compile(r"(?<![^\W_])[Tt][Hh][Ee] $")
_STRAIGHT = str.maketrans("’‘", "''")


class Name(NamedTuple):
    """A name to be found."""

    text: str
    any_case: bool
    """Whether `nigeria` and `NIGERIA` are found as well as `Nigeria`."""


Index = Mapping[str, tuple[Name, ...]]
"""First word of a name in lower case -> the names that begin with it, longest first."""


def mask_names(text: str, names: Index | None = None) -> str:
    """Returns a text with `NEUTRAL` in place of every name; of names that begin at the same word the longest counts.

    A plural or a possessive goes on: `Nigerians` becomes `somewheres`, `Kenya's` becomes `somewhere's`.

    Args:
        text: any text.
        names: from `index_names`; None for those that the tables know.
    """
    known = place_names() if names is None else names
    plain = text.translate(_STRAIGHT)
    parts: list[str] = []
    done = 0
    for word in _WORD.finditer(plain):
        start, first = word.start(), word.group().lower()
        if start < done:
            continue
        end = max(_longest(plain, start, known.get(form, ())) for form in {first, first.removesuffix("s")})
        if end:
            if _THE_BEFORE.search(plain, max(done, start - 5), start):
                start -= len("the ")
            parts += [text[done:start], NEUTRAL]
            done = end
    return "".join([*parts, text[done:]])


def index_names(names: Iterable[Name]) -> dict[str, tuple[Name, ...]]:
    """Arranges names for `mask_names`.

    A leading "the" is left out, because texts may leave it out too; only an outlet of one more word keeps it, or every
    nation would be The Nation.
    """
    found: dict[str, set[Name]] = {}
    for name in names:
        plain = " ".join(name.text.translate(_STRAIGHT).split())
        short = _THE.sub("", plain)
        forms = [short]
        if short != plain and not name.any_case and " " not in short:
            forms = [f"The {short}", f"the {short}"]
        for form in forms:
            first = _WORD.match(form)
            if first is not None:
                found.setdefault(first.group().lower(), set()).add(Name(form, name.any_case))
    return {first: tuple(sorted(several, key=lambda n: (-len(n.text), n))) for first, several in found.items()}


@cache
def place_names() -> dict[str, tuple[Name, ...]]:
    """Returns the names that the project's tables know, arranged for `mask_names`."""
    from dateline.corpus.newswire.facts import outlets, place_tables

    places: set[str] = set(_ALSO)
    with COUNTRY_TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            places |= {row["name"], *row["aliases"].split("|")} - {""}
    known = [(outlet.name, outlet.domain) for outlet in shipped_outlets().values()]
    known += [(outlet.name, outlet.domain) for outlet in outlets()]
    for own in outlets():
        places |= {value for fact in _PLACE_FACTS for value in place_tables()[own.domain][fact]}
    return index_names([
        *(Name(place, not (place.isupper() or place in _ENGLISH)) for place in places),
        *(Name(name, False) for name, _ in known),
        *(Name(domain, True) for _, domain in known),
    ])  # fmt: skip


def with_domains(domains: Iterable[str]) -> dict[str, tuple[Name, ...]]:
    """Returns the names that the tables know together with the domains of a corpus."""
    known = [name for several in place_names().values() for name in several]
    return index_names([*known, *(Name(domain, True) for domain in domains)])


def _longest(text: str, start: int, names: Iterable[Name]) -> int:
    """Returns where the longest of some names ends that stands whole at a place in the text, or 0."""
    for name, any_case in names:
        end = start + len(name)
        there = text[start:end]
        if there != name and not (any_case and there.lower() == name.lower()):
            continue
        if not text[end : end + 1].isalnum():
            return end
        if text[end] in "sS" and not text[end + 1 : end + 2].isalnum():  # the plural keeps its s
            return end
    return 0
