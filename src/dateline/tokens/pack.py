"""Segments become rows: chunks of documents, each behind its prefix, packed by best-fit decreasing. All tokens stay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class Chunks(NamedTuple):
    """Pieces of documents; every array has shape [num_chunks]."""

    document: Ints
    """Position in the window."""
    start: Ints
    """First body token."""
    length: Ints
    """Body tokens, at least 1."""
    is_last: npt.NDArray[np.bool_]
    """Whether `<eos>` follows."""
    size: Ints
    """Tokens in the row: BOS, prefix, body chunk and, for the last chunk, EOS."""


def split_into_chunks(body_lengths: Ints, prefix_lengths: Ints, sequence_length: int) -> Chunks:
    """Cuts documents that are longer than a row, and leaves the others whole.

    All chunks but the last fill their row; the last takes the rest with EOS, and at least one body token.

    Args:
        body_lengths: body tokens, each at least 1, shape [num_documents].
        prefix_lengths: prefix tokens, each at most half of `sequence_length`, shape [num_documents].
        sequence_length: tokens in a row, at least 8.
    """
    room = sequence_length - 1 - prefix_lengths
    assert room.min(initial=2) >= 2, "prefixes are capped at half the row"
    assert body_lengths.min(initial=1) >= 1, "a document without tokens has no place in a row"
    counts = -(-(body_lengths + 1) // room)
    document = np.repeat(np.arange(len(body_lengths)), counts)
    index = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    start = index * room[document]
    is_last = index == counts[document] - 1
    # A body that ends exactly at the end of a row leaves EOS alone in the next: one body token goes along with it.
    start -= is_last & (start == body_lengths[document])
    end = np.minimum(start + room[document], body_lengths[document])
    following = np.append(start[1:], 0)
    end = np.where(is_last, body_lengths[document], np.minimum(end, following))
    length = end - start
    return Chunks(document, start, length, is_last, 1 + prefix_lengths[document] + length + is_last)


def best_fit_decreasing(sizes: Ints, capacity: int) -> Ints:
    """Returns the bin of every item: largest items first, each into the fullest bin that still holds it.

    Open bins are kept in one list per free room, and a bit set says which lists are not empty, so that an item costs
    about a microsecond whatever the number of bins. Equal inputs give equal outputs.

    Args:
        sizes: tokens, between 1 and `capacity`, shape [num_items].
        capacity: tokens that a bin holds.
    """
    assert sizes.max(initial=0) <= capacity
    bins = np.empty(len(sizes), dtype=np.int64)
    open_bins: list[list[int]] = [[] for _ in range(capacity + 1)]
    nonempty = 0
    num_bins = 0
    order = np.argsort(-sizes, kind="stable")
    placed: list[int] = []
    for size in sizes[order].tolist():
        fitting = nonempty >> size
        if fitting:
            room = size + (fitting & -fitting).bit_length() - 1
            stack = open_bins[room]
            chosen = stack.pop()
            if not stack:
                nonempty &= ~(1 << room)
        else:
            room = capacity
            chosen = num_bins
            num_bins += 1
        left = room - size
        if left:
            open_bins[left].append(chosen)
            nonempty |= 1 << left
        placed.append(chosen)
    bins[order] = placed
    return bins


class PackedRows(NamedTuple):
    """Rows of a window: row r holds the chunks `chunk_order[offsets[r]:offsets[r + 1]]`."""

    chunks: Chunks
    chunk_order: Ints
    offsets: Ints

    @property
    def num_rows(self) -> int:
        """Rows in the window."""
        return len(self.offsets) - 1


def pack(chunks: Chunks, sequence_length: int, row_keys: npt.NDArray[np.float64] | None = None) -> PackedRows:
    """Packs chunks into rows.

    Args:
        chunks: what to pack.
        sequence_length: tokens in a row.
        row_keys: one sortable number for each possible row (at least as many as chunks); rows come in their order, so
            that short rows and long documents are spread over the window.
    """
    bins = best_fit_decreasing(chunks.size, sequence_length)
    num_rows = int(bins.max(initial=-1)) + 1
    if row_keys is not None:
        rank = np.empty(num_rows, dtype=np.int64)
        rank[np.argsort(row_keys[:num_rows], kind="stable")] = np.arange(num_rows)
        bins = rank[bins]
    order = np.lexsort((np.arange(len(bins)), -chunks.size, bins))
    offsets = np.searchsorted(bins[order], np.arange(num_rows + 1))
    return PackedRows(chunks, order, offsets)
