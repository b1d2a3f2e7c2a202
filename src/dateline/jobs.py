"""Jobs that are queued again until they are done, through submitit: on a Slurm cluster, or as processes here."""

from __future__ import annotations

import os
import re
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from pydantic import Field

from dateline.config import Section
from dateline.errors import Interrupted, UserError

MAX_TIMEOUTS = 1000
"""Times that a job is queued again because its time was up; a run that makes no progress ends by itself."""
LOCAL_MINUTES = 60 * 24 * 365
"""Time limit of a job on this machine, which nobody else waits for."""


class Workers(Section):
    """Where the runs of an experiment are trained and measured."""

    executor: Literal["local", "slurm"] = "local"
    """`local`: processes on this machine; `slurm`: an array of jobs, for which this command waits."""
    workers: int = Field(0, ge=0)
    """Runs at the same time. 0: one for each GPU; without a GPU one for each CPU core, on one thread each, which reads
    more tokens a second than one run on all cores. 1 takes one run after another in this process."""
    slurm: str = ""
    """What to ask Slurm for, for each run: partition=gpu,gpus=4,time=24:00:00; see `dateline launch --help`."""


@dataclass(frozen=True)
class Job(ABC):
    """Work that goes on where it stopped when it is called again, so that it can be queued again whatever ended it."""

    directory: str
    """In which recipes were read: they may name relative paths."""

    @abstractmethod
    def work(self) -> Any:
        """Does the work; every process of the job does the same."""

    def __call__(self) -> Any:
        """Does the work in this process and returns its result.

        The scheduler's warning (SIGUSR2: pre-emption, or time is nearly up) becomes SIGTERM while the training loop
        listens to it, so that all processes stop after the same step and a checkpoint is written; then the first
        process queues the job again. At any other moment the job is queued again at once. SIGTERM alone, as from
        `scancel`, saves a checkpoint and queues nothing.
        """
        import submitit  # type: ignore[import-untyped, unused-ignore]

        os.chdir(self.directory)
        task = submitit.JobEnvironment()
        if task.num_tasks > 1:  # every process sees all GPUs of its node and takes the one of its LOCAL_RANK
            submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        warning = signal.Signals[f"SIG{task.USR_SIG}"]
        requeue: Any = signal.getsignal(warning)  # submitit's
        with _warned_by(warning) as warned:
            try:
                return self.work()
            except Interrupted:
                if task.global_rank:
                    sys.exit(0)  # the first process decides; an exit with an error would end it before it has
                if warned:
                    requeue(warning, None)  # does not return
                raise

    def checkpoint(self) -> Any:
        """Returns what submitit queues again: the same job."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def slurm_executor(folder: Path, name: str, parameters: dict[str, Any], **more: Any) -> Any:
    """Returns submitit's executor for a Slurm cluster.

    Args:
        folder: of logs and pickles, on a file system that all nodes see.
        name: of the jobs.
        parameters: as `slurm_parameters` gives them.
        more: further ones of `submitit.SlurmExecutor`.

    Raises:
        UserError: where Slurm is not there, or a parameter is not known.
    """
    import submitit

    with slurm_errors():
        executor = submitit.SlurmExecutor(folder, max_num_timeout=MAX_TIMEOUTS)
        executor.update_parameters(
            job_name=name,
            additional_parameters={"requeue": True},
            srun_args=["--kill-on-bad-exit=1"],  # else the others wait for a process that is gone
            **parameters,
            **more,
        )
    return executor


@contextmanager
def slurm_errors() -> Iterator[None]:
    """Turns what submitit and Slurm say of wrong parameters into one line."""
    import submitit

    try:
        yield
    except UserError:
        raise
    except (ValueError, RuntimeError, submitit.core.utils.FailedJobError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"--slurm: {said[:400]}") from None


def jobs_folder(out: Path) -> Path:
    """Returns the folder of a run's jobs; it lies beside the run's own, which must be empty at first."""
    return out.with_name(f"{out.name}.jobs")


def slurm_options(written: str) -> dict[str, object]:
    """Returns `partition=cpu,time=04:00:00` as arguments; whole numbers are numbers.

    Raises:
        UserError: where an item is no `key=value`, or partition or time is missing.
    """
    options: dict[str, object] = {}
    for item in filter(None, written.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise UserError(f"--slurm: '{item}' is no key=value; write partition=NAME,time=HH:MM:SS")
        options[key.strip()] = int(value) if value.isdecimal() else value
    missing = [key for key in ("partition", "time") if key not in options]
    if missing:
        raise UserError(f"--slurm: {' and '.join(missing)} missing; write partition=NAME,time=HH:MM:SS")
    return options


def slurm_parameters(options: dict[str, object]) -> dict[str, Any]:
    """Returns the words of `--slurm` under submitit's names: `gpus=8` is 8 GPUs and 8 processes on each node.

    Raises:
        UserError: where a number or the time cannot be read, or nothing says how many processes.
    """
    found: dict[str, Any] = dict(options)
    for key in ("nodes", "gpus", "tasks"):
        if key in found and not (isinstance(found[key], int) and found[key] > 0):
            raise UserError(f"--slurm: {key}={found[key]} is no number of {key}")
    if "gpus" not in found and "tasks" not in found:
        raise UserError("--slurm: say how many GPUs a node has (gpus=8), or without any how many processes (tasks=4)")
    gpus = found.pop("gpus", None)
    tasks = found.pop("tasks", gpus)
    if gpus is not None:
        found["gpus_per_node"] = gpus
    found |= {"ntasks_per_node": tasks, "time": minutes(found["time"])}
    return found


def minutes(time: object) -> int:
    """Returns a time limit in minutes from what Slurm accepts: 90, 24:00:00 or 3-12:00:00.

    Raises:
        UserError: where it is written in another way.
    """
    match = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):(\d\d):(\d\d))|(\d+)", str(time))
    if match is None:
        raise UserError(f"--slurm: time={time}: write minutes, HH:MM:SS or D-HH:MM:SS")
    days, hours, mins, seconds, alone = (int(part or 0) for part in match.groups())
    total = alone or (days * 24 + hours) * 60 + mins + (seconds > 0)
    if not total:
        raise UserError(f"--slurm: time={time}: leaves no time to run")
    return total


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
