"""JSON Lines, one object a line; and `.json` files: one article, an array, or an object around one list of articles.

Of a key that an object has twice the last value counts, as in every JSON library. Lines above 64 MiB are unreadable.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any, cast

from dateline.corpus.readers.files import MAX_LINE, binary_lines, damage_named, is_utf8, kept, open_file
from dateline.corpus.readers.kinds.feed import joined
from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable, choose_columns, names_of, to_record
from dateline.errors import UserError

LOOK_AHEAD = 100
"""Good lines whose keys together make the columns of a file: any one line may leave a key out."""
LOOK_AHEAD_BYTES = 16 << 20
"""Fewer lines than `LOOK_AHEAD` are looked at where they are this long together."""
BLOCK = 1 << 16
MAX_DIGITS = 4300
"""Python refuses to read longer whole numbers; they stay strings of digits."""
BLANKS = re.compile(r"[ \t\n\r]*")

Piece = tuple[str, dict[str, Any] | str, bytes | str]
"""Where it stands, the object or what is wrong with it, and the piece as it stands in the file."""


class JsonLines(Reader):
    """JSON Lines, one article a line."""

    extensions = (".jsonl", ".ndjson")

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields a record for each line; see `read_jsonl`."""
        for path in files:
            with open_file(path) as file:
                yield from read_jsonl(file, path, columns)


class Json(Reader):
    """A `.json` file: an article, an array of them, an object around a list of them, or JSON Lines under that name."""

    extensions = (".json",)

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields the records of each file; see `read_json`."""
        for path in files:
            with open_file(path) as file:
                yield from read_json(file, path, columns)


def read_jsonl(file: IO[bytes], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields a record for each line, and `Unreadable` for lines that are not a JSON object in UTF-8.

    Raises:
        UserError: where the file is cut off, or has lines but not one JSON object among them.
    """
    yield from _of_lines(binary_lines(file, path), path, columns)


