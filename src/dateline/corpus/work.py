"""The folder in which a corpus is built, task by task, and how far the tasks have come.

Every task's folder appears under its name whole or not at all, so that a killed task leaves nothing and two processes
that happen to do the same task do no harm.

    pieces/00012/articles.arrow    kept articles, with what later stages ask of them
    pieces/00012/index.bin         a fixed-size entry (`ENTRY`) an article
    pieces/00012/shingles.bin      32-bit hashes of word 5-grams, one article after another
    pieces/00012/bands.bin         64-bit band hashes, band by band within chunks of `CHUNK` articles
    pieces/00012/dropped/*.jsonl.gz, tally.json
    decisions/00012.npy            a `DECISION` an article, and also_at.json where copies were removed
    shards/00003/...               the finished files of one shard
    progress/pieces/00012          how many documents a task has passed, for progress bars only
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.records import Article

ENTRY = np.dtype(
    [
        ("key", "<u8"),  # of the words
        ("id", "<u8"),  # of the article
        ("draw", "<u8"),  # decides the split
        ("outlet", "<u8"),  # hash of the domain, 0 where there is none
        ("start", "<u8"),  # of its shingles in shingles.bin, counted in hashes
        ("shingles", "<u4"),
        ("day", "<i4"),  # proleptic Gregorian ordinal, UNDATED where there is none
        ("country", "S2"),
        ("piece", "<u4"),
    ]
)
DECISION = np.dtype([("status", "u1"), ("split", "u1"), ("kept", "<u8")])
"""`status`: index into STATUSES; `split`: index into SPLITS; `kept`: id of the article that stays."""
STATUSES = ("kept", "duplicate", "near duplicate")
CHUNK = 4096

ARTICLE_FIELDS = ("id", "url", "domain", "country", "continent", "date", "title", "text", "source")
WORK_FIELDS = (*ARTICLE_FIELDS, "declared", "verified", "signals", "review")
WORK_SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in WORK_FIELDS])


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """Gives a folder to fill that gets its name only when the block ends without an error.

    Where another process was faster, its folder stays: both did the same work on the same input.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f".{final.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    partial.mkdir()
    try:
        yield partial
        try:
            partial.replace(final)
        except OSError:
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def piece_folder(work: Path, piece: int) -> Path:
    """Returns the folder of one task of the first stage."""
    return work / "pieces" / f"{piece:05d}"


def read_index(work: Path, pieces: int) -> npt.NDArray[np.void]:
    """Returns the entries of all articles in reading order: 54 bytes each."""
    parts = [np.fromfile(piece_folder(work, piece) / "index.bin", dtype=ENTRY) for piece in range(pieces)]
    return np.concatenate(parts) if parts else np.empty(0, ENTRY)


class Signatures:
    """The band hashes and shingles of all articles, read from disk as they are asked for."""

    def __init__(self, work: Path, index: npt.NDArray[np.void], pieces: int) -> None:
        self._work = work
        self._index = index
        self._pieces = pieces
        self._counts = np.bincount(index["piece"], minlength=pieces) if len(index) else np.zeros(pieces, np.int64)

    def band(self, number: int, bands: int) -> npt.NDArray[np.uint64]:
        """Returns one band's hashes of all articles."""
        parts = []
        for piece in range(self._pieces):
            count = int(self._counts[piece])
            with (piece_folder(self._work, piece) / "bands.bin").open("rb") as file:
                for first in range(0, count, CHUNK):
                    size = min(CHUNK, count - first)
                    file.seek(8 * (first * bands + number * size))
                    parts.append(np.fromfile(file, dtype="<u8", count=size))
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)

    def shingles(self, article: int) -> npt.NDArray[np.uint32]:
        """Returns the sorted shingle hashes of one article."""
        entry = self._index[article]
        path = piece_folder(self._work, int(entry["piece"])) / "shingles.bin"
        return np.fromfile(path, dtype="<u4", count=int(entry["shingles"]), offset=4 * int(entry["start"]))


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yields the rows of a piece's articles, one record batch in memory at a time."""
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_file(file) as batches:
        for number in range(batches.num_record_batches):
            yield from batches.get_batch(number).to_pylist()


def article_of(row: dict[str, str], split: str, also_at: tuple[str, ...]) -> Article:
    """Returns a stored row as an article of the finished corpus."""
    return Article(**{name: row[name] for name in ARTICLE_FIELDS}, split=split, also_at=also_at)


EVERY = 200


class Heartbeat:
    """Counts the documents of one task; the file is rewritten every 200."""

    def __init__(self, work: Path, stage: str, rank: int) -> None:
        folder = work / "progress" / stage
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"{rank:05d}").open("w", encoding="ascii")
        self._done = 0

    def count(self) -> None:
        """Adds one document."""
        self._done += 1
        if self._done % EVERY == 0:
            self._write()

    def close(self) -> None:
        """Writes the last count."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        self._file.seek(0)
        self._file.write(f"{self._done}\n")
        self._file.flush()

    def __enter__(self) -> Heartbeat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def beats(work: Path, stage: str) -> int:
    """Returns how many documents all tasks of a stage have passed so far."""
    return sum(_number(path) for path in (work / "progress" / stage).glob("*"))


def _number(path: Path) -> int:
    written = path.read_text(encoding="ascii").strip()
    return int(written) if written.isdecimal() else 0
