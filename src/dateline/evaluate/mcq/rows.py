"""Rows of a file of items, whatever its format: one mapping of columns an item, or what is wrong with it.

Enters: a path to JSON Lines, JSON or Parquet. Leaves: for each item where it stands and what it holds.
Deliberately not done: no CSV (it has no lists), and no meaning: which column is which is the matter of `questions.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from dateline.errors import UserError

Row = Mapping[str, object]

FORMATS = (".jsonl", ".ndjson", ".json", ".parquet")


def read_rows(path: Path) -> Iterator[tuple[str, Row | str]]:
    """Yields for each item where it stands (`file.jsonl:3`), and its columns or what is wrong with it.

    Raises:
        UserError: where the file is missing, of another format, or damaged as a whole.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: not a known format; questions are read from {', '.join(FORMATS)}")
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a file with question, options, answer and country")
    if path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path)
        return
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if path.suffix.lower() == ".json":
        for number, item in enumerate(_items(path, _load(content)), 1):
            yield f"{path}, item {number}", item if isinstance(item, dict) else "is not a JSON object"
        return
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            item = _load(line)
            yield f"{path}:{number}", item if isinstance(item, dict) else "is not a JSON object in UTF-8"


def _items(path: Path, loaded: object) -> list[object]:
    """Returns the one list that a JSON file is, or holds."""
    held = list(loaded.values()) if isinstance(loaded, dict) else [loaded]
    lists = [value for value in held if isinstance(value, list)]
    if len(lists) != 1:
        raise UserError(f"{path}: neither a JSON array of items nor an object around one; is it JSON Lines (.jsonl)?")
    return lists[0]


def _parquet_rows(path: Path) -> Iterator[tuple[str, Row | str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    yield from ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))


def _load(content: bytes) -> object:
    """Returns what JSON says, or None where it is none."""
    try:
        loaded: object = json.loads(content.decode("utf-8"))
        json.dumps(loaded, ensure_ascii=False).encode("utf-8")  # halves of characters (\\ud800) cannot be stored
    except (ValueError, RecursionError):
        return None
    return loaded
