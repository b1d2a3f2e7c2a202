import io
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Reader, Record, Unreadable
from dateline.corpus.readers.kinds.tables import ArrowFile, Parquet, read_arrow, read_parquet
from dateline.errors import UserError

GUESSED = Columns()


def parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def ipc_file(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)
    return buffer.getvalue()


def ipc_stream(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)
    return buffer.getvalue()


Write = Callable[[pa.Table], bytes]
FORMATS = pytest.mark.parametrize("write", [parquet, ipc_file, ipc_stream])


def rows(data: bytes, columns: Columns = GUESSED) -> list[Record | Unreadable]:
    read = read_parquet if data.startswith(b"PAR1") else read_arrow
    return list(read(io.BytesIO(data), "f", columns))


@FORMATS
def test_rows_are_records_in_order_across_batches(write: Write) -> None:
    found = rows(write(pa.table({"text": [f"t{n}" for n in range(700)], "other": list(range(700))})))
    assert [item.text for item in found if isinstance(item, Record)] == [f"t{n}" for n in range(700)]
    assert (found[0].source, found[-1].source) == ("f:1", "f:700")


ROW = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(st.characters(codec="utf-8"), max_size=10),
        "title": st.text(st.characters(codec="utf-8"), max_size=10),
        "date": st.none() | st.dates(),
    }
)
TYPES = st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])


@given(st.lists(ROW, max_size=6), TYPES, st.sampled_from([parquet, ipc_file, ipc_stream]))
def test_what_is_written_is_read_back(written: list[dict[str, Any]], kind: pa.DataType, write: Write) -> None:
    schema = pa.schema({"text": kind, "title": kind, "date": pa.date32()})
    found = rows(write(pa.Table.from_pylist(written, schema=schema)))
    assert [(item.text, item.title, item.date) for item in found if isinstance(item, Record)] == [
        (row["text"] or "", row["title"], row["date"].isoformat() if row["date"] else "") for row in written
    ]


@FORMATS
def test_lists_times_and_nulls_are_understood(write: Write) -> None:
    table = pa.table(
        {
            "body": [["one", "two"], None],
            "published": pa.array([1614816000, None], pa.timestamp("s")),
            "country": [["kenya"], ["kenya", "uganda"]],
            "source.name": ["x", "y"],
            "source": [{"name": "z"}, None],
            "language": pa.array(["en", None]).dictionary_encode(),
        }
    )
    assert rows(write(table), Columns(title="source.name")) == [
        Record("", "x", "one\ntwo", "2021-03-04T00:00:00", "kenya", "f:1", "en"),
        Record("", "y", "", "", "", "f:2"),
    ]


@FORMATS
def test_a_moment_to_the_nanosecond_keeps_its_day_and_zone(write: Write) -> None:
    moments = pa.array([1614898800000000001], pa.timestamp("ns", "Africa/Nairobi"))
    (found,) = rows(write(pa.table({"text": ["a"], "date": moments})))
    assert isinstance(found, Record)
    assert found.date.startswith("2021-03-05T02:00:00")


def broken_strings() -> "pa.Array[Any]":
    offsets = pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0")
    return pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"x\xffz")])


@FORMATS
@pytest.mark.parametrize("kind", ["binary", "string", "list", "dictionary"])
def test_a_value_that_is_not_utf8_condemns_its_row_only(write: Write, kind: str) -> None:
    strings = broken_strings()
    text: Any = {
        "binary": pa.array([b"x", b"\xff", b"z"]),
        "string": strings,
        "list": pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), strings),
        "dictionary": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int32()), strings),
    }[kind]
    found = rows(write(pa.table({"text": text, "title": ["a", "b", "c"]})))
    assert [item.text for item in found if isinstance(item, Record)] == ["x", "z"]
    assert isinstance(found[1], Unreadable)
    assert (found[1].source, found[1].problem) == ("f:2", "not UTF-8 at byte 0")
    kept = json.loads(found[1].raw)
    assert kept["title"] == "b"
    assert "".join(kept["text"]).encode("utf-8", "surrogateescape") == b"\xff"


