"""What people write for a place."""

import pytest

from dateline.errors import UserError
from dateline.places.lookup import place
from dateline.records import Place


@pytest.mark.parametrize(
    ("written", "domain", "country", "continent"),
    [
        ("ng", "", "ng", "Africa"),
        ("UK", "", "gb", "Europe"),
        (" Nigeria ", "", "ng", "Africa"),
        ("Africa", "", "", "Africa"),
        ("punchng.com", "punchng.com", "ng", "Africa"),
        ("https://punchng.com/politics/budget", "punchng.com", "ng", "Africa"),
        ("news.example.co.uk/world", "example.co.uk", "gb", "Europe"),
        (None, "", "", ""),
        ({"country": "Ghana"}, "", "gh", "Africa"),
        ({"domain": "thevoice.com", "country": "ng"}, "thevoice.com", "ng", "Africa"),
        ({"domain": "thevoice.com"}, "thevoice.com", "", ""),
        ({"url": "https://www.bbc.co.uk/news/1"}, "bbc.co.uk", "gb", "Europe"),
        ({"domain": "bbc.co.uk", "country": "in", "continent": "asia"}, "bbc.co.uk", "in", "Asia"),
        ({}, "", "", ""),
    ],
    ids=str,
)
def test_a_place_is_found(written, domain, country, continent):
    found = place(written)
    assert (found.domain, found.country, found.continent) == (domain, country, continent)


def test_a_place_stays_as_it_is():
    own = Place(domain="a.example", country="ng")
    assert place(own) is own


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("Nigerai", "place 'Nigerai' is not known; did you mean 'nigeria'"),
        ("", "place '' is not known; write a country's code or name"),
        ("xq", "place 'xq' is not known; write"),
        ("punchgn.com", r"generic suffix .com and outlet not in table; did you mean 'punchng.com'"),
        ("zzzzqqqq.com", r"outlet not in table; for an outlet that no table knows write a mapping"),
        ("a/b", "place 'a/b'"),
        (7, "a place is text, a Place, a mapping or None, not int"),
        ({"contry": "ng"}, "place: field 'contry' is not known; did you mean 'country'"),
        ({"country": "Atlantis"}, "place 'Atlantis' is not known"),
        ({"country": "Africa"}, "'Africa' is no country"),
        ({"continent": "Lemuria"}, "continent 'Lemuria' is not known; use Africa"),
        ({"domain": "not a domain"}, "place: 'not a domain': "),
        ({"country": None}, "field 'country' is NoneType, not text"),
    ],
    ids=str,
)
def test_an_unknown_place_offers_near_ones(written, message):
    with pytest.raises(UserError, match=message):
        place(written)
