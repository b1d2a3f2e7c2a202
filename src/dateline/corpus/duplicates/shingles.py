"""What texts are compared by: 32-bit hashes of their word 5-grams, and one 64-bit hash for each band of the MinHash.

A shingle is a stretch of bytes of the joined words, so one running sum over the bytes yields all of them: with a
value v for each byte and an odd number p, the sum of v[byte] * p**position between two places, times
p**(LIMIT - start), depends on the bytes only and not on where they stand (all modulo 2**64). 0.03 ms for 860 words.

In a language that is written without blanks a "word" is a clause, so only copies with few edits are found.

rensa spreads its work over threads of its own unless RAYON_NUM_THREADS=1 is in the environment before its first call:
set it where one process runs on each core.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dateline.errors import UserError
from dateline.records import mix_bits

WORDS = 5
"""Words in a shingle."""
LIMIT = 1 << 20
"""Bytes of plain words that count: about 170,000 words, a hundred times a long article; bounds time and memory."""
PERMUTATIONS = 128
CERTAINTY = 0.995
"""The least probability that two documents just as similar as the threshold share a band."""
SEED = 20_260
"""Of the permutations; part of what makes an index comparable with another, as is the version of rensa."""

_BLANK = 0x20
_GROUP = 1 << 17
"""Bytes hashed at once: the running sums of so many stay within the processor's cache."""
_DOCUMENTS = 4096
"""Documents sketched at once: rensa hands signatures out as Python integers, 4 KB a document while they are copied."""
_BASE = 0x9E3779B97F4A7C15
_SHIFT = np.uint64(32)


def shingle_hashes(texts_as_words: Sequence[str]) -> list[NDArray[np.uint32]]:
    """Returns for each document the sorted different hashes of its word 5-grams.

    The same on every machine and in every process. A document of one to four words is one shingle; one without words
    has none, and is like nothing. Of 700 shingles, two share a hash by chance in one document of 17,000.

    Args:
        texts_as_words: Words joined by single blanks; of more than `LIMIT` bytes only the whole words before count.

    Example:
        >>> found = shingle_hashes(["rain delays the vote in lagos today", "rain delays the vote in lagos"])
        >>> [len(hashes) for hashes in found], jaccard(*found)
        ([3, 2], 0.6666666666666666)
    """
    found: list[NDArray[np.uint32]] = []
    group: list[bytes] = []
    held = 0
    for words in texts_as_words:
        encoded = _limited(words.encode("utf-8", "surrogatepass"))
        if group and held + len(encoded) >= _GROUP:
            found += _hashes_of_group(group)
            group, held = [], 0
        group.append(encoded)
        held += len(encoded) + 1
    return found + _hashes_of_group(group)


class Bands:
    """How a MinHash signature of 128 values is cut into bands, so that few pairs below a threshold share one.

    With r rows a band and b bands, documents of similarity s share a band with probability 1 - (1 - s**r)**b. The
    largest r is taken with which that is at least 0.995 at the threshold: 6 rows and 21 bands for 0.8, where 0.28 of
    the pairs of similarity 0.5, and 0.0013 of those of 0.2, become candidates too and are looked at.

    Attributes:
        threshold: Jaccard similarity of shingles from which on two documents count as near-duplicates.
        rows: Signature values in a band.
        count: Number of bands.

    Raises:
        UserError: The threshold is above 1, or so low that 128 values cannot find the pairs (below about 0.041).
    """

    def __init__(self, threshold: float) -> None:
        fitting = [rows for rows in range(1, PERMUTATIONS + 1) if _chance(threshold, rows) >= CERTAINTY]
        if not 0 < threshold <= 1 or not fitting:
            raise UserError(
                f"a near-duplicate threshold of {threshold:g} cannot be searched for: "
                "use a Jaccard similarity from 0.05 to 1; 0.8 is usual"
            )
        self.threshold = threshold
        self.rows = max(fitting)
        self.count = PERMUTATIONS // self.rows

    def chance(self, similarity: float) -> float:
        """Returns the probability that two documents of a Jaccard similarity share at least one band."""
        return _chance(similarity, self.rows)

    def band_hashes(self, shingles: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint64]:
        """Returns one hash a document and band, [documents, bands].

        Only hashes of the same band (column) may be compared. Documents without shingles share all of them.
        """
        hashes = np.empty((len(shingles), self.count), np.uint64)
        for start in range(0, len(shingles), _DOCUMENTS):
            signatures = _signatures(shingles[start : start + _DOCUMENTS])[:, : self.count * self.rows]
            rows = signatures.reshape(len(signatures), self.count, self.rows)
            mixed = np.zeros(rows.shape[:2], np.uint64)
            for row in range(self.rows):
                mixed = mix_bits(mixed + rows[:, :, row])
            hashes[start : start + _DOCUMENTS] = mixed
        return hashes


