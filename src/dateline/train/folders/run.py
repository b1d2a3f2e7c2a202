"""A run's folder from beginning to end: free or finished, opened, and closed with a manifest.

Enters: a folder, and the run's identity. Leaves: an empty folder to begin in, one to go on in, or one that is finished.
Deliberately not done: no checkpoint is read or written here (see integrity.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dateline.errors import UserError
from dateline.manifest import MANIFEST, Manifest, explain_change, read_manifest
from dateline.train.folders.integrity import FOLDER, remove_unfinished
from dateline.train.metrics import METRICS


def finished_run(out: Path, recipe: Mapping[str, Any], parents: Mapping[str, str]) -> Manifest | None:
    """Returns the manifest of a run that has finished in a folder, or None.

    Raises:
        UserError: where it is the run of another recipe.
    """
    finished = read_manifest(out)
    if finished is not None and (change := explain_change(out, recipe, parents)):
        raise UserError(f"{out}: is the finished run of another recipe ({change}); choose another --out")
    return finished


def open_folder(out: Path, *, anew: bool) -> None:
    """Makes the folder; removes an earlier run from it, or only what that has left half written."""
    out.mkdir(parents=True, exist_ok=True)
    if anew:
        for name in (MANIFEST, METRICS):
            (out / name).unlink(missing_ok=True)
        for name in (FOLDER, "model"):
            shutil.rmtree(out / name, ignore_errors=True)
    remove_unfinished(out)
