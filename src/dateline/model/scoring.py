"""Log-probabilities of token sequences under any causal LM, in batches.

Segments are sorted by length and padded on the right, where causal attention cannot see it, so that a segment's number
does not depend on its neighbours beyond rounding. Several continuations of one context read it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from dateline.model.attention import ATTENTION
from dateline.model.loss import token_losses

if TYPE_CHECKING:
    from dateline.progress import Advance

Floats = npt.NDArray[np.float64]


class Segment(NamedTuple):
    """A token sequence and how many of its last tokens are scored (at most all but the first)."""

    input_ids: npt.NDArray[np.int64]
    num_scored: int


def score_segments(
    model: Any,
    segments: Sequence[Segment],
    *,
    batch_tokens: int = 8192,
    dtype: str = "float32",
    advance: Advance | None = None,
) -> Floats:
    """Returns the negative log-likelihood of each segment's scored tokens, in nats, shape [num_segments].

    Args:
        model: a causal LM from transformers, in evaluation mode or not.
        segments: what to score.
        batch_tokens: padded tokens in a batch; a longer segment is a batch of its own.
        dtype: `float32`, or `bfloat16` for autocast.
        advance: progress callback, called after each batch with the number of segments done.
    """
    tokens = score_tokens(model, segments, batch_tokens=batch_tokens, dtype=dtype, advance=advance)
    return np.array([losses.sum(dtype=np.float64) for losses in tokens], dtype=np.float64)


@torch.no_grad()
def score_tokens(
    model: Any,
    segments: Sequence[Segment],
    *,
    batch_tokens: int = 8192,
    dtype: str = "float32",
    advance: Advance | None = None,
) -> list[npt.NDArray[np.float32]]:
    """Returns -log p of each scored token in nats: for each segment an array of shape [num_scored].

    Arguments are those of `score_segments`.
    """
    result: list[npt.NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)] * len(segments)
    order = sorted(range(len(segments)), key=lambda index: -len(segments[index].input_ids))
    was_training, attention = model.training, model.config._attn_implementation
    model.eval()
    if attention == ATTENTION:
        model.set_attn_implementation("sdpa")
    try:
        while order:
            width = len(segments[order[0]].input_ids)
            size = max(1, batch_tokens // width)
            chosen, order = order[:size], order[size:]
            with torch.autocast(model.device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
                losses = _score_batch(model, [segments[index] for index in chosen], width)
            for index, found in zip(chosen, losses, strict=True):
                result[index] = found
            if advance is not None:
                advance(len(chosen))
    finally:
        if attention == ATTENTION:
            model.set_attn_implementation(attention)
        model.train(was_training)
    return result


def _score_batch(model: Any, batch: list[Segment], width: int) -> list[npt.NDArray[np.float32]]:
    ids = np.zeros((len(batch), width), dtype=np.int64)
    rows, columns = [], []
    for index, segment in enumerate(batch):
        length = len(segment.input_ids)
        assert 0 < segment.num_scored < length, "the first token of a segment has nothing before it"
        ids[index, :length] = segment.input_ids
        columns.append(np.arange(length - segment.num_scored - 1, length - 1))
        rows.append(np.full(segment.num_scored, index))
    row, column = np.concatenate(rows), np.concatenate(columns)
    device = model.device
    input_ids = torch.from_numpy(ids).to(device)
    at_row, at_column = torch.from_numpy(row).to(device), torch.from_numpy(column).to(device)
    labels = input_ids[at_row, at_column + 1]
    losses, _ = _losses_at(model, input_ids, at_row, at_column, labels, use_cache=False)
    ends = np.cumsum([segment.num_scored for segment in batch])
    return np.split(losses, ends[:-1])


def _losses_at(
    model: Any,
    input_ids: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor | None,
    labels: torch.Tensor,
    **options: Any,
) -> tuple[npt.NDArray[np.float32], Any]:
    """Returns -log p of labels after some positions of a batch, in nats, shape [labels], and the model's cache.

    Without columns these are the last positions of the rows.
    """
    if model.config.model_type == "llama":
        output = model.model(input_ids=input_ids, **options)
        hidden = output.last_hidden_state[rows, -1 if columns is None else columns]
        losses = token_losses(hidden, model.lm_head.weight, labels)
    else:  # other families may scale or cap their logits after the head, so the whole forward pass is asked
        output = model(input_ids=input_ids, **options, **({"logits_to_keep": 1} if columns is None else {}))
        logits = output.logits[rows, -1 if columns is None else columns].float()
        losses = logits.logsumexp(-1) - logits.gather(1, labels[:, None]).squeeze(1)
    found: npt.NDArray[np.float32] = losses.float().cpu().numpy()
    return found, getattr(output, "past_key_values", None)


@torch.no_grad()
def score_continuations(
    model: Any,
    contexts: Sequence[npt.NDArray[np.integer[Any]]],
    pairs: Sequence[tuple[int, npt.NDArray[np.integer[Any]]]],
    *,
    batch_tokens: int = 8192,
    dtype: str = "float32",
) -> Floats:
    """Returns the negative log-likelihood of continuations of a batch of contexts, in nats, shape [pairs].

    Every context is read once; tokens of continuations after the first are read behind its keys and values. Models that
    keep something else (state-space models, sliding windows) read every such continuation with its context anew.

    Args:
        model: a causal LM from transformers, in evaluation mode and with an attention that takes a cache.
        contexts: token sequences of one length, so that there is no padding; one batch.
        pairs: position of a context, and tokens that may follow it.
        batch_tokens: padded tokens in a batch where contexts are read anew.
        dtype: `float32`, or `bfloat16` for autocast.

    Example:
        >>> score_continuations(model, [np.array([1, 7, 8])], [(0, np.array([5])), (0, np.array([5, 6]))])
        array([8.31..., 16.52...])
    """
    device = model.device
    longer = [at for at, (_, tokens) in enumerate(pairs) if len(tokens) > 1]
    rows = torch.tensor([row for row, _ in pairs], device=device)
    first = torch.tensor([int(tokens[0]) for _, tokens in pairs], device=device)
    input_ids = torch.from_numpy(np.stack(contexts).astype(np.int64)).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
        found, cache = _losses_at(model, input_ids, rows, None, first, use_cache=bool(longer))
    nats: Floats = found.astype(np.float64)
    if not longer:
        return nats
    if not _copies_rows(cache):
        whole = [np.concatenate([contexts[pairs[at][0]], pairs[at][1]]).astype(np.int64) for at in longer]
        segments = [Segment(ids, len(pairs[at][1])) for ids, at in zip(whole, longer, strict=True)]
        nats[longer] = score_segments(model, segments, batch_tokens=batch_tokens, dtype=dtype)
        return nats
    cache.batch_select_indices(rows[longer])
    behind = [pairs[at][1] for at in longer]
    ids = np.zeros((len(behind), max(map(len, behind))), dtype=np.int64)
    for row, tokens in enumerate(behind):
        ids[row, : len(tokens)] = tokens
    input_ids = torch.from_numpy(ids).to(device)
    owner = np.repeat(np.arange(len(behind)), [len(tokens) - 1 for tokens in behind])
    column = np.concatenate([np.arange(len(tokens) - 1) for tokens in behind])
    at_row, at_column = torch.from_numpy(owner).to(device), torch.from_numpy(column).to(device)
    labels = input_ids[at_row, at_column + 1]
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
        found, _ = _losses_at(
            model, input_ids[:, :-1], at_row, at_column, labels, past_key_values=cache, use_cache=True
        )
    nats[longer] += np.bincount(owner, found, len(behind))
    return nats


def _copies_rows(cache: Any) -> bool:
    """Says whether a cache holds keys and values of all tokens in all layers, so that its rows can be copied."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    return isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)