def _chance(similarity: float, rows: int) -> float:
    return float(1 - (1 - similarity**rows) ** (PERMUTATIONS // rows))


def _signatures(shingles: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint64]:
    """Returns the MinHash signatures, [documents, 128], over full shingle sets."""
    from rensa import RMinHash

    offsets = np.zeros(len(shingles) + 1, np.uint64)
    np.cumsum([len(hashes) for hashes in shingles], out=offsets[1:])
    tokens = np.concatenate(shingles).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(tokens, offsets, PERMUTATIONS, SEED)
    return np.array(matrix.to_rows(), np.uint64).reshape(len(shingles), PERMUTATIONS)


def _limited(encoded: bytes) -> bytes:
    """Returns the whole words within the limit; a first word that is longer than the limit is cut."""
    if len(encoded) <= LIMIT:
        return encoded
    end = encoded.rfind(b" ", 0, LIMIT + 1)
    return encoded[: end if end > 0 else LIMIT]


def _hashes_of_group(documents: list[bytes]) -> list[NDArray[np.uint32]]:
    """Returns the shingle hashes of documents that are hashed as one stretch of bytes."""
    if not any(documents):
        return [np.empty(0, np.uint32) for _ in documents]
    values, powers = _tables()
    joined = np.frombuffer(b" ".join(documents), np.uint8)
    sums = np.zeros(len(joined) + 1, np.uint64)
    np.cumsum(values[joined] * powers[: len(joined)], out=sums[1:])

    blanks = np.flatnonzero(joined == _BLANK)
    starts = np.concatenate(([0], blanks + 1))
    ends = np.concatenate((blanks, [len(joined)]))
    document_ends = np.cumsum([len(document) + 1 for document in documents]) - 1
    after_last = np.searchsorted(ends, document_ends) + 1
    num_words = np.diff(after_last, prepend=0)

    # every word opens a shingle but the last four of its document; a short document is one shingle, an empty one none
    opens = np.ones(len(starts), bool)
    for back in range(1, WORDS):
        opens[np.maximum(after_last - back, after_last - num_words)] = False
    short = np.flatnonzero(num_words < WORDS)
    opens[after_last[short] - num_words[short]] = [bool(documents[number]) for number in short]
    first = np.flatnonzero(opens)
    owner = np.searchsorted(after_last, first, side="right")
    last = np.minimum(first + WORDS, after_last[owner]) - 1

    begin = starts[first]
    hashes = mix_bits((sums[ends[last]] - sums[begin]) * powers[LIMIT - begin]) >> _SHIFT
    hashes |= owner.astype(np.uint64) << _SHIFT
    hashes.sort()
    hashes = hashes[np.concatenate(([True], hashes[1:] != hashes[:-1]))]
    bounds = np.searchsorted(hashes, np.arange(1, len(documents), dtype=np.uint64) << _SHIFT)
    return np.split(hashes.astype(np.uint32), bounds)


@cache
def _tables() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Returns a value for each byte and the powers of an odd number, 8 MB in all."""
    values = np.fromiter(_stream(256), np.uint64, 256)
    powers = np.full(LIMIT + 1, _BASE, np.uint64)
    powers[0] = 1
    return values, np.cumprod(powers)


def _stream(count: int) -> Iterator[int]:
    """Yields the numbers of the splitmix64 generator from state 0."""
    for number in range(1, count + 1):
        yield int(mix_bits(np.array([number * _BASE % 2**64], np.uint64))[0])
