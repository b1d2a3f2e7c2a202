"""Small inputs that once failed (`tests/cases`), built as a user would build them."""

from pathlib import Path

import pytest

from dateline.corpus import build_corpus, read_articles
from dateline.records import Article

from .helpers import recipe

CASES = Path(__file__).parents[1] / "cases"


def built(tmp_path: Path, name: str) -> list[Article]:
    build_corpus(recipe(CASES / name, language=None, near_duplicates={"threshold": None}), tmp_path / "out")
    return list(read_articles(tmp_path / "out"))


def test_wrapped_addresses_have_the_place_of_their_publisher(tmp_path: Path) -> None:
    assert [(article.domain, article.country) for article in built(tmp_path, "wrapped-urls/in.jsonl")] == [
        ("cbc.ca", "ca"),
        ("punchng.com", "ng"),
        ("irishtimes.com", "ie"),
        ("thehindu.com", "in"),
        ("dawn.com", "pk"),
        ("bbc.co.uk", "gb"),
    ]


def test_every_date_of_the_feed_is_read(tmp_path: Path) -> None:
    assert {article.date for article in built(tmp_path, "dates/feed.rss")} == {"2024-02-05"}


def test_a_copy_without_a_plausible_date_wins_no_cluster(tmp_path: Path) -> None:
    found = {article.url: article.date for article in built(tmp_path, "dates/epoch.jsonl")}
    assert found["https://www.irishtimes.com/first"] == "2024-01-01"
    assert "https://punchng.com/copy" not in found
    assert {day for day in found.values() if not day.startswith("2024")} == {""}


@pytest.mark.parametrize("name", ["warc/zstd.warc", "warc/only-resource.warc"])
def test_no_page_of_the_archives_is_lost(tmp_path: Path, name: str) -> None:
    pytest.importorskip("trafilatura", exc_type=ImportError)
    found = built(tmp_path, name)
    assert len(found) == {"zstd.warc": 2, "only-resource.warc": 1}[Path(name).name]
    assert all(article.text.startswith("Marker") and article.country == "ng" for article in found)
