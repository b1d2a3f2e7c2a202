"""Pairs of documents that share a band, and of them those whose exact Jaccard similarity reaches the threshold.

A document is paired with at most 17 others of a bucket, so that a page of boilerplate that half the corpus shares costs
time in proportion to the corpus. Memory of pairing: 45 bytes a document at the peak, of which 8 are the band at hand,
and 8 a pair that was handed out, 0.27 GB at most; with `Clusters` and keepers a million documents take 61 MB. Memory of
checking: 64 MB of shingles.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from dateline.corpus.duplicates.clusters import Clusters

REACH = 16
"""How far apart in a bucket, in reading order, two members may be to become a pair; all pair with the first too."""

_CHUNK = 1 << 14
"""Members of buckets that are paired at once: at most 280,000 pairs, 40 MB as Python numbers while they are checked."""
_REMEMBERED = 1 << 24
"""Pairs that are known to have been handed out; later ones may come again, which costs time only."""
_CACHE = 64 << 20
"""Bytes of shingles at hand while pairs are checked."""


def candidate_pairs(
    band: Callable[[int], NDArray[np.uint64]], bands: int, among: NDArray[np.int64] | None = None
) -> Iterator[NDArray[np.int64]]:
    """Yields the pairs of documents that share a band hash, [pairs, 2], each pair once, the smaller index first.

    Within a bucket a document is paired with the 16 before it and with the first. Where all in a bucket are alike,
    that connects them; where most are not, likes that stand further apart are missed in this band, and found if they
    share another one.

    Args:
        band: Gives the hashes of one band for all documents, in reading order; called once for each band.
        bands: Number of bands.
        among: Documents that are paired, ascending; all if None. One of each set of exact copies is enough
            (`Clusters.firsts`), and the others would only fill the buckets.
    """
    known = np.empty(0, np.uint64)
    for number in range(bands):
        column = band(number)
        members = np.arange(len(column)) if among is None else among
        fresh: list[NDArray[np.uint64]] = []
        room = _REMEMBERED - len(known)
        for codes in _pairs_of_band(column if among is None else column[among], members):
            codes = codes[~_is_in(codes, known)]
            if len(codes):
                fresh.append(codes[:room])
                room -= len(fresh[-1])
                yield np.stack([codes >> np.uint64(32), codes & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)
        known = np.sort(np.concatenate([known, *fresh]))


def jaccard(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """Returns the exact Jaccard similarity of two sets of hashes, sorted and without repeats; 0 if both are empty."""
    both = np.concatenate((one, other))
    if not len(both):
        return 0.0
    both.sort()
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / (len(both) - shared)


def verify(
    pairs: Iterable[NDArray[np.int64]],
    shingles_of: Callable[[int], NDArray[np.uint32]],
    threshold: float,
    clusters: Clusters,
) -> NDArray[np.int64]:
    """Joins the clusters of those pairs that are near-duplicates, and returns these pairs, [pairs, 2].

    A pair that is in one cluster by then is not looked at, so what is returned is a forest: just enough pairs to
    connect every cluster.

    Args:
        pairs: Candidates, as `candidate_pairs` yields them.
        shingles_of: Gives the sorted different shingle hashes of a document, from wherever they lie.
        threshold: Jaccard similarity from which on a pair counts.
        clusters: What is together before, which is changed.
    """
    shingles = _Shingles(shingles_of)
    kept: list[tuple[int, int]] = []
    for some in pairs:
        for one, other in some.tolist():
            if clusters.together(one, other):
                continue
            mine, theirs = shingles[one], shingles[other]
            fewer, more = sorted((len(mine), len(theirs)))
            if more and fewer / more >= threshold and jaccard(mine, theirs) >= threshold:
                clusters.join(one, other)
                kept.append((one, other))
    return np.array(kept, np.int64).reshape(-1, 2)


def _pairs_of_band(hashes: NDArray[np.uint64], members: NDArray[np.int64]) -> Iterator[NDArray[np.uint64]]:
    """Yields the pairs of one band, sorted, as smaller index * 2**32 + larger index."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    repeats = np.concatenate(([False], ordered[1:] == ordered[:-1])) if len(order) else np.empty(0, bool)
    del ordered
    later = np.flatnonzero(repeats)  # positions of all members of buckets but the first
    opens = np.flatnonzero(repeats & ~np.concatenate(([False], repeats[:-1]))) - 1 if len(later) else later
    indices = members[order].astype(np.uint64)
    del order, repeats
    for start in range(0, len(later), _CHUNK):
        positions = later[start : start + _CHUNK]
        first = opens[np.searchsorted(opens, positions) - 1]
        codes = [(indices[first] << np.uint64(32)) | indices[positions]]
        for back in range(1, REACH + 1):
            near = positions - first > back
            positions, first = positions[near], first[near]
            codes.append((indices[positions - back] << np.uint64(32)) | indices[positions])
        yield np.sort(np.concatenate(codes))


def _is_in(codes: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Says for each code whether it is among the known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(codes), bool)
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    found: NDArray[np.bool_] = known[places] == codes
    return found


class _Shingles:
    """Shingles read on demand; those used last stay at hand within a number of bytes."""

    def __init__(self, shingles_of: Callable[[int], NDArray[np.uint32]]) -> None:
        self._shingles_of = shingles_of
        self._held: OrderedDict[int, NDArray[np.uint32]] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, document: int) -> NDArray[np.uint32]:
        held = self._held.pop(document, None)
        if held is None:
            held = self._shingles_of(document)
            self._bytes += held.nbytes
        self._held[document] = held
        while self._bytes > _CACHE and len(self._held) > 2:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return held
