"""`dateline report`: the report again, from the score table.

Enters: an experiment's folder. Leaves: `report.html` in it.
Deliberately not done: nothing is trained or scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Report:
    """Rebuilds report.html from the score table and what lies beside it."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of the experiment."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = tyro.cli(Report, prog="dateline report", args=words)
    from dateline.report import write_report

    print(write_report(args.folder))
