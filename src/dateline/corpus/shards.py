"""Articles to Parquet (`data/<split>-00000.parquet`, which `datasets.load_dataset` reads) and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.manifest import require_manifest
from dateline.records import SPLITS, Article

ARTICLE_COLUMNS = tuple(field.name for field in fields(Article))
SCHEMA = pa.schema(
    [
        pa.field(name, pa.list_(pa.string()) if name == "also_at" else pa.string(), nullable=False)
        for name in ARTICLE_COLUMNS
    ]
)
ROW_GROUP = 2_000


class ShardWriter:
    """Writes articles into one shard a split; at most one row group of 2,000 articles a split is in memory."""

    def __init__(self, folder: Path, *, number: int = 0, row_group: int = ROW_GROUP) -> None:
        self._folder = folder / "data"
        self._folder.mkdir(parents=True)
        self._number = number
        self._row_group = row_group
        self._waiting: dict[str, list[Article]] = {split: [] for split in SPLITS}
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for split in SPLITS:
                    self._flush(split)
        finally:
            for writer in self._writers.values():
                writer.close()

    def write(self, article: Article) -> None:
        """Adds an article to the shard of its split."""
        waiting = self._waiting[article.split]
        waiting.append(article)
        if len(waiting) >= self._row_group:
            self._flush(article.split)

    def _flush(self, split: str) -> None:
        waiting = self._waiting[split]
        if not waiting:
            return
        writer = self._writers.get(split)
        if writer is None:
            path = self._folder / f"{split}-{self._number:05d}.parquet"
            writer = self._writers[split] = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        columns = [[getattr(article, field.name) for article in waiting] for field in SCHEMA]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        writer.write_table(pa.table(arrays, schema=SCHEMA))
        waiting.clear()


def read_articles(
    corpus_folder: Path, columns: Sequence[str] | None = None, *, split: str | None = None
) -> Iterator[Article]:
    """Yields the articles of a corpus in a fixed order: train, validation, test, each in reading order.

    Args:
        corpus_folder: what `build_corpus` made.
        columns: fields to read; the others are empty strings. None reads all. Leaving out `text` is much faster.
        split: one split only.

    Raises:
        UserError: where the folder is no finished corpus, or a column or split does not exist.

    Example:
        >>> article = next(read_articles(Path("runs/corpus"), ["title", "country"], split="test"))
        >>> article.title, article.country
        ('School meals programme returns in Arusha', 'tz')
    """
    require_manifest(corpus_folder, "corpus", f"dateline corpus RECIPE --out {corpus_folder}")
    unknown = [name for name in columns or () if name not in ARTICLE_COLUMNS]
    if unknown:
        raise UserError(f"an article has no column {', '.join(unknown)}; it has {', '.join(ARTICLE_COLUMNS)}")
    if split is not None and split not in SPLITS:
        raise UserError(f"there is no split '{split}'; there are {', '.join(SPLITS)}")
    return _stream(corpus_folder, None if columns is None else list(columns), SPLITS if split is None else (split,))


def shard_paths(corpus_folder: Path, split: str) -> list[Path]:
    """Returns the shards of one split in order."""
    return sorted((corpus_folder / "data").glob(f"{split}-*.parquet"))


def _stream(folder: Path, columns: list[str] | None, splits: Sequence[str]) -> Iterator[Article]:
    blank: dict[str, Any] = {**dict.fromkeys(ARTICLE_COLUMNS, ""), "also_at": ()}
    for split in splits:
        for path in shard_paths(folder, split):
            for batch in pq.ParquetFile(path).iter_batches(batch_size=256, columns=columns):
                for row in batch.to_pylist():
                    found = blank | row
                    yield Article(**(found | {"also_at": tuple(found["also_at"])}))
