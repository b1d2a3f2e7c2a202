"""The score table as the report reads it: seeds joined, conditions ordered, comparisons found.

Enters: `scores.parquet`. Leaves: `ScoreTable`, which answers "how large, how sure, on how much" for any cell.
Deliberately not done: no statistics of its own. Runs that differ only in `-seedN` are one family; its value is the
mean over the seeds, its interval the hull of their intervals and its p-value the largest: never surer than the data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.places.countries import all_countries
from dateline.records import CONTINENTS, Score
from dateline.report.numerals import is_number

Cell = tuple[str, str]
"""A run family and the condition under which it was scored."""

BASELINE_RUN, BASELINE_CONDITION = "plain", "none"
ORDER = ("gold", "none", "wrong")
"""The truth, nothing, a lie; further conditions follow as they come."""
OTHER = "Other"
_SEED = re.compile(r"[-_.]?seed[-_=]?\d+$")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number of a family: the mean of its seeds, and how sure it is."""

    value: float
    low: float
    high: float
    num_documents: int
    num_tokens: int
    p_value: float | None
    seeds: tuple[float, ...]
    """The value of each run, in the order of the table."""

    @property
    def clear(self) -> bool:
        """Says whether the interval leaves out zero."""
        return is_number(self.low) and is_number(self.high) and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was subtracted from what, on the same documents."""

    this: Cell
    versus: Cell


def family(run: str) -> str:
    """Returns the name of a run without its seed: `plain-seed0` -> `plain`."""
    return _SEED.sub("", run) or run


def country_name(code: str) -> str:
    """Returns the name of a country as newspapers write it, or what was given where it is no known code."""
    known = all_countries().get(code)
    return known.name if known else code


class ScoreTable:
    """Scores of one protocol, by family, condition, grouping, group and metric."""

    def __init__(self, scores: Iterable[Score]) -> None:
        self.scores = list(scores)
        if not self.scores:
            raise UserError("the score table is empty; evaluate at least one run before reporting")
        protocols = list(dict.fromkeys(score.protocol for score in self.scores))
        if len(protocols) > 1:
            raise UserError(
                f"the score table mixes {len(protocols)} protocols ({', '.join(protocols[:3])}); such scores cannot be "
                "compared: evaluate all runs under one protocol"
            )
        self.protocol = protocols[0]
        self._cells: dict[tuple[Cell, Cell | None, str, str, str], list[Score]] = {}
        for score in self.scores:
            key = (
                (family(score.run), score.condition),
                _versus(score.versus),
                score.grouping,
                score.group if score.grouping != "all" else "",
                score.metric,
            )
            self._cells.setdefault(key, []).append(score)
        levels = [score for score in self.scores if not score.versus] or self.scores
        self.families = list(dict.fromkeys(family(score.run) for score in levels))
        self.runs = list(dict.fromkeys(score.run for score in self.scores))
        seen = dict.fromkeys(((family(score.run), score.condition) for score in levels), None)
        self.cells: list[Cell] = sorted(seen, key=lambda cell: (self.families.index(cell[0]), _rank(cell[1])))
        self.baseline = self._baseline()
        self.comparisons = self._comparisons()

    def level(self, cell: Cell, metric: str, grouping: str = "all", group: str = "") -> Estimate | None:
        """Returns the value of a metric for a family under a condition, or None where it was not measured."""
        return self._estimate((cell, None, grouping, group, metric))

    def difference(self, comparison: Comparison, grouping: str = "all", group: str = "") -> Estimate | None:
        """Returns this minus versus in nats per body token: negative means that this predicts better."""
        return self._estimate((comparison.this, comparison.versus, grouping, group, "nll_difference"))

    def countries(self) -> dict[str, list[str]]:
        """Returns the countries of the table by continent, in the order of `CONTINENTS`, then the unplaced."""
        places: dict[str, list[str]] = {}
        for code in sorted(self._groups("country"), key=country_name):
            known = all_countries().get(code)
            places.setdefault(known.continent if known else OTHER, []).append(code)
        order = (*CONTINENTS, OTHER)
        return dict(sorted(places.items(), key=lambda item: order.index(item[0])))

    def continents(self) -> list[str]:
        """Returns the continents of the table in the order of `CONTINENTS`, unknown names last."""
        found = self._groups("continent")
        return [name for name in CONTINENTS if name in found] + sorted(set(found) - set(CONTINENTS))

    def main(self) -> Comparison | None:
        """Returns the comparison that the verdict is about: a conditioned model told the truth against the baseline."""
        for comparison in self.comparisons:
            if comparison.versus == self.baseline and comparison.this[1] == "gold":
                return comparison
        return self.comparisons[0] if self.comparisons else None

    def _groups(self, grouping: str) -> list[str]:
        return list(dict.fromkeys(score.group for score in self.scores if score.grouping == grouping))

    def _estimate(self, key: tuple[Cell, Cell | None, str, str, str]) -> Estimate | None:
        found = self._cells.get(key)
        if not found:
            return None
        p_values = [score.p_value for score in found if score.p_value is not None]
        return Estimate(
            value=sum(score.value for score in found) / len(found),
            low=min((score.ci_low for score in found), key=_nan_first),
            high=-min((-score.ci_high for score in found), key=_nan_first),
            num_documents=max(score.num_documents for score in found),
            num_tokens=max(score.num_tokens for score in found),
            p_value=-min((-p for p in p_values), key=_nan_first) if p_values else None,
            seeds=tuple(score.value for score in found),
        )

    def _baseline(self) -> Cell:
        if (BASELINE_RUN, BASELINE_CONDITION) in self.cells:
            return (BASELINE_RUN, BASELINE_CONDITION)
        return next((cell for cell in self.cells if cell[1] == BASELINE_CONDITION), self.cells[0])

    def _comparisons(self) -> list[Comparison]:
        found = {
            Comparison((family(score.run), score.condition), versus): None
            for score in self.scores
            if (versus := _versus(score.versus)) is not None and score.metric == "nll_difference"
        }

        def rank(comparison: Comparison) -> tuple[bool, bool, tuple[int, str]]:
            told = comparison.this[0] != self.baseline[0]
            return (comparison.versus != self.baseline, not told, _rank(comparison.this[1]))

        return sorted(found, key=rank)


def read_scores(path: Path) -> ScoreTable:
    """Reads a score table.

    Raises:
        UserError: where the file is missing, is no Parquet, lacks a column, is empty or mixes protocols.
    """
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except FileNotFoundError:
        raise UserError(f"{path}: no score table; finish the experiment before reporting on it") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: not a Parquet file ({str(error).splitlines()[0]}); run the experiment again"
        ) from None
    names = [field.name for field in fields(Score)]
    missing = [name for name in names if rows and name not in rows[0] and name not in ("versus", "p_value")]
    if missing:
        raise UserError(f"{path}: has no column '{missing[0]}'; it is not a score table of this version")
    try:
        return ScoreTable(_score(row) for row in rows)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _score(row: dict[str, Any]) -> Score:
    known: dict[str, Any] = {field.name: str(row.get(field.name) or "") for field in fields(Score)}
    known |= {name: _float(row[name]) for name in ("value", "ci_low", "ci_high")}
    known |= {name: int(row[name] or 0) for name in ("num_documents", "num_tokens")}
    known["p_value"] = _float(row.get("p_value")) if row.get("versus") else None
    return Score(**known)


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _nan_first(value: float) -> float:
    return value if not math.isnan(value) else -math.inf


def _versus(text: str) -> Cell | None:
    if not text:
        return None
    run, _, condition = text.rpartition("/")
    return (family(run), condition) if run else (family(condition), "")


def _rank(condition: str) -> tuple[int, str]:
    return (ORDER.index(condition) if condition in ORDER else len(ORDER), condition)
