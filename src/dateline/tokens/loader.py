"""Rows become batches: body tokens are read, prefixes put in front, labels set.

Enters: a plan. Leaves: batches; batch k is a pure function of (recipe, seed, k).
Deliberately not done: no iterator state to save; a resumed run asks for batch k.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.records import Row
from dateline.tokens.plan import Plan

IGNORED = -100
"""Label of positions on which no loss is taken."""
PREFETCH = 4
"""Batches that are prepared ahead in a background thread."""


class Batch(NamedTuple):
    """Rows of one step; arrays have shape [rows, sequence_length] and belong to the caller."""

    input_ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    """Next token where it is a body token or EOS, else -100: nothing is to be shifted any more."""
    position_ids: npt.NDArray[np.int64]
    segment_lengths: npt.NDArray[np.int32]
    """Lengths of all segments of all rows one after another, padding at the end of a row as a segment of its own."""
    num_tokens: int
    """Tokens that are not padding."""
    num_body_tokens: int
    """Body tokens, the unit in which runs are compared."""


class Loader:
    """Gives the batches of a run."""

    def __init__(self, plan: Plan, *, bos: int, eos: int, pad: int, rows_per_batch: int) -> None:
        """Args: the plan; token ids of BOS, EOS and padding; rows in a batch."""
        self.plan = plan
        self.bos, self.eos, self.pad = bos, eos, pad
        self.rows_per_batch = rows_per_batch

    def num_batches(self) -> int:
        """Returns the batches of the run; the last may have fewer rows."""
        return -(-self.plan.num_rows() // self.rows_per_batch)

    def batch(self, number: int) -> Batch:
        """Returns batch `number` of the run."""
        first = number * self.rows_per_batch
        last = min(first + self.rows_per_batch, self.plan.num_rows())
        rows = [self.row(index) for index in range(first, last)]
        lengths = np.array([length for row in rows for length in row.segment_lengths], dtype=np.int32)
        return Batch(
            input_ids=np.stack([row.input_ids for row in rows]),
            labels=np.stack([row.labels for row in rows]),
            position_ids=np.stack([row.position_ids for row in rows]),
            segment_lengths=lengths,
            num_tokens=sum(row.num_tokens for row in rows),
            num_body_tokens=sum(row.num_body_tokens for row in rows),
        )

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yields batches from `start` to the end of the run, prepared ahead in a background thread."""
        total = self.num_batches()
        with ThreadPoolExecutor(max_workers=1) as worker:
            pending = [worker.submit(self.batch, number) for number in range(start, min(start + PREFETCH, total))]
            for number in range(start, total):
                batch = pending.pop(0).result()
                if number + PREFETCH < total:
                    pending.append(worker.submit(self.batch, number + PREFETCH))
                yield batch

    def row(self, number: int) -> Row:
        """Returns one row of the run."""
        length = self.plan.packing.sequence_length
        window_number, index = self.plan.locate(number)
        rows, documents, prefixes = self.plan.window(window_number)
        chunks = rows.chunks
        input_ids = np.full(length, self.pad, dtype=np.int64)
        labels = np.full(length, IGNORED, dtype=np.int64)
        position_ids = np.zeros(length, dtype=np.int64)
        lengths: list[int] = []
        at = num_body_tokens = 0
        for chunk in rows.chunk_order[rows.offsets[index] : rows.offsets[index + 1]].tolist():
            position = int(chunks.document[chunk])
            prefix = self.plan.prefixes.tokens[int(prefixes[position])]
            start, size = int(chunks.start[chunk]), int(chunks.size[chunk])
            body = self.plan.corpus.tokens(int(documents[position]))[start : start + int(chunks.length[chunk])]
            segment = input_ids[at : at + size]
            segment[0] = self.bos
            segment[1 : 1 + len(prefix)] = prefix
            segment[1 + len(prefix) : 1 + len(prefix) + len(body)] = body
            if chunks.is_last[chunk]:
                segment[-1] = self.eos
            labels[at + len(prefix) : at + size - 1] = segment[1 + len(prefix) :]
            position_ids[at : at + size] = np.arange(size)
            lengths.append(size)
            at += size
            num_body_tokens += len(body)
        num_tokens = at
        if at < length:
            position_ids[at:] = np.arange(length - at)
            lengths.append(length - at)
        return Row(input_ids, labels, position_ids, tuple(lengths), num_tokens, num_body_tokens)
