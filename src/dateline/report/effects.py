"""What the long table says of models and comparisons: their rows, names and cells, in the order of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from dateline.records import CONTINENTS
from dateline.report.figures import Interval
from dateline.report.page import Block, Figures, Fold, Row, Table, Text
from dateline.report.results import Results, is_swap
from dateline.report.words import (
    MARK,
    NOT_AVAILABLE,
    NOT_RECORDED,
    OTHER,
    condition_name,
    continent_name,
    count,
    country_name,
    interval,
    is_number,
    listed,
    number,
    p_text,
    percent,
    perplexity_change,
    upper,
)
from dateline.scores import Run, contrasts

LEVEL = 0.05
"""Holm-corrected p-values below this count as shown."""
ORDER = ("gold", "none", "wrong")
"""Conditions in the order in which they are shown; further ones follow by name."""
EFFECT = ("#difference", "#95% CI", "#p", "#p (Holm)", "#MDE", "#documents")


class Comparison(NamedTuple):
    """What is subtracted from what, on the same documents; a key of `Results.differences`."""

    run: str
    condition: str
    versus_run: str
    versus_condition: str


# What the table says of models and comparisons


def rows_of(
    results: Results, measure: str, metric: str = "", slice_by: str = "", *, tests: bool | None = None
) -> pd.DataFrame:
    """Returns the scores of a measure that are shown, without single seeds of what is pooled over seeds.

    Args:
        results: of the experiment.
        measure: `perplexity`, `locate`, ...; see `evaluate.recipe.MEASURES`.
        metric: one metric; empty for all.
        slice_by: `all`, `continent`, `country`, `part` or `position`; empty for all.
        tests: True for differences only, False for levels only.
    """
    table = results.scores
    keep = table["shown"] & (table["measure"] == measure)
    if metric:
        keep &= table["metric"] == metric
    if slice_by:
        keep &= table["slice_by"] == slice_by
    if tests is not None:
        keep &= (table["versus_run"] != "") == tests
    return table[keep]


def baseline(results: Results) -> str:
    """Returns the family that was trained without metadata: the first of those, or the most frequent reference."""
    plain = results.runs[results.runs["fields"] == ""]
    if len(plain):
        return str(plain["family"].iloc[0])
    versus = rows_of(results, "perplexity", "nll_difference")["versus_family"]
    levels = rows_of(results, "perplexity")["family"]
    return str(versus.mode().iloc[0] if len(versus) else levels.iloc[0] if len(levels) else "")


def comparisons(results: Results) -> list[Comparison]:
    """Returns the comparisons of losses over all texts: those with plain runs first, gold metadata first.

    Of these, comparisons with a baseline come before those that the recipe names besides.
    """
    found = rows_of(results, "perplexity", "nll_difference", "all")
    plain = set(results.runs.loc[results.runs["fields"] == "", "family"]) or {baseline(results)}
    families = {(r.run, r.versus_run): (r.family, r.versus_family) for r in found.itertuples()}

    def rank(one: Comparison) -> tuple[bool, bool, bool, bool, int, str]:
        family, versus = families[one.run, one.versus_run]
        named = bool(unlike(results, one))
        kind = (is_swap(one.condition), versus not in plain, family in plain, named)
        return (*kind, rank_of(one.condition), one.condition)

    names = found[list(Comparison._fields)].drop_duplicates().itertuples(index=False)
    return sorted((Comparison(*name) for name in names), key=rank)


def unlike(results: Results, one: Comparison) -> list[str]:
    """Returns what the two models of a comparison differ in besides metadata and seed."""
    sides = [results.runs[(results.runs["run"] == name) | (results.runs["family"] == name)] for name in one[::2]]
    if any(found.empty for found in sides):
        return []
    first, second = (Run(**found.iloc[0].to_dict()) for found in sides)
    return contrasts(first, second)


def effects(results: Results, one: Comparison, slice_by: str = "") -> pd.DataFrame:
    """Returns the differences of one comparison, indexed by slice."""
    found = results.differences[one]
    found = found[found["slice_by"] == slice_by] if slice_by else found
    return found.drop_duplicates("slice").set_index("slice", drop=False)


def side(results: Results, run: str, condition: str) -> str:
    """Names a model under a condition, with the mark of a leak where its prefix showed the URL."""
    leaks = (run, condition) in results.leaking or "url" in condition.split("+")
    return f"{MARK} {run}, {condition_name(condition)}" if leaks else f"{run}, {condition_name(condition)}"


def pair(results: Results, one: Comparison) -> str:
    """Names a comparison: `conditioned, gold metadata minus plain, no metadata`."""
    return f"{side(results, one.run, one.condition)} minus {side(results, one.versus_run, one.versus_condition)}"


def effect_cells(row: pd.Series, scale: float = 1.0, digits: int = 3) -> list[str]:
    """Returns the cells of `EFFECT` for a row of the table; `scale` is 100 for shares in percentage points."""
    small = is_number(row["mde"]) and scale * row["mde"] < 10.0 ** (1 - digits)
    return [
        number(scale * row["value"], digits, sign=True),
        interval(scale * row["ci_low"], scale * row["ci_high"], digits, sign=True) + _alone(row),
        p_text(row["p"]) if pd.notna(row["p"]) else NOT_AVAILABLE,
        p_text(row["p_holm"]) if pd.notna(row["p_holm"]) else NOT_AVAILABLE,
        number(scale * row["mde"], digits + small) if pd.notna(row["mde"]) else NOT_RECORDED,
        count(row["n_documents"]),
    ]


def reading(row: pd.Series, *, higher_is_better: bool = False) -> str:
    """Says in a few words what a difference means: its direction, and what Holm's correction and the margin leave."""
    low, high = row["ci_low"], row["ci_high"]
    if not is_number(row["value"]):
        return "The value is not a finite number."
    if not (is_number(low) and is_number(high)):
        return "No interval, so no claim about its sign."
    within = ""
    if pd.notna(row.get("equivalent_within")):
        within = f"quivalent within {row['equivalent_within']:g} nats per token."
    if low <= 0 <= high:
        return f"E{within}" if within else "No difference shown."
    better = "Better" if (row["value"] > 0) == higher_is_better else "Worse"
    size = "" if higher_is_better else f": perplexity {perplexity_change(row['value'])}"
    if pd.notna(row["p_holm"]) and row["p_holm"] >= LEVEL:
        size += ", but not after Holm's correction"
    return f"{better}{size}{f'; e{within}' if within else '.'}"


