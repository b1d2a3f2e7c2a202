import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dateline.corpus.duplicates.clusters import UNDATED, Clusters, keepers

SIZE = 12
KEYS = st.lists(st.integers(0, 6), min_size=SIZE, max_size=SIZE).map(lambda keys: np.array(keys, np.uint64))
PAIRS = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)), max_size=15)
DAYS = st.lists(st.sampled_from([-3, 0, 7, UNDATED]), min_size=SIZE, max_size=SIZE)


def as_pairs(pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(pairs, np.int64).reshape(-1, 2)


def labels_of(keys: NDArray[np.uint64], pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    clusters = Clusters.of_keys(keys)
    clusters.join_pairs(as_pairs(pairs))
    return clusters.labels()


def test_exact_copies_and_pairs_become_one_cluster_named_by_its_first_document() -> None:
    labels = labels_of(np.array([9, 5, 9, 4, 5, 3], np.uint64), [(4, 3)])
    assert labels.tolist() == [0, 1, 0, 1, 1, 5]


def test_joining_says_what_was_new() -> None:
    clusters = Clusters(4)
    assert clusters.join(3, 1)
    assert not clusters.join(1, 3)
    assert clusters.together(1, 3)
    assert not clusters.together(0, 3)
    assert clusters.firsts().tolist() == [0, 1, 2]


def test_a_long_chain_is_one_cluster() -> None:
    clusters = Clusters(50_000)
    clusters.join_pairs(as_pairs([(n, n + 1) for n in reversed(range(49_999))]))
    assert not clusters.labels().any()


def test_nothing_has_no_clusters() -> None:
    clusters = Clusters.of_keys(np.empty(0, np.uint64))
    assert clusters.labels().tolist() == clusters.firsts().tolist() == []
    assert keepers(clusters.labels(), np.empty(0, np.int32)).tolist() == []


@given(KEYS, PAIRS, st.randoms())
def test_the_order_of_pairs_does_not_count(
    keys: NDArray[np.uint64], pairs: list[tuple[int, int]], generator: random.Random
) -> None:
    shuffled = [(other, one) if generator.random() < 0.5 else (one, other) for one, other in pairs]
    generator.shuffle(shuffled)
    assert np.array_equal(labels_of(keys, pairs), labels_of(keys, shuffled))


@given(KEYS, PAIRS)
def test_labels_are_the_connected_parts(keys: NDArray[np.uint64], pairs: list[tuple[int, int]]) -> None:
    labels = labels_of(keys, pairs)
    alike = np.equal.outer(keys, keys)
    for one, other in pairs:
        alike[one, other] = alike[other, one] = True
    for through in range(SIZE):  # transitive closure
        alike |= np.logical_and.outer(alike[:, through], alike[through])
    assert labels.tolist() == [int(np.flatnonzero(row)[0]) for row in alike]
    assert np.array_equal(np.equal.outer(labels, labels), alike)


@given(KEYS, PAIRS, DAYS)
def test_the_earliest_stays_and_stays_itself(
    keys: NDArray[np.uint64], pairs: list[tuple[int, int]], days: list[int]
) -> None:
    labels = labels_of(keys, pairs)
    stays = keepers(labels, np.array(days, np.int32))
    assert np.array_equal(stays[stays], stays)
    assert np.array_equal(labels[stays], labels)
    for document in range(SIZE):
        cluster = [other for other in range(SIZE) if labels[other] == labels[document]]
        assert stays[document] == min(cluster, key=lambda other: (days[other], other))


def test_keepers_refuse_labels_without_days() -> None:
    with pytest.raises(ValueError, match="2 labels and 1 days"):
        keepers(np.array([0, 1]), np.array([3], np.int32))
