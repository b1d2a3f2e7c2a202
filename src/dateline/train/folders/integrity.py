"""Checkpoint folders: whole or absent, with a checksum of every file.

Enters: a folder that has just been filled. Leaves: the folder under its final name, with `manifest.json` inside and
`latest` beside it; and, of a run, its newest checkpoint that is not damaged.
Deliberately not done: nothing is known here of what the files hold (see checkpoint.py), and nothing damaged is deleted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint.api import CheckpointException

from dateline.errors import UserError
from dateline.manifest import MANIFEST, Manifest, read_manifest, write_atomically, write_manifest

FOLDER = "checkpoints"
LATEST = "latest"
"""A text file beside the checkpoints: the name of the newest one, which is always complete."""
STAGE = "checkpoint"


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
        aside = path.with_name(f"damaged-{path.name}")
        shutil.rmtree(aside, ignore_errors=True)
        path.replace(aside)
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
