"""Paired differences between runs, or between conditions of one run, on the same documents and tokens; the score table.

What an interval covers depends on what is resampled. Documents (`cluster="document"`): other articles of the
same outlets. Outlets (`cluster="outlet"`): other outlets too; wider, since articles of one outlet are alike. Seeds
(`across_seed_differences`): other trainings of the same recipe too. Documents whose outlet is not known count as one.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dateline.conditions import parse_condition
from dateline.errors import UserError
from dateline.evaluate.perplexity import loss_levels
from dateline.experiment.grid import PlannedRun
from dateline.experiment.recipe import ExperimentRecipe
from dateline.scores import Score, correct, merge_scores, read_losses, slices, where
from dateline.stage import say
from dateline.statistics import (
    RESAMPLES,
    Estimate,
    Labels,
    cluster_sums,
    difference_estimate,
    minimum_detectable_effect,
    ratio_degrees,
    ratio_error,
    ratio_estimate,
    resampled_sums,
    seed_spread,
)

Cluster = Literal["document", "outlet"]
Part = tuple[str, str]
"""(slice_by, slice) of the losses: whole documents, or a part of each."""
WHOLE: Part = ("all", "all")
MEASURE, METRIC = "perplexity", "nll_difference"
REGION = "region"
"""Slices `in` and `out`: documents that the training of the judged run selected, and the others."""
EQUIVALENCE_LEVEL = 0.90
"""Of the interval that lies within the margin where two one-sided tests at 5% both reject."""

Columns = dict[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Names:
    """What the two sides of a comparison are called in the table."""

    run: str
    versus_run: str


def differences(
    losses: pa.Table,
    losses_versus: pa.Table,
    *,
    condition: str,
    condition_versus: str,
    by: Sequence[str] = (),
    cluster: Cluster = "document",
    part: Part = WHOLE,
    resamples: int = RESAMPLES,
    seed: int = 0,
    margin: float | None = None,
) -> list[Score]:
    """Compares two runs, or two conditions of one run, on the same documents by paired bootstrap.

    Args:
        losses: of the run that is judged, as `read_losses` gives them.
        losses_versus: of the run that is subtracted; may be the same table.
        condition: under which the first is judged.
        condition_versus: under which the second is.
        by: slices besides `all`: `continent`, `country`, `domain`, or another column of both tables.
        cluster: what is resampled: documents, or whole outlets (the column `domain`).
        part: which tokens of each document; documents without such a token are left out.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
        margin: in nats per token; where it is given, rows that are shown to lie within it say `equivalent_within`.

    Returns:
        Scores with metric `nll_difference` in nats per token, negative where the first is better. `p_holm` is left to
        `scores.correct`, which sees the whole table. `shown` is what either side's prefix showed.

    Raises:
        UserError: where protocol, corpus, documents or scored tokens differ, or an nll is not finite.
    """
    sides = [_paired(losses, losses_versus, condition, condition_versus, part)]
    names = Names(str(sides[0][0]["run"][0]), str(sides[0][1]["run"][0]))
    return _compare(sides, names, by, cluster, part, margin, resamples, seed)


def across_seed_differences(
    pairs: Sequence[tuple[pa.Table, pa.Table]],
    names: Names,
    *,
    condition: str,
    condition_versus: str,
    by: Sequence[str] = (),
    cluster: Cluster = "document",
    part: Part = WHOLE,
    margin: float | None = None,
) -> list[Score]:
    """Compares two families of runs that differ in their seeds: the mean difference, with an interval over new seeds.

    Args:
        pairs: for each seed the losses of the judged run and of the subtracted run.
        names: of the two families.
        condition: as in `differences`.
        condition_versus: as in `differences`.
        by: as in `differences`.
        cluster: as in `differences`.
        part: as in `differences`.
        margin: as in `differences`.

    Returns:
        Scores as `differences` makes them, with the names of the families for the runs, and `n_seeds` set. `model` has
        the fingerprints of all models that were judged, joined by `+`.

    Raises:
        UserError: where there are fewer than two pairs, a run is there twice, or the documents and tokens differ.
    """
    sides = [_paired(one, versus, condition, condition_versus, part) for one, versus in pairs]
    if len(sides) < 2:
        raise UserError(f"{len(sides)} pair of runs: the spread over seeds needs two or more; use differences for one")
    for position in (0, 1):
        runs = [str(pair[position]["run"][0]) for pair in sides]
        twice = [run for index, run in enumerate(runs) if run in runs[:index]]
        if twice:
            raise UserError(f"run '{twice[0]}' is there twice; every seed has a run of its own")
    for first, _ in sides[1:]:
        _check_comparable(sides[0][0], first)
    return _compare(sides, names, by, cluster, part, margin)


def _compare(
    sides: Sequence[tuple[Columns, Columns]],
    names: Names,
    by: Sequence[str],
    cluster: Cluster,
    part: Part,
    margin: float | None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Score]:
    first, second = sides[0]
    change = np.array([one["nll"] - versus["nll"] for one, versus in sides])
    shown = [field for side in (first, second) for field in side["shown"][0].split("+") if field]
    scores = []
    for slice_by, name, members in _slices(first, by, part):
        tokens, outlets = first["n_tokens"][members], first["domain"][members].astype(np.str_)
        clusters = outlets if cluster == "outlet" else None
        if len(sides) == 1:
            estimate, inner, mde = _single(change[0, members], tokens, clusters, resamples, seed)
        else:
            spread = seed_spread(change[:, members], tokens, clusters=clusters)
            estimate, inner = spread.estimate(), spread.estimate(EQUIVALENCE_LEVEL)
            mde = spread.minimum_detectable_effect()
        within = margin is not None and -margin <= inner.low and inner.high <= margin
        compared = f"{names.run}/{first['condition'][0]} - {names.versus_run}/{second['condition'][0]}"
        scores.append(
            Score(
                run=names.run,
                measure=MEASURE,
                metric=METRIC,
                condition=first["condition"][0],
                slice_by=slice_by,
                slice=name,
                unit="nats/token",
                value=estimate.value,
                ci_low=estimate.low,
                ci_high=estimate.high,
                n_documents=len(members),
                n_tokens=int(tokens.sum()),
                protocol=first["protocol"][0],
                data=first["data"][0],
                model="+".join(dict.fromkeys(one["model"][0] for one, _ in sides)),
                shown="+".join(dict.fromkeys(shown)),
                versus_run=names.versus_run,
                versus_condition=second["condition"][0],
                p=_known(estimate.p_value),
                family_of_tests=family_of_tests(compared, slice_by, several_seeds=len(sides) > 1),
                mde=_known(mde),
                n_outlets=len(set(outlets) - {""}),
                n_seeds=len(sides),
                equivalent_within=margin if within else None,
            )
        )
    return scores


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def family_of_tests(compared: str, slice_by: str, *, several_seeds: bool) -> str:
    """Returns which tests a comparison is read together with.

    The slices of one comparison (is it better in each of 18 countries?) are a family; so are the `all` rows of all
    comparisons (which condition helps?), and so is the matrix of all swaps of one run. Rows over seeds form families of
    their own: they say again, for new seeds, what the rows of single runs say.

    Args:
        compared: `run/condition - run/condition`.
        slice_by: of the row.
        several_seeds: whether the row is over seeds.
    """
    about = "all comparisons" if slice_by == "all" else f"{compared} by {slice_by}"
    return f"{MEASURE}: {about}{' over seeds' if several_seeds else ''}"


def _single(
    change: Floats, tokens: npt.NDArray[np.int64], clusters: Labels | None, resamples: int, seed: int
) -> tuple[Estimate, Estimate, float]:
    """Returns the difference, its interval for equivalence, and the minimum detectable effect."""
    columns = np.column_stack([change, tokens.astype(np.float64)])
    if clusters is not None:
        columns = cluster_sums(columns, clusters)
    sums = resampled_sums(columns, resamples=resamples, seed=seed)
    mde = minimum_detectable_effect(ratio_error(columns, 0, 1), degrees=ratio_degrees(columns, 1))
    return difference_estimate(columns, sums, 0, 1), ratio_estimate(columns, sums, 0, 1, level=EQUIVALENCE_LEVEL), mde


def _slices(columns: Columns, by: Sequence[str], part: Part) -> list[tuple[str, str, npt.NDArray[np.int64]]]:
    if part == WHOLE:
        return slices(columns, by)
    if by:
        raise UserError(f"a row has one slice: compare the tokens of '{part[1]}' without by={list(by)}")
    return [(*part, np.arange(len(columns["id"]), dtype=np.int64))]


def _paired(
    losses: pa.Table, losses_versus: pa.Table, condition: str, condition_versus: str, part: Part
) -> tuple[Columns, Columns]:
    first, second = _one_condition(losses, condition, part), _one_condition(losses_versus, condition_versus, part)
    _check_comparable(first, second)
    return first, second


def _one_condition(losses: pa.Table, condition: str, part: Part) -> Columns:
    """Returns the columns of a condition and part, ordered by document."""
    chosen = where(losses, condition=condition, slice_by=part[0], slice=part[1])
    if not chosen.num_rows:
        known = sorted({str(name) for name in losses.column("condition").to_pylist()})
        if condition in known:
            raise UserError(f"no document has tokens in {part[0]} '{part[1]}' under '{condition}'; leave this part out")
        raise UserError(
            f"no documents under condition '{condition}'; the table has: {', '.join(known) or 'none at all'}"
        )
    columns = {name: chosen.column(name).to_numpy() for name in chosen.column_names if name != "n_bytes"}
    order = np.argsort(columns["id"].astype(np.str_), kind="stable")
    result = {name: values[order] for name, values in columns.items()}
    if len(set(result["run"])) > 1:
        raise UserError(f"the table holds several runs ({', '.join(sorted(set(result['run'])))}); compare one with one")
    name = f"{result['run'][0]}/{condition}"
    twice = np.flatnonzero(result["id"][1:] == result["id"][:-1])
    if len(twice):
        raise UserError(f"{name}: document {result['id'][twice[0]]} is there twice; evaluate again")
    bad = np.flatnonzero(~np.isfinite(result["nll"]))
    if len(bad):
        at = int(bad[0])
        raise UserError(
            f"{name}: the nll of document {result['id'][at]} is {result['nll'][at]} ({len(bad)} of {len(order)} "
            "documents); evaluate again, in float32 if it was not"
        )
    return result


def _check_comparable(first: Columns, second: Columns) -> None:
    names = [f"{side['run'][0]}/{side['condition'][0]}" for side in (first, second)]
    for kind in ("protocol", "data"):
        if first[kind][0] != second[kind][0]:
            raise UserError(
                f"{names[0]} was scored with {kind} {first[kind][0]}, {names[1]} with {second[kind][0]}; "
                f"no paired comparison is possible: evaluate again under one {kind}"
            )
    if list(first["id"]) != list(second["id"]):
        alone = sorted(set(first["id"]) ^ set(second["id"]))
        raise UserError(
            f"{names[0]} and {names[1]} were scored on different documents "
            f"({len(alone)} only on one side, such as {alone[0]})"
        )
    unequal = np.flatnonzero(first["n_tokens"] != second["n_tokens"])
    if len(unequal):
        at = int(unequal[0])
        raise UserError(
            f"different tokens were scored: document {first['id'][at]} has {first['n_tokens'][at]} under {names[0]} "
            f"and {second['n_tokens'][at]} under {names[1]}; use the strict protocol and one tokenizer"
        )


class Comparison(NamedTuple):
    """Two scores on the same tokens: the first minus the second."""

    run: str
    condition: str
    versus_run: str
    versus_condition: str


def conditions_of(run: PlannedRun, recipe: ExperimentRecipe) -> tuple[str, ...]:
    """Returns the conditions under which a run is scored."""
    return recipe.evaluate.scored(run.recipe.conditions.fields)


def plan_comparisons(recipe: ExperimentRecipe, runs: list[PlannedRun]) -> list[Comparison]:
    """Returns what is compared, once each.

    - each condition of a conditioned run with its baseline (`plain_run`) under `none`;
    - each other condition of a run with its own `gold`;
    - what `evaluate.compare` names, for every seed.

    `swap:all` is not among them: its countries are compared with one another. Under the `paper` protocol nothing is
    compared in pairs: its conditions score different tokens.
    """
    result: list[Comparison] = []
    for run in runs if recipe.evaluate.protocol.name == "strict" else []:
        plain = plain_run(run, runs)
        scored = [name for name in named_conditions(run, recipe) if name != "swap:all"]
        if plain is not None and not run.is_plain:
            result += [Comparison(run.name, condition, plain.name, "none") for condition in scored]
        others = sorted((name for name in scored if name != "gold"), key=lambda name: name != "wrong")
        result += [Comparison(run.name, name, run.name, "gold") for name in others if "gold" in scored]
    for one, versus in recipe.evaluate.compare:
        (family, _, condition), (other, _, versus_condition) = one.partition("/"), versus.partition("/")
        result += [
            Comparison(run.name, condition, second.name, versus_condition)
            for run in runs
            for second in runs
            if (run.family, second.family, run.recipe.seed) == (family, other, second.recipe.seed)
        ]
    return list(dict.fromkeys(result))


def plain_run(run: PlannedRun, runs: list[PlannedRun]) -> PlannedRun | None:
    """Returns the baseline of a run: the plain run of the same seed, mix, model and length, None where there is none.

    Where there are several, it is the one with the most other sections of its recipe in common; then the first.
    """

    def unlike(other: PlannedRun) -> int:
        names = set(type(run.recipe).model_fields) - {"conditions"}
        return sum(getattr(run.recipe, name) != getattr(other.recipe, name) for name in names)

    alike = [other for other in runs if other.is_plain and _setting(other) == _setting(run)]
    return min(alike, key=unlike, default=None)


def _setting(run: PlannedRun) -> Hashable:
    """Returns what a run has in common with its baseline; steps are a length only together with what a step reads."""
    recipe, train = run.recipe, run.recipe.train
    mix, model = (section.model_dump_json() for section in (recipe.mix, recipe.model))
    step = (train.batch_rows, recipe.packing.sequence_length) if train.steps is not None else ()
    length = (train.epochs, train.steps, *step, train.body_tokens, train.budget)
    return (recipe.seed, mix, model, recipe.init_from, length)


def named_conditions(run: PlannedRun, recipe: ExperimentRecipe) -> list[str]:
    """Returns the conditions of a run by the names that they have in its tables."""
    return [parse_condition(name, run.recipe.conditions.fields).name for name in conditions_of(run, recipe)]


def score_table(recipe: ExperimentRecipe, runs: list[PlannedRun], out: Path, measured: Sequence[str]) -> list[Score]:
    """Returns the long table of an experiment: the rows of all its measures, and the paired differences between runs.

    Args:
        recipe: of the experiment.
        runs: its runs, all of them evaluated.
        out: the experiment's folder.
        measured: the folders of all measures of all runs, within that of the experiment: `locate/conditioned`.

    Raises:
        UserError: where perplexities were taken on different data or under different protocols.
    """
    scores = merge_scores([out / place for place in measured])
    losses = {
        run.name: with_region(
            read_losses(out / "perplexity" / run.name), run, recipe.corpus.countries, recipe.corpus.held_out
        )
        for run in runs
    }
    for table in losses.values():
        if REGION in table.column_names:
            scores += loss_levels(table, (REGION,), resamples=recipe.evaluate.resamples)
    pairs = plan_comparisons(recipe, runs)
    settings: dict[str, Any] = {
        "cluster": recipe.evaluate.cluster,
        "resamples": recipe.evaluate.resamples,
        "margin": recipe.evaluate.margin,
    }
    _name_without_baseline(recipe, runs)
    for pair in pairs:
        conditions: dict[str, Any] = {"condition": pair.condition, "condition_versus": pair.versus_condition}
        one, other = losses[pair.run], losses[pair.versus_run]
        scores += differences(one, other, **conditions, by=_by(recipe, one), **settings)
        for part in _parts(pair, losses):
            scores += differences(one, other, **conditions, part=part, **settings)
    for run in runs if recipe.evaluate.protocol.name == "strict" else []:
        scores += swap_differences(losses[run.name], settings)
    scores += _over_seeds(recipe, runs, pairs, losses)
    return correct(scores)


def with_region(
    losses: pa.Table, run: PlannedRun, countries: Sequence[str] = (), held_out: Sequence[str] = ()
) -> pa.Table:
    """Adds the column `region` to the losses of a run that was trained on some places, or on all but some.

    Args:
        losses: as `read_losses` gives them.
        run: whose `mix.include` and `mix.exclude` count.
        countries: that the corpus was restricted to.
        held_out: countries of the corpus that no run was trained on.

    Returns:
        The table with `in` for documents whose place the training selected and `out` for the others; documents of
        unknown place are `in` only where nothing but `exclude` selects. Without the column where all are alike.
    """

    def among(names: Sequence[str]) -> Any:
        wanted = pa.array([name for name in names if name], pa.string())
        return pc.or_(*(pc.is_in(losses[column], value_set=wanted) for column in ("continent", "country")))

    include = run.recipe.mix.include or tuple(countries)
    inside = pc.invert(among((*run.recipe.mix.exclude, *held_out)))
    if include:
        inside = pc.and_(inside, among(include))
    if len(pc.unique(inside)) < 2:
        return losses
    return losses.append_column(REGION, pc.if_else(inside, "in", "out"))


def _by(recipe: ExperimentRecipe, losses: pa.Table) -> tuple[str, ...]:
    """Returns the slices in which a run is judged: those of the recipe, and its region where it has one."""
    return (*recipe.evaluate.by, *([REGION] if REGION in losses.column_names else []))


def _name_without_baseline(recipe: ExperimentRecipe, runs: list[PlannedRun]) -> None:
    """Says which conditioned runs are compared with no plain run by themselves."""
    alone = dict.fromkeys(run.family for run in runs if not run.is_plain and plain_run(run, runs) is None)
    if alone and recipe.evaluate.protocol.name == "strict":
        say(
            f"no plain run of the same seed, mix, model and length: {', '.join(alone)}; compared with other runs only "
            "where evaluate.compare names it"
        )


def swap_differences(losses: pa.Table, settings: dict[str, Any]) -> list[Score]:
    """Returns, for the texts of each country a, the loss under the prefix of country b less that under the prefix of a.

    Both sides claim an outlet drawn from their country, so that they differ in the country and not in how much the
    prefix knows of the outlet. Countries whose swap was not scored are left out.

    Args:
        losses: of one run, under all its conditions.
        settings: `cluster`, `resamples` and `margin` of the differences.
    """
    whole = where(losses, slice_by="all")
    names = {str(name) for name in whole.column("condition").to_pylist()}
    swapped = sorted(name.removeprefix("swap:") for name in names if name.startswith("swap:"))
    scores: list[Score] = []
    for home in swapped:
        own = where(whole, country=home)
        for other in swapped if own.num_rows else ():
            if other != home:
                conditions: dict[str, Any] = {"condition": f"swap:{other}", "condition_versus": f"swap:{home}"}
                found = differences(own, own, **conditions, by=("country",), **settings)
                family = f"{MEASURE}: all swaps of {found[0].run}"
                scores += [replace(score, family_of_tests=family) for score in found if score.slice_by == "country"]
    return scores


def _over_seeds(
    recipe: ExperimentRecipe, runs: list[PlannedRun], pairs: list[Comparison], losses: dict[str, pa.Table]
) -> list[Score]:
    """Returns the comparisons of families, where each was trained with several seeds, also by part of the document."""
    family = {run.name: run.family for run in runs}
    several: dict[tuple[str, str, str, str], list[Comparison]] = {}
    for pair in pairs:
        key = (family[pair.run], pair.condition, family[pair.versus_run], pair.versus_condition)
        several.setdefault(key, []).append(pair)
    scores: list[Score] = []
    for (one, condition, other, versus), seeds in several.items():
        if len(seeds) < 2:
            continue
        settings: dict[str, Any] = {
            "names": Names(one, other),
            "condition": condition,
            "condition_versus": versus,
            "cluster": recipe.evaluate.cluster,
            "margin": recipe.evaluate.margin,
        }
        sides = [(losses[pair.run], losses[pair.versus_run]) for pair in seeds]
        scores += across_seed_differences(sides, by=_by(recipe, sides[0][0]), **settings)
        for part in _parts(seeds[0], losses):
            scores += across_seed_differences(sides, part=part, **settings)
    return scores


def _parts(pair: Comparison, losses: dict[str, pa.Table]) -> list[Part]:
    """Returns the parts of documents that both sides have, in the order of their table."""
    sides = []
    for run, condition in ((pair.run, pair.condition), (pair.versus_run, pair.versus_condition)):
        chosen = where(losses[run], condition=condition)
        names = zip(*(chosen.column(key).to_pylist() for key in ("slice_by", "slice")), strict=True)
        sides.append(dict.fromkeys(names))
    return [part for part in sides[0] if part in sides[1] and part != WHOLE]
