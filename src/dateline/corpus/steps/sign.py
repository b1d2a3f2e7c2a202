"""Adds what copies are found by: the key of a document's words, and hashes of its word 5-grams and MinHash bands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps.candidate import candidate_of
from dateline.corpus.text.words import plain_words, text_key

BATCH = 64
"""Documents signed together: the hashing is done on arrays."""
BATCH_CHARACTERS = 4 << 20
"""A batch ends here too, so that a few texts of 50 MB do not add up."""


def near_threshold(recipe: CorpusRecipe) -> float | None:
    """Returns the Jaccard threshold above which documents are copies, or None where only exact copies count."""
    return None if recipe.newswire is not None else recipe.near_duplicates.threshold


class Sign(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """Signs documents batch by batch and passes them on in order."""

    type = "dateline"
    name = "sign"

    def __init__(self, recipe: CorpusRecipe) -> None:
        super().__init__()
        self.threshold = near_threshold(recipe) if recipe.near_duplicates.index == "memory" else None

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yields every document, dropped ones untouched."""
        for batch in _batches(data):
            with self.track_time():
                self._sign([document for document in batch if candidate_of(document).dropped is None])
            yield from batch

    def _sign(self, documents: list[Document]) -> None:
        candidates = [candidate_of(document) for document in documents]
        for document, candidate in zip(documents, candidates, strict=True):
            candidate.words = candidate.words or plain_words(document.text)
            candidate.key = text_key(document.text, candidate.words)
        if self.threshold is None or not candidates:
            return
        os.environ.setdefault("RAYON_NUM_THREADS", "1")  # one process a core; rensa looks when it is first called
        from dateline.corpus.duplicates.shingles import Bands, shingle_hashes

        shingles = shingle_hashes([candidate.words for candidate in candidates])
        bands = Bands(self.threshold).band_hashes(shingles)
        for candidate, own, row in zip(candidates, shingles, bands, strict=True):
            candidate.shingles, candidate.bands, candidate.words = own, row, ""


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text)
        if len(batch) >= BATCH or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
