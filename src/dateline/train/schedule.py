"""The learning rate as a pure function of the step: nothing to save or restore."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dateline.config import Section


class Schedule(Section):
    """How the learning rate moves."""

    shape: Literal["cosine", "warmup-stable-decay", "constant"] = "cosine"
    """`warmup-stable-decay` (WSD) stays at the peak and falls linearly at the end, so that a run can be extended."""
    warmup_steps: int = Field(default=500, ge=0)
    """Steps of linear rise from 0."""
    floor: float = Field(default=0.1, ge=0, le=1)
    """Last learning rate as a share of the peak (the paper: 3e-4 / 3e-3)."""
    decay_share: float = Field(default=0.2, gt=0, le=1)
    """WSD only: last share of the run in which the rate falls."""


def factor(schedule: Schedule, step: int, num_steps: int) -> float:
    """Returns the share of the peak learning rate at a step, counted from 0.

    Args:
        schedule: shape and warm-up.
        step: the step about to be taken.
        num_steps: steps of the whole run.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    if schedule.shape == "constant":
        return 1.0
    if schedule.shape == "cosine":
        done = (step - schedule.warmup_steps) / max(1, num_steps - 1 - schedule.warmup_steps)
        return schedule.floor + (1 - schedule.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    decay_steps = max(1, round(schedule.decay_share * num_steps))
    left = num_steps - 1 - step
    return schedule.floor + (1 - schedule.floor) * min(1.0, left / decay_steps)
