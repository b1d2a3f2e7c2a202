from datetime import datetime

import pytest

from dateline.corpus.readers import read_files
from dateline.corpus.readers.reader import Columns, Record, choose_columns, to_record
from dateline.errors import UserError

from ..helpers import shared


def test_usual_names_are_recognised_whatever_their_case() -> None:
    names = ["ID", "Link", "Headline", "Body_Text", "publishedAt", "Country Code"]
    assert choose_columns(names, Columns(), "f") == {
        "url": "Link",
        "title": "Headline",
        "text": "Body_Text",
        "date": "publishedAt",
        "country": "Country Code",
    }


def test_the_best_of_several_guesses_is_taken_and_a_mapping_comes_first() -> None:
    assert choose_columns(["content", "text"], Columns(), "f") == {"text": "text"}
    assert choose_columns(["content", "text"], Columns(text="content"), "f") == {"text": "content"}
    assert choose_columns(["text", "body"], Columns(title="text"), "f") == {"title": "text", "text": "body"}


def test_a_missing_mapped_column_is_named_with_what_is_there() -> None:
    with pytest.raises(UserError) as raised:
        choose_columns(["a", "text"], Columns(title="head"), "news.csv")
    assert str(raised.value) == (
        "news.csv: there is no column 'head' for the title; columns there: a, text; "
        "write `columns: {title: NAME}` with one of them"
    )


def test_a_file_without_a_text_column_says_what_to_write() -> None:
    with pytest.raises(UserError) as raised:
        choose_columns(["url", "story_html"], Columns(), "news.csv")
    assert str(raised.value) == (
        "news.csv: no column looks like the text of an article; columns there: url, story_html; "
        "write `columns: {text: NAME}` with one of them"
    )


def test_values_become_strings() -> None:
    chosen = {"url": "u", "title": "t", "text": "x", "date": "d", "country": "c"}
    row = {"u": None, "t": ["A", "b"], "x": ["one", None, "two"], "d": datetime(2021, 3, 4, 5), "c": ["kenya"]}
    found = to_record(row, chosen, "f:1")
    assert (found.url, found.title, found.text) == ("", "A b", "one\n\ntwo")
    assert (found.date, found.country, found.source) == ("2021-03-04T05:00:00", "kenya", "f:1")
    several = to_record({"x": b"caf\xc3\xa9", "c": ["kenya", "uganda"], "d": float("nan"), "t": 7}, chosen, "f:2")
    assert (several.text, several.country, several.date, several.title) == ("café", "", "", "7")


@pytest.mark.parametrize(
    ("name", "records", "texts", "dates"),
    [
        ("news_lk2/0022b33f.json", 1, 1, 1),
        ("ghana-news-feed/news-feed.json", 100, 100, 100),
        ("sa-news/newsapi/2026-02-05-12.parquet", 369, 1, 369),
        ("sa-news/newsdata/2026-02-05-13.parquet", 60, 60, 60),
        ("sa-news/newsdatahub/2026-02-05-14.parquet", 60, 1, 60),
        ("ph-newspaper-scrapy/malaya.csv", 1, 1, 1),
        ("ph-newspaper-scrapy/times.csv", 1, 1, 1),
    ],
)
def test_published_files_need_no_mapping(name: str, records: int, texts: int, dates: int) -> None:
    found = list(read_files([str(shared(f"raw/{name}"))], Columns()))
    good = [item for item in found if isinstance(item, Record)]
    assert len(good) == len(found) >= records
    assert sum(bool(item.url and item.title) for item in good) >= 0.95 * len(good)
    assert sum(bool(item.text) for item in good) >= texts
    assert sum(bool(item.date) for item in good) >= dates


def test_what_is_said_of_the_language_is_kept() -> None:
    assert choose_columns(["text", "inLanguage"], Columns(), "f")["language"] == "inLanguage"
    assert to_record({"x": "a", "l": ["en", None]}, {"text": "x", "language": "l"}, "f:1").language == "en "


def test_halves_of_surrogate_pairs_do_not_survive_where_nothing_is_cleaned() -> None:
    chosen = {"text": "x", "date": "x", "country": "x", "language": "x"}
    found = to_record({"x": "a\ud800b"}, chosen, "f:1")
    assert (found.text, found.date, found.country, found.language) == ("a\ud800b", "ab", "ab", "ab")


def test_a_message_about_columns_is_one_short_line() -> None:
    with pytest.raises(UserError) as raised:
        choose_columns(["a\nb", "c\ud800", *(f"n{number}" for number in range(1000))], Columns(), "f")
    assert "columns there: a b, c\\ud800, n0, " in str(raised.value)
    assert " n37 and 962 more; write" in str(raised.value)
