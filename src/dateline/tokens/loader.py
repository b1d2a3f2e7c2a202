"""Rows become batches: body tokens are read, prefixes put in front, labels set.

Batch k is a pure function of (recipe, seed, k); there is no iterator state to save.

Where several processes share a run, batch k of all of them together is the same rows whatever their number: each takes
its own part, so that nothing has to be sent around.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.errors import UserError
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
    num_rows: int
    """Rows of the run; 0 in a batch of padding, which a process gets when the run's last rows go to others."""
    group_tokens: npt.NDArray[np.int64]
    """Body tokens of each group of the mix, in the order of `Loader.groups`, shape [groups]."""


class Loader:
    """Gives the batches of a run, or one process's part of them."""

    def __init__(
        self, plan: Plan, *, bos: int, eos: int, pad: int, rows_per_batch: int, rank: int = 0, num_ranks: int = 1
    ) -> None:
        """Args: the plan; ids of BOS, EOS and padding; rows in this process's batch; which of how many it is."""
        self.plan = plan
        self.bos, self.eos, self.pad = bos, eos, pad
        self.rows_per_batch = rows_per_batch
        self.rank, self.num_ranks = rank, num_ranks
        self.groups = tuple(plan.stream.groups)
        self._group = np.zeros(plan.corpus.num_documents, dtype=np.int16)
        for number, members in enumerate(plan.stream.groups.values()):
            self._group[members] = number
        self._files = {path: path.stat().st_size for path in sorted(plan.corpus.folder.glob("data-*.arrow"))}

    def num_batches(self) -> int:
        """Returns the batches of the run, the same for every process; the last may have fewer rows."""
        return -(-self.plan.num_rows() // (self.rows_per_batch * self.num_ranks))

    def batch(self, number: int) -> Batch:
        """Returns batch `number` of the run.

        Raises:
            UserError: where a file of the corpus has gone or changed its length since the run began.
        """
        self._check_files()
        first = (number * self.num_ranks + self.rank) * self.rows_per_batch
        last = min(first + self.rows_per_batch, self.plan.num_rows())
        group_tokens = np.zeros(len(self.groups), dtype=np.int64)
        rows = [self._row(index, group_tokens) for index in range(first, last)] or [self._padding()]
        lengths = np.array([length for row in rows for length in row.segment_lengths], dtype=np.int32)
        return Batch(
            input_ids=np.stack([row.input_ids for row in rows]),
            labels=np.stack([row.labels for row in rows]),
            position_ids=np.stack([row.position_ids for row in rows]),
            segment_lengths=lengths,
            num_tokens=sum(row.num_tokens for row in rows),
            num_body_tokens=sum(row.num_body_tokens for row in rows),
            num_rows=max(0, last - first),
            group_tokens=group_tokens,
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
        return self._row(number, np.zeros(len(self.groups), dtype=np.int64))

    def _check_files(self) -> None:
        """Looks before it reads: what is cut off a memory-mapped file ends the process without a word."""
        for path, size in self._files.items():
            try:
                found = path.stat().st_size
            except OSError as error:
                raise UserError(f"{path}: gone while it was read ({error.strerror}); put it back and resume") from None
            if found != size:
                raise UserError(f"{path}: had {size:,} bytes when the run began, now {found:,}; put it back and resume")

    def _padding(self) -> Row:
        """Returns a row on which no loss is taken: every process makes as many passes as the others."""
        length = self.plan.packing.sequence_length
        ids, labels = np.full(length, self.pad, dtype=np.int64), np.full(length, IGNORED, dtype=np.int64)
        return Row(ids, labels, np.arange(length, dtype=np.int64), (length,), 0, 0)

    def _row(self, number: int, group_tokens: npt.NDArray[np.int64]) -> Row:
        """Returns one row, and adds its body tokens to those of their groups."""
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
            group_tokens[self._group[documents[position]]] += len(body)
        num_tokens = at
        if at < length:
            position_ids[at:] = np.arange(length - at)
            lengths.append(length - at)
        return Row(input_ids, labels, position_ids, tuple(lengths), num_tokens, num_body_tokens)
