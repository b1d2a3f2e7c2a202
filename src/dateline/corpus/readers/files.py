"""Names, globs, folders and addresses to files in a fixed order; files to bytes. Compression is told by the name."""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import lru_cache
from gzip import BadGzipFile
from pathlib import Path
from typing import IO, Any, cast

from dateline.corpus.readers.registry import claimed_by, extensions, is_expected, reader_of
from dateline.errors import UserError


def expand_paths(paths: Sequence[str]) -> tuple[str, ...]:
    """Returns the files that paths, globs and folders stand for, each once.

    The order is that of the recipe, and by name within a folder or a glob. Folders are searched to any depth; files
    in them that are hidden or of another kind are passed over. A folder that is one data set stands for itself.

    Raises:
        UserError: where a path is missing, a glob or folder holds no readable file, or an extension is unknown.
    """
    found: dict[str, None] = {}
    for path in paths:
        files = _expand_remote(path) if is_remote(path) else _expand_local(path)
        for file in files:
            if any("\ud800" <= letter <= "\udfff" for letter in file):
                raise UserError(f"{file!a}: the name of this file is not plain UTF-8 text; rename it")
            if reader_of(file) is None:
                raise UserError(f"{file}: unknown kind of file; readable are {extensions()}")
            found.setdefault(file)
    return tuple(found)


@lru_cache(maxsize=4096)
def named_by(file: str, paths: tuple[str, ...]) -> str:
    """Returns the first of a recipe's paths that stands for a file; empty where none can be told to."""
    for path in paths:
        here = path if is_remote(path) else str(Path(path).expanduser())
        if file == here or file.startswith((f"{here.rstrip('/')}/", f"{here}!", f"{here}#")):
            return path
        if glob.has_magic(here) and fnmatchcase(file.partition("!")[0], here.replace("**/", "*")):
            return path
    return ""


def is_remote(path: str) -> bool:
    """Says whether a path has a scheme (`s3://`), the only case in which the network may be reached."""
    return "://" in path


def file_fingerprint(path: str) -> str:
    """Returns size and content hash of a file; of a remote one what the store says of it (ETag, time, size).

    A local file is read once (about 1 GB/s); the time of its last change is not part of it. A folder that is one data
    set counts with all its files.
    """
    reader = claimed_by(path)
    if reader is not None and (known := reader.fingerprint(path)) is not None:
        return known
    if is_remote(path):
        system, inner = _remote(path)
        with explained(path):
            return f"{system.size(inner)}-{system.ukey(inner)}"
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    here = Path(path)
    for file in sorted(inside for inside in here.rglob("*") if inside.is_file()) if here.is_dir() else [here]:
        if file != here:
            digest.update(f"{file.relative_to(here)}\n".encode("utf-8", "surrogateescape"))
        with explained(str(file)), file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
    return f"{size}-{digest.hexdigest()}"


def file_size(path: str) -> int:
    """Returns the bytes of a file as it lies there, or 0 where only reading would tell."""
    if is_remote(path):
        if claimed_by(path) is not None:
            return 0
        system, inner = _remote(path)
        with explained(path):
            return int(system.size(inner) or 0)
    return Path(path).stat().st_size if Path(path).is_file() else 0


@contextmanager
def open_file(path: str) -> Iterator[IO[bytes]]:
    """Opens a local or remote file for reading, decompressed where its name ends in `.gz` or `.zst`.

    Raises:
        UserError: where it is missing or may not be read.
    """
    with open_raw(path) as raw:
        name = path.lower()
        if name.endswith(".gz"):
            with gzip.open(raw, "rb") as unzipped:
                yield cast(IO[bytes], unzipped)
        elif name.endswith(".zst"):
            import pyarrow as pa

            # pyarrow's stream says when a frame is cut off; zstandard's own reader ends as if all were well
            with pa.CompressedInputStream(cast(Any, raw), "zstd") as stream:
                yield cast(IO[bytes], io.BufferedReader(_StaysBroken(stream), 1 << 18))
        else:
            yield raw


class _StaysBroken(io.RawIOBase):
    """A decompressing stream that, once broken, stays so.

    pyarrow's own (26.0) hands out memory that it never wrote when it is read on after an error.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._error is not None:
            raise self._error
        try:
            return int(self._stream.readinto(buffer))
        except Exception as error:
            self._error = error
            raise


@contextmanager
def open_raw(path: str) -> Iterator[IO[bytes]]:
    """Opens a local or remote file for reading, as it lies there."""
    with explained(path):
        if is_remote(path):
            system, inner = _remote(path)
            with system.open(inner, "rb") as stream:
                yield cast(IO[bytes], stream)
        else:
            with Path(path).open("rb") as file:
                yield file


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turns what the file system says into one line for the user."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (PermissionError, IsADirectoryError) as error:
        where = error.filename or path
        raise UserError(f"{where}: cannot be read ({error.strerror or error})") from None


def _expand_local(path: str) -> list[str]:
    here = Path(path).expanduser()
    if here.is_dir():
        if claimed_by(str(here)) is not None:
            return [str(here)]
        with explained(path):
            inside = sorted(_within(here))
        files = [str(file) for file in inside if file.is_dir() or is_expected(str(file))]
        if not files:
            raise UserError(
                f"{path}: no readable file in this folder ({len(inside)} others); readable are {extensions()}"
            )
        return files
    if here.exists():
        return [str(here)]
    if not glob.has_magic(path):
        raise UserError(f"{path}: no such file or folder")
    matches = sorted(filter(os.path.isfile, glob.glob(str(here), recursive=True)))  # noqa: PTH207
    files = [match for match in matches if is_expected(match)]
    if not files:
        raise UserError(
            f"{path}: no readable file matches this pattern ({len(matches)} others do); readable are {extensions()}"
        )
    return files


def _within(folder: Path) -> Iterator[Path]:
    """Yields the files in a folder at any depth, and folders that are one data set in place of their files."""
    for inside in folder.iterdir():
        if inside.name.startswith("."):
            continue
        if inside.is_file() or (inside.is_dir() and claimed_by(str(inside)) is not None):
            yield inside
        elif inside.is_dir() and not inside.is_symlink():
            yield from _within(inside)


def _expand_remote(path: str) -> list[str]:
    if claimed_by(path) is not None:
        return [path]
    system, inner = _remote(path)
    scheme = path.split("://", 1)[0]
    if glob.has_magic(path) and not system.exists(inner):
        names = sorted(str(name) for name in system.glob(inner))
    elif system.isdir(inner):
        names = sorted(str(name) for name in system.find(inner))
    else:
        return [path]
    files = [f"{scheme}://{name.removeprefix(f'{scheme}://')}" for name in names if is_expected(name)]
    if not files:
        raise UserError(f"{path}: no readable file there; readable are {extensions()}")
    return files


def _remote(path: str) -> tuple[Any, str]:
    import fsspec

    try:
        system, inner = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise UserError(f"{path}: this scheme cannot be opened ({error})") from None
    return system, str(inner)


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
