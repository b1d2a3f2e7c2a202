"""Writes the finished files of some pieces: Parquet by split, dropped documents by reason, place conflicts, counts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.pipeline.base import PipelineStep

from dateline.corpus.audit import CONTRIBUTED, Tally
from dateline.corpus.dropped import DroppedFiles, json_line
from dateline.corpus.shards import ShardWriter
from dateline.corpus.steps.decide import KEPT
from dateline.corpus.work import STATUSES, Heartbeat, article_of, piece_folder, read_rows, whole_folder
from dateline.records import SPLITS


class Shard(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """Writes the shard of one task."""

    type = "dateline"
    name = "shard"

    def __init__(self, work: Path, groups: Sequence[Sequence[int]], paths: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.work, self.groups, self.paths = work, groups, paths

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Reads the pieces of this shard once and writes what becomes of them."""
        final = self.work / "shards" / f"{rank:05d}"
        if final.is_dir():
            return
        with self.track_time(), whole_folder(final) as folder, ExitStack() as files:
            beat = files.enter_context(Heartbeat(self.work, "shards", rank))
            tally = Tally()
            writer = files.enter_context(ShardWriter(folder, number=rank))
            dropped = files.enter_context(DroppedFiles(folder / "dropped", f"{rank:05d}"))
            review = files.enter_context((folder / "review.jsonl").open("wb"))
            for piece in self.groups[rank]:
                here = piece_folder(self.work, piece)
                tally.add(Tally.from_json((here / "tally.json").read_text(encoding="utf-8")))
                _join_dropped(here / "dropped", dropped)
            for piece in self.groups[rank]:
                here = piece_folder(self.work, piece)
                decisions = np.load(self.work / "decisions" / f"{piece:05d}.npy")
                copies = _copies(self.work / "decisions" / f"{piece:05d}.json")
                for number, row in enumerate(read_rows(here / "articles.arrow")):
                    status, split, kept = decisions[number].tolist()
                    if status != KEPT:
                        reason = STATUSES[status]
                        tally.drop(reason, row["country"])
                        tally.contribute(row["source"], reason, paths=self.paths)
                        dropped.write(_dropped_row(row, reason, f"of {kept:016x}"))
                    else:
                        also_at = (url for url in copies.get(str(number), ()) if url != row["url"])
                        article = article_of(row, SPLITS[split], tuple(also_at))
                        writer.write(article)
                        tally.keep(
                            article,
                            verified=row["verified"],
                            declared=row["declared"],
                            signals=row["signals"],
                            review=bool(row["review"]),
                        )
                        tally.contribute(row["source"], CONTRIBUTED, paths=self.paths)
                        if row["review"]:
                            about = {name: row[name] for name in ("id", "source", "url", "title")}
                            review.write(json_line(about | json.loads(row["review"])))
                    beat.count()
            (folder / "tally.json").write_text(tally.to_json(), encoding="utf-8")


def _join_dropped(folder: Path, dropped: DroppedFiles) -> None:
    """Adds a piece's dropped documents: compressed files one after another are one compressed file."""
    for path in sorted(folder.rglob("*.jsonl.gz")) if folder.is_dir() else ():
        with path.open("rb") as file:
            shutil.copyfileobj(file, dropped.raw(path.parent.name))


def _copies(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def _dropped_row(row: dict[str, str], reason: str, detail: str) -> dict[str, Any]:
    names = ("country", "url", "title", "text", "date", "source", "declared")
    return {"reason": reason, "detail": detail, **{name: row[name] for name in names}}
