"""The outlet table, and a user's own."""

from collections import Counter
from pathlib import Path

import pytest

from dateline.errors import UserError
from dateline.places import PAPER_COUNTRIES, Outlet, all_countries, load_outlets, outlet, parse_url, resolve
from dateline.places.outlets import OUTLET_TABLE, PORTALS, load_outlet_tables, shipped_outlets

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


def test_a_users_table_is_read_with_names_and_codes(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "\ufeffname,note,domain,country\nThe Gazette,x,WWW.Gazette.example.com,UK\n,,kurier.at,Austria\n", "utf-8"
    )
    with pytest.raises(
        UserError, match=r"line 2: 'WWW.Gazette.example.com' is not a registered domain; write example.com"
    ):
        load_outlets(path)
    path.write_text("\ufeffname,note,domain,country\nThe Gazette,x,WWW.Gazette.com,UK\n,,kurier.at,Austria\n", "utf-8")
    assert load_outlets(path) == {
        "gazette.com": Outlet("gazette.com", "gb", "The Gazette"),
        "kurier.at": Outlet("kurier.at", "at", "kurier.at"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("domain,name\na.com,A\n", "line 1: no column country; an outlet table has domain, country, name"),
        ("", "line 1: no column domain, country, name"),
        ("domain,country,name\na.com,za,A\nb.com,atlantis,B\n", "line 3: unknown country 'atlantis'"),
        ("domain,country,name\na.com\n", "line 2: unknown country ''"),
        ("domain,country,name\n,za,A\n", "line 2: '' is not a domain: URL is empty"),
        (
            "domain,country,name\nlocalhost,za,A\n",
            "line 2: 'localhost' is not a domain: host 'localhost' has no public",
        ),
        ("domain,country,name\na.com,za,A\na.com,gb,A\n", "line 3: a.com is in gb here but in za further up; keep one"),
        ('domain,country,name\n"a.com,za,A\n', "not a CSV table"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError) as raised:
        load_outlets(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unreadable_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the outlet table: No such file"):
        load_outlets(tmp_path / "absent.csv")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("domain,country,name\na.com,za,Caf\u00e9\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        load_outlets(latin)


def test_a_published_list_is_read_like_a_table(tmp_path: Path) -> None:
    gdelt = tmp_path / "MASTER-GDELTDOMAINSBYCOUNTRY-MAY2018.TXT"
    gdelt.write_text("smh.com.au\tAS\tAustralia\nbad row\n", "utf-8")
    assert load_outlets(gdelt) == {"smh.com.au": Outlet("smh.com.au", "au", "smh.com.au")}


def test_of_several_tables_the_first_wins(tmp_path: Path) -> None:
    mine, gdelt = tmp_path / "mine.csv", tmp_path / "gdelt.txt"
    mine.write_text("domain,country,name\npaper.com,ie,Paper\n", "utf-8")
    gdelt.write_text("paper.com\tUS\tUnited States\nother.com\tUS\tUnited States\n", "utf-8")
    first = load_outlet_tables([mine, gdelt])
    assert {domain: found.country for domain, found in first.items()} == {"paper.com": "ie", "other.com": "us"}
    assert load_outlet_tables([str(gdelt), mine])["paper.com"].country == "us"
    assert load_outlet_tables([]) == {}
    with pytest.raises(UserError, match=r"absent\.csv: cannot read"):
        load_outlet_tables([mine, tmp_path / "absent.csv"])


def test_a_users_own_table_stays_strict_whatever_columns_it_has(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("domain,country,name,pub_country\na.com,atlantis,A,USA\n", "utf-8")
    with pytest.raises(UserError, match="line 2: unknown country 'atlantis'"):
        load_outlets(path)
