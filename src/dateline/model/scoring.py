"""Log-probabilities of token sequences under any causal LM, in batches.

Segments are sorted by length and padded on the right, where causal attention cannot see it, so that a segment's number
does not depend on its neighbours beyond rounding.
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
    if model.config.model_type == "llama":
        hidden = model.model(input_ids=input_ids, use_cache=False).last_hidden_state
        losses = token_losses(hidden[at_row, at_column], model.lm_head.weight, labels)
    else:  # other families may scale or cap their logits after the head, so the whole forward pass is asked
        logits = model(input_ids=input_ids, use_cache=False).logits[at_row, at_column].float()
        losses = logits.logsumexp(-1) - logits.gather(1, labels[:, None]).squeeze(1)
    ends = np.cumsum([segment.num_scored for segment in batch])
    return np.split(losses.float().cpu().numpy(), ends[:-1])
