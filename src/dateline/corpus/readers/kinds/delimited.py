"""CSV and TSV: a header, then one record a row; quoted fields may hold line breaks.

A quote that is not closed, or is closed inside a field, takes rows with it that are sound. The line on which the row
begins is given up alone, and reading goes on with the next line, as long as what is read twice stays below `REREAD`.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import IO

from dateline.corpus.readers.files import KEPT_OF_LONG, MAX_LINE, binary_lines, is_utf8, kept, open_file
from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable, choose_columns, to_record
from dateline.errors import UserError

SEPARATORS = ",;\t|"
MAX_FIELD = 16 << 20
MAX_ROW = 64 << 20
"""Bytes, with `LINE_OVERHEAD` for each line: what a row may take in memory."""
LINE_OVERHEAD = 64
LOOK_AHEAD = 100
"""Rows by which one of several columns is chosen that may be guessed for a field."""
LOOK_AHEAD_CHARACTERS = 16 << 20
"""Fewer rows are looked at where they are this long together."""
REREAD = 256 << 20
"""Bytes; without a bound a file built for it could be read a hundred thousand times."""


class Delimited(Reader):
    """CSV with `,`, `;`, tabs or `|` between the fields, told by the first line; TSV."""

    extensions = (".csv", ".tsv")

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields a record for each row; see `read_delimited`."""
        for path in files:
            separator = "\t" if path.lower().endswith((".tsv", ".tsv.gz", ".tsv.zst")) else None
            with open_file(path) as file:
                yield from read_delimited(file, path, columns, separator=separator)


def separator_of(first_line: str) -> str:
    """Returns the separator that cuts a header into most columns; of equals the first of `,`, `;`, tab and `|`."""

    def count(separator: str) -> int:
        try:
            return len(next(csv.reader([first_line], delimiter=separator), []))
        except csv.Error:
            return 0

    return max(SEPARATORS, key=count)  # of equals `max` takes the first


def read_delimited(
    file: IO[bytes], path: str, columns: Columns, *, separator: str | None = None
) -> Iterator[Record | Unreadable]:
    """Yields a record for each row, and `Unreadable` for rows that have another number of fields or are not UTF-8.

    `source` is the line on which the row begins; `raw` is all lines of the row as they stand in the file.

    Raises:
        UserError: where the file is cut off, its header is not UTF-8, or has rows but not one that fits the header.
    """
    csv.field_size_limit(MAX_FIELD)
    lines = _Lines(file, path)
    if separator is None:
        separator = separator_of(lines.peek())
    rows = csv.reader(lines, delimiter=separator, strict=True)  # not strict, it reads `"a "b" c"` as `a b" c"`
    header = _header(rows, path)
    if header is None:
        return
    names = [name for name in header if name]
    choose_columns(names, columns, path)  # refuses before a row is read
    positions = {name: header.index(name) for name in names}
    yield from _records(_rows(rows, lines, header, path), names, positions, columns, path)


Row = tuple[str, list[str] | Unreadable]
"""Where it stands, and its fields or what is wrong with it."""


def _records(
    rows: Iterator[Row], names: list[str], positions: Mapping[str, int], columns: Columns, path: str
) -> Iterator[Record | Unreadable]:
    """Yields a record for each row, with columns that are chosen by the first `LOOK_AHEAD` of them."""
    waiting: list[Row] = []
    damage: UserError | None = None
    weight = 0
    try:
        for place, found in rows:
            waiting.append((place, found))
            weight += sum(map(len, found)) if isinstance(found, list) else len(found.raw)
            if len(waiting) >= LOOK_AHEAD or weight >= LOOK_AHEAD_CHARACTERS:
                break
    except UserError as error:
        damage = error
    ahead = [{name: row[at] for name, at in positions.items()} for _, row in waiting if isinstance(row, list)]
    chosen = choose_columns(names, columns, path, ahead)
    wanted = {name: positions[name] for name in chosen.values()}
    for source, row in chain(waiting, () if damage else rows):
        if isinstance(row, Unreadable):
            yield row
        else:
            yield to_record({name: row[at] for name, at in wanted.items()}, chosen, source)
    if damage is not None:
        raise damage


def _rows(rows: Iterator[list[str]], lines: _Lines, header: list[str], path: str) -> Iterator[Row]:
    good = bad = 0
    while True:
        lines.forget()
        row: list[str] | None = None
        problem = ""
        damage: UserError | None = None
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            unclosed = "a quote that is opened here is never closed"
            problem = f"not a row: {unclosed if str(error) == 'unexpected end of data' else error}"
        except _TooLong:
            problem = "not a row: longer than 64 MiB, of which at least the first is kept"
        except UserError as error:
            damage = error
            if not lines.taken:
                raise
            problem = "not a row: the file breaks off inside it"
        if not row and not problem:
            continue
        source = f"{path}:{lines.first}"
        if row is None:
            if damage is None:
                lines.take_back()
        elif len(row) != len(header):
            problem = f"{len(row)} fields where the header has {len(header)}"
        elif not is_utf8("\n".join(row)):
            problem = "not UTF-8"
        else:
            good += 1
            yield source, row
            continue
        bad += 1
        yield source, Unreadable(source, problem, lines.raw())
        if damage is not None:
            raise damage
    if bad and not good:
        raise UserError(f"{path}: not one of its {bad:,} rows fits the header ({len(header)} columns)")


def _header(rows: Iterator[list[str]], path: str) -> list[str] | None:
    try:
        header = next(rows, None)
    except (csv.Error, _TooLong) as error:
        raise UserError(f"{path}:1: the header cannot be read ({error})") from None
    if header is None:
        return None
    if not is_utf8("\n".join(header)):
        raise UserError(f"{path}:1: the header is not UTF-8; save the file as UTF-8")
    return [name.strip() for name in header]


class _TooLong(Exception):
    """A row, or a line of it, that is longer than what is kept in memory."""


class _Lines:
    """Lines for `csv.reader`, which remembers those of the row that is being read and can take them back."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self.taken: list[bytes] = []
        self.first = 1
        self._ahead: deque[bytes] = deque()
        self._source = binary_lines(file, path)
        self._size = self._reread = 0
        self._beginning = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._next()
        if line is None:
            raise StopIteration
        self.taken.append(line)
        self._size += len(line) + LINE_OVERHEAD
        if self._size > MAX_ROW or len(line) >= MAX_LINE:
            raise _TooLong("longer than 64 MiB")
        text = line.decode("utf-8", "surrogateescape")
        if self._beginning:
            text, self._beginning = text.removeprefix("\ufeff"), False
        return text

    def peek(self) -> str:
        """Returns the first line, which will still be given."""
        line = self._next()
        if line is None:
            return ""
        self._ahead.appendleft(line)
        return line[:KEPT_OF_LONG].decode("utf-8", "surrogateescape").removeprefix("\ufeff")

    def forget(self) -> None:
        """Begins a new row."""
        self.first += len(self.taken)
        self.taken, self._size = [], 0

    def take_back(self) -> None:
        """Keeps the first line of the row only and gives the others once more, unless that was done too often."""
        if self._reread + self._size <= REREAD:
            self._reread += self._size
            self._ahead.extendleft(reversed(self.taken[1:]))
            del self.taken[1:]

    def raw(self) -> str:
        """Returns the lines of the row as they stand in the file; of 64 MiB and more the beginning."""
        return kept(b"".join(self.taken))

    def _next(self) -> bytes | None:
        if self._ahead:
            return self._ahead.popleft()
        return next(self._source, (0, None))[1]