@FORMATS
def test_a_day_beyond_the_calendar_condemns_its_row_only(write: Write) -> None:
    days = pa.array([18690, 10**9], pa.int32()).cast(pa.date32())
    found = rows(write(pa.table({"text": ["a", "b"], "date": days})))
    assert found[0] == Record("", "", "a", date(2021, 3, 4).isoformat(), "", "f:1")
    assert isinstance(found[1], Unreadable)
    assert found[1].problem.startswith("a value that cannot be read (OverflowError: ")


@FORMATS
def test_a_structure_is_no_text(write: Write) -> None:
    data = write(pa.table({"text": [{"a": "x"}], "body": ["y"], "items": [[{"a": 1}]]}))
    assert [item.text for item in rows(data) if isinstance(item, Record)] == ["y"]
    with pytest.raises(UserError, match=r"^f: the column 'text' for the text is no text but struct<a: string>$"):
        rows(data, Columns(text="text"))
    with pytest.raises(
        UserError, match=r"^f: there is no column 'none' for the title; columns there: body, text.a; write"
    ):
        rows(data, Columns(title="none"))


@FORMATS
@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_a_damaged_file_is_refused(write: Write, damage: str) -> None:
    whole = write(pa.table({"text": ["a" * 1000] * 400}))
    data = {"cut": whole[: len(whole) // 2], "other": b"hello, this is no table", "empty": b""}[damage]
    read = read_parquet if write is parquet else read_arrow
    with pytest.raises(UserError, match=r"^f(:\d+)?: cannot be read as (Parquet|Arrow) \(.*\)$"):
        list(read(io.BytesIO(data), "f", GUESSED))


def test_a_cut_off_stream_gives_the_batches_before() -> None:
    data = ipc_stream(pa.table({"text": [f"{n:0>100}" for n in range(1000)]}))
    found: list[Record | Unreadable] = []
    with pytest.raises(UserError, match=r"^f:900: cannot be read as Arrow \("):
        found.extend(read_arrow(io.BytesIO(data[:-3000]), "f", GUESSED))
    assert len(found) == 900


@given(st.data())
def test_changed_bytes_never_crash_a_reader(data: st.DataObject) -> None:
    write = data.draw(st.sampled_from([parquet, ipc_file, ipc_stream]))
    text = pa.array([["a", "b"], ["c"]] * 5)
    whole = bytearray(write(pa.table({"text": text, "title": pa.array(["x", "y"] * 5).dictionary_encode()})))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    read = read_parquet if write is parquet else read_arrow
    found: list[Record | Unreadable] = []
    with suppress(UserError):
        found.extend(read(io.BytesIO(bytes(whole)), "f", GUESSED))
    assert [item.source for item in found] == [f"f:{row}" for row in range(1, len(found) + 1)]


@pytest.mark.parametrize(
    ("name", "reader"), [("f.parquet", Parquet()), ("f.arrow", ArrowFile()), ("f.feather", ArrowFile())]
)
def test_files_are_opened_by_name(tmp_path: Path, name: str, reader: Reader) -> None:
    path = tmp_path / name
    table = pa.table({"text": ["a", "b"]})
    if name == "f.feather":
        pa.feather.write_feather(table, str(path), compression="zstd")
    else:
        path.write_bytes(parquet(table) if name == "f.parquet" else ipc_stream(table))
    found = list(reader.read((str(path),), GUESSED))
    assert [(item.source, getattr(item, "text", "")) for item in found] == [(f"{path}:1", "a"), (f"{path}:2", "b")]
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r": cannot be read as (Parquet|Arrow) \("):
        list(reader.read((str(path),), GUESSED))
    with pytest.raises(UserError, match=r"none: no such file$"):
        list(reader.read((str(tmp_path / "none"),), GUESSED))