def slices(results: Results, table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Returns (group, slice, label) of everything, then each continent's countries; continents stand in `group`."""
    codes = set(table.loc[table["slice_by"] == "country", "slice"])
    found = [(continent_name(code), code, country_name(code)) for code in codes]
    return [("", "all", "All texts"), *sorted(found, key=lambda one: (continent_rank(one[0]), one[0], one[2]))]


def continent_rank(name: str) -> int:
    """Returns the place of a continent in the order of `CONTINENTS`; what has no place comes last."""
    return CONTINENTS.index(name) if name in CONTINENTS else len(CONTINENTS) + (name == OTHER)


def rank_of(condition: str) -> int:
    """Returns the place of a condition in `ORDER`."""
    return ORDER.index(condition) if condition in ORDER else len(ORDER)


def _alone(row: pd.Series) -> str:
    return " (one document)" if row["n_documents"] == 1 and not is_number(row["ci_low"]) else ""


def share_cell(row: pd.Series) -> str:
    """Says a share with its interval: `73.9% (70.1 to 77.4)`."""
    return f"{percent(row['value'])} ({interval(100 * row['ci_low'], 100 * row['ci_high'], 1)})"


def effect_rows(results: Results, chosen: Sequence[Comparison], *by: str) -> list[Row]:
    """Returns a row for every difference of some comparisons by some kinds of slices."""
    return [
        Row([label_of(r), *effect_cells(r)], pair(results, one))
        for one in chosen
        for slice_by in by
        for _, r in effects(results, one, slice_by).iterrows()
    ]


def with_numbers(
    drawn: Sequence[Markup], summary: str, headings: Sequence[str], rows: Sequence[Row], missing: Sequence[str] = ()
) -> list[Block]:
    """Returns figures, folded the table of every number in them, and the names of what only the table has."""
    blocks: list[Block] = [Figures(drawn), Fold(summary, [Table(headings, rows)])]
    return blocks + left_out(missing, "the table above")


def left_out(names: Sequence[str], where: str) -> list[Block]:
    """Names what is not drawn and where its numbers are; nothing is left out without a word."""
    return [Text(f"Not drawn: {listed(names)}; the numbers are in {where}.", "gap")] if names else []


def label_of(row: pd.Series) -> str:
    """Names the slice of a row."""
    if row["slice_by"] == "all":
        return "All texts"
    if row["slice_by"] == "region":
        return {"in": "In the region of training", "out": "Outside the region of training"}[row["slice"]]
    return country_name(row["slice"]) if row["slice_by"] == "country" else upper(str(row["slice"]))


def mark_of(row: pd.Series) -> Interval:
    """Returns the value of a row with its interval, to be drawn."""
    return Interval(row["value"], row["ci_low"], row["ci_high"])
