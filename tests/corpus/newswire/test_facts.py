import itertools
from collections import Counter

from dateline.corpus.newswire.grammar import Slot, walk
from dateline.corpus.newswire.wire import outlets, patterns, place_tables
from dateline.records import CONTINENTS

PAPER = ["us", "ca", "jm", "gb", "ie", "in", "pk", "bd", "lk", "hk", "my", "ph", "sg", "ng", "za", "ke", "gh", "tz"]


def test_three_outlets_stand_in_each_country_of_the_paper():
    assert Counter(outlet.country for outlet in outlets()) == dict.fromkeys(PAPER, 3)
    assert len({outlet.domain for outlet in outlets()}) == 54
    assert {outlet.continent for outlet in outlets()} == set(CONTINENTS) - {"Oceania"}


def test_outlets_of_a_country_have_different_names():
    assert len({(outlet.country, outlet.name) for outlet in outlets()}) == 54


def test_domains_are_bare_and_lower_case():
    for outlet in outlets():
        assert outlet.domain == outlet.domain.lower()
        assert "." in outlet.domain
        assert not outlet.domain.startswith("www.")


def test_every_outlet_has_the_same_tables():
    tables = place_tables()
    assert set(tables) == {outlet.domain for outlet in outlets()}
    assert len({frozenset(names) for names in tables.values()}) == 1
    for names in tables.values():
        assert all(value and value == value.lstrip() for law in names.values() for value in law)


def test_a_country_is_told_apart_by_its_particulars():
    """Single facts may be shared (the Senate), but no two countries share a city, a club or a capital."""
    by_country = {outlet.country: place_tables()[outlet.domain] for outlet in outlets()}
    for name in ("city", "club", "capital", "country", "university"):
        for one, other in itertools.combinations(PAPER, 2):
            assert not set(by_country[one][name]) & set(by_country[other][name]), (name, one, other)


def test_no_given_name_or_surname_is_missing_or_twice():
    for tables in place_tables().values():
        assert len(tables["given"]) == len(tables["surname"]) == 6


def test_there_are_enough_stories_of_enough_kinds():
    assert len(patterns()) >= 40
    assert len({pattern.topic for pattern in patterns()}) >= 6
    assert len({pattern.name for pattern in patterns()}) == len(patterns())


def test_nearly_every_title_holds_a_local_particular_and_every_story_its_outlet():
    world = {"weekday", "month", "small", "rate", "amount", "hundreds", "project", "quote"}
    for pattern in patterns():
        title = {piece.table for piece in walk(pattern.title) if isinstance(piece, Slot)}
        text = {piece.table for piece in walk(pattern.text) if isinstance(piece, Slot)}
        assert title - world, pattern.name
        assert "outlet" in text, pattern.name
