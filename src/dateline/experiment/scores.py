"""The score table of an experiment: levels of every run, and what is subtracted from what.

Enters: finished evaluations. Leaves: scores with paired differences over documents, over parts of documents, between
swapped places, and over seeds, all corrected for how many they are.
Deliberately not done: no number that is not in the evaluations' own tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dateline.evaluate.comparisons import across_seed_differences, correct, differences
from dateline.evaluate.perplexity.averages import PARTS
from dateline.evaluate.table import merge_scores, read_documents
from dateline.experiment.grid import Comparison, Run, comparisons
from dateline.experiment.recipe import ExperimentRecipe
from dateline.records import Score


def score_table(recipe: ExperimentRecipe, runs: list[Run], out: Path) -> list[Score]:
    """Returns the levels of all runs and the paired differences between them.

    Args:
        recipe: of the experiment.
        runs: its runs, all of them evaluated.
        out: the experiment's folder.
    """
    folders = {run.name: out / "evaluation" / run.name for run in runs}
    scores = merge_scores(list(folders.values()))
    documents = {name: read_documents(folder) for name, folder in folders.items()}
    parts = {name: pq.read_table(folder / PARTS) for name, folder in folders.items()}
    pairs = comparisons(recipe, runs)
    settings: dict[str, Any] = {"cluster": recipe.evaluate.cluster, "resamples": recipe.evaluate.resamples}
    for pair in pairs:
        conditions: dict[str, Any] = {"condition": pair.condition, "condition_versus": pair.versus_condition}
        first, second = documents[pair.run], documents[pair.versus_run]
        scores += differences(first, second, **conditions, by=recipe.evaluate.by, **settings)
        for group in _token_groups(pair, parts):
            first, second = (
                _where(parts[name], grouping=group[0], group=group[1]) for name in (pair.run, pair.versus_run)
            )
            scores += differences(first, second, **conditions, token_group=group, **settings)
    for run in runs:
        scores += swap_differences(documents[run.name], settings)
    scores += _over_seeds(recipe, runs, pairs, documents, parts)
    return correct(scores)


def swap_differences(documents: pa.Table, settings: dict[str, Any]) -> list[Score]:
    """Returns, for the texts of each country a, the loss when told country b less that when told a.

    Both sides claim an outlet drawn from their country, so that they differ in the country and not in how much the
    prefix knows of the outlet. Countries that were not told are left out.

    Args:
        documents: of one run, under all its conditions.
        settings: `cluster` and `resamples` of the differences.
    """
    names = {str(name) for name in documents.column("condition").to_pylist()}
    told = sorted(name.removeprefix("swap:") for name in names if name.startswith("swap:"))
    scores: list[Score] = []
    for home in told:
        own = _where(documents, country=home)
        for other in told if own.num_rows else ():
            if other != home:
                conditions: dict[str, Any] = {"condition": f"swap:{other}", "condition_versus": f"swap:{home}"}
                found = differences(own, own, **conditions, by=("country",), **settings)
                scores += [score for score in found if score.grouping == "country"]
    return scores


def _over_seeds(
    recipe: ExperimentRecipe, runs: list[Run], pairs: list[Comparison], documents: dict[str, pa.Table],
    parts: dict[str, pa.Table],
) -> list[Score]:  # fmt: skip
    """Returns the comparisons of families, where each was trained with several seeds, also by part of the document."""
    family = {run.name: run.family for run in runs}
    several: dict[tuple[str, str, str, str], list[Comparison]] = {}
    for pair in pairs:
        key = (family[pair.run], pair.condition, family[pair.versus_run], pair.versus_condition)
        several.setdefault(key, []).append(pair)
    scores: list[Score] = []
    for (_, condition, _, versus), seeds in several.items():
        if len(seeds) < 2:
            continue
        settings: dict[str, Any] = {
            "condition": condition, "condition_versus": versus, "cluster": recipe.evaluate.cluster,
        }  # fmt: skip
        tables = [(documents[pair.run], documents[pair.versus_run]) for pair in seeds]
        scores += across_seed_differences(tables, by=recipe.evaluate.by, **settings)
        for grouping, group in _token_groups(seeds[0], parts):
            where = {"grouping": grouping, "group": group}
            sides = [(_where(parts[p.run], **where), _where(parts[p.versus_run], **where)) for p in seeds]
            scores += across_seed_differences(sides, token_group=(grouping, group), **settings)
    return scores


def _token_groups(pair: Comparison, parts: dict[str, pa.Table]) -> list[tuple[str, str]]:
    """Returns the parts that both sides have, in the order of their table."""
    sides = []
    for run, condition in ((pair.run, pair.condition), (pair.versus_run, pair.versus_condition)):
        chosen = _where(parts[run], condition=condition)
        names = zip(*(chosen.column(key).to_pylist() for key in ("grouping", "group")), strict=True)
        sides.append(dict.fromkeys(names))
    return [group for group in sides[0] if group in sides[1]]


def _where(table: pa.Table, **wanted: str) -> pa.Table:
    """Returns the rows whose columns have these values."""
    keep = np.ones(table.num_rows, dtype=bool)
    for name, value in wanted.items():
        keep &= table.column(name).to_numpy() == value
    return table.filter(pa.array(keep))
