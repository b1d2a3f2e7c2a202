"""How many documents the tasks of a stage have passed: one small file a task, for progress bars only."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

EVERY = 200


class Heartbeat:
    """Counts the documents of one task; the file is rewritten every 200."""

    def __init__(self, work: Path, stage: str, rank: int) -> None:
        folder = work / "progress" / stage
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"{rank:05d}").open("w", encoding="ascii")
        self._done = 0

    def count(self) -> None:
        """Adds one document."""
        self._done += 1
        if self._done % EVERY == 0:
            self._write()

    def close(self) -> None:
        """Writes the last count."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        self._file.seek(0)
        self._file.write(f"{self._done}\n")
        self._file.flush()

    def __enter__(self) -> Heartbeat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def beats(work: Path, stage: str) -> int:
    """Returns how many documents all tasks of a stage have passed so far."""
    return sum(_number(path) for path in (work / "progress" / stage).glob("*"))


def _number(path: Path) -> int:
    written = path.read_text(encoding="ascii").strip()
    return int(written) if written.isdecimal() else 0
