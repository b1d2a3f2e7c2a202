"""Zip files: members named (`FILE.zip!MEMBER`) and read as files of their own; nothing is unpacked to disk."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from itertools import pairwise
from lzma import LZMAError
from typing import IO, Any, cast
from zipfile import BadZipFile, ZipFile

from dateline.corpus.readers.files import open_file, open_raw
from dateline.errors import UserError

_MEMBER = re.compile(r"(.*?\.zip)!(.+)", re.IGNORECASE | re.DOTALL)
_BROKEN = (
    BadZipFile, zlib.error, LZMAError, struct.error, RuntimeError, ValueError, LookupError, EOFError, OSError,
    MemoryError,
)  # fmt: skip
"""What Python's zipfile raises on files that are damaged, encrypted or packed in a way unknown to it."""
_ENCRYPTED = 0x1


def members_of(path: str) -> list[str]:
    """Returns `FILE.zip!MEMBER` for each file in a zip file, by name; what other systems hide there is left out.

    Raises:
        UserError: where it is no zip file, or has an encrypted member or two of one name.
    """
    with open_raw(path) as raw:
        try:
            with ZipFile(raw) as archive:
                inside = [member for member in archive.infolist() if not member.is_dir()]
        except _BROKEN as error:
            raise UserError(f"{path}: no zip file that can be read ({error}); fetch it again") from None
    locked = next((member.filename for member in inside if member.flag_bits & _ENCRYPTED), None)
    if locked is not None:
        raise UserError(f"{path}!{locked}: is encrypted; unpack the zip file with its password and name the folder")
    names = sorted(member.filename for member in inside)
    twice = next((name for name, after in pairwise(names) if name == after), None)
    if twice is not None:
        raise UserError(f"{path}: holds two files of the name {twice}; pack it again without one of them")
    return [f"{path}!{name}" for name in names if not name.split("/")[-1].startswith(".") and "__MACOSX/" not in name]


@contextmanager
def open_within(path: str) -> Iterator[IO[bytes]]:
    """Opens a file, or a member of a zip file, for reading from beginning to end in bounded memory.

    Raises:
        UserError: where it is missing or cannot be unpacked; while it is read, from where on it is damaged.
    """
    found = _MEMBER.fullmatch(path)
    if found is None:
        with open_file(path) as file:
            yield file
        return
    with open_raw(found[1]) as raw:
        try:
            archive = ZipFile(raw)
            member = archive.open(found[2])
        except _BROKEN as error:
            raise UserError(f"{path}: cannot be unpacked ({error}); unpack the zip file and name the folder") from None
        with archive, member:
            yield cast(IO[bytes], BufferedReader(_Explained(member, path), 1 << 18))


class _Explained(RawIOBase):
    """A member whose damage is told in one line."""

    def __init__(self, member: IO[bytes], path: str) -> None:
        self._member = member
        self._path = path
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            block = self._member.read(len(buffer))
        except _BROKEN as error:
            raise UserError(
                f"{self._path}: damaged after {self._at:,} bytes ({str(error) or 'cut off'}); fetch the zip file again"
            ) from None
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)
