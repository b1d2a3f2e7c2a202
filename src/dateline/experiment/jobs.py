"""The runs of an experiment as independent jobs: one after another here, side by side in processes, or on a cluster.

What a job does is `experiment.run.work_on`, wherever it runs: it skips what is finished, continues what was begun, and
tells a failure instead of raising it, so that the other runs go on.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple, NoReturn

import yaml

from dateline.config import fingerprint, load_recipe
from dateline.errors import Interrupted, TrainingDiverged, UserError, in_words, is_full_disk, one_line
from dateline.experiment.recipe import ExperimentRecipe
from dateline.jobs import LOCAL_MINUTES, MAX_TIMEOUTS, Job, Workers, jobs_folder, slurm_errors, slurm_executor
from dateline.manifest import write_atomically
from dateline.stage import say
from dateline.train.guard import collect_signals
from dateline.train.parallel import RemoteRankFailure, is_first

HOLDER = ".experiment"
"""Name of the lock that the process of an experiment holds."""
POLL_SECONDS = 0.2
"""Between two looks at the jobs."""
Work = Callable[[ExperimentRecipe, Path, str, bool], None]


class Failure(NamedTuple):
    """A run that could not be finished."""

    run: str
    error: Exception

    def __str__(self) -> str:
        """Returns the reason in one line."""
        return one_line(in_words(self.error))


def carry_out(
    recipe: ExperimentRecipe,
    out: Path,
    runs: Sequence[str],
    work: Work,
    *,
    second: bool,
    workers: Workers,
    slurm: dict[str, Any] | None = None,
) -> list[Failure]:
    """Works on runs until each is finished or has failed; returns those that have failed.

    Args:
        recipe: of the experiment.
        out: its folder.
        runs: names of the runs on which there is something to do.
        work: what is done on a run, a function that other processes can import.
        second: handed to `work`.
        workers: where, and how many at a time.
        slurm: `jobs.slurm_parameters` of a run, for the executor `slurm`.

    Raises:
        Interrupted: after SIGINT or SIGTERM; jobs were told to save and stop.
    """
    if not runs:
        return []
    if workers.executor == "slurm":
        return _on_cluster(recipe, out, runs, work, second, workers.workers, slurm or {})
    gpus = _gpus()
    cores = len(os.sched_getaffinity(0))
    number = min(workers.workers or gpus or cores, len(runs))
    if number > 1:
        threads = 0 if gpus else max(1, cores // number)
        return _side_by_side(recipe, out, runs, work, second, number, threads, gpus)
    failures: list[Failure] = []
    for run in runs:
        failure = _attempt(recipe, out, run, work, second)
        if failure is not None:
            failures.append(failure)
            if len(runs) > 1:
                say(f"{run}: failed: {failure}")
    return failures


def _attempt(recipe: ExperimentRecipe, out: Path, run: str, work: Work, second: bool) -> Failure | None:
    """Works on a run in this process."""
    try:
        with _alone(out, run) if is_first() else nullcontext():
            work(recipe, out, run, second)
    except Exception as error:
        if isinstance(error, Interrupted):
            raise
        if isinstance(error, RemoteRankFailure):
            return None  # which the other process tells
        if not (isinstance(error, (UserError, TrainingDiverged, OSError)) or is_full_disk(error)):
            traceback.print_exc()  # not foreseen: whoever mends it needs to know where
        return Failure(run, error)
    return None


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Keeps an experiment's folder for this process while the block runs; workers end when it is let go.

    Raises:
        UserError: where another process has it.
    """
    with _lock(out, HOLDER) as (_, free):
        if not free:
            raise UserError(f"{out}: another process runs this experiment; wait for it to end, or stop it")
        yield


