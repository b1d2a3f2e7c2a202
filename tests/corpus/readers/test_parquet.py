import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.parquet import read_parquet
from dateline.errors import UserError

GUESSED = Columns()


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def rows(data: bytes, columns: Columns = GUESSED) -> list[Record | Unreadable]:
    return list(read_parquet(io.BytesIO(data), "f.parquet", columns))


def test_rows_are_records_in_order_across_batches() -> None:
    found = rows(parquet(text=[f"t{n}" for n in range(700)], other=list(range(700))))
    assert [item.text for item in found if isinstance(item, Record)] == [f"t{n}" for n in range(700)]
    assert (found[0].source, found[-1].source) == ("f.parquet:1", "f.parquet:700")


def test_lists_times_and_nulls_are_understood() -> None:
    data = parquet(
        body=[["one", "two"], None],
        published=pa.array([1614816000, None], pa.timestamp("s")),
        country=[["kenya"], ["kenya", "uganda"]],
        **{"source.name": ["x", "y"]},
    )
    assert rows(data, Columns(title="source.name")) == [
        Record("", "x", "one\ntwo", "2021-03-04T00:00:00", "kenya", "f.parquet:1"),
        Record("", "y", "", "", "", "f.parquet:2"),
    ]


def test_binary_text_must_be_utf8() -> None:
    found = rows(parquet(text=pa.array([b"good", b"\xff"], pa.binary())))
    assert found[0] == Record("", "", "good", "", "", "f.parquet:1")
    assert found[1] == Unreadable("f.parquet:2", "not UTF-8 at byte 0", "")


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_damaged_file_is_refused(damage: str) -> None:
    whole = parquet(text=["a" * 1000])
    data = whole[:-20] if damage == "cut" else b"hello, this is no Parquet"
    with pytest.raises(UserError, match=r"^f\.parquet: cannot be read as Parquet \(.*\)$"):
        rows(data)
