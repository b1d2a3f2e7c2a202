"""A file of text cut into numbered lines of bytes, however long, compressed or damaged."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile
from typing import IO

from dateline.errors import UserError

MAX_LINE = 64 << 20
"""Bytes; a longer line is given up to here and no further."""
KEPT_OF_LONG = 1 << 20
"""What is kept, for people, of a piece that is too long to be read."""


def binary_lines(file: IO[bytes], path: str) -> Iterator[tuple[int, bytes]]:
    """Yields (line number from 1, line with its end) and says where a compressed file is cut off.

    Of a line above `MAX_LINE` bytes only the beginning is given, which the caller tells by its length.

    Raises:
        UserError: naming the line after which the file ends too early or cannot be decompressed.
    """
    number = 0
    while True:
        with damage_named(f"{path}:{number}"):
            line = file.readline(MAX_LINE)
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(KEPT_OF_LONG)) and not rest.endswith(b"\n"):
                    pass  # what is left of the line is passed over, block by block
        if not line:
            return
        number += 1
        yield number, line


@contextmanager
def damage_named(where: str) -> Iterator[None]:
    """Turns what a cut-off or broken compressed file raises on reading into one line that begins with `where`."""
    try:
        yield
    except EOFError:
        raise UserError(f"{where}: the compressed file is cut off here; fetch it again") from None
    except (BadGzipFile, zlib.error) as error:
        raise UserError(f"{where}: cannot be decompressed ({error})") from None
    except OSError as error:
        if "runcated" in str(error):
            raise UserError(f"{where}: the compressed file is cut off here; fetch it again") from None
        raise UserError(f"{where}: cannot be read ({error})") from None


def is_utf8(text: str) -> bool:
    """Says whether a text that was decoded with `surrogateescape` was UTF-8 throughout."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def kept(raw: bytes) -> str:
    """Returns a piece as `Unreadable.raw` wants it: every byte can be had back, but of a long one 1 MiB is kept."""
    return (raw if len(raw) < MAX_LINE else raw[:KEPT_OF_LONG]).decode("utf-8", "surrogateescape")
