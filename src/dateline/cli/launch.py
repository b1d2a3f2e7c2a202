"""`dateline launch`: a training run or an experiment as a job that is queued again until it is done.

submitit talks to Slurm, or starts the processes on this machine; recipe, logs and pickles are in `OUT.jobs/`. A job
needs no launcher: Slurm starts one process for each GPU, and PyTorch reads from the environment which one this is.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import tyro
import yaml

from dateline.cli import verb
from dateline.cli.corpus import slurm_options
from dateline.cli.options import read_words
from dateline.cli.validate import recipe_kind
from dateline.config import Section, fingerprint, load_recipe
from dateline.errors import Interrupted, UserError
from dateline.manifest import write_atomically

MAX_TIMEOUTS = 1000
"""Times that a job is queued again because its time was up; a run that makes no progress ends by itself."""
LOCAL_MINUTES = 60 * 24 * 365
"""Time limit of a job on this machine, which nobody else waits for."""


class Launch(Section):
    """Submits a training run or an experiment as a job, and returns.

    The job runs `dateline train --resume` with one process for each GPU, or `dateline experiment` in one process. When
    the cluster takes its nodes away or its time is up, it writes a checkpoint, is queued again and continues. The
    recipe is copied at submission, so that a later change of the file does not change the job. Any value of the recipe
    can be given as --section.key VALUE.
    """

    recipe: Annotated[Path, tyro.conf.Positional]
    """Training or experiment recipe (.yaml)."""
    out: Path
    """Folder of the run, on a file system that all nodes see."""
    slurm: str = ""
    """What to ask Slurm for: partition=gpu,nodes=2,gpus=8,time=24:00:00 (gpus are those of a node). tasks=4 starts
    four processes on each node where there are no GPUs; other keys go to Slurm as they are: account, qos, constraint,
    mem, cpus_per_task."""
    local: int = 0
    """Instead of Slurm: so many processes on this machine, through submitit's local executor."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue the run that stands in --out."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args, overrides = read_words("dateline launch", Launch, words)
    if bool(args.slurm) == (args.local > 0):
        raise UserError("give either --slurm partition=NAME,nodes=N,gpus=N,time=HH:MM:SS or --local PROCESSES")
    asked = slurm_parameters(slurm_options(args.slurm)) if args.slurm else {"ntasks_per_node": args.local}
    processes = asked.get("nodes", 1) * asked["ntasks_per_node"]
    recipe, name = _read(args.recipe, overrides, processes)
    if args.out.exists() and not args.resume and (args.out.is_file() or any(args.out.iterdir())):
        raise UserError(f"{args.out}: already holds something; pass --resume to continue it, or choose another --out")
    job = submit(recipe, name, args.out, asked, local=not args.slurm)
    print(
        f"{args.out}: submitted as job {job.job_id}, {processes} process{'es' if processes > 1 else ''}; "
        f"logs in {jobs_folder(args.out)}; follow it with: dateline watch {args.out}"
    )


def submit(recipe: Section, name: str, out: Path, parameters: dict[str, Any], *, local: bool) -> Any:
    """Submits a recipe and returns submitit's job.

    Args:
        recipe: of a training run or an experiment.
        name: of the verb, `train` or `experiment`.
        out: the folder to make.
        parameters: those of `submitit.SlurmExecutor`; on this machine `ntasks_per_node`, and `time` in minutes.
        local: start the processes here instead of asking Slurm.

    Raises:
        UserError: where submitit or Slurm is not there, or a parameter is not known.
    """
    submitit = _submitit()
    folder = jobs_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"recipe-{fingerprint(recipe)}.yaml"
    write_atomically(copy, yaml.safe_dump(recipe.model_dump(mode="json", exclude_unset=True), sort_keys=False))
    words = (str(copy.absolute()), "--out", str(out.absolute()), *(["--resume"] if name == "train" else []))
    try:
        if local:
            executor = submitit.LocalExecutor(folder, max_num_timeout=MAX_TIMEOUTS)
            minutes = parameters.get("time", LOCAL_MINUTES)
            executor.update_parameters(timeout_min=minutes, tasks_per_node=parameters["ntasks_per_node"])
        else:
            executor = submitit.SlurmExecutor(folder, max_num_timeout=MAX_TIMEOUTS)
            executor.update_parameters(
                job_name=f"dateline-{out.name}",
                additional_parameters={"requeue": True},
                srun_args=["--kill-on-bad-exit=1"],  # else the others wait for a process that is gone
                **parameters,
            )
        return executor.submit(VerbJob(name, words, str(Path.cwd())))
    except (ValueError, RuntimeError, submitit.core.utils.FailedJobError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"--slurm: {said[:400]}") from None


def jobs_folder(out: Path) -> Path:
    """Returns the folder of a run's jobs; it lies beside the run's own, which must be empty at first."""
    return out.with_name(f"{out.name}.jobs")


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


def _read(path: Path, overrides: list[str], processes: int) -> tuple[Section, str]:
    """Returns the recipe and the verb that runs it; what cannot run is refused before it waits in a queue."""
    kind = recipe_kind(path, overrides)
    if kind == "corpus":
        raise UserError(f"{path}: is the recipe of a corpus; dateline corpus {path} --executor slurm builds it")
    if kind == "train":
        from dateline.tokens.store import EncodedCorpus
        from dateline.train.recipe import TrainRecipe

        recipe = load_recipe(TrainRecipe, path, overrides)
        EncodedCorpus.open(recipe.data)
        return recipe, "train"
    from dateline.experiment import ExperimentRecipe

    experiment = load_recipe(ExperimentRecipe, path, overrides)
    if processes > 1:
        raise UserError(
            f"{path}: an experiment trains its runs one after another in one process; ask for nodes=1,gpus=1, or "
            "launch its runs as training recipes of their own"
        )
    return experiment, "experiment"


def _submitit() -> Any:
    try:
        return importlib.import_module("submitit")
    except ImportError as error:
        raise UserError(
            f"dateline launch: submitit cannot be loaded ({error}); install it with: pip install 'dateline[slurm]'"
        ) from None


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
