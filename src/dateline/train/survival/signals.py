"""The wish to stop: signals that arrive while a run is under way.

Enters: SIGINT and SIGTERM. Leaves: their numbers, for the loop to look at between two steps.
Deliberately not done: nothing is stopped here; the loop knows when it can.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


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
