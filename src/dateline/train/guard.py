"""Fault tolerance inside a run: which steps are taken, signals collected between two steps, and a watchdog.

A step that is skipped has touched neither weights nor optimizer; a step that was taken is never taken back.

The watchdog notices that a run makes no progress and reports which rank is behind, and at what: each rank's position is
in `ranks/` of the run's folder while it goes on. Where no step ends in time, the stacks of all threads are printed and
the process exits with code 1; the last checkpoint is whole, nothing more is saved.
"""

from __future__ import annotations

import faulthandler
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from types import FrameType, TracebackType
from typing import Any, Literal, NamedTuple

from pydantic import Field

from dateline.config import Section
from dateline.manifest import write_atomically


class Guard(Section):
    """What happens to a step whose loss or gradient is out of order."""

    on_nonfinite: Literal["stop", "skip"] = "stop"
    """Where loss or gradient norm is infinite or not a number: `stop` ends the run and keeps the weights before the
    step, `skip` goes on with the next batch."""
    spike_factor: float | None = Field(default=None, gt=1)
    """Steps whose gradient norm is more than this times the median of the last `window` steps taken are skipped; none
    are where this is null, nor before `window` steps are taken."""
    window: int = Field(default=100, ge=1)
    """Steps taken that make the median."""
    max_skips: int = Field(default=10, ge=0)
    """Skipped steps in a row that are borne; one more ends the run."""


class Verdict(NamedTuple):
    """What to do with a step, and why, for people; the reason is empty where the step is taken."""

    action: Literal["take", "skip", "stop"]
    reason: str = ""


class Sentinel:
    """Judges steps one after another; what it remembers is part of a checkpoint."""

    def __init__(self, recipe: Guard, state: Mapping[str, Any] | None = None) -> None:
        """Args: the recipe; what `state` gave, where a run goes on."""
        self.recipe = recipe
        known = state or {"norms": [], "in_a_row": 0, "skipped": 0}
        self.norms: list[float] = [float(norm) for norm in known["norms"]]
        self.in_a_row, self.skipped = int(known["in_a_row"]), int(known["skipped"])

    def judge(self, loss: float, norm: float) -> Verdict:
        """Returns what to do with a step of this loss and gradient norm, and remembers it."""
        reason = self._reason(loss, norm)
        if not reason:
            self.in_a_row = 0
            if self.recipe.spike_factor is not None:
                self.norms = [*self.norms, norm][-self.recipe.window :]
            return Verdict("take")
        finite = math.isfinite(loss) and math.isfinite(norm)
        if self.recipe.on_nonfinite == "stop" and not finite:
            return Verdict("stop", reason)
        self.in_a_row += 1
        self.skipped += 1
        if self.in_a_row > self.recipe.max_skips:
            return Verdict("stop", f"{reason}, after {self.recipe.max_skips} skipped steps in a row")
        return Verdict("skip", reason)

    def state(self) -> dict[str, Any]:
        """Returns what a resumed run needs, as plain data."""
        return {"norms": self.norms, "in_a_row": self.in_a_row, "skipped": self.skipped}

    def _reason(self, loss: float, norm: float) -> str:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return f"loss {loss} and gradient norm {norm}"
        factor = self.recipe.spike_factor
        if factor is None or len(self.norms) < self.recipe.window:
            return ""
        usual = median(self.norms)
        return (
            f"gradient norm {norm:.3g} is over {factor:g} times the usual {usual:.3g}" if norm > factor * usual else ""
        )


