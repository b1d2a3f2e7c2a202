"""`dateline launch`: a training run or an experiment as a job that is queued again until it is done.

Enters: a recipe and what to ask the cluster for. Leaves: a submitted job; its recipe, logs and pickles in `OUT.jobs/`.
Deliberately not done: no waiting, no scheduler of our own: submitit talks to Slurm, or starts the processes here.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
import yaml

from dateline.cli.corpus.build import slurm_options
from dateline.cli.training.job import VerbJob
from dateline.config import Section, fingerprint, load_recipe
from dateline.errors import UserError
from dateline.manifest import write_atomically

if TYPE_CHECKING:
    from dateline.train.recipe import TrainRecipe

MAX_TIMEOUTS = 1000
"""Times that a job is queued again because its time was up; a run that makes no progress ends by itself."""
LOCAL_MINUTES = 60 * 24 * 365
"""Time limit of a job on this machine, which nobody else waits for."""


@dataclass(frozen=True)
class Launch:
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
    args, overrides = tyro.cli(Launch, prog="dateline launch", args=words, return_unknown_args=True)
    if bool(args.slurm) == (args.local > 0):
        raise UserError("give either --slurm partition=NAME,nodes=N,gpus=N,time=HH:MM:SS or --local PROCESSES")
    asked = slurm_parameters(slurm_options(args.slurm)) if args.slurm else {"ntasks_per_node": args.local}
    processes = asked.get("nodes", 1) * asked["ntasks_per_node"]
    recipe, verb = _read(args.recipe, overrides, processes)
    if args.out.exists() and not args.resume and (args.out.is_file() or any(args.out.iterdir())):
        raise UserError(f"{args.out}: already holds something; pass --resume to continue it, or choose another --out")
    job = submit(recipe, verb, args.out, asked, local=not args.slurm)
    print(
        f"{args.out}: submitted as job {job.job_id}, {processes} process{'es' if processes > 1 else ''}; "
        f"logs in {jobs_folder(args.out)}; follow it with: dateline watch {args.out}"
    )


def submit(recipe: Section, verb: str, out: Path, parameters: dict[str, Any], *, local: bool) -> Any:
    """Submits a recipe and returns submitit's job.

    Args:
        recipe: of a training run or an experiment.
        verb: `train` or `experiment`.
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
    words = (str(copy.absolute()), "--out", str(out.absolute()), *(["--resume"] if verb == "train" else []))
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
        return executor.submit(VerbJob(verb, words, str(Path.cwd())))
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
    kind = _kind(path)
    if kind == "train":
        from dateline.tokens.store import EncodedCorpus
        from dateline.train.recipe import TrainRecipe

        recipe: TrainRecipe = load_recipe(TrainRecipe, path, overrides)
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


def _kind(path: Path) -> str:
    """Returns `train` or `experiment`, told apart by the sections that only one of them has."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return "train"  # loading it says what is wrong
    if isinstance(data, dict) and "runs" in data:
        return "experiment"
    if isinstance(data, dict) and ("paths" in data or "newswire" in data):
        raise UserError(f"{path}: is the recipe of a corpus; dateline corpus {path} --executor slurm builds it")
    return "train"


def _submitit() -> Any:
    try:
        return importlib.import_module("submitit")
    except ImportError as error:
        raise UserError(
            f"dateline launch: submitit cannot be loaded ({error}); install it with: pip install 'dateline[slurm]'"
        ) from None
