"""Optimizers, and the learning rate as a pure function of the step.

AdamW, or Muon for the hidden matrices with AdamW for the rest; no weight decay on norms.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import torch
from pydantic import Field

from dateline.config import Section

Beta = Annotated[float, Field(ge=0, lt=1)]
"""A share of the running mean that stays at each step."""


class Optimizer(Section):
    """AdamW as in the paper (arXiv 2601.15236): betas 0.9 and 0.95, decay 0.033, clipping at 0.1."""

    name: Literal["adamw", "muon"] = "adamw"
    """`muon` orthogonalizes the updates of the hidden matrices (Jordan et al., 2024) at AdamW's scale, so that one
    learning rate serves both; embeddings and norms stay with AdamW."""
    learning_rate: float = Field(default=3e-3, gt=0, allow_inf_nan=False)
    """Peak learning rate."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    """Decay of the first and second moment."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the second moment."""
    weight_decay: float = Field(default=0.033, ge=0)
    """Decoupled decay per unit of learning rate, on matrices only (embeddings included)."""
    clip_norm: float = Field(default=0.1, gt=0)
    """Gradients are scaled down to this global norm."""


class Optimizers:
    """One or several of PyTorch's optimizers, each with parameters of its own, that step together."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        """Args: the optimizers, in the order in which they step."""
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts, whose `lr` the loop sets before each step."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        """Takes a step with every part."""
        for part in self.parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Zeroes all gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none)


def build_optimizer(recipe: Optimizer, model: torch.nn.Module) -> Optimizers:
    """Returns the optimizer of a recipe, with weight decay on matrices and none on vectors."""
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    hidden = [p for name, p in named if recipe.name == "muon" and p.ndim == 2 and _is_hidden(name)]
    matrices = [p for _, p in named if p.ndim >= 2 and all(p is not other for other in hidden)]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, eps=recipe.eps, fused=True)
    if not hidden:
        return Optimizers(adamw)
    muon = torch.optim.Muon(
        hidden, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    return Optimizers(adamw, muon)


def _is_hidden(name: str) -> bool:
    return "embed_tokens" not in name and "lm_head" not in name


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

    Example:
        >>> [round(factor(Schedule(warmup_steps=10), step, 100), 3) for step in (0, 9, 50, 99)]
        [0.1, 1.0, 0.621, 0.1]
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
