"""Dropped documents, whole, by reason: `dropped/<reason>/<part>.jsonl.gz`, which `dateline corpus` can read again."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any


class DroppedFiles:
    """Opens a file a reason, when it is needed; the bytes depend on the documents alone."""

    def __init__(self, folder: Path, part: str) -> None:
        self._folder = folder
        self._part = part
        self._stack = ExitStack()
        self._files: dict[str, gzip.GzipFile] = {}
        self._raw: dict[str, IO[bytes]] = {}

    def __enter__(self) -> DroppedFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Adds one document; `row["reason"]` names the folder."""
        name = slug(row["reason"])
        file = self._files.get(name)
        if file is None:
            file = gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=self.raw(name), mtime=0)
            self._files[name] = self._stack.enter_context(file)
        file.write(json_line(row))

    def raw(self, name: str) -> IO[bytes]:
        """Returns the compressed file of a folder: what is appended to it must be whole gzip members.

        All appending must be done before the first `write` under the same reason, or each lands in the other.
        """
        raw = self._raw.get(name)
        if raw is None:
            path = self._folder / name / f"{self._part}.jsonl.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = self._raw[name] = self._stack.enter_context(path.open("wb"))
        return raw


def slug(reason: str) -> str:
    """Returns a reason as the name of a folder: `too short` -> `too-short`."""
    return re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-") or "other"


def json_line(row: Mapping[str, Any]) -> bytes:
    """Returns a row as one line of JSON in UTF-8; where a string is no Unicode text, with escapes."""
    try:
        return (json.dumps(row, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(row) + "\n").encode()
