"""The recipe of one training run.

Enters: YAML. Leaves: `TrainRecipe`.
Deliberately not done: sections that belong to other rooms are defined there.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dateline.conditions import Conditioning
from dateline.config import Section
from dateline.model.sizes import ModelRecipe
from dateline.tokens.mix import Mix
from dateline.tokens.plan import Packing
from dateline.train.optim import Optimizer
from dateline.train.parallel import Precision
from dateline.train.schedule import Schedule


class Training(Section):
    """Length, batch and habits of a run."""

    epochs: float | None = Field(default=None, gt=0)
    """Length in passes over the body tokens of the selected training documents: equal for all conditions."""
    steps: int | None = Field(default=None, gt=0)
    """Length in steps: equal compute, but the longer the prefixes, the fewer body tokens."""
    batch_rows: int = Field(default=32, ge=1)
    """Rows in an optimizer step."""
    micro_rows: int = Field(default=0, ge=0)
    """Rows in a forward pass; gradients are accumulated until the batch is full. 0 means all of them."""
    precision: Precision = "auto"
    """Of matrix products; `auto` takes bfloat16 where the hardware has it."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile; `auto` means on CUDA only: on a CPU it takes a C++ compiler and a minute for a few percent."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:1`."""
    log_every: int = Field(default=10, ge=1)
    """Steps between records of the training loss."""
    validate_every: int = Field(default=100, ge=0)
    """Steps between validations; 0 means never."""
    validation_documents: int = Field(default=256, ge=1)
    """Documents in a validation, spread evenly over continents."""
    checkpoint_every: int = Field(default=500, ge=0)
    """Steps between checkpoints; 0 means only when stopped."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Older ones are removed."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, data: object) -> object:
        if isinstance(data, dict) and not data.get("micro_rows"):
            return {**data, "micro_rows": data.get("batch_rows", cls.model_fields["batch_rows"].default)}
        return data

    @model_validator(mode="after")
    def _check(self) -> Training:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        if self.batch_rows % self.micro_rows:
            raise ValueError(f"batch_rows {self.batch_rows} is not a multiple of micro_rows {self.micro_rows}")
        return self


class TrainRecipe(Section):
    """One model: what it reads, what it is told, what it is, how it learns."""

    data: str
    """The folder of an encoded corpus."""
    seed: int = Field(default=0, ge=0)
    """Of weights, order, dropout and rows."""
    conditions: Conditioning = Conditioning()
    mix: Mix = Mix()
    packing: Packing = Packing()
    model: ModelRecipe = ModelRecipe()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    train: Training

    @model_validator(mode="after")
    def _check(self) -> TrainRecipe:
        if self.packing.sequence_length > self.model.max_positions:
            raise ValueError(
                f"packing.sequence_length {self.packing.sequence_length} is longer than model.max_positions "
                f"{self.model.max_positions}; raise the latter"
            )
        return self
