"""Reads work units into documents, each with what is known of it on its way through the steps: a candidate.

A dropped document is not taken out of the stream: it flows on with its reason, and the one step that writes (`store`)
counts both kinds, so that in = kept + dropped cannot be missed. A file that cannot be read does not stop the build: it
is one dropped document, named in the audit. Only where nothing at all can be read is that an error.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from dateline.corpus.readers import Record, Unit, Unreadable, read_unit
from dateline.corpus.recipe import CorpusRecipe
from dateline.errors import UserError
from dateline.records import Place

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


CANDIDATE = "candidate"
"""Key of the candidate in a document's metadata."""


NOWHERE = Place()


class Reason(NamedTuple):
    """Why a document is dropped."""

    reason: str
    """A few plain words; documents are counted by it and it names a folder: `too short`."""
    detail: str = ""
    """What was seen: `183 characters`."""


@dataclass(slots=True)
class Candidate:
    """One document on its way; its cleaned text is `Document.text`."""

    record: Record | Unreadable
    url: str = ""
    title: str = ""
    date: str = ""
    place: Place = NOWHERE
    implausible: bool = False
    """Whether its date was read, and lies outside of what the recipe believes."""
    remains: tuple[str, ...] = ()
    """What was found of the page that the text was taken from."""
    words: str = ""
    """The text as plain words, for its key and its shingles."""
    key: int = 0
    """`words.text_key`: the same for texts with the same words."""
    shingles: npt.NDArray[np.uint32] | None = None
    bands: npt.NDArray[np.uint64] | None = None
    dropped: Reason | None = None


def document_of(record: Record | Unreadable) -> Document:
    """Returns a record as a datatrove document."""
    if isinstance(record, Unreadable):
        candidate = Candidate(record, dropped=Reason(record.reason, record.problem))
        return Document("", record.source, metadata={CANDIDATE: candidate})
    return Document(record.text, record.source, metadata={CANDIDATE: Candidate(record)})


def candidate_of(document: Document) -> Candidate:
    """Returns what is known of a document."""
    found: Candidate = document.metadata[CANDIDATE]
    return found


class Step(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """A step that looks at every document that is still in, one after another."""

    type = "dateline"

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Passes all documents on, dropped ones untouched."""
        for document in data:
            candidate = candidate_of(document)
            if candidate.dropped is None:
                with self.track_time():
                    candidate.dropped = self.look(document, candidate)
            yield document

    @abstractmethod
    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        """Changes a document, or answers with the reason why it is dropped."""


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
