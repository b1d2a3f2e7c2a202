"""Addresses inside others, and sites that are nobody's home."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.places import Outlet, parse_url, resolve
from dateline.places.outlets import shipped_outlets
from dateline.places.url import SHARED_HOSTS
from dateline.places.wrapped import ARCHIVES, WRAPPERS, shorteners, unwrap

GOOGLE_NEWS = "CBMiH2h0dHBzOi8vd3d3LmRhd24uY29tL25ld3MvMTIzNDXSAQA"

WRAPPED = [
    ("https://web.archive.org/web/20220721144434/https://www.cbc.ca/news/road-1", "cbc.ca", "ca"),
    ("https://web.archive.org/web/20220721144434id_/http://punchng.com/road", "punchng.com", "ng"),
    ("https://web.archive.org/web/2022*/punchng.com/road", "archive.org", ""),
    ("https://web.archive.org/web/*/https://punchng.com/road", "punchng.com", "ng"),
    ("http://web.archive.org/web/20100101/punchng.com/road?a=1", "punchng.com", "ng"),
    ("https://web.archive.org/web/20200101000000/http:/punchng.com/road", "punchng.com", "ng"),
    ("https://web.archive.org/save/https://www.dawn.com/news/1", "dawn.com", "pk"),
    ("https://webarchive.nationalarchives.gov.uk/ukgwa/20200101/https://www.dawn.com/1", "dawn.com", "pk"),
    ("https://arquivo.pt/wayback/20200101/http://punchng.com/road", "punchng.com", "ng"),
    ("https://wayback.archive-it.org/123/20200101/https://www.irishtimes.com/a", "irishtimes.com", "ie"),
    ("https://archive.ph/2022/https://www.bbc.co.uk/news/uk-1", "bbc.co.uk", "gb"),
    ("https://archive.ph/newest/https://www.bbc.co.uk/news/uk-1", "bbc.co.uk", "gb"),
    ("https://archive.today/?url=https%3A%2F%2Fwww.bbc.co.uk%2Fnews", "bbc.co.uk", "gb"),
    ("https://www-irishtimes-com.cdn.ampproject.org/c/s/www.irishtimes.com/road", "irishtimes.com", "ie"),
    ("https://cdn.ampproject.org/v/s/www.irishtimes.com/road?amp_js_v=0.1", "irishtimes.com", "ie"),
    ("https://jamaica--gleaner-com.cdn.ampproject.org/", "jamaica-gleaner.com", "jm"),
    ("https://www.google.com/amp/s/www.thehindu.com/road", "thehindu.com", "in"),
    ("https://www.google.co.uk/amp/www.thehindu.com/road", "thehindu.com", "in"),
    ("https://www.google.co.in/url?sa=t&url=https%3A%2F%2Fwww.dawn.com%2Fnews%2F1&usg=x", "dawn.com", "pk"),
    ("https://www.bing.com/amp/s/www.thehindu.com/road", "thehindu.com", "in"),
    ("https://webcache.googleusercontent.com/search?q=cache:https://www.dawn.com/news/1", "dawn.com", "pk"),
    ("https://webcache.googleusercontent.com/search?q=cache:aBcDeFgHiJkL:www.dawn.com/1+tax", "dawn.com", "pk"),
    (f"https://news.google.com/rss/articles/{GOOGLE_NEWS}?oc=5", "dawn.com", "pk"),
    ("https://r.search.yahoo.com/_ylt=A/RU=https%3a%2f%2fwww.dawn.com%2fnews%2f1/RK=2/RS=x-", "dawn.com", "pk"),
    ("https://12ft.io/https://www.smh.com.au/a", "smh.com.au", "au"),
    ("https://12ft.io/proxy?q=https%3A%2F%2Fwww.smh.com.au%2Fa", "smh.com.au", "au"),
    ("https://outline.com/https://www.smh.com.au/a", "smh.com.au", "au"),
    ("https://r.jina.ai/https://www.smh.com.au/a", "smh.com.au", "au"),
    ("https://www-dawn-com.translate.goog/news/1?_x_tr_sl=en", "dawn.com", "pk"),
    ("https://translate.google.com/translate?sl=en&u=https://www.dawn.com/1", "dawn.com", "pk"),
    ("https://l.facebook.com/l.php?u=https%3A%2F%2Fpunchng.com%2Fa&h=AT0", "punchng.com", "ng"),
    ("https://l.instagram.com/?u=https%3A%2F%2Fpunchng.com%2Fa", "punchng.com", "ng"),
    ("https://out.reddit.com/t3_x?url=https%3A%2F%2Fpunchng.com%2Fa", "punchng.com", "ng"),
    ("https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fpunchng.com%2Fa&data=1", "punchng.com", "ng"),
    ("https://urldefense.com/v3/__https://punchng.com/a__;!!x", "punchng.com", "ng"),
    ("https://urldefense.proofpoint.com/v2/url?u=https-3A__punchng.com_a&d=x", "punchng.com", "ng"),
    ("https://href.li/?https://punchng.com/a", "punchng.com", "ng"),
    ("http://rss.feedsportal.com/c/1/f/2/s/3/l/0L0Spunchng0N0Ca/story01.htm", "punchng.com", "ng"),
    ("https://web.archive.org/web/2020/https://www.google.com/amp/s/www.dawn.com/1", "dawn.com", "pk"),
    ("https://web.archive.org/web/2020/https://bit.ly/3x", "bit.ly", ""),
]  # fmt: skip


@pytest.mark.parametrize(("url", "domain", "country"), WRAPPED)
def test_of_an_address_inside_another_the_inner_one_speaks(url, domain, country):
    place = resolve(url)
    assert (place.domain, place.country) == (domain, country)
    host = parse_url(url).host
    said = [piece.detail for piece in place.evidence] or [place.reason]
    assert domain == parse_url(url).domain or all(text.endswith(f" (inside {host})") for text in said)


@pytest.mark.parametrize(
    "url",
    ["youtu.be/abc", "bbc.in/3x", "lnkd.in/a", "trib.al/a", "reut.rs/a", "n.pr/a", "hill.cm/a", "dlvr.it/a", "t.co/uk",
     "bit.ly/za", "archive.is/Ab", "archive.ph/uk", "perma.cc/uk", "go.usa.gov/x1",
     "https://feedproxy.google.com/~r/punch/~3/x", "https://www.google.co.in/search?q=x", "https://news.yahoo.co.jp/a",
     "https://www.newsnow.co.uk/h/", "https://dailyhunt.in/news/x", "https://foo.ru.com/x", "https://foo.de.com/x",
     "https://ru.com/", "https://de.com/x", "https://12ft.io/", "https://web.archive.org/details/x"],
)  # fmt: skip
def test_what_is_nobodys_home_has_no_country(url):
    place = resolve(url)
    assert (place.country, place.evidence) == ("", ())
    assert place.domain
    assert place.reason


@pytest.mark.parametrize(
    ("host", "domain", "country"),
    [
        ("www.nhs.uk", "nhs.uk", "gb"),
        ("nhs.uk", "nhs.uk", "gb"),
        ("www.barts.nhs.uk", "barts.nhs.uk", "gb"),
        ("www.police.uk", "police.uk", "gb"),
        ("vic.gov.au", "vic.gov.au", "au"),
        ("www.vic.gov.au", "vic.gov.au", "au"),
        ("www.premier.vic.gov.au", "premier.vic.gov.au", "au"),
        ("www.govt.nz", "govt.nz", "nz"),
        ("www.gob.mx", "gob.mx", "mx"),
        ("foo.ru.com", "foo.ru.com", ""),
        ("www.foo.de.com", "foo.de.com", ""),
    ],
)
def test_edges_of_registered_domains(host, domain, country):
    place = resolve(f"https://{host}/a")
    assert (place.domain, place.country) == (domain, country)


def test_a_declared_country_and_a_users_table_still_speak():
    assert resolve("https://bit.ly/x", "Ghana").country == "gh"
    assert resolve("https://bit.ly/x", outlets={"bit.ly": Outlet("bit.ly", "us", "Bitly")}).country == "us"


def test_the_lists_are_of_registered_domains_and_hold_no_outlet():
    for domain in (*ARCHIVES, *WRAPPERS):
        assert parse_url(domain).domain == domain
    hosts = {host: parse_url(host) for host in shorteners()}
    assert [host for host, parts in hosts.items() if parts.host != host or not parts.domain] == []
    assert (ARCHIVES | shorteners() | SHARED_HOSTS) & shipped_outlets().keys() == set()


@given(st.sampled_from([case[0] for case in WRAPPED]), st.data())
def test_whatever_is_wrapped_unwraps_to_an_address(url, data):
    start, end = (data.draw(st.integers(0, len(url))) for _ in range(2))
    parts, wrapper = unwrap(parse_url(url[:start] + data.draw(st.text(max_size=20)) + url[end:]))
    assert not wrapper or parts.domain
