"""Finished corpus folders from articles written by hand; no gate is applied and no place is resolved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dateline.corpus.shards import ShardWriter
from dateline.manifest import Manifest, new_folder, write_manifest
from dateline.records import SPLITS, Article, stable_hash


def write_corpus(folder: Path, articles: Iterable[Article]) -> Path:
    """Writes a corpus folder and returns it; an article without a split goes to `train`.

    The fingerprint depends on the articles, so that folders with different articles are different parents.
    """
    counts: Counter[str] = Counter()
    content = 0
    with new_folder(folder) as partial:
        with ShardWriter(partial) as writer:
            for article in articles:
                placed = replace(article, split=article.split or "train")
                writer.write(placed)
                counts[placed.split] += 1
                content = stable_hash(str(content), repr(placed))
        total = counts.total()
        write_manifest(
            partial,
            Manifest.of(
                "corpus",
                {"articles": f"{content:016x}"},
                {},
                counts={"in": total, "kept": total, **{split: counts[split] for split in SPLITS}},
            ),
        )
    return folder
