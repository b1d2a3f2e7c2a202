"""Parquet and Arrow files, one record a row, read batch by batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.corpus.readers.files import is_remote, open_raw
from dateline.corpus.readers.reader import (
    DEEPEST,
    TEXT_KEYS,
    Columns,
    Reader,
    Record,
    Unreadable,
    choose_columns,
    guessed_columns,
    to_record,
)
from dateline.errors import UserError

BATCH_ROWS = 256
LOOK_AHEAD = 100
"""Rows by which one of several columns is chosen that may be guessed for a field."""
PAGE_BUFFER = 1 << 20
"""Bytes of a column that are read ahead; without it, or with `pre_buffer`, Parquet holds whole compressed columns."""

_AS_BYTES: dict[Any, Any] = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}


class Parquet(Reader):
    """Parquet files."""

    extensions = (".parquet",)
    plain = False

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields a record for each row; see `read_parquet`."""
        for path in files:
            with open_raw(path) as file:
                yield from read_parquet(file, path, columns)


class ArrowFile(Reader):
    """Arrow files and streams, among them Feather and what `datasets.save_to_disk` writes."""

    extensions = (".arrow", ".feather")
    plain = False

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields a record for each row; see `read_arrow`. A local file is mapped, not loaded."""
        for path in files:
            with open_raw(path) as file:
                if is_remote(path) or not file.read(1):
                    yield from read_arrow(file, path, columns)
                else:
                    with pa.memory_map(path) as mapped:
                        yield from read_arrow(cast(Any, mapped), path, columns)


def read_parquet(file: IO[bytes], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields a record for each row; at most 256 rows and a page of each column are in memory.

    Raises:
        UserError: where the file is not Parquet, is cut off or is damaged.
    """
    with _refused(path, "Parquet"):
        table = pq.ParquetFile(file, buffer_size=PAGE_BUFFER, pre_buffer=False, page_checksum_verification=True)

        def ahead(names: list[str]) -> pa.RecordBatch | None:
            return next(table.iter_batches(batch_size=LOOK_AHEAD, columns=names), None)

        chosen = choose_table_columns(table.schema_arrow, columns, path, ahead)
        batches = table.iter_batches(batch_size=BATCH_ROWS, columns=list(dict.fromkeys(chosen.values())))
    yield from read_batches(batches, chosen, path, "Parquet")


