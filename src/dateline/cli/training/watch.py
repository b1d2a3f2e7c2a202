"""`dateline watch`: follows a run or an experiment from another terminal.

Enters: a folder. Leaves: a board that renews itself on a terminal, lines in a log; ends when the folder is complete.
Deliberately not done: nothing is asked of the run itself, which may be on another machine that shares the folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import tyro

from dateline.cli.training.board import State, board, headline, validation_table
from dateline.cli.training.follow import RecordFile, newest_checkpoint, read_run
from dateline.errors import UserError
from dateline.manifest import MANIFEST, read_manifest
from dateline.train.callbacks import RUN
from dateline.train.metrics import METRICS

POLL_SECONDS = 1.0
STAGES = ("corpus", "encoded")
"""Of an experiment, before its runs."""
MARKS = ("runs", *STAGES, METRICS, RUN, "checkpoints")
"""What a run or an experiment has before it has a manifest."""

Wait = Callable[[float], object]


@dataclass(frozen=True)
class Watch:
    """Follows a run or an experiment until it is complete.

    Shows steps, loss, validation by continent and condition, what the place is worth as it grows, tokens by group,
    speed and the time left. Ctrl-C ends watching, not the run.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of a run (dateline train) or of an experiment."""
    once: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the present state and end."""


class Show(Protocol):
    """Somewhere to show the runs of a folder; called whenever something has changed."""

    def __call__(self, stages: list[str], runs: list[State]) -> None:
        """Shows finished stages of an experiment, and its runs in order."""


class Watched:
    """A folder that is looked at again and again."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Finds out what the folder is.

        Raises:
            UserError: where it is neither a run nor an experiment.
        """
        self.folder, self.clock = folder, clock
        if not folder.is_dir():
            problem = "is a file" if folder.exists() else "no such folder"
            raise UserError(f"{folder}: {problem}; dateline watch follows the --out of dateline train or experiment")
        manifest = read_manifest(folder)
        if manifest is None:
            fits = any((folder / mark).exists() for mark in MARKS) or not any(folder.iterdir())
        else:
            fits = manifest.stage in ("train", "experiment")
        if not fits:
            raise UserError(
                f"{folder}: neither a run nor an experiment; give the --out of dateline train or experiment"
            )
        self.files: dict[Path, RecordFile] = {}

    @property
    def is_experiment(self) -> bool:
        """Whether the folder holds runs instead of being one."""
        return any((self.folder / room).is_dir() for room in ("runs", *STAGES))

    def look(self) -> tuple[list[str], list[State]]:
        """Returns the finished stages, and the state of every run, oldest first."""
        stages = [stage for stage in STAGES if (self.folder / stage / MANIFEST).exists()]
        folders = [self.folder]
        if self.is_experiment:
            folders = [path for path in (self.folder / "runs").glob("*") if path.is_dir() and path.name[0] != "."]
        states = [(self._began(folder), self._state(folder)) for folder in folders]
        return stages, [state for _, state in sorted(states, key=lambda pair: pair[0])]

    def ended(self, runs: list[State]) -> bool:
        """Says whether nothing more will come."""
        if self.is_experiment:
            return (self.folder / MANIFEST).exists() or any(run.ended and not run.complete for run in runs)
        return runs[0].ended

    def close(self) -> None:
        """Lets all files go."""
        for file in self.files.values():
            file.close()

    def _state(self, folder: Path) -> State:
        complete = (folder / MANIFEST).exists()  # before the records: what is complete has no more to come
        file = self.files.setdefault(folder, RecordFile(folder))
        file.poll()
        name = folder.name if self.is_experiment else str(self.folder)
        quiet = file.seconds_since_change(self.clock())
        return State(name, read_run(folder), tuple(file.records), newest_checkpoint(folder), complete, quiet)

    @staticmethod
    def _began(folder: Path) -> tuple[float, str]:
        try:
            return (folder / RUN).stat().st_mtime, folder.name
        except FileNotFoundError:
            return (0.0 if (folder / MANIFEST).exists() else float("inf")), folder.name


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = tyro.cli(Watch, prog="dateline watch", args=words)
    watched = Watched(args.folder)
    if args.once:
        print("\n".join(picture(*watched.look())))
        watched.close()
        return
    with on_terminal() if sys.stdout.isatty() else in_log() as show:
        follow(watched, show)


def follow(watched: Watched, show: Show, wait: Wait = time.sleep) -> None:
    """Looks once a second, and shows what it sees, until the folder is complete."""
    try:
        while True:
            stages, runs = watched.look()
            show(stages, runs)
            if watched.ended(runs):
                return
            wait(POLL_SECONDS)
    finally:
        watched.close()


def picture(stages: list[str], runs: list[State]) -> list[str]:
    """Returns the whole state as lines: one for each finished run, a board for the one that goes on or was last."""
    lines = [f"{stage}: done" for stage in stages]
    if not runs:
        return [*lines, "no run has begun"]
    current = next((run for run in runs if not run.ended), runs[-1])
    return [*lines, *(headline(run) for run in runs if run is not current), *board(current)]


@contextmanager
def on_terminal() -> Iterator[Show]:
    """Shows one board that renews itself."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        yield lambda stages, runs: live.update(Text("\n".join(picture(stages, runs))), refresh=True)


@contextmanager
def in_log() -> Iterator[Show]:
    """Prints a line when a run has moved on, and a table when it has been validated."""
    said: dict[str, str] = {}

    def once(key: str, value: str, lines: list[str]) -> None:
        if said.get(key) != value:
            said[key] = value
            print("\n".join(lines), flush=True)

    def show(stages: list[str], runs: list[State]) -> None:
        for stage in stages:
            once(stage, "done", [f"{stage}: done"])
        for run in runs:
            where = f"{run.step} {len(run.records)} {run.ended} {run.run.get('outcome')}"
            once(run.name, where, [headline(run)])
            if newest := run.last("validation"):
                table = [line for line in validation_table(run) if line]
                once(f"{run.name} validation", f"{newest['step']} {len(run.latest('validation'))}", table)

    yield show
