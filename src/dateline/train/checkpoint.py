"""Checkpoints: everything that a run needs to continue bitwise the same, on any number of processes.

`checkpoints/step-00000123/` is written by PyTorch's Distributed Checkpoint while training goes on. The data position is
not saved; it follows from the step.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.tensor import DTensor

from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.train.export import SHAPE, unshared
from dateline.train.folder import cause, checkpoint_path, prune, read_facts, seal, unfinished
from dateline.train.optim import Optimizers
from dateline.train.parallel import ALONE, World

warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process is no mistake

STATE = "state.json"
"""In a checkpoint: steps, counters and memory of the loop."""


def whole_state(model: Any) -> dict[str, torch.Tensor] | None:
    """Returns all weights on the first process, where each holds a part of them; None where each holds all."""
    if not any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        return None
    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    return unshared(model, state)


class Saver:
    """Writes the checkpoints of one run, one at a time, while training goes on."""

    def __init__(
        self, run: Path, world: World, identity: str, recipe: Mapping[str, Any], parents: Mapping[str, str], *,
        keep: int, shape: Callable[[Path, int], None],
    ) -> None:  # fmt: skip
        """Prepares it.

        Args:
            run: the run's folder.
            world: the processes, all of which write.
            identity: of the run.
            recipe: what the identity is made of.
            parents: of the run.
            keep: newest checkpoints that stay.
            shape: puts configuration and tokenizer into a folder, for a step.
        """
        self.run, self.world, self.keep = run, world, keep
        self._manifest: tuple[Mapping[str, Any], Mapping[str, str]] = (recipe, parents)
        self._identity = identity
        self._shape = shape
        self._sealer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: tuple[int, Path, Future[Any]] | None = None
        self._done: list[tuple[int, Path]] = []

    def save(
        self, step: int, model: Any, optimizer: Optimizers, memory: Mapping[str, Any], *, pruned: bool = True
    ) -> Path:
        """Begins to write the checkpoint after `step` steps, once the one before is complete; every process calls it.

        One of this step that is there already is left alone: it holds the same numbers.

        Args:
            step: steps taken.
            model: the model, distributed or not.
            optimizer: its optimizer.
            memory: what the loop remembers, as plain data.
            pruned: whether older checkpoints are removed when this one is complete.
        """
        self.wait()
        final = checkpoint_path(self.run, step)
        if self.world.first(final.exists):
            return final
        self.world.first(lambda: self._begin(unfinished(final), step, memory))
        rank = self.world.rank
        state: dict[str, Any] = {"model": unshared(model, get_model_state_dict(model)), "rng": {}}
        if any(part.state for part in optimizer.parts):  # none yet before the first step
            state["optimizer"] = get_optimizer_state_dict(model, optimizer.parts)["state"]
        state["rng"][f"cpu{rank}"] = torch.get_rng_state()
        if torch.cuda.is_available():
            state["rng"][f"cuda{rank}"] = torch.cuda.get_rng_state()
        written: Any = async_save(
            state,
            storage_writer=FileSystemWriter(unfinished(final)),
            process_group=self.world.saving,
            no_dist=not self.world.joined,
        )
        written = getattr(written, "upload_completion", written)
        self._pending = (step, final, self._sealer.submit(self._seal, written, final, step, pruned))
        return final

    def _begin(self, folder: Path, step: int, memory: Mapping[str, Any]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            (folder / SHAPE).mkdir(parents=True)
            self._shape(folder / SHAPE, step)
            state = {"step": step, "run": self._identity, "world_size": self.world.size, **memory}
            write_atomically(folder / STATE, json.dumps(state) + "\n")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _seal(self, written: Future[Any], final: Path, step: int, pruned: bool) -> None:
        """Waits until every process has written, and gives the folder its name; only the first process does that."""
        try:
            written.result()
            if self.world.rank == 0:
                facts = {"run": self._identity, "step": step, "world_size": self.world.size}
                seal(final, *self._manifest, facts)
                if pruned:
                    prune(self.run, self.keep)
        except BaseException:
            if self.world.rank == 0:
                shutil.rmtree(unfinished(final), ignore_errors=True)
            raise

    def has_failed(self) -> bool:
        """Says whether the checkpoint under way has failed here; `wait` says why."""
        return self._pending is not None and self._pending[2].done() and self._pending[2].exception() is not None

    def completed(self) -> list[tuple[int, Path]]:
        """Returns steps and folders that have become complete since the last call."""
        if self._pending is not None and self._pending[2].done() and not self.has_failed():
            self.wait()
        done, self._done = self._done, []
        return done

    def wait(self, seconds: float | None = None) -> None:
        """Returns when the checkpoint under way is complete.

        Raises:
            OSError: where the disk is full or gone.
            TimeoutError: after so many seconds.
        """
        if self._pending is None:
            return
        step, final, sealed = self._pending
        try:
            sealed.result(seconds)
        except CheckpointException as error:
            self._pending = None
            raise cause(error) from error
        except TimeoutError:
            raise
        except BaseException:
            self._pending = None
            raise
        self._pending = None
        self._done.append((step, final))

    def close(self, *, failed: bool) -> None:
        """Waits for what is under way; after a failure a minute at most, for other processes may be gone."""
        try:
            self.wait(60.0 if failed else None)
        except Exception as error:
            if not failed:
                raise
            print(f"the checkpoint under way was not completed: {error}", file=sys.stderr, flush=True)
        self._sealer.shutdown(wait=False)


def load_checkpoint(
    checkpoint: Path, identity: str, model: Any, optimizer: Optimizers, world: World = ALONE
) -> dict[str, Any]:
    """Puts a checkpoint's numbers into model, optimizer and random generators; every process takes its part.

    The number of processes may differ from when it was written. A process that was not there then keeps the generator
    that it has, which matters for dropout only.

    Returns:
        What the loop remembers: `step`, and what `Saver.save` was given.

    Raises:
        UserError: where the checkpoint belongs to another recipe.
    """
    state = read_facts(checkpoint / STATE)
    if state["run"] != identity:
        raise UserError(
            f"{checkpoint}: is a checkpoint of another recipe ({state['run']}, now {identity}); "
            "restore the recipe or choose another --out"
        )
    reader = FileSystemReader(checkpoint)
    names = reader.read_metadata().state_dict_metadata
    wanted: dict[str, Any] = {"model": unshared(model, get_model_state_dict(model)), "rng": {}}
    moments: Any = None
    if any(name.startswith("optimizer.") for name in names):
        moments = get_optimizer_state_dict(model, optimizer.parts)
        wanted["optimizer"] = moments["state"]
    generators = {f"cpu{world.rank}": torch.get_rng_state}
    if torch.cuda.is_available():
        generators[f"cuda{world.rank}"] = torch.cuda.get_rng_state
    wanted["rng"] = {name: get() for name, get in generators.items() if f"rng.{name}" in names}
    load(wanted, storage_reader=reader, no_dist=not world.joined)
    set_model_state_dict(model, wanted["model"], options=StateDictOptions(strict=False))
    if moments is not None:
        set_optimizer_state_dict(model, optimizer.parts, moments)
    for name, generator in wanted["rng"].items():
        torch.set_rng_state(generator) if name.startswith("cpu") else torch.cuda.set_rng_state(generator)
    return state
