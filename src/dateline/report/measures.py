"""What an experiment's folder holds beside perplexity: locating, questions, learning efficiency.

Enters: the folders `locate/`, `mcq/` and `efficiency/` of an experiment, one subfolder for each run. Leaves: rows as
the measures wrote them, by subfolder, and a sentence for every table that cannot be read.
Deliberately not done: nothing is merged with perplexity or across measures: each has its own protocol.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.records import Score
from dateline.report.numerals import is_number
from dateline.report.scoretable import read_rows

SCORES = "scores.parquet"


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Guesses of one run on one form of the texts whose confidence lies in one bin."""

    run: str
    condition: str
    confidence: float
    accuracy: float
    low: float
    high: float
    documents: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often texts of one country were taken for texts of another."""

    run: str
    condition: str
    truth: str
    predicted: str
    documents: int


@dataclass(frozen=True, slots=True)
class Locating:
    """The folder of one model's guesses, with those of the baseline on the same texts."""

    name: str
    scores: tuple[Score, ...]
    bins: tuple[ReliabilityBin, ...] = ()
    confusions: tuple[Confusion, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """The folder of one run's scores under another measure."""

    name: str
    scores: tuple[Score, ...]
    facts: Mapping[str, Any]
    """What the manifest records beside the recipe."""


def read_locating(folder: Path, gaps: dict[str, str]) -> tuple[Locating, ...]:
    """Reads the subfolders of `locate/`; a part that is missing or damaged becomes a gap."""
    found = []
    for place in _places(folder):
        scores = _scores(place, gaps, "locating")
        if scores:
            bins = [_bin(row) for row in _rows(place / "reliability.parquet", gaps, "reliability")]
            pairs = [_confusion(row) for row in _rows(place / "confusion.parquet", gaps, "confusion")]
            found.append(Locating(place.name, scores, tuple(bins), tuple(pairs)))
    return tuple(found)


def read_measured(folder: Path, gaps: dict[str, str], part: str) -> tuple[Measured, ...]:
    """Reads the subfolders of `mcq/` or `efficiency/`; a table that is damaged becomes a gap named `part`."""
    found = []
    for place in _places(folder):
        scores = _scores(place, gaps, part)
        if scores:
            found.append(Measured(place.name, scores, _facts(place / "manifest.json")))
    return tuple(found)


def _places(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _scores(place: Path, gaps: dict[str, str], part: str) -> tuple[Score, ...]:
    name = f"{place.parent.name}/{place.name}/{SCORES}"
    try:
        found = tuple(read_rows(place / SCORES))
    except FileNotFoundError:
        _add(gaps, part, f"The folder holds no {name}.")
        return ()
    except (UserError, ValueError, TypeError) as error:
        _add(gaps, part, f"{name} cannot be read ({str(error).splitlines()[0][:160]}).")
        return ()
    if not found:
        _add(gaps, part, f"{name} holds no score.")
    return found


def _rows(path: Path, gaps: dict[str, str], part: str) -> list[dict[str, Any]]:
    name = f"{path.parent.parent.name}/{path.parent.name}/{path.name}"
    try:
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except FileNotFoundError:
        _add(gaps, part, f"The folder holds no {name}.")
        return []
    except (pa.ArrowException, OSError) as error:
        _add(gaps, part, f"{name} cannot be read ({str(error).splitlines()[0][:120]}).")
        return []
    return found


def _facts(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    facts = data.get("facts") if isinstance(data, dict) else None
    return facts if isinstance(facts, dict) else {}


def _add(gaps: dict[str, str], part: str, words: str) -> None:
    gaps[part] = f"{gaps[part]} {words}" if part in gaps else words


def _bin(row: Mapping[str, Any]) -> ReliabilityBin:
    value = {name: _number(row.get(name)) for name in ("confidence", "accuracy", "ci_low", "ci_high")}
    return ReliabilityBin(
        run=str(row.get("run") or ""),
        condition=str(row.get("condition") or ""),
        confidence=value["confidence"],
        accuracy=value["accuracy"],
        low=value["ci_low"],
        high=value["ci_high"],
        documents=_count(row),
    )


def _confusion(row: Mapping[str, Any]) -> Confusion:
    words = {name: str(row.get(name) or "") for name in ("run", "condition", "truth", "predicted")}
    return Confusion(**words, documents=_count(row))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and is_number(value) else math.nan


def _count(row: Mapping[str, Any]) -> int:
    number = _number(row.get("count"))
    return 0 if math.isnan(number) else int(number)
