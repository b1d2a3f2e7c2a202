"""Cleans, places, judges and signs each document by itself.

The place is found before any gate, so that the audit can say from which countries a gate takes its documents. Of
several gates that a document fails, the first gives the reason. What is left is signed with what copies are found by:
the key of its words, and hashes of its word 5-grams and MinHash bands.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from dateline.corpus.readers import Record, Unreadable
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps.read import Candidate, Reason, Step, candidate_of, document_of
from dateline.corpus.text.clean import clean_address, clean_text, clean_title, day_of
from dateline.corpus.text.remains import CUT_OFF, NOTHING_ELSE, find_remains
from dateline.corpus.text.words import language_of, plain_words, repeated_share, symbol_share, text_key
from dateline.places import Outlet, load_outlet_tables, resolve


class Clean(Step):
    """Cleans text, headline, address and date."""

    name = "clean"

    def __init__(self, recipe: CorpusRecipe) -> None:
        super().__init__()
        self.year = recipe.year
        self.dates: tuple[str, str] | None = None
        if recipe.newswire is None:
            last = recipe.dates_until or datetime.now(UTC).date() + timedelta(
                days=1
            )  # a day ahead of UTC begins earlier
            self.dates = recipe.dates_from.isoformat(), last.isoformat()
        self.remains = recipe.page_remains if recipe.newswire is None else None

    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        """Drops, where the recipe says so, what is cut off, or nothing but remains of a page."""
        record = candidate.record
        assert isinstance(record, Record)
        document.text = clean_text(record.text)
        candidate.url, candidate.title = clean_address(record.url), clean_title(record.title)
        candidate.date = day_of(record.date, self.year)
        if candidate.date and self.dates is not None and not self.dates[0] <= candidate.date <= self.dates[1]:
            candidate.date, candidate.implausible = "", True
        if self.remains is None:
            return None
        stripped, candidate.remains = find_remains(document.text, candidate.title)
        if self.remains == "keep":
            return None
        document.text = clean_text(stripped)
        unwanted = (NOTHING_ELSE, CUT_OFF) if self.remains == "drop" else (NOTHING_ELSE,)
        return next((Reason(kind) for kind in unwanted if kind in candidate.remains), None)


class Locate(Step):
    """Finds the place of a document."""

    name = "place"

    def __init__(self, recipe: CorpusRecipe) -> None:
        super().__init__()
        self.paths = recipe.outlets
        self._outlets: Mapping[str, Outlet] | None = None

    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        """Drops nothing."""
        if self._outlets is None:
            self._outlets = load_outlet_tables(self.paths)
        assert isinstance(candidate.record, Record)
        candidate.place = resolve(candidate.url, candidate.record.country, outlets=self._outlets or None)
        return None


class Length(Step):
    """Drops what is empty, too short or too long."""

    name = "length"

    def __init__(self, recipe: CorpusRecipe) -> None:
        super().__init__()
        self.shortest, self.longest = recipe.min_characters, recipe.max_characters

    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        """Counts characters after cleaning."""
        length = len(document.text)
        if not length:
            return Reason("no text")
        if length < self.shortest:
            return Reason("too short", f"{length} characters")
        if self.longest is not None and length > self.longest:
            return Reason("too long", f"{length} characters")
        return None


class Placed(Step):
    """Drops documents whose place the recipe does not accept."""

    name = "place gate"

    def __init__(self, recipe: CorpusRecipe) -> None:
        super().__init__()
        self.recipe = recipe

    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        """Asks for a country, for a wanted country, for agreement, in this order."""
        recipe, place = self.recipe, candidate.place
        if recipe.require_place and not place.country:
            return Reason("no place", place.reason)
        if recipe.countries and place.country and place.country not in recipe.countries:
            return Reason("other country", place.country)
        if recipe.on_conflict == "drop" and place.verified == "conflict":
            return Reason("place conflict", "; ".join(piece.detail for piece in place.evidence))
        if place.verified in ("single", "none") and (
            recipe.on_unverified == "drop"
            or (recipe.on_unverified == "trust_declared" and place.decided_by != "declared")
        ):
            return Reason("place unverified", "; ".join(piece.detail for piece in place.evidence))
        return None


class Language(Step):
    """Drops what is not written in the recipe's language."""

    name = "language"

    def __init__(self, language: str, threshold: float) -> None:
        super().__init__()
        self.language, self.threshold = language, threshold

    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        """Looks at the first 1,000 characters."""
        code, probability = language_of(document.text)
        if code == self.language and probability >= self.threshold:
            return None
        declared = candidate.record.language if isinstance(candidate.record, Record) else ""
        return Reason("language", f"{code} {probability:.2f}" + (f", declared {declared}" if declared else ""))


class Quality(Step):
    """Drops what is mostly symbols, or mostly repeated lines."""

    name = "quality"

    def __init__(self, recipe: CorpusRecipe) -> None:
        super().__init__()
        self.symbols, self.repeated = recipe.max_symbol_share, recipe.max_repeated_share

    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        """Measures both shares."""
        candidate.words = plain_words(document.text)
        if (share := symbol_share(document.text, candidate.words)) > self.symbols:
            return Reason("symbols", f"{share:.2f}")
        if (share := repeated_share(document.text)) > self.repeated:
            return Reason("repeated lines", f"{share:.2f}")
        return None


def judges(recipe: CorpusRecipe) -> list[Step]:
    """Returns the steps that a recipe asks for, in order."""
    steps: list[Step] = [Clean(recipe), Locate(recipe), Length(recipe), Placed(recipe)]
    if recipe.newswire is None:
        if recipe.language is not None:
            steps.append(Language(recipe.language, recipe.language_threshold))
        steps.append(Quality(recipe))
    return steps


def judge(records: Iterable[Record | Unreadable], recipe: CorpusRecipe) -> Iterator[tuple[Document, Candidate]]:
    """Yields each record as the build would see it before duplicates are looked for, without writing anything."""
    stream: Iterator[Document] = (document_of(record) for record in records)
    for step in judges(recipe):
        stream = step.run(stream)
    for document in stream:
        yield document, candidate_of(document)


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
