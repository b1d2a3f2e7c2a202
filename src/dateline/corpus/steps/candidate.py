"""What is known of one document on its way through the steps, and the form of a step.

A dropped document is not taken out of the stream: it flows on with its reason, and the one step that writes (`store`)
counts both kinds, so that in = kept + dropped cannot be missed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from dateline.corpus.readers import Record, Unreadable
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
