"""What sub-domain, query and path suggest."""

import pytest

from dateline.places import parse_url
from dateline.places.hints import find_hints


def hints(url: str) -> list[tuple[str, str, str]]:
    return [(found.country, found.continent, found.detail) for found in find_hints(parse_url(url))]


@pytest.mark.parametrize(
    ("url", "country", "continent"),
    [
        ("https://za.example.com/", "za", "Africa"),
        ("https://uk.news.example.com/", "gb", "Europe"),
        ("https://in.example.com/", "in", "Asia"),
        ("https://malaysia.news.example.com/", "my", "Asia"),
        ("https://africa.example.com/", "", "Africa"),
        ("https://example.com/world/africa", "", "Africa"),
        ("https://example.com/world/americas/story", "", "America"),
        ("https://example.com/za/politics", "za", "Africa"),
        ("https://example.com/south-africa/x", "za", "Africa"),
        ("https://example.com/uk-news/2020/x", "gb", "Europe"),
        ("https://example.com/india-news/x", "in", "Asia"),
        ("https://example.com/news/world/asia/india", "in", "Asia"),
        ("https://example.com/News/World/Asia/", "", "Asia"),
        ("https://example.com/news/world-africa-46234567", "", "Africa"),
        ("https://example.com/news/world-latin-america-46234567", "", "America"),
        ("https://example.com/news/uk-politics-46234567", "gb", "Europe"),
        ("https://example.com/?edition=uk", "gb", "Europe"),
        ("https://example.com/x?a=b&locale=en-ZA", "za", "Africa"),
        ("https://example.com/x?country=Kenya", "ke", "Africa"),
    ],
)
def test_a_hint_is_read(url: str, country: str, continent: str) -> None:
    assert [(code, region) for code, region, _ in hints(url)] == [(country, continent)]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://my.example.com/",
        "https://id.example.com/",
        "https://es.example.com/ar/",
        "https://example.com/in/ann-smith",
        "https://example.com/my/account",
        "https://example.com/jordan/",
        "https://example.com/georgia/atlanta",
        "https://example.com/india-beat-england-by-five-wickets",
        "https://example.com/asia-pacific/x",
        "https://example.com/world/middle-east",
        "https://example.com/a/b/c/d/e/f/india",
        "https://example.com/x?edition=",
        "https://example.com/x?q=uk",
        "https://example.com/news/sport-46234567",
    ],
)
def test_what_is_no_hint_is_left_alone(url: str) -> None:
    assert hints(url) == []


def test_hints_come_in_order_of_strength_with_what_was_seen() -> None:
    assert hints("https://za.example.com/world/africa?edition=uk") == [
        ("za", "Africa", "sub-domain za."),
        ("gb", "Europe", "query edition=uk"),
        ("", "Africa", "path /africa"),
    ]
