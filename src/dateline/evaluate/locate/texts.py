"""Texts to locate, from the command line, standard input or files, in the form of the model's training texts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dateline.corpus.readers import Columns, Unreadable, read_files
from dateline.corpus.text.clean import clean_text, clean_title
from dateline.errors import UserError
from dateline.records import body_text

TABLES = (".jsonl", ".ndjson", ".parquet", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst")
"""Files of many texts; every other file is one text."""


class Text(NamedTuple):
    """One text to locate."""

    name: str
    """Where it came from: `text`, `standard input`, a file, or `file:line`."""
    body: str


def read_texts(arguments: Sequence[str]) -> Iterator[Text]:
    """Yields the texts that arguments stand for: `-`, a file, or the argument itself.

    Raises:
        UserError: where a text is empty, or a file is missing or unreadable.
    """
    for argument in arguments:
        if argument == "-":
            yield _text("standard input", sys.stdin.buffer.read(), "")
        elif argument.lower().endswith(TABLES):
            yield from _table(argument)
        elif _is_file(argument):
            yield _text(argument, Path(argument).read_bytes(), "")
        elif Path(argument).suffix in (".txt", ".md", ".json", ".csv") and " " not in argument:
            raise UserError(f"{argument}: no such file; a text of your own is written between quotes")
        else:
            yield _text("text", argument.encode("utf-8", "surrogateescape"), "")


def as_body(title: str, text: str) -> str:
    """Returns what the model was trained to write, `TITLE: ...` and `CONTENT: ...`; empty where there are no words.

    Without a title the first line is taken for one. A single line is a headline whose article is still to come.
    """
    title, text = clean_title(title), clean_text(text)
    if not title:
        title, _, text = text.partition("\n")
        text = text.strip()
    if text:
        return body_text(title, text)
    return body_text(title, "").partition("\n")[0] if title else ""


def _text(name: str, content: bytes, title: str) -> Text:
    try:
        decoded = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: is not UTF-8 text ({error.reason} at byte {error.start}); convert it") from None
    return _checked(Text(name, as_body(title, decoded)))


def _table(path: str) -> Iterator[Text]:
    found = False
    for record in read_files([path], Columns()):
        if isinstance(record, Unreadable):
            raise UserError(f"{record.source}: {record.problem}; correct or remove it")
        found = True
        yield _checked(Text(record.source, as_body(record.title, record.text)))
    if not found:
        raise UserError(f"{path}: holds no text")


def _checked(text: Text) -> Text:
    if not text.body:
        raise UserError(f"{text.name}: is empty; there is nothing to locate")
    return text


def _is_file(argument: str) -> bool:
    try:
        return Path(argument).is_file()
    except (OSError, ValueError):  # longer than a name may be, or with a null byte: a text, not a file
        return False
