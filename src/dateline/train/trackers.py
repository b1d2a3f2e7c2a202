"""Trackers: the records of `metrics.jsonl` shown by TensorBoard, trackio or Weights & Biases.

Nothing is sent over the network unless the environment asks for it: W&B runs offline without `WANDB_MODE`, trackio
locally. No value is shown that is not in `metrics.jsonl`.
"""

from __future__ import annotations

import importlib
import os
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.train.callbacks import Callback, Outcome, RunFile, RunInfo

Load = Callable[[str], Any]
"""Imports a module by name; raises ImportError where it is not installed."""

PROJECT = "dateline"
"""Under which trackio and W&B file a run; `WANDB_PROJECT` changes it for the latter."""
COUNTERS = ("tokens", "body_tokens")
"""Of the run as a whole; shown once, with the training loss."""


def build_callbacks(track: Sequence[str], folder: Path, *, load: Load = importlib.import_module) -> list[Callback]:
    """Returns the callbacks that every run has (`run.json`), and the trackers that a recipe names.

    Args:
        track: names of trackers: tensorboard, trackio, wandb.
        folder: the run's.
        load: imports a tracker's package; tests give one of their own.

    Raises:
        UserError: where a name is unknown or its package is not installed, before anything has begun.
    """
    callbacks: list[Callback] = [RunFile(folder)]
    for name in dict.fromkeys(track):
        if name not in TRACKERS:
            raise UserError(f"train.track: there is no tracker '{name}'; known are {', '.join(TRACKERS)}")
        package, kind = TRACKERS[name]
        try:
            module = load(package)
        except ImportError as error:
            raise UserError(
                f"train.track: {name} cannot be loaded ({error}); install it with: pip install 'dateline[track]', "
                f"or take {name} out of train.track"
            ) from None
        callbacks.append(kind(module, folder))
    return callbacks


def scalars(kind: str, values: Mapping[str, Any]) -> dict[str, float]:
    """Returns the numbers of a record under names with slashes: `validation/gold/Africa/loss`.

    Texts in the record (condition, group) become parts of the names, in their order; inner mappings likewise. The
    counters of the run are kept with kind `train` only, and what is no number (null) is left out.
    """
    texts = [value for value in values.values() if isinstance(value, str)]
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= scalars("/".join([kind, *texts, key]), value)
        elif isinstance(value, int | float) and (kind == "train" or key not in COUNTERS):
            found["/".join([kind, *texts, key])] = float(value)
    return found


class Tracker(Callback):
    """What all trackers hold: their package, and the entry that it has opened for a run."""

    def __init__(self, module: Any, folder: Path) -> None:
        """Args: the tracker's package, the run's folder."""
        self.module, self.folder = module, folder
        self.run: Any = None


class TensorBoard(Tracker):
    """Writes event files to `tensorboard/` in the run's folder; `tensorboard --logdir runs` shows all runs."""

    def start(self, run: RunInfo) -> None:
        """Opens a file; of a resumed run, what an earlier one says beyond the checkpoint is hidden."""
        self.run = self.module.SummaryWriter(
            str(self.folder / "tensorboard"), purge_step=run.done + 1 if run.done else None
        )

    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Adds each number of a record."""
        for name, value in scalars(kind, values).items():
            self.run.add_scalar(name, value, step)

    def finish(self, outcome: Outcome) -> None:
        """Closes the file."""
        if self.run is not None:
            self.run.close()


class Trackio(Tracker):
    """Writes to trackio's local store; `trackio show` displays it."""

    def start(self, run: RunInfo) -> None:
        """Opens an entry, or goes on with that of the run that is resumed."""
        # trackio knows runs by their names: those of two experiments may both be called `plain`
        name = f"{self.folder.absolute().parent.name}/{run.name}"
        with redirect_stdout(sys.stderr):  # what it says is no result
            self.run = self.module.init(
                project=PROJECT, name=name, config=dict(run.recipe), resume="allow" if run.done else "never"
            )

    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Adds the numbers of a record."""
        if found := scalars(kind, values):
            self.run.log(found, step=step)

    def finish(self, outcome: Outcome) -> None:
        """Writes what is waiting."""
        if self.run is not None:
            with redirect_stdout(sys.stderr):
                self.module.finish()


class WeightsAndBiases(Tracker):
    """Writes to `wandb/` in the run's folder, offline unless `WANDB_MODE` says otherwise; `wandb sync` uploads it."""

    def start(self, run: RunInfo) -> None:
        """Opens an entry, or goes on with that of the run that is resumed."""
        # the step is a value like others: W&B's own may not repeat or go back, but records share steps
        self.run = self.module.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=run.name,
            id=self._identity(anew=not run.done),
            resume="allow",
            config=dict(run.recipe),
            dir=str(self.folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
        )
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def _identity(self, *, anew: bool) -> str:
        path = self.folder / "wandb" / "identity.txt"
        if anew or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, uuid.uuid4().hex[:8])
        return path.read_text(encoding="utf-8")

    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Adds the numbers of a record."""
        if found := scalars(kind, values):
            self.run.log({**found, "step": step})

    def finish(self, outcome: Outcome) -> None:
        """Says how the run ended."""
        if self.run is not None:
            self.run.finish(exit_code=0 if outcome == "finished" else 1)


TRACKERS: dict[str, tuple[str, type[Tracker]]] = {
    "tensorboard": ("torch.utils.tensorboard", TensorBoard),
    "trackio": ("trackio", Trackio),
    "wandb": ("wandb", WeightsAndBiases),
}
"""Name in the recipe -> module to load and the adapter for it."""
