"""CSV and TSV: a header, then one record a row; quoted fields may hold line breaks.

Enters: an open binary file. Leaves: records, and the rows that are none.
Deliberately not done: no guess of separator, quoting or encoding; no file without a header; no fields above 16 Mi
characters (an unclosed quote would otherwise swallow the rest of the file).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

from dateline.corpus.readers.columns import Columns, Record, Unreadable, choose_columns, to_record
from dateline.corpus.readers.jsonl import MAX_LINE, binary_lines
from dateline.errors import UserError

MAX_FIELD = 16 << 20


def read_delimited(file: IO[bytes], path: str, columns: Columns, *, separator: str) -> Iterator[Record | Unreadable]:
    """Yields a record for each row, and `Unreadable` for rows that have another number of fields or are not UTF-8.

    `source` is the line on which the row begins.

    Raises:
        UserError: where the file is cut off, its header is not UTF-8, or has rows but not one that fits the header.
    """
    csv.field_size_limit(MAX_FIELD)
    rows = csv.reader(_decoded(file, path), delimiter=separator)
    try:
        header = next(rows)
    except StopIteration:
        return
    except csv.Error as error:
        raise UserError(f"{path}:1: the header cannot be read ({error})") from None
    if header:
        header[0] = header[0].removeprefix("\ufeff")
    if not _is_utf8(header):
        raise UserError(f"{path}:1: the header is not UTF-8; save the file as UTF-8")
    header = [name.strip() for name in header]
    chosen = choose_columns([name for name in header if name], columns, path)
    positions = {column: header.index(column) for column in chosen.values()}
    good = bad = 0
    while True:
        source = f"{path}:{rows.line_num + 1}"
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            bad += 1
            yield Unreadable(source, f"not a row: {error}", "")
            continue
        if not row:
            continue
        if len(row) != len(header):
            problem = f"{len(row)} fields where the header has {len(header)}"
        elif not _is_utf8(row):
            problem = "not UTF-8"
        else:
            good += 1
            yield to_record({column: row[at] for column, at in positions.items()}, chosen, source)
            continue
        bad += 1
        excerpt = separator.join(row)[:200].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        yield Unreadable(source, problem, excerpt)
    if bad and not good:
        raise UserError(f"{path}: not one of its {bad:,} rows fits the header ({len(header)} columns)")


def _decoded(file: IO[bytes], path: str) -> Iterator[str]:
    """Yields lines; a byte that is not UTF-8 becomes a lone surrogate and condemns its own row, not the file."""
    for number, line in binary_lines(file, path):
        if len(line) >= MAX_LINE:
            raise UserError(f"{path}:{number}: a line of more than 64 MiB; is this a table?")
        yield line.decode("utf-8", "surrogateescape")


def _is_utf8(row: list[str]) -> bool:
    try:
        for value in row:
            value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
