"""Callbacks: small classes that observe a run, and `run.json`, by which another terminal knows the run.

A callback sees the run's plain facts, each record of `metrics.jsonl`, each checkpoint and the outcome; it has no access
to model, optimizer or data, and cannot change the run's numbers.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dateline.manifest import write_atomically

RUN = "run.json"
"""In a run's folder: what `RunInfo` says, and how the newest call ended, null while it goes on."""

Outcome = Literal["finished", "interrupted", "failed"]
"""All steps taken and the model written; stopped by a signal, to be resumed; ended by an error."""


@dataclass(frozen=True)
class RunInfo:
    """What is known of a run before its first step."""

    name: str
    """Of the folder."""
    folder: Path
    recipe: Mapping[str, Any]
    """Resolved, as plain data."""
    num_steps: int
    """Of the whole run."""
    done: int
    """Steps already taken, where a run is resumed."""
    num_parameters: int
    world_size: int
    """Processes."""
    device: str
    """`cpu` or `cuda`."""


class Callback:
    """Looks at a run; every method does nothing unless overridden.

    Methods are called on rank 0, between steps, in the order of time. An exception ends the run as any other would.

    Example:
        >>> class Losses(Callback):
        ...     def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        ...         if kind == "train":
        ...             print(step, values["loss"])
    """

    def start(self, run: RunInfo) -> None:
        """Is called once, before the first step."""

    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Is called with each record of `metrics.jsonl`, right after it is written."""

    def checkpoint(self, step: int, folder: Path) -> None:
        """Is called when a checkpoint stands complete in its folder."""

    def finish(self, outcome: Outcome) -> None:
        """Is called once, at the end, also after an error."""


class Callbacks(Callback):
    """Several callbacks as one, which keeps their promise not to change numbers.

    Each gets its own copy of a record, and PyTorch's random state is put back after each call, because dropout draws
    from it.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        """Args: the callbacks, in the order in which they are called."""
        self.callbacks = tuple(callbacks)

    def start(self, run: RunInfo) -> None:
        """Starts all of them."""
        self._each(lambda callback: callback.start(run))

    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Hands a record to all of them."""
        self._each(lambda callback: callback.record(kind, step, copy.deepcopy(dict(values))))

    def checkpoint(self, step: int, folder: Path) -> None:
        """Hands a checkpoint to all of them."""
        self._each(lambda callback: callback.checkpoint(step, folder))

    def finish(self, outcome: Outcome) -> None:
        """Ends all of them, the later ones also where an earlier one fails.

        Raises:
            ExceptionGroup: of those that failed.
        """
        failed: list[Exception] = []
        with _same_randomness():
            for callback in self.callbacks:
                try:
                    callback.finish(outcome)
                except Exception as error:  # raised below, when all have closed their files
                    failed.append(error)
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise ExceptionGroup("callbacks failed at the end of the run", failed)

    def _each(self, call: Callable[[Callback], None]) -> None:
        with _same_randomness():
            for callback in self.callbacks:
                call(callback)


class RunFile(Callback):
    """Keeps `run.json`, from which `dateline watch` knows how long the run is and whether it has ended."""

    def __init__(self, folder: Path) -> None:
        """Args: the run's folder."""
        self.path = folder / RUN
        self.facts: dict[str, Any] = {}

    def start(self, run: RunInfo) -> None:
        """Writes what is known."""
        self.facts = {**asdict(run), "folder": str(run.folder), "recipe": dict(run.recipe)}
        self._write(None)

    def finish(self, outcome: Outcome) -> None:
        """Adds how the call ended."""
        if self.facts:
            self._write(outcome)

    def _write(self, outcome: Outcome | None) -> None:
        write_atomically(self.path, json.dumps({**self.facts, "outcome": outcome}, indent=2) + "\n")


@contextmanager
def _same_randomness() -> Iterator[None]:
    """Puts PyTorch's random state back, of the CPU and of the device in use."""
    import torch

    with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else []):
        yield
