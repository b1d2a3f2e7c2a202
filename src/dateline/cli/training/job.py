"""What runs inside a job: one of Dateline's own verbs, stopped in time and queued again.

Enters: a verb and its words, pickled by submitit. Leaves: what the verb leaves.
Deliberately not done: no process is started. Slurm starts one for each GPU, submitit says which one this is, and
PyTorch reads that from the environment, so torchrun would be a second launcher inside the first.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from dateline.cli import verb
from dateline.errors import Interrupted


@dataclass(frozen=True)
class VerbJob:
    """One verb as a job of submitit.

    A verb given here must go on where it stopped when it is called again with the same words: `train --resume` and
    `experiment` do. The job can therefore be queued again as it is, whatever ended it.
    """

    name: str
    """`train` or `experiment`."""
    words: tuple[str, ...]
    directory: str
    """In which the words were written: recipes may name relative paths."""

    def __call__(self) -> None:
        """Runs the verb in this process; every process of the job does the same.

        The scheduler's warning (SIGUSR2: pre-emption, or time is nearly up) becomes SIGTERM while the training loop
        listens to it, so that all processes stop after the same step and a checkpoint is written; then the first
        process queues the job again. At any other moment the job is queued again at once. SIGTERM alone, as from
        `scancel`, saves a checkpoint and queues nothing.
        """
        submitit: Any = importlib.import_module("submitit")
        os.chdir(self.directory)
        task = submitit.JobEnvironment()
        if task.num_tasks > 1:  # every process sees all GPUs of its node and takes the one of its LOCAL_RANK
            submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        warning = signal.Signals[f"SIG{task.USR_SIG}"]
        requeue: Any = signal.getsignal(warning)  # submitit's
        with _warned_by(warning) as warned:
            try:
                verb(self.name)([*self.words])
            except Interrupted:
                if task.global_rank:
                    sys.exit(0)  # the first process decides; an exit with an error would end it before it has
                if warned:
                    requeue(warning, None)  # does not return
                raise

    def checkpoint(self) -> Any:
        """Returns what submitit queues again: the same job."""
        return importlib.import_module("submitit.helpers").DelayedSubmission(self)


@contextmanager
def _warned_by(warning: signal.Signals) -> Iterator[list[int]]:
    """Notes the scheduler's warning while the block runs, and hands it on as SIGTERM or to submitit."""
    warned: list[int] = []
    requeue: Any = signal.getsignal(warning)
    idle = signal.getsignal(signal.SIGTERM)

    def note(number: int, frame: FrameType | None) -> None:
        if warned:
            return
        warned.append(number)
        if signal.getsignal(signal.SIGTERM) != idle:  # the training loop listens
            signal.raise_signal(signal.SIGTERM)
        else:
            requeue(number, frame)  # returns only in processes other than the first
            sys.exit(0)

    signal.signal(warning, note)
    try:
        yield warned
    finally:
        signal.signal(warning, requeue)
