"""Progress that suits the place where it is shown: a bar on a terminal, a few plain lines in a log.

All of it goes to standard error, so that standard output stays for results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_SECONDS = 10.0
"""A log gets a line at most this often."""


class Advance(Protocol):
    """Moves the progress on by some units; `note` is shown beside the bar (`loss 2.31`)."""

    def __call__(self, amount: int = 1, note: str = "") -> None:
        """Adds `amount` units."""


@contextmanager
def progress(name: str, total: int | None, unit: str = "") -> Iterator[Advance]:
    """Shows how far a loop of `total` units has come (None where that is unknown) while the block runs."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(name, total=total, note="")

            def advance(amount: int = 1, note: str = "") -> None:
                bar.advance(task, amount)
                if note:
                    bar.update(task, note=note)

            yield advance
        return
    started = shown = time.monotonic()
    done = 0
    last_note = ""

    def log(amount: int = 1, note: str = "") -> None:
        nonlocal done, shown, last_note
        done += amount
        last_note = note or last_note
        now = time.monotonic()
        if now - shown >= LOG_SECONDS:
            shown = now
            of = f"/{total:,}" if total else ""
            _line(f"{name}: {done:,}{of} {unit} {now - started:.0f}s {last_note}")

    yield log
    seconds = time.monotonic() - started
    if done:
        _line(f"{name}: {done:,} {unit} in {seconds:.1f}s {last_note}")


def span(seconds: float) -> str:
    """Returns a length of time in two units: `3 h 12 min`."""
    whole = round(seconds)
    for size, unit, smaller, below in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {below}"
    return f"{whole} s"


def _line(text: str) -> None:
    # not through rich, which breaks lines at 80 columns and reads [brackets] as markup
    print(" ".join(text.split()), file=sys.stderr, flush=True)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keeps transformers' bars and hints out of the output; what matters is raised instead."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
