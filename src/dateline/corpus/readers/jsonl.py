"""JSON Lines: one JSON object a line, one record each; and `.json` files that hold one object or one array.

Enters: an open binary file. Leaves: records, and the lines that are none.
Deliberately not done: no repair of broken JSON, no nested columns, no lines above 64 MiB.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from gzip import BadGzipFile
from typing import IO, Any

from dateline.corpus.readers.columns import Columns, Record, Unreadable, choose_columns, to_record
from dateline.errors import UserError

LOOK_AHEAD = 100
"""Good lines whose keys together make the columns of a file: any one line may leave a key out."""
MAX_LINE = 64 << 20


def read_jsonl(file: IO[bytes], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields a record for each line, and `Unreadable` for lines that are not a JSON object in UTF-8.

    Raises:
        UserError: where the file is cut off, or has lines but not one JSON object among them.
    """
    chosen: dict[str, str] | None = None
    waiting: list[tuple[dict[str, Any], str]] = []
    bad = 0
    for number, line in binary_lines(file, path):
        if not line.strip():
            continue
        source = f"{path}:{number}"
        row = _object(line)
        if isinstance(row, str):
            bad += 1
            yield Unreadable(source, row, line[:800].decode("utf-8", "replace")[:200])
        elif chosen is not None:
            yield to_record(row, chosen, source)
        else:
            waiting.append((row, source))
            if len(waiting) == LOOK_AHEAD:
                chosen = _columns_of(waiting, columns, path)
                yield from (to_record(row, chosen, source) for row, source in waiting)
                waiting.clear()
    if waiting:
        chosen = _columns_of(waiting, columns, path)
        yield from (to_record(row, chosen, source) for row, source in waiting)
    if chosen is None and bad:
        raise UserError(f"{path}: not one of its {bad:,} lines is a JSON object; is it JSON Lines in UTF-8?")


def read_json(file: IO[bytes], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields the records of a `.json` file: one object, one array of objects, or JSON Lines under that name.

    Raises:
        UserError: where it is none of these, or is one value of more than 64 MiB.
    """
    lines = binary_lines(file, path)
    head = next(((number, line) for number, line in lines if line.strip()), None)
    if head is None:
        return
    number, first = head
    if isinstance(_object(first), dict):
        yield from read_jsonl(_Rejoined(first, number, file), path, columns)  # type: ignore[arg-type]
        return
    whole = bytearray(first)
    for _, line in lines:
        whole += line
        if len(whole) >= MAX_LINE:
            break
    if len(whole) >= MAX_LINE:
        raise UserError(f"{path}: one JSON value of more than 64 MiB; write it as JSON Lines, one object a line")
    try:
        value = json.loads(bytes(whole).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: neither JSON nor JSON Lines ({error})") from None
    items = value if isinstance(value, list) else [value]
    rows = [item for item in items if isinstance(item, dict)]
    if not rows:
        if items:
            raise UserError(f"{path}: holds no JSON object; an article is an object with its columns as keys")
        return
    chosen = choose_columns((key for row in rows[:LOOK_AHEAD] for key in row), columns, path)
    for position, item in enumerate(items, start=1):
        source = f"{path}:{position}"
        if isinstance(item, dict):
            yield to_record(item, chosen, source)
        else:
            yield Unreadable(source, "not a JSON object", json.dumps(item, ensure_ascii=False)[:200])


def binary_lines(file: IO[bytes], path: str) -> Iterator[tuple[int, bytes]]:
    """Yields (line number from 1, line with its end) and says where a compressed file is cut off.

    Of a line above `MAX_LINE` bytes only the beginning is given, which the caller tells by its length.

    Raises:
        UserError: naming the line after which the file ends too early or cannot be decompressed.
    """
    number = 0
    try:
        while line := file.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass  # what is left of the line is passed over, block by block
            yield number, line
    except EOFError:
        raise UserError(f"{path}:{number}: the compressed file is cut off here; fetch it again") from None
    except (BadGzipFile, zlib.error) as error:
        raise UserError(f"{path}:{number}: cannot be decompressed ({error})") from None
    except OSError as error:
        if "runcated" in str(error):
            raise UserError(f"{path}:{number}: the compressed file is cut off here; fetch it again") from None
        raise UserError(f"{path}:{number}: cannot be read ({error})") from None


def _object(line: bytes) -> dict[str, Any] | str:
    """Returns the object on a line, or what is wrong with it."""
    if len(line) >= MAX_LINE:
        return "longer than 64 MiB"
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start}"
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return value if isinstance(value, dict) else f"not a JSON object but {type(value).__name__}"


def _columns_of(rows: list[tuple[dict[str, Any], str]], columns: Columns, path: str) -> dict[str, str]:
    return choose_columns((key for row, _ in rows for key in row), columns, path)


class _Rejoined:
    """A file whose first lines have been looked at: gives them back, then the rest."""

    def __init__(self, first: bytes, number: int, file: IO[bytes]) -> None:
        self._ahead = [b"\n"] * (number - 1) + [first]
        self._file = file

    def readline(self, limit: int) -> bytes:
        return self._ahead.pop(0) if self._ahead else self._file.readline(limit)
