"""The recipe of one training run, and what follows from it before training: identity, batches per step, loader.

Sections that belong to other packages are defined there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from dateline.conditions import Conditioning
from dateline.config import Section, fingerprint
from dateline.errors import UserError
from dateline.model.load import model_fingerprint
from dateline.model.sizes import ModelRecipe
from dateline.tokens.encode import FORMAT as ENCODED
from dateline.tokens.loader import Loader
from dateline.tokens.mix import Mix
from dateline.tokens.plan import Packing, Plan
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import bos_id
from dateline.train.guard import Guard
from dateline.train.optim import Optimizer, Schedule
from dateline.train.parallel import ALONE, Parallel, Precision, World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class Training(Section):
    """Length, batch and habits of a run."""

    epochs: float | None = Field(default=None, gt=0)
    """Length in passes over the body tokens of the selected training documents: equal for all conditions."""
    steps: int | None = Field(default=None, gt=0)
    """Length in steps: equal compute, but the longer the prefixes, the fewer body tokens."""
    body_tokens: int | None = Field(default=None, gt=0)
    """Length in body tokens: equal for all conditions and for all mixes."""
    budget: Literal["same_steps", "same_region_tokens"] = "same_steps"
    """What runs with `mix.include` or `mix.exclude` have in common with a run on all groups: the whole length, or,
    with `same_region_tokens`, only the part of it that the run on all groups reads of the groups selected here."""
    batch_rows: int = Field(default=32, ge=1)
    """Rows in an optimizer step."""
    micro_rows: int = Field(default=0, ge=0)
    """Rows in a forward pass of one process; gradients are accumulated until the batch is full. 0 means all of the
    process's rows at once."""
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
    hang_minutes: float = Field(default=30.0, gt=0)
    """Minutes without a sign of progress after which the run is ended, with a report of who hangs where."""
    peak_flops: float | None = Field(default=None, gt=0)
    """FLOPs per second that one device reaches at best (`benchmarks/gpu_training.py` measures it); where it is given,
    the records of training say `mfu`, the share of it that the model's own FLOPs make up."""
    track: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = ()
    """Trackers that show the records of `metrics.jsonl`, besides the file."""

    @model_validator(mode="after")
    def _check(self) -> Training:
        if [self.epochs, self.steps, self.body_tokens].count(None) != 2:
            raise ValueError("give one of epochs, steps and body_tokens, and null for the others")
        if self.budget != "same_steps" and self.epochs is not None:
            raise ValueError("budget: epochs count passes over the run's own documents; give steps or body_tokens")
        if self.micro_rows and self.batch_rows % self.micro_rows:
            raise ValueError(f"batch_rows {self.batch_rows} is not a multiple of micro_rows {self.micro_rows}")
        return self


EXECUTION = (
    "micro_rows", "compile", "device", "log_every", "validate_every", "validation_documents", "checkpoint_every",
    "keep_checkpoints", "hang_minutes", "peak_flops", "track",
)  # fmt: skip
"""Of the `train` section: where and how a run is computed and watched. What it learns does not depend on them, beyond
rounding, so that a run may be resumed with others."""


ADDED = {"body_tokens": None, "budget": "same_steps"}
"""Of the `train` section: options with the values at which they change nothing, left out of a run's identity, so that
runs that were finished before these options existed are still known."""