def read_arrow(file: IO[bytes], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields a record for each row; the batches of the file, as its writer made them, are in memory one by one.

    Raises:
        UserError: where the file is not Arrow, is cut off or is damaged.
    """
    with _refused(path, "Arrow"):
        file.seek(0)
        is_file = file.read(6) == b"ARROW1"
        opened: Any = pa.ipc.open_file if is_file else pa.ipc.open_stream
        file.seek(0)
        schema = opened(file).schema

        def batches_of(names: Iterable[str]) -> Iterable[pa.RecordBatch]:
            outer = sorted({schema.names.index(_outer(name, schema.names)) for name in names})
            file.seek(0)
            table = opened(file, options=pa.ipc.IpcReadOptions(included_fields=outer))
            return (table.get_batch(number) for number in range(table.num_record_batches)) if is_file else table

        chosen = choose_table_columns(schema, columns, path, lambda names: next(iter(batches_of(names)), None))
        batches = batches_of(chosen.values())
    yield from read_batches(batches, chosen, path, "Arrow")


def choose_table_columns(
    schema: pa.Schema, columns: Columns, path: str, ahead: Callable[[list[str]], pa.RecordBatch | None]
) -> dict[str, str]:
    """Returns field -> column as `choose_columns` does.

    Structures, maps and lists of them are passed over, but for the columns inside of structures (`metadata.url`) and
    for structured texts.

    Args:
        schema: of the file.
        columns: what the user says.
        path: of the file, for messages.
        ahead: gives the first rows of some columns, which are asked for where several may be guessed for a field.

    Raises:
        UserError: also where a mapped column is such a structure.
    """
    nested = {field.name: field.type for field in schema if _is_nested(field.type) and not _holds_text(field.type)}
    for field, name in columns:
        if name in nested:
            raise UserError(f"{path}: the column '{name}' for the {field} is no text but {str(nested[name])[:80]}")
    names = [name for name in schema.names if name not in nested]
    names += [f"{field.name}.{inner}" for field in schema for inner in _inside(field.type)]
    options = guessed_columns(names, columns)
    doubtful = [name for found in options.values() if len(found) > 1 for name in found]
    rows: list[dict[str, Any]] = []
    if doubtful:
        try:
            first = ahead(doubtful)
            rows = first.slice(0, LOOK_AHEAD).to_pylist() if first is not None else []
        except (
            ValueError,
            ArithmeticError,
            LookupError,
        ):  # damage is told, and values are condemned, when rows are read
            rows = []
    return choose_columns(names, columns, path, rows)


def _outer(name: str, names: Sequence[str]) -> str:
    """Returns the column of a table in which another lies (`metadata` of `metadata.url`), or is."""
    return name if name in names else name.partition(".")[0]


def _inside(kind: pa.DataType, deep: int = 1) -> Iterator[str]:
    """Yields the columns inside of a structure that hold plain values."""
    if pa.types.is_struct(kind) and deep < DEEPEST:
        for field in cast(Any, kind):
            if not _is_nested(field.type):
                yield field.name
            yield from (f"{field.name}.{inner}" for inner in _inside(field.type, deep + 1))


def _holds_text(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and any(field.name in TEXT_KEYS for field in cast(Any, kind))


def read_batches(
    batches: Iterable[pa.RecordBatch], chosen: dict[str, str], path: str, kind: str
) -> Iterator[Record | Unreadable]:
    """Yields a record for each row of the batches, `source` counting from 1.

    Raises:
        UserError: where a batch cannot be read or contradicts itself, after all batches before it.
    """
    row = 0
    remaining = iter(batches)
    wanted: list[str] = []
    while True:
        with _refused(f"{path}:{row}" if row else path, kind):
            batch = next(remaining, None)
            if batch is None:
                return
            # Arrow believes the offsets in a file; unchecked, a hostile one reads foreign memory
            wanted = list(dict.fromkeys(_outer(name, batch.schema.names) for name in chosen.values()))
            held = [_checked(batch.column(batch.schema.names.index(name))) for name in wanted]
        for start in range(0, batch.num_rows, BATCH_ROWS):
            for values in _rows([column.slice(start, BATCH_ROWS) for column in held]):
                row += 1
                source = f"{path}:{row}"
                problem = next((str(value) for value in values if isinstance(value, _Unreadable)), "")
                named = dict(zip(wanted, values, strict=True))
                if not problem:
                    try:
                        record = to_record(named, chosen, source)
                    except UnicodeDecodeError as error:
                        problem = f"not UTF-8 at byte {error.start}"
                yield Unreadable(source, problem, _written(named)) if problem else record


class _Unreadable(str):
    """Why a value cannot be had, in its place."""

    __slots__ = ()


def _is_nested(kind: pa.DataType) -> bool:
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = cast(Any, kind).value_type
    return pa.types.is_struct(kind) or pa.types.is_map(kind) or pa.types.is_union(kind)


def _checked(column: pa.Array[Any]) -> pa.Array[Any]:
    """Returns a column with its strings as bytes, so that one that is not UTF-8 condemns its row only."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if isinstance(column, pa.DictionaryArray):
        column.indices.validate(full=True)
        column = pa.DictionaryArray.from_arrays(column.indices, _checked(column.dictionary))
    elif pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    elif (as_bytes := _as_bytes(column.type)) != column.type:
        column = column.view(as_bytes)
    column.validate(full=True)
    return column


def _as_bytes(kind: Any) -> Any:
    if pa.types.is_list(kind):
        return pa.list_(_as_bytes(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_as_bytes(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_as_bytes(kind.value_type), kind.list_size)
    return _AS_BYTES.get(kind, kind)


def _rows(columns: list[pa.Array[Any]]) -> Iterator[tuple[Any, ...]]:
    return zip(*(_values(column) for column in columns), strict=True)


def _values(column: pa.Array[Any]) -> list[Any]:
    try:
        return column.to_pylist()
    except (ValueError, ArithmeticError, LookupError):  # a day beyond the year 9999, a decimal that is none
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, ArithmeticError, LookupError) as error:
        return _Unreadable(f"a value that cannot be read ({type(error).__name__}: {error})")


def _written(values: dict[str, Any]) -> str:
    """Returns a row as JSON; a byte that is not UTF-8 becomes an escape of its own, `\\udc80` to `\\udcff`."""

    def text(value: object) -> str:
        return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)

    return json.dumps(values, default=text)


@contextmanager
def _refused(where: str, kind: str) -> Iterator[None]:
    """Turns what Arrow says of a file that it cannot read into one line."""
    try:
        yield
    except UserError:
        raise
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError) as error:
        reason = " ".join(str(error).splitlines()[:1]) or type(error).__name__
        raise UserError(f"{where}: cannot be read as {kind} ({reason[:300]})") from None