@contextmanager
def _alone(out: Path, run: str) -> Iterator[None]:
    """Waits until no other process works on the run: one whose experiment was killed may still be saving it."""
    with _lock(out, run) as (lock, free):
        if not free:
            say(f"{run}: another process works on it; waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _lock(out: Path, name: str) -> Iterator[tuple[IO[str], bool]]:
    """Opens a lock of an experiment's folder, and says whether it could be taken at once."""
    folder = out / "runs" / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield lock, False
        else:
            yield lock, True


def _gpus() -> int:
    """Returns the number of CUDA devices, without making one of them ours."""
    import torch

    return torch.cuda.device_count()


@dataclass(frozen=True)
class RunJob(Job):
    """One run as a job; the result of each of its processes is None, or the kind and the text of the error."""

    recipe: str
    """Copy of the experiment's recipe."""
    out: str
    run: str
    call: Work
    second: bool
    threads: int = 0
    """CPU threads; 0 leaves PyTorch's default."""
    follows: bool = False
    """Whether the job stops when the process that holds the experiment ends, however that ends."""

    def work(self) -> tuple[str, str] | None:
        """Works on the run."""
        import torch

        signal.signal(signal.SIGTERM, _stop)  # outside of the training loop, which saves a checkpoint first
        if self.threads:
            torch.set_num_threads(self.threads)
        if self.follows:
            threading.Thread(target=_follow, args=(Path(self.out),), daemon=True).start()
        recipe = load_recipe(ExperimentRecipe, Path(self.recipe))
        failure = _attempt(recipe, Path(self.out), self.run, self.call, self.second)
        return None if failure is None else (type(failure.error).__name__, str(failure))


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted(f"{signal.Signals(number).name}: stopped; the same command continues")


def _follow(out: Path) -> None:
    """Stops this process, as SIGTERM does, once nobody holds the experiment any more."""
    with (out / "runs" / ".locks" / HOLDER).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.kill(os.getpid(), signal.SIGTERM)


def _copy(recipe: ExperimentRecipe, out: Path) -> Path:
    """Writes the recipe for the jobs, so that a later change of the file does not change them."""
    folder = jobs_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    path = (folder / f"recipe-{fingerprint(recipe)}.yaml").absolute()
    write_atomically(path, yaml.safe_dump(recipe.model_dump(mode="json", exclude_unset=True), sort_keys=False))
    return path


def _side_by_side(
    recipe: ExperimentRecipe,
    out: Path,
    runs: Sequence[str],
    work: Work,
    second: bool,
    number: int,
    threads: int,
    gpus: int,
) -> list[Failure]:
    """Works on several runs at once, each in a process of its own, and shows what they print."""
    import submitit  # type: ignore[import-untyped, unused-ignore]

    copy, folder = _copy(recipe, out), jobs_folder(out)
    say(f"{len(runs)} runs, {number} at a time, {f'{threads} CPU thread(s)' if threads else 'one GPU'} each")
    executor = submitit.LocalExecutor(folder, max_num_timeout=MAX_TIMEOUTS)
    waiting, free = list(runs), list(range(number))
    running: dict[str, tuple[Any, int, _Tail]] = {}
    failures: list[Failure] = []
    with collect_signals() as stop:
        try:
            while running or (waiting and not stop):
                while waiting and free and not stop:
                    run, slot = waiting.pop(0), free.pop(0)
                    place = {"gpus_per_node": 1, "visible_gpus": (slot % gpus,)} if gpus else {}
                    executor.update_parameters(timeout_min=LOCAL_MINUTES, tasks_per_node=1, **place)
                    job = RunJob(str(Path.cwd()), str(copy), str(out), run, work, second, threads, True)
                    with _environment(threads):
                        submitted = executor.submit(job)
                    running[run] = submitted, slot, _Tail(Path(submitted.paths.stderr))
                time.sleep(POLL_SECONDS)
                for run, (submitted, slot, tail) in list(running.items()):
                    tail.show()
                    if stop and not submitted.done() and not tail.told:
                        os.kill(int(submitted.job_id), signal.SIGTERM)  # the controller hands it on
                        tail.told = True
                    if submitted.done():
                        tail.show()
                        del running[run]
                        free.append(slot)
                        found = _outcome(run, submitted, here=True, stopped=bool(stop))
                        for failure in found:
                            say(f"{run}: failed: {failure}")
                        failures += found
        except BaseException:
            for submitted, _, _ in running.values():
                os.kill(int(submitted.job_id), signal.SIGTERM)
            raise
    if stop:
        name = signal.Signals(stop[0]).name
        raise Interrupted(f"{name}: stopped; {len(waiting)} runs were not begun; the same command continues")
    return failures


def _outcome(run: str, job: Any, *, here: bool = False, stopped: bool = False) -> list[Failure]:
    """Returns the failure of an ended job, in a list; empty where it succeeded, or was stopped with the others."""
    lost = here and not job.paths.result_pickle.exists()  # elsewhere the file may come late
    if lost or job.exception() is not None:
        if stopped:
            return []
        lines = [line for line in (job.stderr() or "").splitlines() if line.strip() and not _is_submitit(line)]
        last = f"; its last line: {lines[-1].strip()}" if lines else ""
        return [Failure(run, RuntimeError(f"its process ended without a result{last} (log: {job.paths.stderr})"))]
    told: list[tuple[str, str]] = [result for result in job.results() if result is not None]
    kinds: dict[str, type[Exception]] = {"UserError": UserError, "TrainingDiverged": TrainingDiverged}
    return [Failure(run, kinds.get(kind, RuntimeError)(text)) for kind, text in told[:1]]


@dataclass
class _Tail:
    """Shows on our standard error what a job writes on its own, line by line."""

    path: Path
    position: int = 0
    told: bool = False
    """Whether the job was told to stop."""

    def show(self) -> None:
        """Shows the complete lines that are new."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.position)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self.position += len(text)
        for line in text.decode(errors="replace").splitlines():
            if line.strip() and not _is_submitit(line):
                print(line, file=sys.stderr, flush=True)


def _is_submitit(line: str) -> bool:
    """Says whether a line is one of submitit's own log."""
    return line.startswith("submitit ")


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """While the block runs, processes that are started take `threads` CPU threads and ignore the terminal's SIGINT.

    Their controller would kill them at once; we hand the signal on, and the training loop saves a checkpoint.
    """
    before = os.environ.get("OMP_NUM_THREADS")
    handler = signal.getsignal(signal.SIGINT)
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    with suppress(ValueError):  # not in the main thread: whoever runs us there handles signals
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, handler)
        if threads and before is None:
            del os.environ["OMP_NUM_THREADS"]
        elif threads and before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def _on_cluster(
    recipe: ExperimentRecipe,
    out: Path,
    runs: Sequence[str],
    work: Work,
    second: bool,
    workers: int,
    slurm: dict[str, Any],
) -> list[Failure]:
    """Submits an array of jobs to Slurm and waits for it."""
    copy, folder = _copy(recipe, out), jobs_folder(out)
    parallel = workers or len(runs)
    executor = slurm_executor(folder.absolute(), f"dateline-{out.name}", slurm, array_parallelism=parallel)
    with slurm_errors(), executor.batch():
        jobs = [
            executor.submit(RunJob(str(Path.cwd()), str(copy), str(out.absolute()), run, work, second)) for run in runs
        ]
    say(
        f"{len(runs)} runs, {parallel} at a time: submitted as job {jobs[0].job_id.partition('_')[0]}; logs in {folder}"
    )
    waiting = dict(zip(runs, jobs, strict=True))
    failures: list[Failure] = []
    with collect_signals() as stop:
        while waiting:
            time.sleep(POLL_SECONDS)
            if stop:
                for job in waiting.values():
                    job.cancel(check=False)
                name = signal.Signals(stop[0]).name
                raise Interrupted(f"{name}: {len(waiting)} jobs cancelled; the same command continues")
            for run, job in list(waiting.items()):
                if job.done():
                    del waiting[run]
                    failures += _outcome(run, job)
                    say(f"{run}: ended, {len(waiting)} to go")
    return failures
