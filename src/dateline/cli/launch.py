"""`dateline launch`: a training run or an experiment as a job that is queued again until it is done.

submitit talks to Slurm, or starts the processes on this machine; recipe, logs and pickles are in `OUT.jobs/`. A job
needs no launcher: Slurm starts one process for each GPU, and PyTorch reads from the environment which one this is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
import yaml

from dateline.cli import verb
from dateline.cli.options import read_words
from dateline.cli.validate import recipe_kind
from dateline.config import Section, fingerprint, load_recipe
from dateline.errors import UserError
from dateline.jobs import (
    LOCAL_MINUTES,
    MAX_TIMEOUTS,
    Job,
    jobs_folder,
    slurm_errors,
    slurm_executor,
    slurm_options,
    slurm_parameters,
)
from dateline.manifest import write_atomically


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
        UserError: where Slurm is not there, or a parameter is not known.
    """
    folder = jobs_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"recipe-{fingerprint(recipe)}.yaml"
    write_atomically(copy, yaml.safe_dump(recipe.model_dump(mode="json", exclude_unset=True), sort_keys=False))
    words = (str(copy.absolute()), "--out", str(out.absolute()), *(["--resume"] if name == "train" else []))
    if local:
        import submitit

        executor = submitit.LocalExecutor(folder, max_num_timeout=MAX_TIMEOUTS)
        minutes = parameters.get("time", LOCAL_MINUTES)
        executor.update_parameters(timeout_min=minutes, tasks_per_node=parameters["ntasks_per_node"])
    else:
        executor = slurm_executor(folder, f"dateline-{out.name}", parameters)
    with slurm_errors():
        return executor.submit(VerbJob(str(Path.cwd()), name, words))


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
            f"{path}: launched as one job, an experiment takes one process; ask for nodes=1,gpus=1, or give each run a "
            f"job of its own: dateline experiment {path} --executor slurm --slurm ..."
        )
    return experiment, "experiment"


@dataclass(frozen=True)
class VerbJob(Job):
    """One verb as a job: `train --resume` and `experiment` go on where they stopped."""

    name: str
    """`train` or `experiment`."""
    words: tuple[str, ...]

    def work(self) -> None:
        """Runs the verb in this process."""
        verb(self.name)([*self.words])
