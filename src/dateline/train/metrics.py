"""Training metrics: `metrics.jsonl`, one JSON object a line, without gaps or repeats even after a resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dateline.errors import UserError
from dateline.manifest import write_atomically

METRICS = "metrics.jsonl"


class MetricsFile:
    """Appends records; each line is flushed, so that a killed run loses nothing that it said."""

    def __init__(self, folder: Path, *, resume_at: int | None = None) -> None:
        """Starts a new file, or continues one after dropping what lies beyond the checkpoint.

        Args:
            folder: of the run.
            resume_at: steps that the checkpoint has done; None starts anew.
        """
        self.path = folder / METRICS
        records = read_metrics(folder) if resume_at is not None else []
        kept = [json.dumps(record) + "\n" for record in records if record["step"] <= (resume_at or 0)]
        write_atomically(self.path, "".join(kept))

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Appends one record."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Returns all complete records; a last line cut short by a kill is left out.

    Raises:
        UserError: where a line in the middle is damaged.

    Example:
        >>> read_metrics(Path("runs/first"))[0]["kind"]
        'train'
    """
    try:
        lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            if number < len(lines):
                raise UserError(f"{folder / METRICS}:{number}: not a JSON object; restore the file") from None
    return records
