import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.corpus.readers import read_files
from dateline.corpus.readers.reader import Columns, Record, cell, choose_columns, to_record
from dateline.corpus.text.clean import day_of
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


CASES = Path(__file__).parents[2] / "cases" / "nested-json"
GUESSED = Columns()
TEXT = "Rain fell in Lagos on Tuesday."


def read_rows(folder: Path, kind: str, rows: list[dict[str, Any]], columns: Columns = GUESSED) -> list[Record]:
    """Returns the records of some rows, written as a file of one kind."""
    path = folder / f"in.{kind}"
    if kind == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    elif kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, (table := pa.Table.from_pylist(rows)).schema) as out,
        ):
            out.write_table(table)
    found = list(read_files([str(path)], columns))
    assert all(isinstance(item, Record) for item in found)
    return [item for item in found if isinstance(item, Record)]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "arrow"])
def test_a_column_with_values_goes_before_an_empty_one(tmp_path: Path, kind: str) -> None:
    rows = [{"text": None, "url": "", "link": "https://a.ng/1", "maintext": TEXT, "title": "T"}] * 2
    assert [(item.text, item.url) for item in read_rows(tmp_path, kind, rows)] == [(TEXT, "https://a.ng/1")] * 2
    empty = [{"text": None, "body": None, "title": "T"}]
    assert [item.text for item in read_rows(tmp_path, kind, empty)] == [""]


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow"])
def test_columns_inside_others_are_named_and_guessed(tmp_path: Path, kind: str) -> None:
    rows = [
        {"id": "1", "text": TEXT, "metadata": {"url": "https://a.ng/1", "date": "2024-02-05", "n": {"c": "Ghana"}}}
    ] * 2
    guessed = read_rows(tmp_path, kind, rows)
    assert [(item.url, item.date, item.country) for item in guessed] == [("https://a.ng/1", "2024-02-05", "")] * 2
    named = read_rows(tmp_path, kind, rows, Columns(country="metadata.n.c", date="metadata.url"))
    assert [(item.date, item.country) for item in named] == [("https://a.ng/1", "Ghana")] * 2
    with pytest.raises(
        UserError, match=r"no column 'metadata.x' for the url; columns there: id, text, .*metadata\.url"
    ):
        read_rows(tmp_path, kind, rows, Columns(url="metadata.x"))


@pytest.mark.parametrize("name", ["fundus", "newsplease"])
def test_what_other_collectors_write_needs_no_mapping(name: str) -> None:
    found = list(read_files([str(CASES / f"{name}.jsonl")], Columns()))
    assert len(found) == 4
    for number, item in enumerate(found):
        assert isinstance(item, Record)
        assert (item.url, item.title) == (f"https://punchng.com/n/{number}", f"T {number}")
        assert item.date.startswith("2024-02-05 10:00:00")
        assert len(item.text) > 300


