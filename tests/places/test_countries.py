"""The country table and the ways to name a country."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.places import PAPER_COUNTRIES, all_countries, continent, continent_of, country
from dateline.records import CONTINENTS


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("za", "za"), ("ZA", "za"), ("zaf", "za"), ("South Africa", "za"), ("south-africa", "za"),
        ("  south  africa ", "za"),
        ("uk", "gb"), ("GB", "gb"), ("GBR", "gb"), ("U.K.", "gb"), ("Great Britain", "gb"),
        ("the United Kingdom", "gb"),
        ("Scotland", "gb"), ("USA", "us"), ("U.S.", "us"), ("United States of America", "us"), ("united states", "us"),
        ("Viet Nam", "vn"), ("Vietnam", "vn"), ("Cote d'Ivoire", "ci"), ("C\u00f4te d\u2019Ivoire", "ci"),
        ("Ivory Coast", "ci"),
        ("Tanzania, United Republic of", "tz"), ("Tanzania", "tz"), ("Hong Kong", "hk"), ("The Gambia", "gm"),
        ("UAE", "ae"),
        ("Republic of Ireland", "ie"), ("Trinidad & Tobago", "tt"), ("T\u00fcrkiye", "tr"),
        ("Russian Federation", "ru"),
        ("NA", "na"), ("no", "no"), ("Congo, The Democratic Republic of the", "cd"),
    ],
)  # fmt: skip
def test_a_country_is_known_by_codes_and_names(written: str, code: str) -> None:
    found = country(written)
    assert found is not None
    assert found.alpha2 == code


@pytest.mark.parametrize(
    "written", ["", " ", "xx", "zz", "eu", "Africa", "Narnia", "nan", "None", "south", "\ud800", "\x00"]
)
def test_what_is_no_country_is_none(written: str) -> None:
    assert country(written) is None
    assert continent_of(written) == ""


def test_every_country_has_a_continent_and_unique_codes() -> None:
    table = all_countries()
    assert len(table) == 249
    assert Counter(found.continent for found in table.values()) == {
        "Africa": 60, "America": 57, "Asia": 51, "Europe": 51, "Oceania": 30,
    }  # fmt: skip
    assert {found.continent for found in table.values()} == set(CONTINENTS)
    assert len({found.alpha3 for found in table.values()}) == 249
    assert len({found.name for found in table.values()}) == 249
    assert len({found.cc_tld for found in table.values()}) == 249
    for code, found in table.items():
        assert (code, len(code), code.lower(), len(found.alpha3)) == (found.alpha2, 2, code, 3)
        assert country(found.name) is country(found.alpha3) is country(found.cc_tld) is found


def test_the_table_covers_iso_3166() -> None:
    pycountry = pytest.importorskip("pycountry")
    assert set(all_countries()) == {entry.alpha_2.lower() for entry in pycountry.countries}


def test_the_continents_of_the_paper() -> None:
    continents = [continent_of(code) for code in PAPER_COUNTRIES]
    assert continents == ["America"] * 3 + ["Europe"] * 2 + ["Asia"] * 8 + ["Africa"] * 5


@pytest.mark.parametrize(
    ("code", "name"),
    [("au", "Oceania"), ("br", "America"), ("ru", "Europe"), ("tr", "Asia"), ("cy", "Asia"), ("tw", "Asia"),
     ("eg", "Africa"),
     ("gl", "America"), ("aq", "Oceania"), ("io", "Africa"), ("uk", "Europe")],
)  # fmt: skip
def test_the_disputable_continents_are_settled(code: str, name: str) -> None:
    assert continent_of(code) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [("africa", "Africa"), ("North America", "America"), ("latin-america", "America"), ("Sub-Saharan Africa", "Africa"),
     ("EUROPE", "Europe"), ("the Caribbean", "America"), ("South Africa", ""), ("Middle East", ""), ("", "")],
)  # fmt: skip
def test_continents_are_known_by_name(written: str, name: str) -> None:
    assert continent(written) == name


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_is_a_country_or_none(text: str) -> None:
    found = country(text)
    assert found is None or found is all_countries()[found.alpha2]
    assert continent(text) in ("", *CONTINENTS)
