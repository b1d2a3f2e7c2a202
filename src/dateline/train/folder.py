"""A run's folder: opened, set aside or finished; and its checkpoints, which are whole or absent.

Every checkpoint has a manifest with a checksum of each file; what is in the files is `checkpoint.py`'s concern.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dateline.errors import UserError
from dateline.manifest import (
    MANIFEST,
    Manifest,
    check_free,
    explain_change,
    read_manifest,
    write_atomically,
    write_manifest,
)
from dateline.train.metrics import METRICS

if TYPE_CHECKING:
    from torch.distributed.checkpoint.api import CheckpointException

FOLDER = "checkpoints"
LATEST = "latest"
"""A text file beside the checkpoints: the name of the newest one, which is always complete."""
STAGE = "checkpoint"
PREVIOUS = ".previous"
"""Beside the folders of runs: what stood in them before, see `set_aside`."""


def finished_run(out: Path, recipe: Mapping[str, Any], parents: Mapping[str, str], *, format: int) -> Manifest | None:
    """Returns the manifest of a run that has finished in a folder, or None.

    Raises:
        UserError: where it is the run of another recipe.
    """
    finished = read_manifest(out)
    if finished is not None and (change := explain_change(out, recipe, parents, format=format)):
        raise UserError(f"{out}: is the finished run of another recipe ({change}); choose another --out")
    return finished


def check_out(out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder that is not to be trained in.

    Raises:
        UserError: which names `--resume` where an unfinished run stands there: what `--overwrite` does to it, too.
    """
    if not (resume or overwrite) and read_manifest(out) is None and (out / METRICS).is_file():
        found = checkpoints(out)
        steps = f"its newest checkpoint is {found[-1].name}" if found else "it has no checkpoint yet"
        raise UserError(
            f"{out}: holds an unfinished run ({steps}); pass --resume to continue it, --overwrite to delete it and "
            "begin anew, or choose another --out"
        )
    check_free(out, overwrite=overwrite or resume, stage="train")


def open_folder(out: Path, *, anew: bool) -> None:
    """Makes the folder; removes an earlier run from it, or only what that has left half written."""
    out.mkdir(parents=True, exist_ok=True)
    if anew:
        for name in (MANIFEST, METRICS):
            (out / name).unlink(missing_ok=True)
        for name in (FOLDER, "model"):
            shutil.rmtree(out / name, ignore_errors=True)
    remove_unfinished(out)


def set_aside(run_folder: Path) -> Path | None:
    """Moves a run's folder out of the way, so that another run can take its place and nothing trained is lost.

    The folder is renamed as a whole, within the same file system: at any moment it stands in one of the two places,
    complete. What was set aside earlier is never replaced.

    Args:
        run_folder: the folder of a run, finished or not; it need not exist.

    Returns:
        Where the folder is now: `<parent>/.previous/<name>-<fingerprint>`, with the time (UTC) in place of the
        fingerprint where there is no readable manifest, and a counter behind it where that name is taken; None where
        there was nothing to move.

    Example:
        `set_aside(Path("runs/first"))` gives `runs/.previous/first-0f3c5e8a9b7d2146`.
    """
    if not run_folder.exists() or not any(run_folder.iterdir()):
        return None
    try:
        manifest = read_manifest(run_folder)
    except UserError:  # damaged: one more reason to keep the rest
        manifest = None
    mark = manifest.fingerprint if manifest is not None else datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    previous = run_folder.absolute().parent / PREVIOUS
    previous.mkdir(exist_ok=True)
    return _rename(run_folder, previous / f"{run_folder.absolute().name}-{mark}")


def _rename(folder: Path, wanted: Path) -> Path:
    """Renames a folder to the first name that is free: `wanted`, `wanted-2`, `wanted-3`, ...; returns that name."""
    target, number = wanted, 1
    while True:
        try:
            if not target.exists():
                return folder.rename(target)
        except OSError as error:  # taken in the meantime: a folder with files in it is not replaced by renaming
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        number += 1
        target = wanted.with_name(f"{wanted.name}-{number}")


