"""What made a folder: written last, so that its presence means the folder is complete."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dateline import __version__
from dateline.config import Section, diff, fingerprint
from dateline.errors import UserError

MANIFEST = "manifest.json"


class Manifest(Section):
    """The record of one finished stage."""

    stage: str
    """`corpus`, `encode`, `train`, `perplexity`, ..."""
    fingerprint: str
    """Of stage, format, recipe and parents: the stage is skipped only if this is unchanged."""
    format: int = 0
    """Of the stage's results; 0 in folders that were made before there were formats."""
    recipe: dict[str, Any]
    """The resolved recipe, defaults included."""
    parents: dict[str, str]
    """Role -> fingerprint of each folder or file that was read."""
    counts: dict[str, int] = {}
    drops: dict[str, int] = {}
    """Reason -> documents; counts['in'] = counts['kept'] + sum(drops) wherever documents can be lost."""
    facts: dict[str, Any] = {}
    """What else was found out on the way: audits, shapes, measured values."""
    versions: dict[str, str] = {}
    created: str = ""

    @classmethod
    def of(
        cls,
        stage: str,
        recipe: Mapping[str, Any],
        parents: Mapping[str, str],
        *,
        format: int = 1,
        counts: Mapping[str, int] | None = None,
        drops: Mapping[str, int] | None = None,
        facts: Mapping[str, Any] | None = None,
        packages: tuple[str, ...] = (),
    ) -> Manifest:
        """Builds the manifest of a stage that has just finished; `packages` are those whose version matters."""
        return cls(
            stage=stage,
            fingerprint=stage_fingerprint(stage, recipe, parents, format=format),
            format=format,
            recipe=dict(recipe),
            parents=dict(parents),
            counts=dict(counts or {}),
            drops=dict(drops or {}),
            facts=dict(facts or {}),
            versions={
                "dateline": __version__,
                "python": platform.python_version(),
                **{package: version(package) for package in packages},
            },
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def stage_fingerprint(stage: str, recipe: Mapping[str, Any], parents: Mapping[str, str], *, format: int = 1) -> str:
    """Returns what identifies a stage's result: the same recipe on the same parents.

    The version of Dateline is no part of it: a new version must not make finished work stale. Where a change of the
    code changes a stage's results, the stage's `format` is raised by hand.
    """
    return fingerprint({"stage": stage, "format": format, "recipe": recipe, "parents": parents})


def read_manifest(folder: Path) -> Manifest | None:
    """Returns the manifest of a finished folder, or None where there is none.

    Raises:
        UserError: where the file is there but cannot be understood.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise UserError(f"{path}: not a Dateline manifest ({first}); delete the folder and build it again") from None


def require_manifest(folder: Path, stage: str, make: str) -> Manifest:
    """Returns the manifest of a folder that a stage needs.

    Args:
        folder: the parent stage's folder.
        stage: what the folder must hold.
        make: the command that makes one, for the error message.

    Raises:
        UserError: where the folder is missing, unfinished or holds something else.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        problem = "no such folder" if not folder.exists() else f"no {MANIFEST} in it (not finished?)"
        raise UserError(f"{folder}: {problem}; make it with: {make}")
    if manifest.stage != stage:
        raise UserError(f"{folder}: holds the result of '{manifest.stage}', not '{stage}'; make one with: {make}")
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes `manifest.json` atomically."""
    write_atomically(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file so that a reader sees the old content or the new, never half."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def new_folder(final: Path, *, overwrite: bool = False, stage: str = "") -> Iterator[Path]:
    """Gives a folder to fill, and moves it to its final name only if the block ends without an error.

    Args:
        final: where the result shall stand.
        overwrite: replace what stands there; otherwise a non-empty folder is refused.
        stage: whose earlier result may be replaced; see `check_free`.

    Raises:
        UserError: where `final` exists and may not be replaced, or cannot be made.
    """
    check_free(final, overwrite=overwrite, stage=stage)
    partial = final.with_name(f".{final.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except (NotADirectoryError, FileNotFoundError, FileExistsError, PermissionError) as error:
        raise UserError(f"{final}: cannot be made there ({error.strerror}); choose another --out") from None
    try:
        yield partial
        if final.exists():
            old = final.with_name(f".{final.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            final.replace(old)
            partial.replace(final)
            shutil.rmtree(old, ignore_errors=True)
        else:
            partial.replace(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_free(final: Path, *, overwrite: bool = False, stage: str = "") -> None:
    """Refuses early, before any work, where the output may not be written.

    Args:
        final: where the result shall stand.
        overwrite: an earlier result may be replaced.
        stage: only if it is one of this stage: a folder of somebody's own, or another stage's, is never replaced.

    Raises:
        UserError: where `final` is a file, or a non-empty folder and `overwrite` is off, or has no name of its own.
    """
    if not final.name:
        raise UserError(f"{final}: has no name of its own; --out names a folder such as runs/first")
    if final.is_file():
        raise UserError(f"{final}: is a file; --out names a folder")
    if not final.exists() or not any(final.iterdir()):
        return
    if not overwrite:
        raise UserError(f"{final}: already holds something; choose another --out or pass --overwrite")
    if stage and _held_stage(final) != stage:
        raise UserError(
            f"{final}: is not an earlier result of '{stage}', so it is not overwritten; choose another --out, "
            "or remove it yourself"
        )


def check_outside(out: Path) -> None:
    """Refuses an output folder inside another result, where it would be lost when that is made again.

    Raises:
        UserError: which names the result around it.
    """
    for parent in out.absolute().parents:
        try:
            held = _held_stage(parent)
        except UserError:  # a manifest.json of some other program
            continue
        if held:
            raise UserError(f"{out}: lies inside {parent}, a result of '{held}'; choose an --out beside it")


def _held_stage(folder: Path) -> str:
    """Returns which stage made a folder; a training run is known by its metrics before it has a manifest."""
    manifest = read_manifest(folder)
    if manifest is not None:
        return manifest.stage
    return "train" if (folder / "metrics.jsonl").is_file() else ""


def is_current(folder: Path, expected: str) -> bool:
    """Says whether a folder holds the finished result with this fingerprint."""
    manifest = read_manifest(folder)
    return manifest is not None and manifest.fingerprint == expected


def explain_change(folder: Path, recipe: Mapping[str, Any], parents: Mapping[str, str], *, format: int = 1) -> str:
    """Says in one line why a finished folder is out of date: which recipe values or parents differ, if any."""
    manifest = read_manifest(folder)
    if manifest is None:
        return "not finished"
    changes = diff(manifest.recipe, json.loads(json.dumps(dict(recipe)))) + diff(manifest.parents, dict(parents))
    if manifest.format != format:
        changes.append(f"format of '{manifest.stage}': {manifest.format} -> {format}")
    shown = "; ".join(changes[:3])
    return shown + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")
