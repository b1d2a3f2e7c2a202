"""Shards: articles to Parquet and back.

Enters: articles one by one. Leaves: `data/<split>-00000.parquet`, zstd, columns as in `Article`, readable by
`datasets.load_dataset("parquet", data_files=...)`; and from such a folder, the articles again.
Deliberately not done: no sorting, no shuffling (order is the loader's business), no statistics beyond Parquet's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.manifest import require_manifest
from dateline.records import SPLITS, Article

ARTICLE_COLUMNS = tuple(field.name for field in fields(Article))
SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ARTICLE_COLUMNS])
ROW_GROUP = 2_000
SHARD_ARTICLES = 100_000
"""About 150 MB a shard for news of 4,000 characters."""


class ShardWriter:
    """Writes articles into shards by split; at most one row group of 2,000 articles a split is in memory."""

    def __init__(self, folder: Path, *, row_group: int = ROW_GROUP, shard_articles: int = SHARD_ARTICLES) -> None:
        self._folder = folder / "data"
        self._folder.mkdir(parents=True)
        self._row_group = row_group
        self._shard_articles = shard_articles
        self._waiting: dict[str, list[Article]] = {split: [] for split in SPLITS}
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._in_shard = dict.fromkeys(SPLITS, 0)
        self._shards = dict.fromkeys(SPLITS, 0)

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
        if len(waiting) >= min(self._row_group, self._shard_articles - self._in_shard[article.split]):
            self._flush(article.split)

    def _flush(self, split: str) -> None:
        waiting = self._waiting[split]
        if not waiting:
            return
        writer = self._writers.get(split)
        if writer is None:
            path = self._folder / f"{split}-{self._shards[split]:05d}.parquet"
            writer = self._writers[split] = pq.ParquetWriter(path, SCHEMA, compression="zstd")
            self._shards[split] += 1
        columns = [[getattr(article, name) for article in waiting] for name in ARTICLE_COLUMNS]
        writer.write_table(pa.table([pa.array(column, pa.string()) for column in columns], schema=SCHEMA))
        self._in_shard[split] += len(waiting)
        waiting.clear()
        if self._in_shard[split] >= self._shard_articles:
            self._writers.pop(split).close()
            self._in_shard[split] = 0


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
    blank = dict.fromkeys(ARTICLE_COLUMNS, "")
    for split in splits:
        for path in shard_paths(folder, split):
            for batch in pq.ParquetFile(path).iter_batches(batch_size=256, columns=columns):
                for row in batch.to_pylist():
                    yield Article(**{**blank, **row})