def checkpoints(run: Path) -> list[Path]:
    """Returns the complete checkpoints of a run, oldest first."""
    return sorted(path for path in (run / FOLDER).glob("step-*") if path.is_dir())


def checkpoint_path(run: Path, step: int) -> Path:
    """Returns where the checkpoint after a step stands."""
    return run / FOLDER / f"step-{step:08d}"


def unfinished(final: Path) -> Path:
    """Returns where a checkpoint is written before it has its name."""
    return final.with_name(f".{final.name}.partial")


def remove_unfinished(run: Path) -> None:
    """Removes what a killed process has left half written."""
    for path in (run / FOLDER).glob(".step-*.partial"):
        shutil.rmtree(path)


def seal(final: Path, recipe: Mapping[str, Any], parents: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    """Gives a filled folder its manifest and its name, and lets `latest` name it.

    Args:
        final: the name; the files are in `unfinished(final)`.
        recipe: what the run's identity is made of.
        parents: of the run.
        facts: what else is worth knowing before the folder is read.
    """
    folder = unfinished(final)
    files = {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    write_manifest(folder, Manifest.of(STAGE, recipe, parents, facts={**facts, "files": files}, packages=("torch",)))
    folder.replace(final)
    write_atomically(final.parent / LATEST, final.name + "\n")


def prune(run: Path, keep: int) -> None:
    """Removes all but the newest checkpoints."""
    for old in checkpoints(run)[:-keep]:
        shutil.rmtree(old)


def belongs_to(checkpoint: Path, identity: str) -> bool:
    """Says whether a checkpoint is one of the run with this identity; one that cannot be read is none."""
    try:
        manifest = read_manifest(checkpoint)
    except UserError:
        return False
    return manifest is not None and manifest.facts.get("run") == identity


def damage(checkpoint: Path) -> str:
    """Returns what is wrong with a checkpoint's files, or an empty string; reads them all, about 1 s a gigabyte."""
    try:
        manifest = read_manifest(checkpoint)
    except UserError as error:
        return str(error)
    if manifest is None:
        return f"no {MANIFEST} in it"
    for name, expected in manifest.facts.get("files", {}).items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != expected["bytes"]:
            return f"{name} has {path.stat().st_size:,} bytes instead of {expected['bytes']:,}"
        if _digest(path) != expected:
            return f"{name} is not what was written (checksum)"
    return ""


def newest_intact(run: Path) -> Path | None:
    """Returns the newest checkpoint whose files are what was written, or None where there is no checkpoint at all.

    A damaged one is set aside as `damaged-...`, and a line on standard error names it and the one used in its place.

    Raises:
        UserError: where all are damaged.
    """
    found = checkpoints(run)
    for path in reversed(found):
        problem = damage(path)
        if not problem:
            if path != found[-1]:
                write_atomically(path.parent / LATEST, path.name + "\n")
                print(f"{path}: is used in its place", file=sys.stderr, flush=True)
            return path
        aside = _rename(path, path.with_name(f"damaged-{path.name}"))
        print(f"{path}: damaged ({problem}); set aside as {aside.name}", file=sys.stderr, flush=True)
    if found:
        raise UserError(
            f"{run / FOLDER}: every checkpoint is damaged, and none is left to resume from; restore one from a backup, "
            "or begin again with --overwrite"
        )
    return None


def cause(error: CheckpointException) -> BaseException:
    """Returns the first failure that the machine explains (a full disk), or else the first."""
    failures = [failure for failure, _ in error.failures.values()]
    for failure in failures:
        inner: BaseException | None = failure
        while inner is not None:
            if isinstance(inner, OSError):
                return inner
            inner = inner.__cause__ or inner.__context__
    return failures[0] if failures else error


def read_facts(path: Path) -> dict[str, Any]:
    """Returns a JSON object of a checkpoint, whose checksum has been compared."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def _digest(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "blake2b": hashlib.file_digest(file, _blake2b).hexdigest()}


def _blake2b() -> Any:
    return hashlib.blake2b(digest_size=16)