class TrainRecipe(Section):
    """One model: its data, conditions, architecture and optimization."""

    data: str
    """The folder of an encoded corpus."""
    init_from: str | None = None
    """A Hugging Face causal LM folder, or the output of a run, whose weights the run starts from; null draws them.
    Shape and vocabulary are the folder's: `model` is left out, or agrees."""
    seed: int = Field(default=0, ge=0)
    """Of weights, order, dropout and rows."""
    conditions: Conditioning = Conditioning()
    mix: Mix = Mix()
    packing: Packing = Packing()
    model: ModelRecipe = ModelRecipe()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    train: Training
    parallel: Parallel = Parallel()
    guard: Guard = Guard()

    @model_validator(mode="after")
    def _check(self) -> TrainRecipe:
        if self.init_from is not None and "model" not in self.model_fields_set:
            return self  # the folder knows how many positions it has
        if self.packing.sequence_length > self.model.max_positions:
            raise ValueError(
                f"packing.sequence_length {self.packing.sequence_length} is longer than model.max_positions "
                f"{self.model.max_positions}; raise the latter"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """Returns, as plain data, the values that decide what is learned; paths are not among them."""
        unused = {name for name, value in ADDED.items() if getattr(self.train, name) == value}
        left_out: dict[str, Any] = {"data": True, "init_from": True, "parallel": True, "train": unused.union(EXECUTION)}
        if self.init_from is not None and "model" not in self.model_fields_set:
            left_out["model"] = True
        return self.model_dump(mode="json", exclude=left_out)

    def execution(self) -> dict[str, Any]:
        """Returns, as plain data, the values that `identity` leaves out, for the record."""
        kept: dict[str, Any] = {"data": True, "init_from": True, "parallel": True, "train": set(EXECUTION)}
        return self.model_dump(mode="json", include=kept)


STAGE = "train"
FORMAT = 2
"""2: prefixes end directly before the body (`conditions.PREFIX_FORMAT`)."""


def train_plan(recipe: TrainRecipe, corpus: EncodedCorpus) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the recipe and parents that decide whether a run is up to date; see `TrainRecipe.identity`.

    Raises:
        UserError: where the corpus was encoded by an earlier version.
    """
    if corpus.manifest.format < ENCODED:
        raise UserError(
            f"{corpus.folder}: was encoded by an earlier version of Dateline (format {corpus.manifest.format}, now "
            f"{ENCODED}); its tokenizer would not begin texts as training does: encode the corpus again"
        )
    parents = {"encoded": corpus.manifest.fingerprint}
    if recipe.init_from is not None:
        parents["init_from"] = model_fingerprint(recipe.init_from)
    return recipe.identity(), parents


def train_identity(data: Mapping[str, Any], parents: Mapping[str, str]) -> str:
    """Returns the fingerprint that a run's checkpoints carry, from what `train_plan` gives."""
    return fingerprint({"recipe": data, "parents": parents})


def build_loader(
    recipe: TrainRecipe, corpus: EncodedCorpus, tokenizer: PreTrainedTokenizerFast, world: World = ALONE
) -> Loader:
    """Returns one process's micro-batches of a run; `accumulation` of them make a step.

    Raises:
        UserError: where `batch_rows` cannot be shared evenly.
    """
    training = recipe.train
    plan = Plan(
        corpus,
        tokenizer,
        conditions=recipe.conditions,
        mix=recipe.mix,
        packing=recipe.packing,
        seed=recipe.seed,
        epochs=training.epochs,
        num_rows=None if training.steps is None else training.steps * training.batch_rows,
        body_tokens=training.body_tokens,
        region_only=training.budget == "same_region_tokens",
    )
    eos = int(tokenizer.eos_token_id)
    pad = int(tokenizer.pad_token_id) if tokenizer.pad_token_id is not None else eos
    rows = training.batch_rows // (world.size * accumulation(recipe, world))
    return Loader(
        plan, bos=bos_id(tokenizer), eos=eos, pad=pad, rows_per_batch=rows, rank=world.rank, num_ranks=world.size
    )


def accumulation(recipe: TrainRecipe, world: World) -> int:
    """Returns the micro-batches that each process takes in a step.

    Raises:
        UserError: where that is no whole number.
    """
    batch, micro, size = recipe.train.batch_rows, recipe.train.micro_rows, world.size
    if batch % (size * (micro or 1)):
        each = f" of {micro} rows each" if micro else ""
        fits = size * (micro or 1)
        raise UserError(
            f"train.batch_rows {batch} cannot be shared by {size} processes{each}; take a multiple of {fits}, such as "
            f"{-(-batch // fits) * fits}, or other micro_rows"
        )
    return batch // (size * micro) if micro else 1
