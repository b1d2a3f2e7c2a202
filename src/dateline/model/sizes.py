"""The sizes by name, and their parameter and FLOP counts without building anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from dateline.config import Section


class Shape(NamedTuple):
    """The numbers that define a Llama-style decoder."""

    num_layers: int
    hidden_size: int
    num_heads: int
    num_key_value_heads: int
    intermediate_size: int


SIZES: dict[str, Shape] = {
    "pico": Shape(4, 128, 4, 4, 256),
    "nano": Shape(6, 128, 4, 4, 384),
    "micro": Shape(8, 256, 8, 8, 768),
    "small": Shape(8, 512, 8, 8, 1408),
    "base": Shape(12, 768, 12, 12, 2048),
    "0.5b": Shape(24, 1024, 16, 16, 4096),
    "1b": Shape(16, 2048, 16, 16, 5632),
}
"""`0.5b` and `1b` have the published shapes (arXiv 2601.15236); the others are for laptops and for one GPU."""

SizeName = Literal["pico", "nano", "micro", "small", "base", "0.5b", "1b"]


class ModelRecipe(Section):
    """The network of a run."""

    size: SizeName = "nano"
    """Shape by name; see `dateline.model.sizes.SIZES`."""
    tie_embeddings: bool = True
    """Whether input and output embeddings are one matrix."""
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Attention dropout while training."""
    rope_theta: float = Field(default=10_000.0, gt=0)
    """Base of the rotary position embedding."""
    max_positions: int = Field(default=4096, ge=16)
    """Longest segment that the model accepts; rotary embeddings have no weights, so this costs nothing."""


def num_parameters(recipe: ModelRecipe, vocab_size: int) -> int:
    """Returns the number of weights, shared ones counted once.

    Example:
        >>> num_parameters(ModelRecipe(size="pico"), vocab_size=8192)
        1705088
    """
    shape = SIZES[recipe.size]
    embeddings = vocab_size * shape.hidden_size * (1 if recipe.tie_embeddings else 2)
    return embeddings + shape.num_layers * _layer_parameters(shape) + shape.hidden_size


def flops_per_token(recipe: ModelRecipe, vocab_size: int, mean_attended: float) -> float:
    """Returns the model FLOPs of a training token, forward and backward.

    6 for every weight of a matrix that the token meets, the output embedding included, plus 12 * layers * hidden_size
    for every position attended (Chowdhery et al., 2022, appendix B).

    Args:
        recipe: the network.
        vocab_size: rows of the output embedding.
        mean_attended: positions that a token attends to on average; about half a document's length.
    """
    shape = SIZES[recipe.size]
    norms = 2 * shape.hidden_size
    matrices = shape.num_layers * (_layer_parameters(shape) - norms) + vocab_size * shape.hidden_size
    return 6.0 * matrices + 12.0 * shape.num_layers * shape.hidden_size * mean_attended


def _layer_parameters(shape: Shape) -> int:
    head = shape.hidden_size // shape.num_heads
    attention = 2 * shape.hidden_size**2 + 2 * shape.hidden_size * head * shape.num_key_value_heads
    feed_forward = 3 * shape.hidden_size * shape.intermediate_size
    return attention + feed_forward + 2 * shape.hidden_size


ENOUGH_TOKENS = 0.5
"""Body tokens a parameter below which a run says nothing: the quickstart's read 1.1, compute-optimal ones some 20."""


def is_undertrained(body_tokens: int | None, parameters: int | None) -> bool:
    """Says whether a run from scratch reads too little for its results to mean anything; unknown counts do not."""
    return bool(parameters) and body_tokens is not None and body_tokens < ENOUGH_TOKENS * (parameters or 0)


def undertrained(names: Sequence[str]) -> str:
    """Returns what is said of such runs, in one line: their names, or how many they are."""
    shown = ", ".join(names) if len(names) <= 6 else f"{len(names)} runs"
    return (
        f"undertrained: {shown}: fewer than {ENOUGH_TOKENS:g} body tokens a parameter; differences between such models "
        "show how fast they learn, not what they can learn; train longer"
    )
