"""Fault tolerance inside a run: which steps are taken, and signals collected for the loop to look at between two steps.

A step that is skipped has touched neither weights nor optimizer; a step that was taken is never taken back.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from types import FrameType
from typing import Any, Literal, NamedTuple

from pydantic import Field

from dateline.config import Section


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
