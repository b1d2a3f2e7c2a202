import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.kinds.jsonl import Json, JsonLines, read_json, read_jsonl
from dateline.errors import UserError

GUESSED = Columns()
WORD = st.text(st.characters(codec="utf-8"), max_size=20)
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(("url", "title", "text", "date", "country"), WORD)), max_size=8)


def lines(data: bytes, columns: Columns = GUESSED) -> list[Record | Unreadable]:
    return list(read_jsonl(io.BytesIO(data), "f.jsonl", columns))


def values(data: bytes, columns: Columns = GUESSED) -> list[Record | Unreadable]:
    return list(read_json(io.BytesIO(data), "f.json", columns))


def texts(found: list[Record | Unreadable]) -> list[str]:
    return [item.text for item in found if isinstance(item, Record)]


def until_damage(path: Path) -> tuple[list[Record | Unreadable], str]:
    """What a reader yields before it raises, and what it says then."""
    found: list[Record | Unreadable] = []
    reader = Json() if ".json." in path.name or path.suffix == ".json" else JsonLines()
    with pytest.raises(UserError) as raised:
        found.extend(reader.read((str(path),), GUESSED))
    return found, str(raised.value)


def test_every_line_is_a_record_or_says_why_not() -> None:
    found = lines(b'\xef\xbb\xbf{"text": "a"}\n\n{"text": \n["b"]\n{"text": "\xff"}\r\n{"Title": "t", "text": "c"}')
    assert [item.source for item in found] == [f"f.jsonl:{number}" for number in (1, 3, 4, 5, 6)]
    assert texts(found) == ["a", "c"]
    bad = [item for item in found if isinstance(item, Unreadable)]
    assert [item.problem.split(":")[0] for item in bad] == [
        "not JSON",
        "not a JSON object but list",
        "not UTF-8 at byte 10",
    ]
    assert [item.raw for item in bad] == ['{"text": \n', '["b"]\n', '{"text": "\udcff"}\r\n']
    assert found[-1] == Record("", "t", "c", "", "", "f.jsonl:6")


def test_a_key_may_be_missing_on_the_first_lines() -> None:
    data = b'{"text": "a"}\n' * 50 + b'{"text": "b", "head": "h"}\n' + b'{"text": "c"}\n' * 100
    found = lines(data, Columns(title="head"))
    assert len(found) == 151
    assert [item.title for item in found if isinstance(item, Record) and item.title] == ["h"]


@given(ROWS, st.sampled_from(["lines", "array", "wrapped"]), st.booleans())
def test_what_is_written_is_read_back(rows: list[dict[str, str]], form: str, ascii_only: bool) -> None:
    if form == "lines":
        found = lines("".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows).encode())
    else:
        whole: Any = rows if form == "array" else {"count": len(rows), "stories": rows}
        found = values(json.dumps(whole, ensure_ascii=ascii_only, indent=1).encode())
    fields = ("url", "title", "text", "date", "country")
    assert [{name: getattr(item, name) for name in fields} for item in found] == rows


@given(st.lists(st.one_of(st.text(max_size=20).map(lambda text: {"text": text}), st.binary(max_size=20)), max_size=20))
def test_no_line_is_lost(items: list[dict[str, str] | bytes]) -> None:
    encoded = [json.dumps(x).encode() if isinstance(x, dict) else x.replace(b"\n", b"") for x in items]
    full = [line for line in encoded if line.strip()]
    found = lines(b'{"text": "x"}\n' + b"\n".join(encoded))
    assert len(found) == len(full) + 1
    bad = [item.raw.encode("utf-8", "surrogateescape").rstrip(b"\n") for item in found if isinstance(item, Unreadable)]
    assert set(bad) <= set(full)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(("text", "title", "date", "country", "lang"), JSON)), max_size=5))
def test_no_type_is_too_wrong(rows: list[dict[str, Any]]) -> None:
    found = lines("".join(json.dumps(row) + "\n" for row in rows).encode())
    assert all(isinstance(item, Record) for item in found)
    for item in found:
        assert isinstance(item, Record)
        f"{item.date}{item.country}{item.language}".encode()  # what is not cleaned later can be written to a file
    assert len(found) == len(rows)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"text": "a", "text": "b"}', "b"),
        (b'{"text": NaN}', ""),
        (b'{"text": ' + b"7" * 5000 + b"}", "7" * 5000),
        (b'{"text": 1e999}', "inf"),
        (b'{"text": {"a": 1}}', ""),
        (b'{"text": "a\\u0000b"}', "a\x00b"),
    ],
)
def test_strange_values_are_strings(line: bytes, text: str) -> None:
    assert texts(lines(line)) == [text]