def read_json(file: IO[bytes], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields the records of a `.json` file.

    An array is read item by item, whatever its size. An object is an article where it has a column for the text;
    otherwise its one key that holds a list of objects (`stories`, `items`, `articles`) is the list of articles.

    Raises:
        UserError: where it is none of these, is one object of more than 64 MiB, has several lists of objects, or is
            damaged: then after what stands before the damage.
    """
    ahead = io.BufferedReader(cast(Any, file), BLOCK)
    with damage_named(f"{path}:0"):
        head = ahead.peek(BLOCK)
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if start == b"[":
        yield from _of_pieces(_array(ahead, path), path, columns, "items is a JSON object")
    elif start == b"{":
        yield from _of_object(ahead, path, columns)
    elif start or len(head) == BLOCK:
        raise UserError(f"{path}: neither JSON nor JSON Lines (it begins with neither {{ nor [)")


def _of_lines(lines: Iterable[tuple[int, bytes]], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    pieces = ((f"{path}:{number}", _object_of(line), line) for number, line in lines if line.strip())
    return _of_pieces(pieces, path, columns, "lines is a JSON object; is it JSON Lines in UTF-8?")


def _of_pieces(pieces: Iterator[Piece], path: str, columns: Columns, refusal: str) -> Iterator[Record | Unreadable]:
    """Yields one record or one `Unreadable` for each piece, in their order; what comes before damage is not lost."""
    chosen: dict[str, str] | None = None
    waiting: list[Piece] = []
    good = bad = weight = 0
    damage: UserError | None = None
    while True:
        try:
            piece = next(pieces, None)
        except UserError as error:
            damage, piece = error, None
        if piece is None:
            break
        if isinstance(piece[1], dict):
            good += 1
        else:
            bad += 1
        if chosen is not None:
            yield _outcome(piece, chosen)
            continue
        waiting.append(piece)
        weight += len(piece[2])
        if good >= LOOK_AHEAD or weight >= LOOK_AHEAD_BYTES:
            chosen = _columns_of(waiting, columns, path) if good else None
            yield from (_outcome(piece, chosen or {}) for piece in waiting)
            waiting, weight = [], 0
    if waiting:
        chosen = _columns_of(waiting, columns, path) if good else {}
        yield from (_outcome(piece, chosen) for piece in waiting)
    if damage is not None:
        raise damage
    if bad and not good:
        raise UserError(f"{path}: not one of its {bad:,} {refusal}")


def _outcome(piece: Piece, chosen: dict[str, str]) -> Record | Unreadable:
    source, value, raw = piece
    if isinstance(value, dict):
        try:
            return to_record(value, chosen, source)
        except RecursionError:
            value = "lists inside lists, too deep to be a text"
    return Unreadable(source, value, raw if isinstance(raw, str) else kept(raw))


def _columns_of(pieces: list[Piece], columns: Columns, path: str) -> dict[str, str]:
    rows = [row for _, row, _ in pieces if isinstance(row, dict)]
    return choose_columns(names_of(rows), columns, path, rows)


def _object_of(line: bytes) -> dict[str, Any] | str:
    """Returns the object on a line, or what is wrong with it."""
    if len(line) >= MAX_LINE:
        return "longer than 64 MiB; the first 1 MiB is kept"
    try:
        return _object_or_problem(DECODER.decode(line.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start}"
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"


def _object_or_problem(value: Any) -> dict[str, Any] | str:
    return value if isinstance(value, dict) else f"not a JSON object but {type(value).__name__}"


def _of_object(file: IO[bytes], path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Reads a file that begins with an object: JSON Lines where one of its first two lines is a whole object."""
    lines = ((number, line) for number, line in binary_lines(file, path) if line.strip())
    begun = [next(lines)]
    damage: UserError | None = None
    try:
        begun += [line for line in (next(lines, None),) if line is not None]
    except UserError as error:
        damage = error
    whole = _object_of(begun[0][1])
    if damage or (len(begun) == 2 and isinstance(whole if isinstance(whole, dict) else _object_of(begun[1][1]), dict)):
        yield from _of_lines(chain(begun, lines), path, columns)
        if damage is not None:
            raise damage
        return
    if isinstance(whole, str):
        data = bytearray()
        for _, line in chain(begun, lines):
            data += line
            if len(data) >= MAX_LINE:
                raise UserError(f"{path}: one JSON object of more than 64 MiB; write it as JSON Lines, one a line")
        whole = _object_of(bytes(data))
        if isinstance(whole, str):
            raise UserError(f"{path}: neither JSON nor JSON Lines ({whole})")
    pieces = (
        (f"{path}:{number}", _object_or_problem(item), "" if isinstance(item, dict) else json.dumps(item))
        for number, item in enumerate(_articles(whole, columns, path), start=1)
    )
    yield from _of_pieces(pieces, path, columns, "items is a JSON object")


def _articles(value: dict[str, Any], columns: Columns, path: str) -> list[Any]:
    """Returns the list of articles that an object wraps, or the object itself as the only one."""
    lists = {key: held for key, held in value.items() if isinstance(held, list)}
    full = [key for key, held in lists.items() if any(isinstance(item, dict) for item in held)]
    deeper = value
    for _ in range(2 if not lists else 0):  # {"response": {"docs": [...]}}
        inner = {
            f"{key}.{name}": held
            for key, part in deeper.items()
            if isinstance(part, dict)
            for name, held in part.items()
        }
        full = [
            key
            for key, held in inner.items()
            if isinstance(held, list) and any(isinstance(item, dict) for item in held)
        ]
        if full:
            lists = {key: inner[key] for key in full}
            break
        deeper = inner
    try:
        if choose_columns(names_of([value]), columns, path, [value])["text"].partition(".")[0] not in full:
            return [value]
    except UserError:
        if not full and list(lists.values()) != [[]]:
            raise
    if len(full) > 1:
        raise UserError(f"{path}: several lists of objects ({', '.join(full)}); write the articles alone, as one array")
    articles = lists[full[0]] if full else []
    if columns.text is None and "jsonfeed.org" in str(value.get("version")):
        home = str(value.get("home_page_url") or value.get("feed_url") or "")
        for item in (item for item in articles if isinstance(item, dict)):
            if "content_text" in item:  # an item of a JSON Feed has its text under one of two keys
                item.setdefault("content_html", item["content_text"])
            named = item.get("id") if str(item.get("id")).startswith(("http:", "https:")) else None
            link = item.get("url") or item.get("external_url") or named
            if isinstance(link, str):
                item["url"] = joined(home, link) if home else link
    return articles


def _array(file: IO[bytes], path: str) -> Iterator[Piece]:
    """Yields the items of an array one by one; one item and as much again of the file are in memory."""
    text = _Window(file, path)
    text.mark()
    text.at += 1
    mark, number = text.mark(), 0
    text.at += mark == "]"
    while mark != "]":
        number += 1
        value, raw = text.item(number)
        yield f"{path}:{number}", value, raw
        mark = text.mark()
        if mark not in ("]", ","):
            raise UserError(f"{path}:{number}: the array breaks off after this item")
        text.at += 1
    if text.mark():
        raise UserError(f"{path}:{number}: something follows the array")


class _Window:
    """The part of a JSON file that is in memory, and the place up to which it is read."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self.at = 0
        self._text, self._ended = "", False
        self._file, self._path = file, path
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._more()
        self._text = self._text.removeprefix("\ufeff")

    def mark(self) -> str:
        """Moves to the next character that is no blank and returns it; an empty string is the end of the file."""
        while True:
            blanks = BLANKS.match(self._text, self.at)
            self.at = blanks.end() if blanks else self.at
            if self.at < len(self._text) or self._ended:
                return self._text[self.at : self.at + 1]
            self._more()

    def item(self, number: int) -> tuple[dict[str, Any] | str, str]:
        """Moves behind the next value and returns it, or why it is no article, and the text in which it is written."""
        self.mark()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self.at)
            except json.JSONDecodeError as error:
                problem, cut = error.msg, error.pos > len(self._text) - 16 or error.msg.startswith("Unterminated")
            except RecursionError as error:
                problem, cut = str(error), False
            else:
                problem, cut = "", end == len(self._text)  # of a number the rest may follow
                if not cut or self._ended:
                    raw, self.at = self._text[self.at : end], end
                    return (_object_or_problem(value) if is_utf8(raw) else "not UTF-8"), raw
            if not cut or self._ended:
                raise UserError(f"{self._path}:{number}: not JSON from this item on ({problem})")
            if len(self._text) - self.at >= MAX_LINE:
                raise UserError(f"{self._path}:{number}: this item is longer than 64 MiB or never ends")
            self._more()

    def _more(self) -> None:
        with damage_named(self._path):
            block = self._file.read(max(BLOCK, len(self._text) - self.at))
        self._ended = not block
        self._text, self.at = self._text[self.at :] + self._decode(block, self._ended), 0


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


DECODER = json.JSONDecoder(parse_int=_whole_number)
"""What reads every JSON value here; `NaN` and `Infinity` are read too."""
