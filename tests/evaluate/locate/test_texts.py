"""Words, files and tables become texts in the model's form, or a mistake in one line."""

import io
import json
import sys

import pytest

from dateline.errors import UserError
from dateline.evaluate.locate.texts import as_body, read_texts


@pytest.mark.parametrize(
    ("title", "text", "body"),
    [
        ("", "Floods hit", "TITLE: Floods hit"),
        ("", "Floods hit\n\nRivers rose.\nRoads closed.", "TITLE: Floods hit\n\nCONTENT: Rivers rose.\nRoads closed."),
        ("Floods", "Rivers rose.", "TITLE: Floods\n\nCONTENT: Rivers rose."),
        ("Floods &amp; fire", "", "TITLE: Floods & fire"),
        ("", " \n ", ""),
    ],
)
def test_a_text_takes_the_form_of_the_training_texts(title, text, body):
    assert as_body(title, text) == body


def test_words_and_files(tmp_path):
    (tmp_path / "a.txt").write_text("Floods hit\nRivers rose.", encoding="utf-8")
    found = list(read_texts(["Cup final", str(tmp_path / "a.txt")]))
    assert [text.name for text in found] == ["text", str(tmp_path / "a.txt")]
    assert found[1].body == "TITLE: Floods hit\n\nCONTENT: Rivers rose."


def test_json_lines_are_one_text_a_line(tmp_path):
    path = tmp_path / "news.jsonl"
    path.write_text("\n".join(json.dumps({"title": t, "text": "x y"}) for t in ("One", "Two")), encoding="utf-8")
    found = list(read_texts([str(path)]))
    assert [text.body for text in found] == ["TITLE: One\n\nCONTENT: x y", "TITLE: Two\n\nCONTENT: x y"]
    assert found[1].name == f"{path}:2"


def test_parquet_too(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"headline": ["One"], "text": ["x"]}), tmp_path / "a.parquet")
    [found] = read_texts([str(tmp_path / "a.parquet")])
    assert found.body == "TITLE: One\n\nCONTENT: x"


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Ünion\nx".encode())))
    assert next(read_texts(["-"])).body == "TITLE: Ünion\n\nCONTENT: x"


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "is empty"), (" \n\t", "is empty"), (b"\xff\xfe", "is not UTF-8 text")],
)
def test_a_file_without_text_is_named(tmp_path, content, message):
    path = tmp_path / "a.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=f"a.txt: {message}"):
        list(read_texts([str(path)]))


def test_mistakes(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"title": "x", "text": "y"}\n{"title": "", "text": ""}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "y"}\n{broken\n')
    for argument, message in [
        ("", "text: is empty"),
        (str(tmp_path / "gone.txt"), "no such file"),
        (str(tmp_path / "gone.jsonl"), "no such file"),
        (str(tmp_path / "a.jsonl"), r"a.jsonl:2: is empty"),
        (str(tmp_path / "b.jsonl"), r"b.jsonl:2: not JSON"),
    ]:
        with pytest.raises(UserError, match=message):
            list(read_texts([argument]))


def test_words_that_no_file_could_be_named(tmp_path):
    assert next(read_texts(["long " * 2000])).body.startswith("TITLE: long long")
    assert next(read_texts(["a\0b"])).body == "TITLE: ab"
