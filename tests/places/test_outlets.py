"""The outlet table in the package."""

from collections import Counter

from dateline.places import PAPER_COUNTRIES, Outlet, all_countries, load_outlets, outlet, parse_url, resolve
from dateline.places.outlets import OUTLET_TABLE, PORTALS, shipped_outlets

SUFFIX_IS_FOREIGN: set[str] = set()
"""Outlets whose country-code suffix names another country than their home, each reviewed. None so far."""


def test_an_outlet_is_known_by_its_domain() -> None:
    assert outlet("dailymaverick.co.za") == Outlet("dailymaverick.co.za", "za", "Daily Maverick")
    assert outlet("nation.africa") == Outlet("nation.africa", "ke", "Nation")
    assert outlet("example.com") is None


def test_the_table_is_broad_and_covers_the_papers_countries() -> None:
    counts = Counter(found.country for found in shipped_outlets().values())
    assert sum(counts.values()) >= 500
    assert {code: counts[code] for code in PAPER_COUNTRIES if counts[code] < 12} == {}


def test_every_row_is_a_registered_domain_in_a_known_country() -> None:
    for domain, found in shipped_outlets().items():
        assert parse_url(domain).domain == parse_url(f"https://www.{domain}/x").domain == domain == found.domain
        assert not parse_url(domain).platform, f"{domain} is a shared platform"
        assert found.country in all_countries()
        assert found.name == found.name.strip() != ""


def test_portals_are_registered_domains_and_no_outlets() -> None:
    assert [domain for domain in PORTALS if parse_url(domain).domain != domain] == []
    assert PORTALS & shipped_outlets().keys() == set()


def test_no_domain_stands_twice_and_rows_are_sorted() -> None:
    rows = [line.split(",")[:2] for line in OUTLET_TABLE.read_text("utf-8").splitlines()[1:]]
    assert len({domain for domain, _ in rows}) == len(rows) == len(shipped_outlets())
    assert rows == sorted(rows, key=lambda row: (row[1], row[0]))


def test_suffixes_agree_with_homes() -> None:
    foreign = {domain for domain in shipped_outlets() if resolve(domain).verified == "conflict"}
    assert foreign == SUFFIX_IS_FOREIGN


def test_the_shipped_table_passes_the_checks_for_users() -> None:
    assert load_outlets(OUTLET_TABLE) == shipped_outlets()


def test_the_independent_is_known_under_both_of_its_addresses() -> None:
    assert resolve("https://www.the-independent.com/news/world/1").country == "gb"
    assert resolve("https://www.independent.co.uk/news/world/1").country == "gb"
