"""How the next token is chosen: the options of sampling, and random numbers that do not depend on the company."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dateline.conditions.dropout import uniform
from dateline.errors import UserError
from dateline.records import stable_hash

if TYPE_CHECKING:
    import torch

MAX_TOKENS = 60
"""Of a continuation, by default."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Options of sampling, checked when they are put together.

    Temperature, top-k, top-p, min-p and repetition penalty are those of transformers, applied in its order. Settings
    in the `generation_config.json` of a model folder do not count.

    Raises:
        UserError: where a value makes no sense.

    Example:
        >>> Sampling(temperature=0.8, top_p=0.95, stop=("\\n",))
        Sampling(max_tokens=60, temperature=0.8, top_p=0.95, top_k=0, min_p=0.0, repetition_penalty=1.0, stop=('\\n',))
    """

    max_tokens: int = MAX_TOKENS
    """Of each text, at most; it ends earlier at the end-of-text token or at a stop string."""
    temperature: float = 1.0
    """0 takes the likeliest token each time."""
    top_p: float = 1.0
    """Sample from the likeliest tokens that together have this probability; 1 for all."""
    top_k: int = 0
    """Sample from so many of the likeliest tokens; 0 for all."""
    min_p: float = 0.0
    """Sample from tokens with at least this share of the likeliest one's probability."""
    repetition_penalty: float = 1.0
    """Above 1, tokens of the prompt (not of the prefix) and of the text so far become less likely."""
    stop: tuple[str, ...] = ()
    """The text ends before the first of these."""

    def __post_init__(self) -> None:
        _whole("max_tokens", self.max_tokens, least=1)
        _whole("top_k", self.top_k, least=0)
        _number("temperature", self.temperature, lambda value: value >= 0, "0 or more")
        _number("top_p", self.top_p, lambda value: 0 < value <= 1, "above 0, up to 1")
        _number("min_p", self.min_p, lambda value: 0 <= value <= 1, "from 0 to 1")
        _number("repetition_penalty", self.repetition_penalty, lambda value: value > 0, "above 0")
        if isinstance(self.stop, str) or not all(isinstance(one, str) and one for one in self.stop):
            raise UserError(f"stop is {self.stop!r}; give a sequence of strings, none of them empty")

    def processors(self) -> list[Any]:
        """Returns transformers' processors of logits for these options, in its order."""
        from transformers.generation import logits_process

        chosen: list[Any] = []
        if self.repetition_penalty != 1:
            chosen.append(logits_process.RepetitionPenaltyLogitsProcessor(float(self.repetition_penalty)))
        if self.temperature > 0:
            chosen.append(logits_process.TemperatureLogitsWarper(float(self.temperature)))
            if self.top_k:
                chosen.append(logits_process.TopKLogitsWarper(self.top_k))
            if self.top_p < 1:
                chosen.append(logits_process.TopPLogitsWarper(self.top_p))
            if self.min_p > 0:
                chosen.append(logits_process.MinPLogitsWarper(self.min_p))
        return chosen


def gumbel(keys: Sequence[tuple[str, ...]], step: int, vocabulary: int) -> torch.Tensor:
    """Returns Gumbel noise that is a hash of key, step and token.

    The largest of log p + noise is a sample from p. Two distributions with the same noise differ in their sample only
    where they have to: what then differs between places is their doing and not the dice's.

    Args:
        keys: of each text, for instance (seed, prompt, number of the sample).
        step: position of the token in the text.
        vocabulary: how many tokens there are.

    Returns:
        Shape [texts, vocabulary], float64.
    """
    import torch

    tokens, none = np.arange(vocabulary, dtype=np.uint64), np.zeros(vocabulary, dtype=np.int64)
    rows = np.stack([uniform(stable_hash(*key, str(step)), tokens, none, 0) for key in keys])
    with np.errstate(divide="ignore"):  # a draw of exactly 0 is minus infinity: never chosen
        return torch.from_numpy(-np.log(-np.log(rows)))


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{name} is {value!r}; give a whole number of {least} or more")


def _number(name: str, value: Any, within: Callable[[float], bool], wanted: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not within(value):
        raise UserError(f"{name} is {value!r}; give a number {wanted}")
