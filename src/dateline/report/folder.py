"""The folder of an experiment as the report reads it: what is there, and a sentence for everything that is not.

Enters: the folder that the experiment room writes. Leaves: `Results`, plain data without paths to follow.
Deliberately not done: nothing is computed and nothing is repaired. Only the score table is indispensable; any other
part that is absent or damaged becomes a gap that the page shows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dateline.errors import UserError
from dateline.manifest import Manifest, read_manifest
from dateline.records import SPLITS
from dateline.report.measures import Locating, Measured, read_locating, read_measured
from dateline.report.numerals import is_number
from dateline.report.scoretable import ScoreTable, read_scores

EXPERIMENT = "experiment"
AUDIT = "corpus/audit.json"

Point = tuple[float, float]
"""Tokens seen, and loss in nats per token."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run wrote after one headline when told one place."""

    headline: str
    run: str
    domain: str
    country: str
    continent: str
    continuation: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The course of one run's training."""

    run: str
    train: tuple[Point, ...]
    validation: dict[str, tuple[Point, ...]]
    """Condition -> points, over all groups."""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """Documents of one country by split; `problems` are sentences of the audit."""

    country: str
    continent: str
    documents: dict[str, int]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a report can show."""

    folder: Path
    table: ScoreTable
    summary: dict[str, Any] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    curves: tuple[Curve, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()
    coverage_problems: tuple[str, ...] = ()
    """Problems that belong to no single country."""
    locating: tuple[Locating, ...] = ()
    questions: tuple[Measured, ...] = ()
    efficiency: tuple[Measured, ...] = ()
    stages: tuple[tuple[str, Manifest], ...] = ()
    """Folder relative to the experiment and its manifest; the experiment's own, named `.`, comes first."""
    gaps: dict[str, str] = field(default_factory=dict)
    """Part -> why it is missing."""

    @property
    def manifest(self) -> Manifest | None:
        """The experiment's own manifest, if it is finished."""
        return next((manifest for name, manifest in self.stages if name == "."), None)


def read_results(folder: Path) -> Results:
    """Reads the folder of an experiment.

    Raises:
        UserError: where there is no score table, it mixes protocols, or the folder belongs to another stage.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; run an experiment first")
    gaps: dict[str, str] = {}
    stages = _stages(folder, gaps)
    own = next((manifest for name, manifest in stages if name == "."), None)
    if own is not None and own.stage != EXPERIMENT:
        raise UserError(f"{folder}: holds the result of '{own.stage}', not '{EXPERIMENT}'; name an experiment's folder")
    table = read_scores(folder / "scores.parquet")
    rows, problems = _coverage(folder / AUDIT, gaps)
    summary = _json(folder / "summary.json", gaps, "summary")
    if not isinstance(summary, dict):
        gaps.setdefault("summary", "summary.json holds no mapping.")
    return Results(
        folder=folder,
        table=table,
        summary=summary if isinstance(summary, dict) else {},
        samples=_samples(folder / "samples.json", gaps),
        curves=_curves(folder / "runs", gaps),
        coverage=rows,
        coverage_problems=problems,
        locating=read_locating(folder / "locate", gaps),
        questions=read_measured(folder / "mcq", gaps, "questions"),
        efficiency=read_measured(folder / "efficiency", gaps, "efficiency"),
        stages=stages,
        gaps=gaps,
    )


def _stages(folder: Path, gaps: dict[str, str]) -> tuple[tuple[str, Manifest], ...]:
    places = [folder, folder / "corpus", folder / "encoded"]
    runs = folder / "runs"
    places += sorted(path for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []
    found: list[tuple[str, Manifest]] = []
    missing: list[str] = []
    for place in places:
        manifest = read_manifest(place)
        name = str(place.relative_to(folder))
        if manifest is None:
            missing.append(f"{name}/manifest.json" if name != "." else "manifest.json")
        else:
            found.append((name, manifest))
    if missing:
        gaps["stages"] = f"Not found, so these parts cannot be vouched for: {', '.join(missing)}."
    return tuple(found)


def _json(path: Path, gaps: dict[str, str], part: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        gaps[part] = f"The folder holds no {path.name}."
    except (ValueError, OSError, RecursionError) as error:
        gaps[part] = f"{path.name} cannot be read ({str(error).splitlines()[0][:120]})."
    return None


def _samples(path: Path, gaps: dict[str, str]) -> tuple[Sample, ...]:
    data = _json(path, gaps, "samples")
    result = []
    for entry in data if isinstance(data, list) else []:
        if isinstance(entry, dict):
            place = entry.get("place") if isinstance(entry.get("place"), dict) else {}
            words = {key: str(entry.get(key) or "") for key in ("headline", "run", "continuation")}
            where = {key: str((place or {}).get(key) or "") for key in ("domain", "country", "continent")}
            result.append(Sample(**words, **where))
    if not result:
        gaps.setdefault("samples", "samples.json holds no sample.")
    return tuple(result)


def _curves(folder: Path, gaps: dict[str, str]) -> tuple[Curve, ...]:
    curves = []
    broken = 0
    for path in sorted(folder.glob("*/metrics.jsonl")):
        train: list[Point] = []
        validation: dict[str, list[Point]] = {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                broken += bool(line.strip())
                continue
            if not isinstance(entry, dict) or not all(is_number(entry.get(key)) for key in ("tokens", "loss")):
                broken += 1
                continue
            point = (float(entry["tokens"]), float(entry["loss"]))
            if entry.get("kind") == "train":
                train.append(point)
            elif entry.get("kind") == "validation" and entry.get("group", "all") == "all":
                validation.setdefault(str(entry.get("condition") or "none"), []).append(point)
        if train or validation:
            points = {condition: tuple(sorted(values)) for condition, values in validation.items()}
            curves.append(Curve(path.parent.name, tuple(sorted(train)), points))
    if not curves:
        gaps["curves"] = "No run in this folder left a metrics.jsonl with losses."
    elif broken:
        gaps["curve_lines"] = f"{broken} lines of metrics.jsonl hold no finite loss and are left out of the figure."
    return tuple(curves)


def _coverage(path: Path, gaps: dict[str, str]) -> tuple[tuple[CoverageRow, ...], tuple[str, ...]]:
    data = _json(path, gaps, "coverage")
    data = data if isinstance(data, dict) else {}
    rows = []
    countries = data.get("countries")
    for country, entry in countries.items() if isinstance(countries, dict) else ():
        if isinstance(entry, dict):
            rows.append(CoverageRow(str(country), str(entry.get("continent") or ""), _documents(entry)))
    unplaced = _documents(data.get("no_country"))
    if any(unplaced.values()):
        rows.append(CoverageRow("", "", unplaced))
    if not rows:
        gaps.setdefault("coverage", f"{AUDIT} lists no documents by country.")
    problems = data.get("problems")
    return tuple(rows), tuple(str(problem) for problem in problems) if isinstance(problems, list) else ()


def _documents(entry: Any) -> dict[str, int]:
    cells = {split: entry.get(split) for split in SPLITS} if isinstance(entry, dict) else {}
    counts = {split: cell.get("documents") for split, cell in cells.items() if isinstance(cell, dict)}
    return {split: int(count) for split, count in counts.items() if count is not None and is_number(count)}
