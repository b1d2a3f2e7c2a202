"""Executors: the tasks of a build on this machine, on a Slurm cluster, or on Ray; the steps are the same everywhere."""

from __future__ import annotations

import json
import multiprocessing
import os
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any, NamedTuple

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.stats import PipelineStats

from dateline.corpus.work import beats
from dateline.errors import UserError
from dateline.progress import progress

QUIET = 1
"""Of datatrove's local ranks only the first logs to the terminal; nobody is the first here."""
GLANCE_SECONDS = 0.5


class Stage(NamedTuple):
    """Steps that are run once for every task; a stage begins when the one before has ended."""

    name: str
    steps: Sequence[PipelineStep]
    tasks: int


class LocalExecutor(LocalPipelineExecutor):  # type: ignore[misc]  # datatrove has no types
    """datatrove's executor on this machine, with a pool that notices when a worker is killed.

    (The pool of `multiprocess` would wait for it forever.)
    """

    pipeline: list[Any]

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        with _hushed():  # what goes wrong is raised, and told once
            return super()._run_for_rank(rank, local_rank, node_rank)

    def run(self) -> None:
        """Runs the tasks that are not completed, one after another, in this process."""
        pipeline = self.pipeline
        for rank in self.get_incomplete_ranks():
            self.pipeline = deepcopy(pipeline)
            self._run_for_rank(rank, QUIET)
        self.pipeline = pipeline

    def run_in(self, pool: ProcessPoolExecutor) -> None:
        """Runs the tasks that are not completed in the processes of a pool."""
        running = [pool.submit(self._run_for_rank, rank, QUIET) for rank in self.get_incomplete_ranks()]
        for done in as_completed(running):
            done.result()


class SlurmExecutor(SlurmPipelineExecutor):  # type: ignore[misc]  # datatrove has no types
    """datatrove's executor on Slurm, without a second job a stage that adds up statistics which nobody reads."""

    def launch_merge_stats(self) -> None:
        """Does nothing."""


def _end_with_parent() -> None:
    """Ends this worker when the build that it works for is killed: it would wait for the next task forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_local(stages: Sequence[Stage], work: Path, workers: int) -> None:
    """Runs all stages on this machine and shows how far they are.

    Raises:
        UserError: where a worker process was killed, most often by the system for want of memory.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dateline.corpus.build"])  # imported once, not by each worker
    most = min(workers, max(stage.tasks for stage in stages))
    with ProcessPoolExecutor(most, context, _end_with_parent) if most > 1 else nullcontext() as pool:
        for stage in stages:
            executor = LocalExecutor(list(stage.steps), tasks=stage.tasks, logging_dir=str(_logs(work, stage)))
            with _shown(work, stage):
                try:
                    if pool is None or stage.tasks == 1:
                        executor.run()
                    else:
                        executor.run_in(pool)
                except BrokenProcessPool:
                    raise UserError(
                        f"{work}: a worker process was killed while doing '{stage.name}' (out of memory?); the same "
                        "command continues where it was, with fewer --workers if need be"
                    ) from None
                except BaseException:
                    if pool is not None:
                        pool.shutdown(wait=False, cancel_futures=True)
                    raise


def check_ray() -> None:
    """Refuses early where ray is missing.

    Raises:
        UserError: naming the extra.
    """
    if find_spec("ray") is None:
        raise UserError("--executor ray: ray is not installed; pip install 'dateline[ray]'")


def run_ray(stages: Sequence[Stage], work: Path, workers: int) -> None:
    """Runs all stages on the Ray cluster that the environment names, or on one on this machine.

    Raises:
        UserError: where ray is not installed.
    """
    check_ray()
    import ray
    from datatrove.executor.ray import RayPipelineExecutor

    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    for stage in stages:
        logs = str(_logs(work, stage))
        with _hushed():
            RayPipelineExecutor(list(stage.steps), tasks=stage.tasks, workers=workers, logging_dir=logs).run()
        done = len(list((_logs(work, stage) / "completions").glob("*")))
        if done < stage.tasks:
            raise UserError(f"{_logs(work, stage)}: {stage.tasks - done} tasks of '{stage.name}' failed; see the logs")


def submit_slurm(stages: Sequence[Stage], work: Path, workers: int, options: Mapping[str, Any]) -> list[str]:
    """Submits all stages as job arrays that wait for one another, and returns the job numbers.

    Args:
        stages: what to run; the last one must leave the finished corpus.
        work: on a file system that all nodes share.
        workers: tasks that may run at once.
        options: arguments of datatrove's `SlurmPipelineExecutor`; `partition` and `time` at least.

    Raises:
        UserError: where an option is missing or unknown, or sbatch cannot be called.
    """
    own = {"env_command", "condaenv", "venv_path"} & options.keys()
    # the nodes shall use this Python, activated or not
    environment = {} if own else {"env_command": f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"}
    executors: list[SlurmExecutor] = []
    for stage in stages:
        try:
            executor = SlurmExecutor(
                list(stage.steps),
                tasks=stage.tasks,
                workers=workers,
                job_name=f"dateline-{stage.name}",
                logging_dir=str(_logs(work, stage)),
                depends=executors[-1] if executors else None,
                # what made the folder is run again where the folder is gone
                skip_completed=stage is not stages[-1],
                **environment,
                **options,
            )
        except TypeError as error:
            raise UserError(f"--slurm: {error}; see the arguments of datatrove's SlurmPipelineExecutor") from None
        executors.append(executor)
    try:
        with _hushed():
            executors[-1].run()
    except FileNotFoundError:
        raise UserError("--executor slurm: there is no sbatch on this machine; run it on a login node") from None
    except CalledProcessError as error:
        raise UserError(f"--executor slurm: sbatch ended with {error.returncode}; it said why above") from None
    return [str(executor.job_id) for executor in executors if executor.job_id != -1]


def seconds_by_step(work: Path) -> dict[str, float]:
    """Returns the seconds that each step took in all tasks together."""
    found: dict[str, float] = {}
    for path in sorted((work / "logs").glob("*/stats/*.json")):
        for step in PipelineStats.from_json(json.loads(path.read_text(encoding="utf-8"))).stats:
            name = step.name.rpartition(": ")[2]
            found[name] = found.get(name, 0.0) + step.time_stats.total
    return found


def _logs(work: Path, stage: Stage) -> Path:
    return work / "logs" / stage.name


@contextmanager
def _hushed() -> Iterator[None]:
    """Keeps datatrove from telling the terminal of its jobs; what tasks say goes to their log files."""
    from loguru import logger

    logger.disable("datatrove")
    try:
        yield
    finally:
        logger.enable("datatrove")


@contextmanager
def _shown(work: Path, stage: Stage) -> Iterator[None]:
    """Shows the sum of the tasks' heartbeats while the block runs."""
    over = threading.Event()
    with progress(f"corpus: {stage.name}", None, "documents") as advance:

        def watch() -> None:
            shown = 0
            while True:
                last = over.wait(GLANCE_SECONDS)
                now = beats(work, stage.name)
                advance(now - shown)
                shown = now
                if last:
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
