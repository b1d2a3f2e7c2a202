import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.jsonl import read_json, read_jsonl
from dateline.errors import UserError

GUESSED = Columns()


def lines(data: bytes, columns: Columns = GUESSED) -> list[Record | Unreadable]:
    return list(read_jsonl(io.BytesIO(data), "f.jsonl", columns))


def values(data: bytes) -> list[Record | Unreadable]:
    return list(read_json(io.BytesIO(data), "f.json", Columns()))


def test_every_line_is_a_record_or_says_why_not() -> None:
    found = lines(b'\xef\xbb\xbf{"text": "a"}\n\n{"text": \n["b"]\n{"text": "\xff"}\r\n{"Title": "t", "text": "c"}')
    assert [(item.source, getattr(item, "text", None)) for item in found if isinstance(item, Record)] == [
        ("f.jsonl:1", "a"),
        ("f.jsonl:6", "c"),
    ]
    bad = [item for item in found if isinstance(item, Unreadable)]
    assert [(item.source, item.problem.split(":")[0]) for item in bad] == [
        ("f.jsonl:3", "not JSON"),
        ("f.jsonl:4", "not a JSON object but list"),
        ("f.jsonl:5", "not UTF-8 at byte 10"),
    ]
    assert bad[0].excerpt == '{"text": \n'
    assert found[-1] == Record("", "t", "c", "", "", "f.jsonl:6")


def test_a_key_may_be_missing_on_the_first_lines() -> None:
    data = b'{"text": "a"}\n' * 50 + b'{"text": "b", "head": "h"}\n' + b'{"text": "c"}\n' * 100
    found = lines(data, Columns(title="head"))
    assert len(found) == 151
    assert [item.title for item in found if isinstance(item, Record) and item.title] == ["h"]


@given(st.lists(st.one_of(st.text(max_size=20).map(lambda text: {"text": text}), st.binary(max_size=20)), max_size=20))
def test_no_line_is_lost(items: list[dict[str, str] | bytes]) -> None:
    encoded = [json.dumps(x).encode() if isinstance(x, dict) else x.replace(b"\n", b"") for x in items]
    full = sum(bool(line.strip()) for line in encoded)
    good = b'{"text": "x"}\n'
    assert len(lines(good + b"\n".join(encoded))) == full + 1


def test_a_file_of_other_lines_is_refused() -> None:
    with pytest.raises(UserError) as raised:
        lines(b"<html>\n<body>\n")
    assert str(raised.value) == "f.jsonl: not one of its 2 lines is a JSON object; is it JSON Lines in UTF-8?"


def test_deep_nesting_is_one_bad_line() -> None:
    found = lines(b"[" * 100_000 + b'\n{"text": "a"}\n')
    assert [type(item) for item in found] == [Unreadable, Record]


def test_a_truncated_gzip_names_the_line(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"text": "%d"}\n' % (n * 7919 % 10007) for n in range(5000)))
    with (
        gzip.open(io.BytesIO(whole[: len(whole) // 2])) as file,
        pytest.raises(UserError, match=r"^f\.jsonl:\d{3,}: the compressed file is cut off here; fetch it again$"),
    ):
        list(read_jsonl(file, "f.jsonl", Columns()))


@pytest.mark.parametrize(
    "data",
    [
        b'[{"text": "a"}, {"text": "b"}]',
        b'\n[\n {"text": "a"},\n {"text": "b"}\n]\n',
        b'{"text": "a"}\n{"text": "b"}\n',
    ],
)
def test_a_json_file_is_an_array_or_lines(data: bytes) -> None:
    assert [item.text for item in values(data) if isinstance(item, Record)] == ["a", "b"]


def test_a_json_file_may_be_one_article() -> None:
    assert values(b'{\n "text": ["a", "b"]\n}') == [Record("", "", "a\nb", "", "", "f.json:1")]
    assert values(b"") == []


def test_items_of_an_array_that_are_no_objects_are_unreadable() -> None:
    found = values(b'[{"text": "a"}, 5]')
    assert found[1] == Unreadable("f.json:2", "not a JSON object", "5")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello", r"^f\.json: neither JSON nor JSON Lines \(Expecting value"),
        (b"[1, 2]", r"^f\.json: holds no JSON object; an article is an object with its columns as keys$"),
    ],
)
def test_other_json_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        values(data)


def test_a_line_beyond_the_limit_is_one_bad_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dateline.corpus.readers.jsonl.MAX_LINE", 100)
    found = lines(b'{"text": "a"}\n{"text": "' + b"x" * 500 + b'"}\n{"text": "b"}\n')
    assert [item.source for item in found] == ["f.jsonl:2", "f.jsonl:1", "f.jsonl:3"]
    assert isinstance(found[0], Unreadable)
    assert found[0].problem == "longer than 64 MiB"
    with pytest.raises(UserError, match=r"^f\.json: one JSON value of more than 64 MiB; write it as JSON Lines"):
        values(b'[{"text": "' + b"x" * 500 + b'"}]')
