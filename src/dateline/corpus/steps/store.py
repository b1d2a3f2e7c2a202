"""Ends a first-stage task: writes kept and dropped documents into one piece of the work folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datatrove.pipeline.base import PipelineStep

from dateline.corpus.audit import Tally, file_of, signals_of
from dateline.corpus.dropped import DroppedFiles
from dateline.corpus.readers import Record, Unit
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.split import UNDATED, draw_of, outlet_hash
from dateline.corpus.steps.read import Candidate, candidate_of
from dateline.corpus.text.clean import clean_address, clean_title
from dateline.corpus.work import CHUNK, ENTRY, WORK_FIELDS, WORK_SCHEMA, Heartbeat, piece_folder, whole_folder
from dateline.records import Place, article_id

BATCH_ROWS = 1000
BATCH_CHARACTERS = 16 << 20
"""A record batch ends at either, so that a few texts of 50 MB do not add up."""
LONGEST_DECLARED = 100
"""Characters of a declared country that are counted by; names of countries are shorter."""


class Store(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """Writes the piece of one task."""

    type = "dateline"
    name = "store"

    def __init__(self, recipe: CorpusRecipe, work: Path, tasks: Sequence[Sequence[Unit]] = ()) -> None:
        super().__init__()
        self.recipe, self.work, self.tasks = recipe, work, tasks

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> None:
        """Takes every document in; the piece's folder appears when the last one is written."""
        final = piece_folder(self.work, rank)
        if final.is_dir():  # finished, but killed before the mark of completion was set
            return
        with Heartbeat(self.work, "pieces", rank) as beat, whole_folder(final) as folder:
            tally = Tally()
            units = self.tasks[rank] if self.tasks else ()
            silent = {unit.files[0] for unit in units if len(unit.files) == 1 and Path(unit.files[0]).is_file()}
            with ExitStack() as files:
                dropped = files.enter_context(DroppedFiles(folder / "dropped", f"{rank:05d}"))
                piece = files.enter_context(_Piece(folder, rank, self.recipe))
                for document in data:
                    with self.track_time():
                        candidate = candidate_of(document)
                        silent.discard(file_of(candidate.record.source).partition("!")[0])
                        tally.note_remains(candidate.remains)
                        if candidate.dropped is None:
                            piece.write(document.text, candidate)
                            if not candidate.date and (written := _written_date(candidate)):
                                tally.unread_date(written, implausible=candidate.implausible)
                        else:
                            dropped.write(_dropped_row(candidate))
                            tally.drop(candidate.dropped.reason, candidate.place.country)
                            tally.note_file(candidate.record, candidate.dropped)
                            reason = candidate.dropped.reason
                            tally.contribute(candidate.record.source, reason, paths=self.recipe.paths)
                    beat.count()
            with self.track_time():
                tally.note_silent(silent)
                (folder / "tally.json").write_text(tally.to_json(), encoding="utf-8")


class _Piece:
    """The files of a piece's kept articles."""

    def __init__(self, folder: Path, number: int, recipe: CorpusRecipe) -> None:
        self._number = number
        self._recipe = recipe
        self._stack = ExitStack()
        self._index = self._stack.enter_context((folder / "index.bin").open("wb"))
        self._shingles = self._stack.enter_context((folder / "shingles.bin").open("wb"))
        self._bands = self._stack.enter_context((folder / "bands.bin").open("wb"))
        self._articles = self._stack.enter_context(pa.ipc.new_file(str(folder / "articles.arrow"), WORK_SCHEMA))
        self._rows: list[tuple[str, ...]] = []
        self._characters = 0
        self._entries: list[tuple[Any, ...]] = []
        self._waiting_bands: list[Any] = []
        self._start = 0

    def __enter__(self) -> _Piece:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush_rows()
            self._flush_entries()
        self._stack.close()

    def write(self, text: str, candidate: Candidate) -> None:
        """Adds a kept article."""
        record, place = candidate.record, candidate.place
        assert isinstance(record, Record)
        identity = article_id(candidate.url, candidate.title, text)
        review = _review(place) if _needs_review(place, self._recipe) else ""
        self._rows.append(
            (
                identity, candidate.url, place.domain, place.country, place.continent, candidate.date, candidate.title,
                text, clean_address(record.source), clean_title(record.country)[:LONGEST_DECLARED], place.verified,
                signals_of(place), review,
            )
        )  # fmt: skip
        shingles = 0
        if candidate.shingles is not None:
            shingles = len(candidate.shingles)
            self._shingles.write(candidate.shingles.astype("<u4", copy=False).tobytes())
            self._waiting_bands.append(candidate.bands)
        self._entries.append(
            (
                candidate.key, int(identity, 16), draw_of(candidate.key),
                outlet_hash(place.domain), self._start, shingles,
                date.fromisoformat(candidate.date).toordinal() if candidate.date else UNDATED,
                place.country.encode(), self._number,
            )
        )  # fmt: skip
        self._start += shingles
        self._characters += len(text)
        if len(self._rows) >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS:
            self._flush_rows()
        if len(self._entries) >= CHUNK:
            self._flush_entries()

    def _flush_rows(self) -> None:
        if self._rows:
            columns = [pa.array(column, pa.string()) for column in zip(*self._rows, strict=True)]
            self._articles.write_batch(pa.record_batch(columns, schema=WORK_SCHEMA))
            assert len(columns) == len(WORK_FIELDS)
        self._rows.clear()
        self._characters = 0

    def _flush_entries(self) -> None:
        self._index.write(np.array(self._entries, dtype=ENTRY).tobytes())
        if self._waiting_bands:
            rows = np.stack(self._waiting_bands).astype("<u8", copy=False)
            self._bands.write(np.ascontiguousarray(rows.T).tobytes())
        self._entries.clear()
        self._waiting_bands.clear()


def _written_date(candidate: Candidate) -> str:
    return clean_title(candidate.record.date)[:40] if isinstance(candidate.record, Record) else ""


def _dropped_row(candidate: Candidate) -> dict[str, Any]:
    """Returns a dropped document as its reader gave it, with the reason."""
    assert candidate.dropped is not None
    row = {"reason": candidate.dropped.reason, "detail": candidate.dropped.detail, "country": candidate.place.country}
    record = asdict(candidate.record)
    if isinstance(candidate.record, Record):
        record["declared"] = record.pop("country")
        return row | record
    return row | {"source": candidate.record.source, "raw": candidate.record.raw}


def _needs_review(place: Place, recipe: CorpusRecipe) -> bool:
    if place.verified != "conflict":
        return False
    return not (recipe.on_conflict == "trust_declared" and place.decided_by == "declared")


def _review(place: Place) -> str:
    return json.dumps(
        {
            "country": place.country,
            "continent": place.continent,
            "decided_by": place.decided_by,
            "evidence": [asdict(piece) for piece in place.evidence],
        },
        ensure_ascii=False,
    )
