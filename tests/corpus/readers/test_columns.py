from datetime import datetime

import pytest

from dateline.corpus.readers.columns import Columns, choose_columns, to_record
from dateline.errors import UserError


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
