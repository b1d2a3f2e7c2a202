import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.corpus.duplicates.candidates import jaccard
from dateline.corpus.duplicates.shingles import LIMIT, WORDS, Bands, shingle_hashes
from dateline.errors import UserError

WORD = st.text(alphabet="abcdé京", min_size=1, max_size=3)
DOCUMENT = st.lists(WORD, max_size=30)


def grams(words: list[str]) -> set[tuple[str, ...]]:
    """What a shingle is, said the slow way."""
    if not words:
        return set()
    return {tuple(words[start : start + WORDS]) for start in range(max(1, len(words) - WORDS + 1))}


@given(st.lists(DOCUMENT, max_size=12))
@settings(deadline=None)
def test_hashes_stand_for_the_different_runs_of_five_words(documents: list[list[str]]) -> None:
    hashes = shingle_hashes([" ".join(words) for words in documents])
    assert len(hashes) == len(documents)
    names: dict[frozenset[tuple[str, ...]], tuple[int, ...]] = {}
    for words, found in zip(documents, hashes, strict=True):
        assert found.dtype == np.uint32
        assert np.all(found[1:] > found[:-1])
        assert len(found) == len(grams(words))
        for other, theirs in zip(documents, hashes, strict=True):
            mine, yours = grams(words), grams(other)
            assert jaccard(found, theirs) == (len(mine & yours) / len(mine | yours) if mine | yours else 0)
        names[frozenset(grams(words))] = tuple(found.tolist())
    assert len(set(names.values())) == len(names)


@given(st.lists(DOCUMENT, max_size=12))
def test_a_document_does_not_depend_on_its_company(documents: list[list[str]]) -> None:
    texts = [" ".join(words) for words in documents]
    for text, found in zip(texts, shingle_hashes(texts), strict=True):
        assert np.array_equal(shingle_hashes([text])[0], found)


def test_many_long_documents_are_hashed_like_one() -> None:
    generator = np.random.default_rng(0)
    texts = [" ".join(map(str, generator.integers(0, 5000, size))) for size in generator.integers(1, 9000, 60)]
    texts[30] = ""
    assert sum(map(len, texts)) > 1_000_000
    together = shingle_hashes(texts)
    assert all(np.array_equal(shingle_hashes([text])[0], found) for text, found in zip(texts, together, strict=True))
    assert [len(found) for found in together] == [len(grams(text.split())) for text in texts]


def test_hashes_and_bands_are_the_same_in_every_process() -> None:
    program = (
        "from dateline.corpus.duplicates.shingles import *\n"
        "shingles = shingle_hashes(['the road to lagos opens on monday', 'too short'])\n"
        "print([s.tolist() for s in shingles], Bands(0.8).band_hashes(shingles).sum(axis=1).tolist())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].startswith("[[1220277229, 3786979576, 3965254208], [950744870]] ")


def test_words_beyond_the_limit_do_not_count() -> None:
    words = "ab " * (LIMIT // 3)
    assert len(words) == LIMIT - 1
    assert np.array_equal(shingle_hashes([words + "ab"])[0], shingle_hashes([words + "abc more of it"])[0])
    assert len(shingle_hashes(["a" * (LIMIT + 10)])[0]) == 1
    numbers = " ".join(map(str, range(400_000)))
    (found,) = shingle_hashes([numbers])
    assert len(found) == pytest.approx(len(numbers[:LIMIT].rsplit(" ", 1)[0].split()) - 4, abs=10)


@given(st.lists(st.text(), max_size=5))
def test_any_text_has_sorted_hashes_and_bands(texts: list[str]) -> None:
    shingles = shingle_hashes(texts)
    assert [len(found) > 0 for found in shingles] == [text != "" for text in texts]
    assert all(np.all(found[1:] > found[:-1]) for found in shingles)
    assert Bands(0.8).band_hashes(shingles).shape == (len(texts), 21)


def test_lone_surrogates_are_hashed_like_anything_else() -> None:
    assert len(shingle_hashes(["a \ud800 c d e f"])[0]) == 2


@pytest.mark.parametrize(("threshold", "rows", "bands"), [(1.0, 128, 1), (0.9, 9, 14), (0.8, 6, 21), (0.5, 3, 42)])
def test_bands_find_pairs_at_the_threshold(threshold: float, rows: int, bands: int) -> None:
    cut = Bands(threshold)
    assert (cut.rows, cut.count) == (rows, bands)
    assert cut.chance(threshold) >= 0.995


@given(st.floats(0.05, 1))
def test_bands_are_as_selective_as_they_may_be(threshold: float) -> None:
    cut = Bands(threshold)
    assert cut.chance(threshold) >= 0.995
    further = range(cut.rows + 1, 129)
    assert all(1 - (1 - threshold**rows) ** (128 // rows) < 0.995 for rows in further)


@pytest.mark.parametrize("threshold", [-0.5, 0.0, 0.01, 1.1, float("nan")])
def test_thresholds_that_cannot_be_searched_for_are_refused(threshold: float) -> None:
    with pytest.raises(UserError, match=r"threshold of .* cannot be searched for: use .* 0.8 is usual"):
        Bands(threshold)


def test_band_hashes_of_likes_agree_and_of_others_do_not() -> None:
    generator = np.random.default_rng(1)
    base = generator.integers(0, 2**32, 500, dtype=np.uint32)
    near = np.sort(np.concatenate([base[:475], generator.integers(0, 2**32, 25, dtype=np.uint32)]))
    far = np.sort(generator.integers(0, 2**32, 500, dtype=np.uint32))
    hashes = Bands(0.8).band_hashes([np.sort(base), near, far, np.sort(base)])
    assert hashes.shape == (4, 21)
    assert hashes.dtype == np.uint64
    assert np.array_equal(hashes[0], hashes[3])
    assert 3 <= np.count_nonzero(hashes[0] == hashes[1]) < 21
    assert not np.any(hashes[0] == hashes[2])
    assert len(np.unique(hashes[0])) == 21


def test_candidates_are_as_frequent_as_promised() -> None:
    """The chance holds at three similarities, to within five standard errors of 600 drawn pairs."""
    generator = np.random.default_rng(2)
    cut = Bands(0.8)
    for size in (222, 240, 280):  # of both sets of 200 together: Jaccard 0.80, 0.67, 0.43
        drawn = [generator.integers(0, 2**32, size, dtype=np.uint32) for _ in range(600)]
        both = [np.sort(part) for pair in drawn for part in (pair[:200], pair[size - 200 :])]
        hashes = cut.band_hashes(both)
        found = np.mean(np.any(hashes[::2] == hashes[1::2], axis=1))
        promised = cut.chance((400 - size) / size)
        assert abs(found - promised) < 5 * np.sqrt(promised * (1 - promised) / 600) + 0.01


@settings(max_examples=20)
@given(st.lists(DOCUMENT, min_size=1, max_size=8))
def test_band_hashes_do_not_depend_on_company(documents: list[list[str]]) -> None:
    shingles = shingle_hashes([" ".join(words) for words in documents])
    together = Bands(0.7).band_hashes(shingles)
    assert all(
        np.array_equal(Bands(0.7).band_hashes([one])[0], row) for one, row in zip(shingles, together, strict=True)
    )


def test_no_documents_have_no_hashes() -> None:
    assert shingle_hashes([]) == []
    assert Bands(0.8).band_hashes([]).shape == (0, 21)
