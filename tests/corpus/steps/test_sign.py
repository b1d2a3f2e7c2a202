from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from datatrove.data import Document

from dateline.corpus.duplicates.candidates import jaccard
from dateline.corpus.duplicates.shingles import Bands
from dateline.corpus.readers import Unreadable
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps import judge
from dateline.corpus.steps.judge import BATCH, Sign, near_threshold
from dateline.corpus.steps.read import Candidate, candidate_of
from dateline.corpus.text.words import text_key

from ..helpers import recipe
from .helpers import documents, near, record, unlike


def signed(*texts: str, **asked: Any) -> list[Candidate]:
    records = [record(n, text=text) for n, text in enumerate(texts)]
    return [candidate_of(document) for document in Sign(recipe("x", **asked)).run(iter(documents(records)))]


def hashes(candidate: Candidate) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]]:
    assert candidate.shingles is not None
    assert candidate.bands is not None
    return candidate.shingles, candidate.bands


def same_hashes(one: Candidate, other: Candidate) -> bool:
    (shingles, bands), (other_shingles, other_bands) = hashes(one), hashes(other)
    return np.array_equal(shingles, other_shingles) and np.array_equal(bands, other_bands)


def test_texts_of_the_same_words_have_one_key_and_the_same_hashes() -> None:
    one, same, other = signed(unlike(1), f"“{unlike(1).upper()}!”", unlike(2))
    assert one.key == same.key == text_key(unlike(1)) != other.key
    assert same_hashes(one, same)
    assert len(hashes(one)[1]) == Bands(0.8).count
    assert not np.any(hashes(one)[1] == hashes(other)[1])


def test_near_copies_share_a_band_and_most_of_their_shingles() -> None:
    one, copy = signed(unlike(1), near(unlike(1)))
    assert one.key != copy.key
    assert jaccard(hashes(one)[0], hashes(copy)[0]) > 0.9
    assert np.any(hashes(one)[1] == hashes(copy)[1])


@pytest.mark.parametrize(
    "asked", [{"near_duplicates": {"threshold": None}}, {"near_duplicates": {"index": "distributed"}}]
)
def test_where_no_index_in_memory_is_wanted_only_the_key_is_made(asked: dict[str, Any]) -> None:
    [found] = signed(unlike(1), **asked)
    assert found.key == text_key(unlike(1))
    assert found.shingles is None
    assert found.bands is None


def test_the_newswire_has_exact_copies_only() -> None:
    assert near_threshold(CorpusRecipe.model_validate({"newswire": {"articles": 1}})) is None
    assert near_threshold(recipe("x")) == 0.8
    assert near_threshold(recipe("x", near_duplicates={"threshold": None})) is None


@pytest.mark.parametrize("number", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_all_documents_come_out_in_order_and_dropped_ones_untouched(number: int) -> None:
    records = [record(n) if n % 3 else Unreadable(f"f:{n}", "x", "{") for n in range(number)]
    found = [candidate_of(document) for document in Sign(recipe("x")).run(iter(documents(records)))]
    assert [candidate.record for candidate in found] == records
    assert all((candidate.shingles is None) == (candidate.dropped is not None) for candidate in found)


def test_the_hashes_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [unlike(n) for n in range(10)]
    together = signed(*texts)
    monkeypatch.setattr(judge, "BATCH", 3)
    for one, other in zip(together, signed(*texts), strict=True):
        assert same_hashes(one, other)


def test_few_texts_are_held_at_once_where_they_are_long() -> None:
    taken = 0

    def long() -> Iterator[Document]:
        nonlocal taken
        for item in documents(record(n, text="x" * (3 << 20)) for n in range(20)):
            taken += 1
            yield item

    next(Sign(recipe("x")).run(long()))
    assert taken == 2


def test_a_text_without_a_word_has_a_key_of_its_own() -> None:
    dots, dashes = signed("... ... ...", "--- --- ---")
    assert dots.key != dashes.key
    assert len(hashes(dots)[0]) == 0
