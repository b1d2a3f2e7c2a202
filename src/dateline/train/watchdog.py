"""Watchdog: notices that a run makes no progress and reports which rank is behind, and at what.

Each rank's position is in `ranks/` of the run's folder while it goes on. Where no step ends in time, the stacks of all
threads are printed and the process exits with code 1; the last checkpoint is whole, nothing more is saved.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from dateline.manifest import write_atomically

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
