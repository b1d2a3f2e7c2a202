"""The plan of a run: which documents, with which prefixes, stand in which rows, and how many rows there are.

Body tokens are not read here; a plan for a million documents takes seconds.
"""

from __future__ import annotations

from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dateline.conditions import Conditioning, Metadata, render, shown_fields
from dateline.conditions.dropout import uniform
from dateline.config import Section
from dateline.errors import UserError
from dateline.tokens.mix import DocumentStream, Mix, region_share
from dateline.tokens.pack import PackedRows, pack, split_into_chunks
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import Tokens, encode_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ROWS = 0x40035
"""Stream number of the draw that sorts the rows of a window."""


class Packing(Section):
    """How documents are put into rows: best-fit decreasing over windows of the document order."""

    sequence_length: int = Field(default=2048, ge=16)
    """Tokens in a row."""
    window_rows: int = Field(default=4096, ge=1)
    """Body tokens of a window, in rows: larger windows fill better, smaller ones plan sooner."""


class Window(NamedTuple):
    """The planned rows of one window of documents."""

    rows: PackedRows
    documents: npt.NDArray[np.int64]
    prefixes: npt.NDArray[np.int64]
    """For each document, the number of its prefix in the prefix table."""


class Span(NamedTuple):
    """Where a window lies in the run."""

    start: int
    """First body token of the mixed stream."""
    end: int
    cools_down: bool
    """Whether the window belongs to the cooldown; no window holds both sides."""