@pytest.mark.parametrize(
    ("row", "found"),
    [
        # WordPress REST
        (
            {"link": "https://a.ng/1", "date": "2024-02-05", "title": {"rendered": "T"}, "content": {"rendered": TEXT}},
            ("https://a.ng/1", "T", TEXT, "2024-02-05"),
        ),
        # C4: `timestamp` is the time of the fetch
        (
            {"text": TEXT, "timestamp": "2019-04-25T12:57:54Z", "url": "https://a.ng/1"},
            ("https://a.ng/1", "", TEXT, ""),
        ),
        # FineWeb: so is `date`
        (
            {
                "text": TEXT,
                "id": "<urn:uuid:1>",
                "dump": "CC-MAIN-2013-20",
                "url": "https://a.ng/1",
                "date": "2013-05-18",
            },
            ("https://a.ng/1", "", TEXT, ""),
        ),
        ({"text": TEXT, "metadata": {"dump": "CC-MAIN-2013-20", "date": "2013-05-18"}}, ("", "", TEXT, "")),
        # Dolma
        (
            {"id": "1", "text": TEXT, "source": "cc", "added": "2023-01-01", "metadata": {"url": "https://a.ng/1"}},
            ("https://a.ng/1", "", TEXT, ""),
        ),
        # Webz: its guess at the site's country is not taken without being named
        (
            {"thread": {"url": "https://x.com", "country": "US"}, "url": "https://a.ng/1", "title": "T", "text": TEXT},
            ("https://a.ng/1", "T", TEXT, ""),
        ),
        # Elasticsearch
        ({"_id": "1", "_source": {"url": "https://a.ng/1", "body": TEXT}}, ("https://a.ng/1", "", TEXT, "")),
        # fundus with a summary and section headlines
        (
            {"title": "T", "body": {"summary": ["S."], "sections": [{"headline": ["H"], "paragraphs": ["a", "b"]}]}},
            ("", "T", "S.\nH\na\nb", ""),
        ),
        # trafilatura
        (
            {"title": "T", "text": TEXT, "hostname": "a.ng", "source": "https://a.ng/1"},
            ("https://a.ng/1", "T", TEXT, ""),
        ),
        # a domain is better than no place, if it is one
        ({"text": TEXT, "domain": "politics", "source": "cc_news"}, ("", "", TEXT, "")),
        ({"text": TEXT, "source": "The Punch", "domain": "punchng.com"}, ("punchng.com", "", TEXT, "")),
        ({"text": TEXT, "domain": "punchng.com"}, ("punchng.com", "", TEXT, "")),
    ],
)
def test_layouts_that_people_have(tmp_path: Path, row: dict[str, Any], found: tuple[str, str, str, str]) -> None:
    [item] = read_rows(tmp_path, "jsonl", [row])
    assert (item.url, item.title, item.text, item.date) == found
    assert item.country == ""


def test_a_list_deeper_inside_an_object_is_the_list_of_articles(tmp_path: Path) -> None:
    inner = {
        "webUrl": "https://a.ng/1",
        "webTitle": "T",
        "webPublicationDate": "2024-02-05T01:02:03Z",
        "fields": {"bodyText": TEXT},
    }
    path = tmp_path / "guardian.json"
    path.write_text(json.dumps({"response": {"status": "ok", "results": [inner, inner]}}), encoding="utf-8")
    found = list(read_files([str(path)], Columns()))
    assert [(item.url, item.title, item.text) for item in found if isinstance(item, Record)] == [
        ("https://a.ng/1", "T", TEXT)
    ] * 2
    hits = {"hits": {"total": 1, "hits": [{"_source": {"url": "https://a.ng/1", "text": TEXT}}]}}
    path.write_text(json.dumps(hits), encoding="utf-8")
    assert [item.text for item in read_files([str(path)], Columns()) if isinstance(item, Record)] == [TEXT]


def test_what_stands_on_the_way_of_a_name_may_be_anything() -> None:
    row = {"a.b": 1, "c": [{"d": [1, 2]}, {"d": 3}, "x"], "e": "text"}
    assert [cell(row, name) for name in ("a.b", "c.d", "e.f", "g.h", "c")] == [1, [1, 2, 3], None, None, row["c"]]


@pytest.mark.parametrize(
    ("item", "url"),
    [
        ({"url": "https://a.ng/1"}, "https://a.ng/1"),
        ({"url": "/1"}, "https://a.ng/1"),
        ({"external_url": "https://b.ng/1"}, "https://b.ng/1"),
        ({"id": "https://a.ng/1"}, "https://a.ng/1"),
        ({"id": "tag:1"}, ""),
    ],
)
def test_items_of_a_json_feed_have_an_address(tmp_path: Path, item: dict[str, str], url: str) -> None:
    path = tmp_path / "feed.json"
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "home_page_url": "https://a.ng/",
        "items": [{"content_text": TEXT, **item}],
    }
    path.write_text(json.dumps(feed), encoding="utf-8")
    [found] = read_files([str(path)], Columns())
    assert isinstance(found, Record)
    assert (found.url, found.text) == (url, TEXT)


@pytest.mark.parametrize("date", [{"$date": "2024-02-05T10:00:00Z"}, {"$date": {"$numberLong": "1707127200000"}}])
def test_dates_of_mongodb_are_read(tmp_path: Path, date: dict[str, Any]) -> None:
    [found] = read_rows(tmp_path, "jsonl", [{"text": TEXT, "date": date}])
    assert day_of(found.date) == "2024-02-05"