@contextmanager
def collect_signals(*, patient: bool = False) -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM while the block runs; a second one of the same kind is not held back.

    Outside the main thread Python handles no signals, and the list stays empty.

    Args:
        patient: hold back the second one too: a launcher sends on to its processes what the terminal has sent them
            already. It kills them itself when they take too long.
    """
    received: list[int] = []
    previous: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if not patient:
            signal.signal(number, previous[number])

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            previous[number] = signal.SIG_DFL if handler is None else handler  # None: set outside of Python
            signal.signal(number, note)
    except ValueError:  # not in the main thread: whoever runs us there handles signals
        previous.clear()
    try:
        yield received
    finally:
        for caught, handler in previous.items():
            signal.signal(caught, handler)


FOLDER = "ranks"
TICK = 10.0
"""Seconds between two looks, at most."""


class Watchdog:
    """Watches one process from a thread of its own; use it as a context manager around the loop."""

    def __init__(
        self, run: Path, rank: int, size: int, minutes: float, end: Callable[[int], Any] | None = None
    ) -> None:
        """Prepares it.

        Args:
            run: the run's folder, which all processes see.
            rank: of this process.
            size: processes.
            minutes: without a sign of life until the run is ended.
            end: ends the process, `os._exit` if None: an exception would wait for what hangs.
        """
        self.folder = run / FOLDER
        self.rank, self.size = rank, size
        self.seconds = 60.0 * minutes
        self._end = end or os._exit
        self._place = ("start", 0)
        self._still = 0.0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.rank == 0:  # a killed run with more processes leaves its notes
            for path in self.folder.glob("*.json"):
                if int(path.stem) >= self.size:
                    path.unlink()
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()
        (self.folder / f"{self.rank:05d}.json").unlink(missing_ok=True)
        with suppress(OSError):  # the last one to leave succeeds
            self.folder.rmdir()

    def at(self, step: int, doing: str) -> None:
        """Notes what this process begins to do; costs next to nothing."""
        self._place = (doing, step)
        self._still = 0.0

    def _watch(self) -> None:
        tick = min(TICK, self.seconds / 4)
        before = time.monotonic()
        while not self._closed.wait(tick):
            now = time.monotonic()
            self._still += min(now - before, 2 * tick)  # a machine that was asleep has not hung
            before = now
            self._write()
            if self._still >= self.seconds:
                self._report()
                self._end(1)
                return

    def _write(self) -> None:
        doing, step = self._place
        fact = {"rank": self.rank, "step": step, "doing": doing, "still": round(self._still, 1)}
        try:
            write_atomically(self.folder / f"{self.rank:05d}.json", json.dumps(fact) + "\n")
        except OSError as error:  # a full disk ends the run where it saves, not here
            print(f"watchdog: cannot write to {self.folder} ({error.strerror})", file=sys.stderr, flush=True)

    def _report(self) -> None:
        print(self.explain(), file=sys.stderr, flush=True)
        print(f"rank {self.rank}: stacks of all threads", file=sys.stderr, flush=True)
        try:
            faulthandler.dump_traceback(file=sys.stderr)
        except (AttributeError, OSError):  # it has been replaced by something that is no file
            faulthandler.dump_traceback(file=sys.__stderr__ or 2)

    def explain(self) -> str:
        """Returns in one line which processes are behind, and what each of them does."""
        found = []
        for rank in range(self.size):
            path = self.folder / f"{rank:05d}.json"
            try:
                found.append(json.loads(path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                found.append({"rank": rank, "step": -1, "doing": "nothing: no sign of it", "still": self._still})
            except json.JSONDecodeError:
                found.append({"rank": rank, "step": -1, "doing": f"unknown: {path} is damaged", "still": self._still})
        newest = max(fact["step"] for fact in found)
        behind = [fact for fact in found if fact["step"] < newest] or _odd(found)
        late = "; ".join(f"rank {f['rank']} is at step {f['step']} ({f['doing']})" for f in behind)
        rest = f", the others at step {newest}" if len(behind) < len(found) else ""
        return (
            f"dateline: rank {self.rank}: no sign of progress for {self._still:.0f} s: {late}{rest}; the run is ended: "
            "look at what is named, and continue from the last checkpoint with --resume"
        )


def _odd(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns those that do not wait for others, where all are at the same step; all if everyone waits."""
    return [fact for fact in found if fact["doing"] not in WAITING] or found


WAITING = ("exchange", "gradient norm", "backward")
"""In these a process may do nothing but wait for the others."""