class PrefixTable:
    """Every prefix text that occurs, tokenized once and capped at half a row."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> None:
        """Args: tokenizer; max_tokens: longer prefixes lose their end."""
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._numbers: dict[str, int] = {}
        self.tokens: list[Tokens] = []
        self.num_capped = 0

    def number(self, text: str) -> int:
        """Returns the number of a prefix, tokenizing it at first sight."""
        known = self._numbers.get(text)
        if known is not None:
            return known
        ids = encode_texts(self._tokenizer, [text])[0]
        self.num_capped += len(ids) > self._max_tokens
        self.tokens.append(ids[: self._max_tokens])
        self._numbers[text] = len(self.tokens) - 1
        return len(self.tokens) - 1


class Plan:
    """The rows of a run in order: a function of (recipe, seed), whatever has been asked before and by which thread.

    Where the windows lie is worked out once, in order; the windows themselves are planned anew when they are asked for.
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        tokenizer: PreTrainedTokenizerFast,
        *,
        conditions: Conditioning,
        mix: Mix,
        packing: Packing,
        seed: int,
        epochs: float | None = None,
        num_rows: int | None = None,
        body_tokens: int | None = None,
        region_only: bool = False,
    ) -> None:
        """Plans lazily, window by window.

        Args:
            corpus: the encoded corpus.
            tokenizer: its tokenizer, for the prefixes.
            conditions: which metadata the prefixes show.
            mix: weights and filters.
            packing: row length and window.
            seed: of order, dropout and rows.
            epochs: length of the run in passes over the body tokens of the selected training documents, or
            num_rows: length of the run in rows, or
            body_tokens: length of the run in body tokens; give exactly one of the three.
            region_only: read only the part of this length that a run on all groups would read of the selected ones.
        """
        if [epochs, num_rows, body_tokens].count(None) != 2:
            raise UserError("give the length of a run in one of epochs, steps and body tokens")
        self.corpus = corpus
        self.conditions = conditions
        self.packing = packing
        self.seed = seed
        self.stream = DocumentStream(corpus, mix, seed)
        self.prefixes = PrefixTable(tokenizer, packing.sequence_length // 2)
        self._window_tokens = packing.window_rows * packing.sequence_length
        share = region_share(corpus, mix) if region_only else 1
        self.body_tokens = None if body_tokens is None else max(1, round(body_tokens * share))
        """Length of the run where it is given in body tokens or epochs, to within a document."""
        if epochs is not None:
            self.body_tokens = round(epochs * self.stream.epoch_tokens)
        self._wanted_rows = None if num_rows is None else max(1, round(num_rows * share))
        self._spans: list[Span] = []
        self._row_starts = [0]
        self._lock = RLock()
        self._planned = lru_cache(maxsize=4)(self._plan_window)
        self._place_numbers, self._places = _factorize(corpus, conditions)
        self._plain = self.prefixes.number("")

    def num_rows(self) -> int:
        """Returns the rows of the whole run; plans all windows, about five seconds for a million documents."""
        if self._wanted_rows is not None:
            return self._wanted_rows
        assert self.body_tokens is not None
        with self._lock:
            while (self._spans[-1].end if self._spans else 0) < self.body_tokens:
                self._advance()
        return self._row_starts[-1]

    def locate(self, row: int) -> tuple[int, int]:
        """Returns (window, row in the window) of a row of the run."""
        with self._lock:
            while self._row_starts[-1] <= row:
                self._advance()
            window = int(np.searchsorted(self._row_starts, row, side="right")) - 1
            return window, row - self._row_starts[window]

    def window(self, number: int) -> Window:
        """Returns the planned rows of one window."""
        with self._lock:
            while len(self._spans) <= number:
                self._advance()
            return self._planned(number, self._spans[number])

    def _advance(self) -> None:
        """Adds the next window; one ends where the cooldown begins: to the token, or to the document."""
        number, row = len(self._spans), self._row_starts[-1]
        last = self._spans[-1] if self._spans else Span(-self._window_tokens, 0, cools_down=False)
        start, end = last.end, last.end + self._window_tokens
        share = self.conditions.cooldown
        if self.body_tokens is not None:
            assert start < self.body_tokens, "the run has ended before this window"
            turn = self.body_tokens - round(share * self.body_tokens)
            cools_down = start >= turn
            end = min(end, self.body_tokens if cools_down else turn)
        else:
            assert self._wanted_rows is not None
            turn = self._wanted_rows - round(share * self._wanted_rows)
            was_cut = last.end - last.start < self._window_tokens
            cools_down = share > 0 and (last.cools_down or was_cut or row >= turn)
            if share > 0 and not cools_down:
                end = self._last_end(number, start, end, turn - row)
        span = Span(start, end, cools_down)
        self._spans.append(span)
        self._row_starts.append(row + self._planned(number, span).rows.num_rows)

    def _last_end(self, number: int, start: int, end: int, rows: int) -> int:
        """Returns the largest end, by bisection, with which a window has no more than `rows` rows."""
        low, high = start, end + 1
        while high - low > 1:
            middle = end if high > end else (low + high) // 2
            if self._plan_window(number, Span(start, middle, cools_down=False)).rows.num_rows <= rows:
                low = middle
            else:
                high = middle
        return low

    def _plan_window(self, number: int, span: Span) -> Window:
        documents, epochs = self.stream.window(span.start, span.end)
        mask = shown_fields(self.conditions, self.seed, self.corpus.keys[documents], epochs)
        if span.cools_down:
            mask[:] = 0
        prefixes = self._prefix_numbers(documents, mask)
        prefix_lengths = np.array([len(tokens) for tokens in self.prefixes.tokens], dtype=np.int64)[prefixes]
        length = self.packing.sequence_length
        chunks = split_into_chunks(self.corpus.lengths[documents], prefix_lengths, length)
        numbers = np.arange(len(chunks.size), dtype=np.uint64)
        row_keys = uniform(self.seed, numbers, np.full(len(numbers), number, dtype=np.int64), ROWS)
        return Window(pack(chunks, length, row_keys), documents, prefixes)

    def _prefix_numbers(self, documents: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if not self.conditions.fields:
            return np.full(len(documents), self._plain, dtype=np.int64)
        bits = len(self.conditions.fields)
        codes, inverse = np.unique((self._place_numbers[documents] << bits) | mask, return_inverse=True)
        numbers = np.empty(len(codes), dtype=np.int64)
        for index, code in enumerate(codes.tolist()):
            shown = tuple(field for bit, field in enumerate(self.conditions.fields) if code >> bit & 1)
            numbers[index] = self.prefixes.number(render(self._places[code >> bits], shown))
        return numbers[inverse]


def _factorize(corpus: EncodedCorpus, conditions: Conditioning) -> tuple[npt.NDArray[np.int64], list[Metadata]]:
    """Numbers the distinct combinations of the metadata columns that the prefix can show."""
    columns = [{"url_hash": "domain"}.get(field, field) for field in conditions.fields]
    if not columns:
        return np.zeros(0, dtype=np.int64), []
    seen: dict[tuple[str, ...], int] = {}
    values = zip(*(corpus.column(name) for name in columns), strict=True)
    numbers = np.fromiter((seen.setdefault(value, len(seen)) for value in values), np.int64, corpus.num_documents)
    return numbers, [Metadata(**dict(zip(columns, value, strict=True))) for value in seen]
