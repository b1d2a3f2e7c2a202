"""The totals of a step over all processes, and what they say of a run's speed.

Enters: each process's micro-batches. Leaves: counts of the whole batch, the same on every process.
Deliberately not done: no clock; seconds come from the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.tokens.loader import IGNORED, Batch
from dateline.train.parallel import World


class Totals(NamedTuple):
    """Counts of one batch, all processes together."""

    labels: int
    """Positions on which loss is taken."""
    tokens: int
    """Tokens that are not padding."""
    body_tokens: int
    positions: int
    """Tokens with padding."""
    attended: int
    """Pairs of positions that attention joins."""
    groups: npt.NDArray[np.int64]
    """Body tokens of each group of the mix."""
    stop: bool
    """Whether a process has been told to stop."""
    failed: bool
    """Whether a process cannot go on."""

    @property
    def mean_attended(self) -> float:
        """Positions that a token attends to, itself included."""
        return self.attended / self.positions

    @property
    def fill(self) -> float:
        """Share of positions that are not padding."""
        return self.tokens / self.positions


def add_up(world: World, batches: Sequence[Batch], num_groups: int, *, stop: bool, failed: bool) -> Totals:
    """Returns the totals of a step; one small message between the processes, which also agree on whether to go on."""
    numbers = np.zeros(7 + num_groups, dtype=np.int64)
    numbers[:2] = stop, failed
    for batch in batches:
        if not batch.num_rows:
            continue
        lengths = batch.segment_lengths.astype(np.int64)
        numbers[2] += int((batch.labels != IGNORED).sum())
        numbers[3:7] += batch.num_tokens, batch.num_body_tokens, batch.input_ids.size, int(lengths @ (lengths + 1)) // 2
        numbers[7:] += batch.group_tokens
    numbers = world.total(numbers)
    stopped, broken, labels, tokens, body_tokens, positions, attended = numbers[:7].tolist()
    return Totals(labels, tokens, body_tokens, positions, attended, numbers[7:], stopped > 0, broken > 0)


def flops_of(model: Any) -> tuple[float, float]:
    """Returns the model FLOPs of a training token: a constant, and what is added for each position attended.

    6 for every weight of a matrix that the token meets, the output embedding included, plus 12 * layers * width of
    attention for every position attended (Chowdhery et al., 2022, appendix B): `model.sizes.flops_per_token`, for a
    model that is already built.
    """
    config = model.config
    heads = config.num_attention_heads
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    matrices = sum(parameter.numel() for parameter in model.parameters() if parameter.ndim >= 2)
    if not config.tie_word_embeddings:
        matrices -= model.get_input_embeddings().weight.numel()
    return 6.0 * matrices, 12.0 * config.num_hidden_layers * width
