import random
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dateline.corpus.duplicates import candidates
from dateline.corpus.duplicates.candidates import REACH, candidate_pairs, jaccard, verify
from dateline.corpus.duplicates.clusters import Clusters
from dateline.corpus.duplicates.shingles import Bands, shingle_hashes

COLUMNS = st.integers(0, 60).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, 4), min_size=size, max_size=size), min_size=1, max_size=4)
)
SETS = st.lists(st.frozensets(st.integers(0, 12)), min_size=1, max_size=10)


def as_hashes(numbers: Iterable[int]) -> NDArray[np.uint32]:
    return np.array(sorted(numbers), np.uint32)


def pairs_of(columns: Sequence[Sequence[int]], among: NDArray[np.int64] | None = None) -> list[list[int]]:
    hashes = [np.array(column, np.uint64) for column in columns]
    pairs = candidate_pairs(hashes.__getitem__, len(hashes), among)
    return [pair for some in pairs for pair in some.tolist()]


def slow_pairs(columns: list[list[int]], among: Iterable[int]) -> set[tuple[int, int]]:
    """Every pair that the rule names, by going through the buckets one by one."""
    found = set()
    for column in columns:
        for value in set(column):
            bucket = [document for document in among if column[document] == value]
            for (i, one), (j, other) in combinations(enumerate(bucket), 2):
                if j - i <= REACH or i == 0:
                    found.add((one, other))
    return found


@given(COLUMNS)
def test_pairs_are_those_of_the_rule_and_each_comes_once(columns: list[list[int]]) -> None:
    found = [(one, other) for one, other in pairs_of(columns)]
    assert len(found) == len(set(found))
    assert set(found) == slow_pairs(columns, range(len(columns[0])))


@given(COLUMNS, st.data())
def test_only_documents_asked_for_are_paired(columns: list[list[int]], data: st.DataObject) -> None:
    everyone = range(len(columns[0]))
    among = [document for document in everyone if data.draw(st.booleans())]
    found = {(one, other) for one, other in pairs_of(columns, np.array(among, np.int64))}
    assert found == slow_pairs(columns, among)


def test_nobody_shares_a_band() -> None:
    assert pairs_of([[], []]) == []
    assert pairs_of([[1, 2, 3]]) == []


@pytest.mark.parametrize("chunk", [1, 7])
def test_small_chunks_and_a_short_memory_lose_no_pair(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    generator = np.random.default_rng(0)
    columns = generator.integers(0, 3, (3, 80)).tolist()
    whole = {tuple(pair) for pair in pairs_of(columns)}
    monkeypatch.setattr(candidates, "_CHUNK", chunk)
    assert sorted(map(tuple, pairs_of(columns))) == sorted(whole)
    monkeypatch.setattr(candidates, "_REMEMBERED", 10)
    assert {tuple(pair) for pair in pairs_of(columns)} == whole


def test_boilerplate_that_all_share_costs_a_bounded_number_of_pairs() -> None:
    documents = 50_000
    sizes = [len(pairs) for pairs in candidate_pairs(lambda _: np.zeros(documents, np.uint64), 1)]
    assert sum(sizes) < (REACH + 1) * documents
    assert max(sizes) <= 300_000


@given(st.frozensets(st.integers(0, 30)), st.frozensets(st.integers(0, 30)))
def test_jaccard_is_that_of_the_sets(one: frozenset[int], other: frozenset[int]) -> None:
    expected = len(one & other) / len(one | other) if one | other else 0.0
    assert jaccard(as_hashes(one), as_hashes(other)) == expected


@given(SETS, st.sampled_from([0.3, 0.5, 0.55, 0.8, 1.0]), st.randoms())
def test_verified_pairs_connect_what_all_likes_connect(
    sets: list[frozenset[int]], threshold: float, generator: random.Random
) -> None:
    everything = list(combinations(range(len(sets)), 2))
    generator.shuffle(everything)
    alike = [
        (one, other)
        for one, other in everything
        if sets[one] | sets[other] and len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= threshold
    ]
    clusters, expected = Clusters(len(sets)), Clusters(len(sets))
    expected.join_pairs(np.array(alike, np.int64).reshape(-1, 2))
    pairs = np.array(everything, np.int64).reshape(-1, 2)
    kept = verify([pairs[:3], pairs[3:]], lambda number: as_hashes(sets[number]), threshold, clusters)
    assert set(map(tuple, kept.tolist())) <= set(alike)
    assert clusters.labels().tolist() == expected.labels().tolist()
    assert len(kept) == len(sets) - len(clusters.firsts())


def test_pairs_within_a_cluster_are_not_read() -> None:
    clusters = Clusters.of_keys(np.array([7, 7, 8], np.uint64))

    def refuse(number: int) -> NDArray[np.uint32]:
        raise AssertionError(f"document {number} was read")

    assert verify([np.array([[0, 1]])], refuse, 0.8, clusters).shape == (0, 2)


def test_shingles_are_read_once_while_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    def read(number: int) -> NDArray[np.uint32]:
        reads.append(number)
        return np.array([number], np.uint32)

    pairs = np.array(list(combinations(range(6), 2)))
    verify([pairs], read, 0.8, Clusters(6))
    assert reads == [0, 1, 2, 3, 4, 5]
    reads.clear()
    monkeypatch.setattr(candidates, "_CACHE", 8)
    verify([pairs], read, 0.8, Clusters(6))
    assert len(reads) > 6


def test_edited_copies_are_found_from_words_to_clusters() -> None:
    generator = np.random.default_rng(3)
    words = [f"w{number}" for number in range(2000)]
    originals = [list(generator.choice(words, 400)) for _ in range(50)]
    texts = [" ".join(original) for original in originals]
    for number, original in enumerate(originals):
        changed = [*original[:200], "an", "edit", *original[202:], "and", "an", "ending"]
        texts.append(" ".join(changed if number < 25 else original[:150]))
    shingles = shingle_hashes(texts)
    cut = Bands(0.8)
    hashes = cut.band_hashes(shingles)
    clusters = Clusters(len(texts))
    verify(candidate_pairs(lambda number: hashes[:, number], cut.count), shingles.__getitem__, 0.8, clusters)
    assert clusters.labels().tolist() == [*range(50), *range(25), *range(75, 100)]
