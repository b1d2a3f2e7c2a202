"""Reads work units into documents.

A file that cannot be read does not stop the build: it is one dropped document, named in the audit. Only where nothing
at all can be read is that an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from dateline.corpus.readers import Record, Unit, Unreadable, read_unit
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps.candidate import document_of
from dateline.errors import UserError

UNREADABLE_FILE = "unreadable file"


class Read(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """Reads the units of one task."""

    type = "dateline"
    name = "read"

    def __init__(self, recipe: CorpusRecipe, tasks: Sequence[Sequence[Unit]]) -> None:
        super().__init__()
        self.recipe = recipe
        self.tasks = tasks

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yields the documents of this task in a fixed order."""
        records = self._newswire() if self.recipe.newswire is not None else self._units(rank)
        while True:
            with self.track_time():
                record = next(records, None)
            if record is None:
                return
            yield document_of(record)

    def _units(self, rank: int) -> Iterator[Record | Unreadable]:
        for unit in self.tasks[rank]:
            try:
                yield from read_unit(unit, self.recipe.columns)
            except UserError as problem:
                yield Unreadable(unit.files[0], str(problem), "", UNREADABLE_FILE)

    def _newswire(self) -> Iterator[Record | Unreadable]:
        from dateline.corpus.newswire import Newswire

        source = self.recipe.newswire
        assert source is not None
        for article in Newswire().articles(source.articles, source.seed):
            yield Record(article.url, article.title, article.text, article.date, article.country, article.source)
