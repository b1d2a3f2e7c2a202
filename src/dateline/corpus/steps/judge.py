"""Cleans and places each document by itself and sends it through the gates.

The place is found before any gate, so that the audit can say from which countries a gate takes its documents. Of
several gates that a document fails, the first gives the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from datatrove.data import Document

from dateline.corpus.readers import Record, Unreadable
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps.candidate import Candidate, Reason, Step, candidate_of, document_of
from dateline.corpus.text.clean import clean_address, clean_text, clean_title
from dateline.corpus.text.dates import day_of
from dateline.corpus.text.language import language_of
from dateline.corpus.text.quality import repeated_share, symbol_share
from dateline.corpus.text.words import plain_words
from dateline.places import Outlet, load_outlet_tables, resolve


class Clean(Step):
    """Cleans text, headline, address and date."""

    name = "clean"

    def look(self, document: Document, candidate: Candidate) -> Reason | None:
        """Drops nothing."""
        record = candidate.record
        assert isinstance(record, Record)
        document.text = clean_text(record.text)
        candidate.url, candidate.title = clean_address(record.url), clean_title(record.title)
        candidate.date = day_of(record.date)
        return None


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
    steps: list[Step] = [Clean(), Locate(recipe), Length(recipe), Placed(recipe)]
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
