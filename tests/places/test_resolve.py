"""Where URLs come from: goldens, the rules of evidence, and agreement with a reviewed list where one is at hand."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.places import Outlet, all_countries, resolve
from dateline.places.resolve import CONTINENT_TLDS, GENERIC_CC_TLDS, PLACE_TLDS
from dateline.records import CONTINENTS, Place

GOLDENS = [
    # url, declared, domain, country, continent, decided_by, verified
    ("https://www.bbc.co.uk/news/world-africa-46234567", "", "bbc.co.uk", "gb", "Europe", "outlet", "agree"),
    ("https://www.bbc.com/news/world-africa-46234567", "", "bbc.com", "gb", "Europe", "outlet", "single"),
    ("https://www.theguardian.com/world/africa", "", "theguardian.com", "gb", "Europe", "outlet", "single"),
    ("https://www.theguardian.com/uk-news/2020/x", "", "theguardian.com", "gb", "Europe", "outlet", "agree"),
    ("https://www.theguardian.com/us-news/2020/x", "", "theguardian.com", "gb", "Europe", "outlet", "single"),
    ("https://www.dailymaverick.co.za/article/x", "", "dailymaverick.co.za", "za", "Africa", "outlet", "agree"),
    (
        "https://www.dailymaverick.co.za/article/x",
        "South Africa",
        "dailymaverick.co.za",
        "za",
        "Africa",
        "declared",
        "agree",
    ),
    ("https://www.dailymaverick.co.za/article/x", "gb", "dailymaverick.co.za", "gb", "Europe", "declared", "conflict"),
    ("https://nation.africa/kenya/news/x", "", "nation.africa", "ke", "Africa", "outlet", "agree"),
    ("https://nation.africa/x", "", "nation.africa", "ke", "Africa", "outlet", "single"),
    ("https://punchng.com/x", "ng", "punchng.com", "ng", "Africa", "declared", "agree"),
    ("https://www.myjoyonline.com/x", "", "myjoyonline.com", "gh", "Africa", "outlet", "single"),
    ("https://www.thecitizen.co.tz/tanzania/x", "", "thecitizen.co.tz", "tz", "Africa", "outlet", "agree"),
    ("https://www.dawn.com/news/1", "", "dawn.com", "pk", "Asia", "outlet", "single"),
    ("https://www.geo.tv/latest/1", "", "geo.tv", "pk", "Asia", "outlet", "single"),
    ("https://www.thedailystar.net/x", "", "thedailystar.net", "bd", "Asia", "outlet", "single"),
    ("https://www.adaderana.lk/news/1", "", "adaderana.lk", "lk", "Asia", "outlet", "agree"),
    ("https://www.scmp.com/news/china/x", "", "scmp.com", "hk", "Asia", "outlet", "single"),
    ("https://www.thestar.com.my/x", "", "thestar.com.my", "my", "Asia", "outlet", "agree"),
    ("https://www.thestar.com/x", "", "thestar.com", "ca", "America", "outlet", "single"),
    ("https://www.rappler.com/x", "", "rappler.com", "ph", "Asia", "outlet", "single"),
    ("https://www.straitstimes.com/singapore/x", "", "straitstimes.com", "sg", "Asia", "outlet", "agree"),
    ("https://timesofindia.indiatimes.com/x", "", "indiatimes.com", "in", "Asia", "outlet", "single"),
    ("https://jamaica-gleaner.com/x", "", "jamaica-gleaner.com", "jm", "America", "outlet", "single"),
    ("https://www.irishtimes.com/x", "ie", "irishtimes.com", "ie", "Europe", "declared", "agree"),
    ("https://www.smh.com.au/x", "", "smh.com.au", "au", "Oceania", "outlet", "agree"),
    ("https://unknown.co.ke/x", "", "unknown.co.ke", "ke", "Africa", "suffix", "single"),
    ("https://unknown.co.ke/kenya/x", "", "unknown.co.ke", "ke", "Africa", "suffix", "agree"),
    ("https://unknown.co.ke/x", "ng", "unknown.co.ke", "ng", "Africa", "declared", "conflict"),
    ("https://unknown.uk/world/africa", "", "unknown.uk", "gb", "Europe", "suffix", "single"),
    ("https://www.cdc.gov/x", "", "cdc.gov", "us", "America", "suffix", "single"),
    ("https://www.sanews.gov.za/x", "", "sanews.gov.za", "za", "Africa", "outlet", "agree"),
    ("https://www.gov.za/x", "", "gov.za", "za", "Africa", "suffix", "single"),
    ("https://x.xn--h2brj9c/", "", "x.xn--h2brj9c", "in", "Asia", "suffix", "single"),
    ("https://za.unknown.com/x", "", "unknown.com", "za", "Africa", "hint", "single"),
    ("https://za.unknown.com/za/x?edition=za", "", "unknown.com", "za", "Africa", "hint", "single"),
    ("https://unknown.com/world/africa", "", "unknown.com", "", "Africa", "hint", "single"),
    ("https://unknown.com/x", "", "unknown.com", "", "", "", "none"),
    ("https://unknown.com/x", "za", "unknown.com", "za", "Africa", "declared", "single"),
    ("https://unknown.io/x", "", "unknown.io", "", "", "", "none"),
    ("https://unknown.eu/x", "", "unknown.eu", "", "Europe", "suffix", "single"),
    ("https://unknown.eu/ireland/x", "", "unknown.eu", "ie", "Europe", "hint", "single"),
    ("https://unknown.eu/kenya/x", "", "unknown.eu", "", "Europe", "suffix", "single"),
    ("https://unknown.africa/x", "gb", "unknown.africa", "gb", "Europe", "declared", "conflict"),
    ("https://ann.blogspot.co.za/x", "", "ann.blogspot.co.za", "", "", "", "none"),
    ("http://127.0.0.1/za/x", "", "", "za", "Africa", "hint", "single"),
    ("", "za", "", "za", "Africa", "declared", "single"),
    ("javascript:void(0)", "", "", "", "", "", "none"),
]


@pytest.mark.parametrize(("url", "declared", "domain", "country", "continent", "decided_by", "verified"), GOLDENS)
def test_golden_places(
    url: str, declared: str, domain: str, country: str, continent: str, decided_by: str, verified: str
) -> None:
    place = resolve(url, declared)
    found = (place.domain, place.country, place.continent, place.decided_by, place.verified)
    assert found == (domain, country, continent, decided_by, verified)
    assert bool(place.reason) == (not domain or not country)


@pytest.mark.parametrize(
    ("url", "declared", "reason"),
    [
        ("https://unknown.com/x", "", "generic suffix .com and outlet not in table"),
        ("https://unknown.tv/x", "", "generic suffix .tv and outlet not in table"),
        ("https://ann.blogspot.in/x", "", "blogspot.in is a shared platform and outlet not in table"),
        ("https://unknown.com/world/africa", "", "evidence names only a continent, Africa"),
        ("http://10.0.0.1/", "", "IP address has no registered domain"),
        ("http://", "", "no host in URL"),
        ("javascript:void(0)", "", "scheme javascript: is not a web address"),
        ("https://punchng.com/x", "Atlantis", "declared country 'Atlantis' is not a country"),
        ("", "xx", "URL is empty; declared country 'xx' is not a country"),
        ("https://punchng.com/x", "  ", ""),
    ],
)
def test_reasons_are_plain(url: str, declared: str, reason: str) -> None:
    assert resolve(url, declared).reason == reason


def test_evidence_is_listed_strongest_first_with_what_was_seen() -> None:
    place = resolve("https://uk.dailymaverick.co.za/world/asia?edition=in", "ZAF")
    assert [(piece.kind, piece.country, piece.continent, piece.detail) for piece in place.evidence] == [
        ("declared", "za", "Africa", "declared 'ZAF'"),
        ("outlet", "za", "Africa", "outlet table: Daily Maverick"),
        ("suffix", "za", "Africa", "suffix .co.za"),
        ("hint", "gb", "Europe", "sub-domain uk."),
        ("hint", "in", "Asia", "query edition=in"),
        ("hint", "", "Asia", "path /asia"),
    ]
    assert place.verified == "agree"


def test_generically_sold_suffixes_are_no_evidence() -> None:
    for suffix in ("tv", "io", "co", "me", "fm", "ai", "ly", "to", "cc", "ws", "gg", "im", "am"):
        assert suffix in GENERIC_CC_TLDS
        assert resolve(f"https://unknown.{suffix}/x").evidence == ()


def test_every_other_country_code_suffix_is_evidence_of_its_country() -> None:
    for code, found in all_countries().items():
        if code not in GENERIC_CC_TLDS:
            place = resolve(f"https://www.unknown.com.{found.cc_tld}/x")
            assert place.country == code or place.reason.startswith("host 'www.unknown.com."), code
    assert not GENERIC_CC_TLDS - set(all_countries()) - {"ac", "su"}
    assert set(PLACE_TLDS.values()) <= set(all_countries())
    assert set(CONTINENT_TLDS.values()) <= set(CONTINENTS)


def test_a_users_table_goes_before_the_shipped_one() -> None:
    mine = {"dawn.com": Outlet("dawn.com", "ie", "Dawn of Dublin"), "my.com": Outlet("my.com", "lv", "Mine")}
    assert resolve("https://www.dawn.com/x", outlets=mine).country == "ie"
    assert resolve("https://my.com/x", outlets=mine).country == "lv"
    assert resolve("https://punchng.com/x", outlets=mine).country == "ng"
    assert resolve("https://www.dawn.com/x").country == "pk"


def check(place: Place) -> None:
    """Asserts what holds for every place."""
    assert place.country == "" or all_countries()[place.country].continent == place.continent
    assert place.continent in ("", *CONTINENTS)
    assert bool(place.continent) == bool(place.decided_by) == bool(place.evidence)
    assert (place.verified == "none") == (not place.evidence)
    assert place.domain == place.domain.lower()
    assert place.reason or (place.domain and place.country)
    assert place.reason.isprintable()


ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))


@given(ANY_TEXT, ANY_TEXT)
def test_any_two_strings_have_a_place(url: str, declared: str) -> None:
    check(resolve(url, declared))
    check(resolve(f"https://{url}.co.za/{declared}/africa?{url}", "za"))


@given(st.sampled_from([golden[0] for golden in GOLDENS]), st.data())
def test_mangled_urls_have_a_place(url: str, data: st.DataObject) -> None:
    start, end = (data.draw(st.integers(0, len(url))) for _ in range(2))
    check(resolve(url[:start] + data.draw(ANY_TEXT) + url[end:]))


def test_agreement_with_the_reviewed_list() -> None:
    default = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "domain_country.csv"
    path = Path(os.environ.get("DATELINE_DOMAIN_COUNTRY", default))
    if not path.is_file():
        pytest.skip(f"no reviewed list at {path}; set DATELINE_DOMAIN_COUNTRY to compare with one")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "hand" and row["country_iso2"]]
    found = [(resolve(row["domain"]).country, row["country_iso2"], row["domain"]) for row in rows]
    assert [row for row in found if row[0] not in ("", row[1])] == []
    assert sum(row[0] == row[1] for row in found) >= 0.95 * len(found)
