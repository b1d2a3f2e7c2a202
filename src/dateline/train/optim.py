"""The optimizer.

Enters: the recipe's `optimizer` section and a model. Leaves: a fused AdamW.
Deliberately not done: no other optimizer yet, and no weight decay on norms.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from dateline.config import Section

Beta = Annotated[float, Field(ge=0, lt=1)]
"""A share of the running mean that stays at each step."""


class Optimizer(Section):
    """AdamW as in the paper (arXiv 2601.15236): betas 0.9 and 0.95, decay 0.033, clipping at 0.1."""

    learning_rate: float = Field(default=3e-3, gt=0)
    """Peak learning rate."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    """Decay of the first and second moment."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the second moment."""
    weight_decay: float = Field(default=0.033, ge=0)
    """Decoupled decay per unit of learning rate, on matrices only (embeddings included)."""
    clip_norm: float = Field(default=0.1, gt=0)
    """Gradients are scaled down to this global norm."""


def build_optimizer(recipe: Optimizer, model: torch.nn.Module) -> torch.optim.AdamW:
    """Returns a fused AdamW with weight decay on matrices and none on vectors."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, eps=recipe.eps, fused=True)
