"""The score table as the report reads it: seeds joined, conditions ordered, comparisons found.

Enters: `scores.parquet`. Leaves: `ScoreTable`, which answers "how large, how sure, on how much" for any cell.
Deliberately not done: no statistics of its own. Runs that differ only in `-seedN` are one family. Where the table holds
a row that is pooled over its seeds, that row speaks; elsewhere the value is the mean over the seeds, the interval the
hull of their intervals and the p-value the largest: never surer than the data. Swaps are apart: there is one a country.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.evaluate.comparisons import family
from dateline.places.countries import all_countries
from dateline.records import CONTINENTS, Score
from dateline.report.numerals import is_number

Cell = tuple[str, str]
"""A run family and the condition under which it was scored."""

BASELINE_RUN, BASELINE_CONDITION = "plain", "none"
LEVELS = ("nll", "ppl", "bits_per_byte")
"""Metrics that say how well a text is predicted; only these make a cell."""
SWAP = "swap:"
ORDER = ("gold", "none", "wrong")
"""The truth, nothing, a lie; further conditions follow as they come."""
OTHER = "Other"
_OPTIONAL = ("versus", "p_value", "p_holm", "mde", "num_outlets", "num_seeds", "fields")
"""Columns that older tables lack; each has a value that says so."""


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
    p_holm: float | None = None
    """Corrected for the family of tests; None where the table does not say."""
    mde: float | None = None
    """The difference that would have been found in 80% of repetitions; None where the table does not say."""
    num_outlets: int = 0
    """0 where the table does not say."""
    num_seeds: int = 1

    @property
    def clear(self) -> bool:
        """Says whether the interval leaves out zero."""
        return is_number(self.low) and is_number(self.high) and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was subtracted from what, on the same documents."""

    this: Cell
    versus: Cell


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
        self._leaks = {(family(s.run), s.condition) for s in self.scores if "url" in s.fields.split("+")}
        levels = [s for s in self.scores if not s.versus and s.metric in LEVELS] or self.scores
        self.families = list(dict.fromkeys(family(score.run) for score in levels))
        seen = dict.fromkeys(((family(score.run), score.condition) for score in levels), None)
        ordered = sorted(seen, key=lambda cell: (self.families.index(cell[0]), _rank(cell[1])))
        self.cells: list[Cell] = [cell for cell in ordered if not _is_swap(cell)] or ordered
        self.swaps: dict[str, list[str]] = {}
        for name, condition in filter(_is_swap, ordered):
            self.swaps.setdefault(name, []).append(condition.removeprefix(SWAP))
        self.baseline = self._baseline()
        self.comparisons = self._comparisons()

    def level(self, cell: Cell, metric: str, grouping: str = "all", group: str = "") -> Estimate | None:
        """Returns the value of a metric for a family under a condition, or None where it was not measured."""
        return self._estimate((cell, None, grouping, group, metric))

    def difference(self, comparison: Comparison, grouping: str = "all", group: str = "") -> Estimate | None:
        """Returns this minus versus in nats per body token: negative means that this predicts better."""
        return self._estimate((comparison.this, comparison.versus, grouping, group, "nll_difference"))

    def leaks(self, cell: Cell) -> bool:
        """Says whether the prefix of a cell showed the URL, whose slug gives the title away."""
        return cell in self._leaks or "url" in cell[1].split("+")

    def countries(self) -> dict[str, list[str]]:
        """Returns the countries of the table by continent, in the order of `CONTINENTS`, then the unplaced."""
        places: dict[str, list[str]] = {}
        for code in sorted(self.groups("country"), key=country_name):
            known = all_countries().get(code)
            places.setdefault(known.continent if known else OTHER, []).append(code)
        order = (*CONTINENTS, OTHER)
        return dict(sorted(places.items(), key=lambda item: order.index(item[0])))

    def continents(self) -> list[str]:
        """Returns the continents of the table in the order of `CONTINENTS`, unknown names last."""
        found = self.groups("continent")
        return [name for name in CONTINENTS if name in found] + sorted(set(found) - set(CONTINENTS))

    def main(self) -> Comparison | None:
        """Returns the comparison that the verdict is about: a conditioned model told the truth against the baseline."""
        for comparison in self.comparisons:
            if comparison.versus == self.baseline and comparison.this[1] == "gold":
                return comparison
        return self.comparisons[0] if self.comparisons else None

    def groups(self, grouping: str) -> list[str]:
        """Returns the groups of a grouping in the order of the table."""
        return list(dict.fromkeys(score.group for score in self.scores if score.grouping == grouping))

    def _estimate(self, key: tuple[Cell, Cell | None, str, str, str]) -> Estimate | None:
        found = self._cells.get(key)
        if not found:
            return None
        pooled = [score for score in found if score.num_seeds > 1]
        single = [score for score in found if score.num_seeds <= 1]
        seeds = tuple(score.value for score in single or pooled)
        found = pooled[-1:] or found
        return Estimate(
            value=sum(score.value for score in found) / len(found),
            low=min((score.ci_low for score in found), key=_nan_first),
            high=-min((-score.ci_high for score in found), key=_nan_first),
            num_documents=max(score.num_documents for score in found),
            num_tokens=max(score.num_tokens for score in found),
            p_value=_largest(score.p_value for score in found),
            seeds=seeds,
            p_holm=_largest(score.p_holm for score in found),
            mde=_largest(score.mde for score in found),
            num_outlets=max(score.num_outlets for score in found),
            num_seeds=pooled[-1].num_seeds if pooled else len(found),
        )

    def _baseline(self) -> Cell:
        if (BASELINE_RUN, BASELINE_CONDITION) in self.cells:
            return (BASELINE_RUN, BASELINE_CONDITION)
        return next((cell for cell in self.cells if cell[1] == BASELINE_CONDITION), self.cells[0])

    def _comparisons(self) -> list[Comparison]:
        found = {
            Comparison((family(score.run), score.condition), versus): None
            for score in self.scores
            if (versus := _versus(score.versus)) is not None
            and score.metric == "nll_difference"
            and not (score.condition.startswith(SWAP) or _is_swap(versus))
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
        return ScoreTable(read_rows(path))
    except FileNotFoundError:
        raise UserError(f"{path}: no score table; finish the experiment before reporting on it") from None
    except UserError as error:
        raise UserError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def read_rows(path: Path) -> list[Score]:
    """Reads the rows of a table in the form of a score table, whatever they measure.

    Raises:
        FileNotFoundError: where there is none.
        UserError: where the file is no Parquet or lacks a column.
    """
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: not a Parquet file ({str(error).splitlines()[0]}); run the experiment again"
        ) from None
    missing = [field.name for field in fields(Score) if rows and field.name not in rows[0]]
    missing = [name for name in missing if name not in _OPTIONAL]
    if missing:
        raise UserError(f"{path}: has no column '{missing[0]}'; it is not a score table of this version")
    return [_score(row) for row in rows]


