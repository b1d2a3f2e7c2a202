"""Files: from the paths of a recipe to streams of records.

Enters: paths as written in a recipe. Leaves: the files that they stand for, their fingerprints, and their records.
Deliberately not done: no network unless a path has a scheme (`s3://`), no caching, no reading of a file as a whole
(except a `.json` file that is one array or one object, at most 64 MiB).
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from dateline.corpus.readers.columns import Columns, Record, Unreadable
from dateline.corpus.readers.delimited import read_delimited
from dateline.corpus.readers.jsonl import read_json, read_jsonl
from dateline.corpus.readers.parquet import read_parquet
from dateline.errors import UserError

KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
EXTENSIONS = ".jsonl, .ndjson, .json, .csv, .tsv (each also with .gz or .zst), .parquet"


def expand_paths(paths: Sequence[str]) -> tuple[str, ...]:
    """Returns the files that paths, globs and folders stand for, each once.

    The order is that of the recipe, and by name within a folder or a glob. Folders are searched to any depth; files
    in them that are hidden or of another kind are passed over.

    Raises:
        UserError: where a path is missing, a glob or folder holds no readable file, or an extension is unknown.
    """
    found: dict[str, None] = {}
    for path in paths:
        files = _expand_remote(path) if is_remote(path) else _expand_local(path)
        for file in files:
            if any("\ud800" <= letter <= "\udfff" for letter in file):
                raise UserError(f"{file!a}: the name of this file is not plain UTF-8 text; rename it")
            if kind_of(file) is None:
                raise UserError(f"{file}: unknown kind of file; readable are {EXTENSIONS}")
            found.setdefault(file)
    return tuple(found)


def kind_of(path: str) -> tuple[str, str] | None:
    """Returns (`jsonl`, `json`, `csv`, `tsv` or `parquet`; compression or ``), or None for any other extension."""
    name = path.rsplit("/", 1)[-1].lower()
    stem, compression = name, ""
    for suffix, meaning in COMPRESSIONS.items():
        if name.endswith(suffix):
            stem, compression = name[: -len(suffix)], meaning
    kind = KINDS.get(Path(stem).suffix)
    if kind is None or (kind == "parquet" and compression):
        return None
    return kind, compression


def is_remote(path: str) -> bool:
    """Says whether a path has a scheme (`s3://`), the only case in which the network may be reached."""
    return "://" in path


def file_fingerprint(path: str) -> str:
    """Returns size and content hash of a file; of a remote one what the store says of it (ETag, time, size).

    A local file is read once (about 1 GB/s); the time of its last change is not part of it.
    """
    if is_remote(path):
        system, inner = _remote(path)
        with _explained(path):
            return f"{system.size(inner)}-{system.ukey(inner)}"
    digest = hashlib.blake2b(digest_size=16)
    with _explained(path), Path(path).open("rb") as file:
        size = 0
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return f"{size}-{digest.hexdigest()}"


def read_files(paths: Iterable[str], columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields the records of files one after another."""
    for path in paths:
        yield from read_file(path, columns)


def read_file(path: str, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields the records of one file in order, in bounded memory.

    Raises:
        UserError: where the file is missing, of unknown kind, cut off, or holds no record at all among its lines,
            or where its columns do not fit the mapping.
    """
    known = kind_of(path)
    if known is None:
        raise UserError(f"{path}: unknown kind of file; readable are {EXTENSIONS}")
    kind, compression = known
    with _explained(path), _open(path, compression) as file:
        if kind == "parquet":
            yield from read_parquet(file, path, columns)
        elif kind == "jsonl":
            yield from read_jsonl(file, path, columns)
        elif kind == "json":
            yield from read_json(file, path, columns)
        else:
            yield from read_delimited(file, path, columns, separator="\t" if kind == "tsv" else ",")


@contextmanager
def _open(path: str, compression: str) -> Iterator[IO[bytes]]:
    with _open_raw(path) as raw:
        if compression == "gzip":
            with gzip.open(raw, "rb") as unzipped:
                yield cast(IO[bytes], unzipped)
        elif compression == "zstd":
            # pyarrow's stream says when a frame is cut off; zstandard's own reader ends as if all were well
            with pa.CompressedInputStream(cast(Any, raw), "zstd") as stream:
                yield cast(IO[bytes], io.BufferedReader(cast(Any, stream), 1 << 18))
        else:
            yield raw


def _open_raw(path: str) -> IO[bytes]:
    if is_remote(path):
        system, inner = _remote(path)
        return cast(IO[bytes], system.open(inner, "rb"))
    return Path(path).open("rb")


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turns what the file system says into one line for the user."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (PermissionError, IsADirectoryError) as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def _expand_local(path: str) -> list[str]:
    here = Path(path).expanduser()
    if here.is_dir():
        inside = sorted(
            file
            for file in here.rglob("*")
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(here).parts)
        )
        files = [str(file) for file in inside if kind_of(str(file)) is not None]
        if not files:
            raise UserError(
                f"{path}: no readable file in this folder ({len(inside)} others); readable are {EXTENSIONS}"
            )
        return files
    if here.exists():
        return [str(here)]
    if not glob.has_magic(path):
        raise UserError(f"{path}: no such file or folder")
    matches = sorted(filter(os.path.isfile, glob.glob(str(here), recursive=True)))  # noqa: PTH207
    files = [match for match in matches if kind_of(match) is not None]
    if not files:
        raise UserError(
            f"{path}: no readable file matches this pattern ({len(matches)} others do); readable are {EXTENSIONS}"
        )
    return files


def _expand_remote(path: str) -> list[str]:
    system, inner = _remote(path)
    scheme = path.split("://", 1)[0]
    if glob.has_magic(path):
        names = sorted(str(name) for name in system.glob(inner))
    elif system.isdir(inner):
        names = sorted(str(name) for name in system.find(inner))
    else:
        return [path]
    files = [f"{scheme}://{name.removeprefix(f'{scheme}://')}" for name in names if kind_of(name) is not None]
    if not files:
        raise UserError(f"{path}: no readable file there; readable are {EXTENSIONS}")
    return files


def _remote(path: str) -> tuple[Any, str]:
    import fsspec

    try:
        system, inner = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise UserError(f"{path}: this scheme cannot be opened ({error})") from None
    return system, str(inner)
