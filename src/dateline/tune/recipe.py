"""The options of `dateline tune`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from dateline.conditions import Field
from dateline.conditions.dropout import Share
from dateline.config import Section
from dateline.errors import UserError

LEARNING_RATES = {"lora": 2e-4, "full": 2e-5}
"""Peak learning rates where none is given: the published one, and one for all weights."""

WINDOW = 1024
"""Tokens in a row where nothing else is said and the model can read so many."""

Rate = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, pydantic.Field(ge=1)]


class TuneOptions(Section):
    """Tunes a model on instruction data, which carry their real place or none, and writes a Hugging Face folder.

    MODEL is the output of dateline train, or a Hugging Face folder. DATA is JSON Lines or Parquet with messages, prompt
    and completion, instruction and output (alpaca), or conversations (ShareGPT); place, or url and country, say where
    a row comes from. Only what the assistant writes is trained on.
    """

    method: Literal["lora", "full"] = "lora"
    """lora: low-rank adapters on all linear layers but the head, merged in the end; full: all weights."""
    rank: Count = 256
    """Of the adapters, as published."""
    alpha: Count = 16
    """Scale of the adapters, as published."""
    metadata: Literal["true", "none", "random"] = "true"
    """true: the prefix shows an example's real place; none: no prefix; random: a place that has nothing to do with the
    example, as in the published study, whose model unlearned to use it."""
    fields: tuple[Field, ...] | None = None
    """Fields of the prefix; null for those that the model was trained with."""
    dropout: Share = 0.1
    """Share of examples that show no prefix, so that the model works with and without."""
    epochs: Count = 3
    """Passes over the data; each draws anew which examples show no prefix."""
    learning_rate: Rate | None = None
    """At its peak; null for 2e-4 with lora, 2e-5 with full. It warms up over 3% of the steps and falls along a
    cosine."""
    batch_rows: Count = 8
    """Rows in an optimizer step; a row holds as many examples as fit."""
    window: Annotated[int, pydantic.Field(ge=16)] | None = None
    """Tokens in a row; a longer example is an error. null for 1024, or what the model can read where that is less."""
    seed: Annotated[int, pydantic.Field(ge=0)] = 0
    """Of adapters, order, dropout and random places."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products; weights are float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a GPU where there is one."""

    @pydantic.field_validator("metadata", mode="before")
    @classmethod
    def _as_word(cls, value: Any) -> Any:
        return "true" if value is True else value  # YAML reads the word as a truth value

    @property
    def peak_rate(self) -> float:
        """The peak learning rate, given or by method."""
        return LEARNING_RATES[self.method] if self.learning_rate is None else self.learning_rate

    def fit(self, positions: int | None) -> TuneOptions:
        """Returns the options with a window, for a model that reads so many tokens at once; None for any number.

        Raises:
            UserError: where the window is longer.
        """
        if self.window is None:
            return self.model_copy(update={"window": min(WINDOW, positions or WINDOW)})
        if positions is not None and self.window > positions:
            raise UserError(
                f"--window {self.window} is longer than the {positions} positions that the model knows; lower it"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """Returns, as plain data, the options that decide a result."""
        unused = {"device"} | ({"rank", "alpha"} if self.method == "full" else set())
        return {**self.model_dump(mode="json", exclude=unused), "learning_rate": self.peak_rate}