def test_nesting_beyond_reason_is_one_bad_line() -> None:
    deep = b'{"text": ' + b"[" * 400 + b'"x"' + b"]" * 400 + b"}"
    found = lines(b"[" * 100_000 + b'\n{"text": "a"}\n' + deep + b"\n")
    assert [type(item) for item in found] == [Unreadable, Record, Unreadable]
    assert isinstance(found[2], Unreadable)
    assert found[2].problem == "lists inside lists, too deep to be a text"


def test_a_file_of_other_lines_is_refused_after_its_lines() -> None:
    found: list[Record | Unreadable] = []
    with pytest.raises(UserError) as raised:
        found.extend(read_jsonl(io.BytesIO(b"<html>\n<body>\n"), "f.jsonl", GUESSED))
    assert str(raised.value) == "f.jsonl: not one of its 2 lines is a JSON object; is it JSON Lines in UTF-8?"
    assert [item.source for item in found] == ["f.jsonl:1", "f.jsonl:2"]


@pytest.mark.parametrize("name", ["f.jsonl.gz", "f.json.gz"])
@pytest.mark.parametrize("rows", [60, 5000])
def test_a_truncated_gzip_gives_what_it_has(tmp_path: Path, name: str, rows: int) -> None:
    write = random.Random(0)
    data = [b'{"text": "%x"}' % write.getrandbits(800) for _ in range(rows)]
    whole = b"\n".join(data) if "jsonl" in name else b"[" + b",".join(data) + b"]"
    packed = gzip.compress(whole)
    (tmp_path / name).write_bytes(packed[: len(packed) // 2])
    found, message = until_damage(tmp_path / name)
    assert message.endswith("the compressed file is cut off here; fetch it again")
    if rows == 5000:
        assert rows * 0.3 < len(found) <= rows * 0.5
    assert [item.text for item in found if isinstance(item, Record)] == [
        json.loads(line)["text"] for line in data[: len(found)]
    ]


@pytest.mark.parametrize(
    "data",
    [
        b'[{"text": "a"}, {"text": "b"}]',
        b'\xef\xbb\xbf\n[\n {"text": "a"},\n {"text": "b"}\n]\n',
        b'{"text": "a"}\n{"text": "b"}\n',
        b'\n\n{"text": "a"}\n\n{"text": "b"}\n',
        b'{"text": }\n{"text": "a"}\n{"text": "b"}\n',
        b'{"stories": [{"text": "a"}, {"text": "b"}], "count": 2, "tags": ["x"]}',
        b'{\n "content": [{"text": "a"},\n {"text": "b"}], "pages": {}}',
    ],
)
def test_a_json_file_is_an_array_a_wrapped_list_or_lines(data: bytes) -> None:
    assert texts(values(data)) == ["a", "b"]


def test_a_json_file_may_be_one_article() -> None:
    article = b'{\n "text": ["a", "b"],\n "images": [{"url": "x"}]\n}'
    assert values(article) == [Record("", "", "a\nb", "", "", "f.json:1")]
    assert values(article.replace(b"\n", b"")) == [Record("", "", "a\nb", "", "", "f.json:1")]
    assert values(b"") == values(b" \n ") == values(b"[]") == values(b'{"articles": [], "totalResults": 0}') == []


def test_a_json_feed_has_its_text_under_one_of_two_keys() -> None:
    items = [
        {"url": "u1", "content_html": "<p>a", "date_published": "2021-03-04T10:00:00Z"},
        {"url": "u2", "content_text": "b", "language": "en"},
        {"url": "u3", "content_text": "c", "content_html": "<p>c"},
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "F", "items": items}
    found = values(json.dumps(feed).encode())
    assert texts(found) == ["<p>a", "b", "<p>c"]
    assert found[0] == Record("u1", "", "<p>a", "2021-03-04T10:00:00Z", "", "f.json:1")
    assert isinstance(found[1], Record)
    assert found[1].language == "en"
    assert texts(values(json.dumps(feed).encode(), Columns(text="content_text"))) == ["", "b", "c"]


def test_items_of_an_array_that_are_no_objects_are_unreadable() -> None:
    found = values(b'[{"text": "a"}, 5, {"text": "\xff"}, [ 1]]')
    assert found[1:] == [
        Unreadable("f.json:2", "not a JSON object but int", "5"),
        Unreadable("f.json:3", "not UTF-8", '{"text": "\udcff"}'),
        Unreadable("f.json:4", "not a JSON object but list", "[ 1]"),
    ]
    assert values(b'{"items": [{"text": "a"}, 5]}')[1] == Unreadable("f.json:2", "not a JSON object but int", "5")


@pytest.mark.parametrize("block", [1, 7, 1 << 16])
def test_an_array_is_read_piece_by_piece(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr("dateline.corpus.readers.kinds.jsonl.BLOCK", block)
    rows = [{"text": f"\u00e9\U0001f600{number}" * 40, "n": 10**40, "f": -1.5e-7} for number in range(30)]
    data = json.dumps(rows, ensure_ascii=False, indent=3).encode()
    found = values(data) if block > 1 else values(b"[" + data.strip()[1:])
    assert texts(found) == [row["text"] for row in rows]


@pytest.mark.parametrize(
    ("data", "read", "message"),
    [
        (b'[{"text": "a"}, {"text": ', 1, "f.json:2: not JSON from this item on (Expecting value)"),
        (b'[{"text": "a"}, {"text": "b', 1, "f.json:2: not JSON from this item on (Unterminated string starting at)"),
        (b'[{"text": "a"}, nonsense and more of it, 1]', 1, "f.json:2: not JSON from this item on (Expecting value)"),
        (b'[{"text": "a"} {"text": "b"}]', 1, "f.json:1: the array breaks off after this item"),
        (b'[{"text": "a"}', 1, "f.json:1: the array breaks off after this item"),
        (b'[{"text": "a"}] x', 1, "f.json:1: something follows the array"),
        (b"[1, 2]", 2, "f.json: not one of its 2 items is a JSON object"),
        (b"hello", 0, "f.json: neither JSON nor JSON Lines (it begins with neither { nor [)"),
        (b'{"text":\n', 0, "f.json: neither JSON nor JSON Lines (not JSON: Expecting value: line 2 column 1 (char 9))"),
        (b'{"a": [{"x": 1}], "b": [{}]}', 0, "f.json: several lists of objects (a, b); write the articles alone, as "),
        (b'{"a": 1}', 0, "f.json: no column looks like the text of an article; columns there: a; write "),
    ],
)
def test_a_damaged_file_gives_what_stands_before(tmp_path: Path, data: bytes, read: int, message: str) -> None:
    found: list[Record | Unreadable] = []
    with pytest.raises(UserError) as raised:
        found.extend(read_json(io.BytesIO(data), "f.json", GUESSED))
    assert len(found) == read
    assert str(raised.value).startswith(message)


def test_a_line_beyond_the_limit_is_one_bad_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dateline.corpus.readers.files.KEPT_OF_LONG", 20)
    for module in ("files", "kinds.jsonl"):
        monkeypatch.setattr(f"dateline.corpus.readers.{module}.MAX_LINE", 100)
    found = lines(b'{"text": "a"}\n{"text": "' + b"x" * 500 + b'"}\n{"text": "b"}\n')
    assert [item.source for item in found] == ["f.jsonl:1", "f.jsonl:2", "f.jsonl:3"]
    assert found[1] == Unreadable("f.jsonl:2", "longer than 64 MiB; the first 1 MiB is kept", '{"text": "xxxxxxxxxx')
    with pytest.raises(UserError, match=r"^f\.json: one JSON object of more than 64 MiB; write it as JSON Lines"):
        values(b'{"text":\n "' + b"x" * 500 + b'"}')
    monkeypatch.setattr("dateline.corpus.readers.kinds.jsonl.BLOCK", 10)
    with pytest.raises(UserError, match=r"^f\.json:1: this item is longer than 64 MiB or never ends$"):
        values(b'[{"text": "' + b"x" * 500 + b'"}]')


def test_columns_are_chosen_before_long_lines_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dateline.corpus.readers.kinds.jsonl.LOOK_AHEAD_BYTES", 50)
    found = lines(
        b"broken and long enough to be more than fifty bytes\n" + b'{"text": "a"}\n' * 3 + b'{"body": "b"}\n' * 9
    )
    assert texts(found) == ["a"] * 3 + [""] * 9


def test_files_are_opened_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n'))
    (tmp_path / "b.json").write_bytes(b'{"text": "b"}')
    assert texts(list(JsonLines().read((str(tmp_path / "a.jsonl.gz"),), GUESSED))) == ["a"]
    assert texts(list(Json().read((str(tmp_path / "b.json"),), GUESSED))) == ["b"]
    with pytest.raises(UserError, match=r"none\.json: no such file$"):
        list(Json().read((str(tmp_path / "none.json"),), GUESSED))