def _score(row: dict[str, Any]) -> Score:
    known: dict[str, Any] = {field.name: str(row.get(field.name) or "") for field in fields(Score)}
    known |= {name: _float(row[name]) for name in ("value", "ci_low", "ci_high")}
    known |= {name: int(row.get(name) or 0) for name in ("num_documents", "num_tokens", "num_outlets")}
    known["num_seeds"] = int(row.get("num_seeds") or 1)
    known["p_value"] = _float(row.get("p_value")) if row.get("versus") else None
    known |= {name: None if row.get(name) is None else float(row[name]) for name in ("p_holm", "mde")}
    return Score(**known)


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _largest(values: Iterable[float | None]) -> float | None:
    """Returns the largest of what is known, NaN where one of it is NaN, None where nothing is."""
    known = [value for value in values if value is not None]
    return -min((-value for value in known), key=_nan_first) if known else None


def _nan_first(value: float) -> float:
    return value if not math.isnan(value) else -math.inf


def _versus(text: str) -> Cell | None:
    if not text:
        return None
    run, _, condition = text.rpartition("/")
    return (family(run), condition) if run else (family(condition), "")


def _is_swap(cell: Cell) -> bool:
    return cell[1].startswith(SWAP)


def _rank(condition: str) -> tuple[int, str]:
    return (ORDER.index(condition) if condition in ORDER else len(ORDER), condition)
