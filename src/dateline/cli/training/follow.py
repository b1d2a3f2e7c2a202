"""A run's records as they grow, read from another process.

Enters: a run's folder. Leaves: all records so far, after each look; what the run says of itself; its checkpoints.
Deliberately not done: nothing is locked and nothing is written; a look never disturbs the run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from dateline.errors import UserError
from dateline.train.callbacks import RUN
from dateline.train.metrics import METRICS


class RecordFile:
    """`metrics.jsonl` while somebody else writes it.

    A resumed run replaces the file by a shorter one. The file that was read is kept open, so that its number on disk
    cannot be given to another, and a replaced file is noticed whatever its length.
    """

    def __init__(self, folder: Path) -> None:
        """Args: the run's folder; neither it nor the file need be there yet."""
        self.path = folder / METRICS
        self.records: list[dict[str, Any]] = []
        self._file: BinaryIO | None = None
        self._half = b""

    def poll(self) -> bool:
        """Reads what is new, and says whether anything is.

        Raises:
            UserError: where a line is no record.
        """
        forgot = self._reopen()
        if self._file is None:
            return forgot
        *lines, self._half = (self._half + self._file.read()).split(b"\n")
        for line in lines:
            try:
                self.records.append(json.loads(line))
            except ValueError:
                raise UserError(f"{self.path}:{len(self.records) + 1}: not a JSON object; restore the file") from None
        return forgot or bool(lines)

    def _reopen(self) -> bool:
        """Opens the file that now has the name; says whether records of an earlier one were forgotten."""
        try:
            new = self.path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            return self._forget()
        if self._file is not None and os.path.samestat(os.fstat(new.fileno()), os.fstat(self._file.fileno())):
            new.close()
            return False
        forgot = self._forget()
        self._file = new
        return forgot

    def _forget(self) -> bool:
        had = bool(self.records)
        self.close()
        self.records, self._half = [], b""
        return had

    def close(self) -> None:
        """Lets the file go."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def seconds_since_change(self, now: float) -> float:
        """Returns how long ago the file grew; 0 where it is not there."""
        try:
            return max(0.0, now - self.path.stat().st_mtime)
        except FileNotFoundError:
            return 0.0


def read_run(folder: Path) -> dict[str, Any]:
    """Returns what `run.json` says, or nothing where the run has not begun."""
    try:
        said: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UserError(f"{folder / RUN}: not a JSON object; resume the run and it is written anew") from None
    return said


def newest_checkpoint(folder: Path) -> int | None:
    """Returns after how many steps the newest complete checkpoint was written."""
    steps = [path.name.removeprefix("step-") for path in (folder / "checkpoints").glob("step-*")]
    return max((int(step) for step in steps if step.isdecimal()), default=None)
