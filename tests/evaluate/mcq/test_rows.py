"""Files of items: every format gives the same rows, and damage is one line."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.errors import UserError
from dateline.evaluate.mcq.rows import read_rows

ITEMS = [{"question": "Who?", "options": ["a", "b"]}, {"question": "Where?\u2028", "options": ["c"]}]


def held(path):
    return [row for _, row in read_rows(path)]


def test_all_formats_give_the_same_rows(tmp_path):
    lines, array, around = (tmp_path / name for name in ("a.jsonl", "a.json", "b.json"))
    lines.write_text("\n\n".join(json.dumps(item, ensure_ascii=False) for item in ITEMS), encoding="utf-8-sig")
    array.write_text(json.dumps(ITEMS))
    around.write_text(json.dumps({"version": 2, "items": ITEMS}))
    pq.write_table(pa.Table.from_pylist(ITEMS), tmp_path / "a.parquet")
    for path in (lines, array, around, tmp_path / "a.parquet"):
        assert held(path) == ITEMS, path


def test_where_an_item_stands_is_said(tmp_path):
    lines = tmp_path / "a.jsonl"
    lines.write_text("\n".join(["", json.dumps(ITEMS[0]), "", json.dumps(ITEMS[1])]))
    assert [where for where, _ in read_rows(lines)] == [f"{lines}:2", f"{lines}:4"]
    pq.write_table(pa.Table.from_pylist(ITEMS), tmp_path / "a.parquet")
    assert [where for where, _ in read_rows(tmp_path / "a.parquet")][1] == f"{tmp_path / 'a.parquet'}, row 2"


@pytest.mark.parametrize(
    "line", [b"{", b"[1]", b"\xff", b'{"question": "\\ud800"}', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_a_damaged_line_is_an_item_that_is_none(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line + b"\n" + json.dumps(ITEMS[0]).encode())
    assert held(path) == ["is not a JSON object in UTF-8", ITEMS[0]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "question", "not a known format; questions are read from .jsonl, .ndjson, .json, .parquet"),
        ("a.json", '{"question": "Who?"}', "neither a JSON array of items nor an object around one"),
        ("a.json", '{"a": [], "b": []}', "neither a JSON array of items nor an object around one"),
        ("a.json", "{", "neither a JSON array of items nor an object around one"),
        ("a.parquet", "PAR1", "not a readable Parquet file"),
        (None, None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, message):
    path = tmp_path / (name or "missing.jsonl")
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        list(read_rows(path))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
