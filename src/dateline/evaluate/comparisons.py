"""Paired differences between runs, or between conditions of one run, on the same documents and tokens.

Enters: the per-document tables that `evaluate_perplexity` writes. Leaves: rows of the score table with `versus` set.
Deliberately not done: no comparison of documents that were scored on different tokens, of other protocols or of other
corpora; no choice of what is compared (that is the experiment's).

How sure a difference is depends on what would be drawn anew. Documents (`cluster="document"`): other articles of the
same outlets. Outlets (`cluster="outlet"`): other outlets too; wider, since articles of one outlet are alike. Seeds
(`across_seed_differences`): other trainings of the same recipe too. Documents whose outlet is not known count as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.errors import UserError
from dateline.evaluate.table import DOCUMENT_SCHEMA, groups
from dateline.records import Score
from dateline.statistics import (
    RESAMPLES,
    Estimate,
    Labels,
    cluster_sums,
    difference_estimate,
    holm_by_family,
    minimum_detectable_effect,
    ratio_degrees,
    ratio_error,
    resampled_sums,
    seed_spread,
)

Cluster = Literal["document", "outlet"]
_SEED = re.compile(r"[-_.]?seed[-_=]?\d+$")

Columns = dict[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float64]


def family(run: str) -> str:
    """Returns the name of a run without its seed: `plain-seed0` -> `plain`."""
    return _SEED.sub("", run) or run


def differences(
    documents: pa.Table,
    documents_versus: pa.Table,
    *,
    condition: str,
    condition_versus: str,
    by: Sequence[str] = (),
    cluster: Cluster = "document",
    token_group: tuple[str, str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Score]:
    """Compares two runs, or two conditions of one run, on the same documents by paired bootstrap.

    Args:
        documents: of the run that is judged, as `read_documents` gives them.
        documents_versus: of the run that is subtracted; may be the same table.
        condition: under which the first is judged.
        condition_versus: under which the second is.
        by: further groupings besides `all`: `continent`, `country`, `domain`.
        cluster: what is resampled: documents, or whole outlets (the column `domain`).
        token_group: grouping and group of the tokens, such as ("part", "title"), where the tables hold the nll of
            some tokens of each document only; documents without such a token are left out.
        resamples: number of bootstrap resamples.
        seed: of the resamples.

    Returns:
        Scores with metric `nll_difference` in nats per token, negative where the first is better, and `versus` set.
        `p_holm` is left to `correct`, which sees the whole table. `fields` is what either side was shown.

    Raises:
        UserError: where protocol, corpus, documents or scored tokens differ, or an nll is not finite.
    """
    sides = [_paired(documents, documents_versus, condition, condition_versus)]
    return _compare(sides, by, cluster, token_group, resamples, seed)


def across_seed_differences(
    pairs: Sequence[tuple[pa.Table, pa.Table]],
    *,
    condition: str,
    condition_versus: str,
    by: Sequence[str] = (),
    cluster: Cluster = "document",
    token_group: tuple[str, str] | None = None,
) -> list[Score]:
    """Compares two families of runs that differ in their seeds: the mean difference, and how sure it is for new seeds.

    Args:
        pairs: for each seed the documents of the judged run and of the subtracted run (`conditioned-seed0` and
            `plain-seed0`, `conditioned-seed1` and `plain-seed1`).
        condition: as in `differences`.
        condition_versus: as in `differences`.
        by: as in `differences`.
        cluster: as in `differences`.
        token_group: as in `differences`.

    Returns:
        Scores as `differences` makes them, with the names of the families for the runs, and `num_seeds` set. `model`
        has the fingerprints of all models that were judged, joined by `+`.

    Raises:
        UserError: where there are fewer than two pairs, a run is there twice, the families are not the same in all
            pairs, or the documents and tokens are not.
    """
    sides = [_paired(one, versus, condition, condition_versus) for one, versus in pairs]
    _check_seeds(sides)
    return _compare(sides, by, cluster, token_group)


def correct(scores: Sequence[Score]) -> list[Score]:
    """Returns the scores with `p_holm` filled in: Holm's correction over each family of tests in the table.

    A family is what is read together and from which one picks what stands out. The groups of one grouping of one
    comparison (is it better in each of 18 countries?) are a family; so are the `all` rows of all comparisons of one
    metric (which condition helps?), and so is the matrix of all swaps of one run. Rows over seeds form families of
    their own: they say again, for new seeds, what the rows of single runs say. A test that could not be made (p is NaN)
    is in no family and stays NaN.
    """
    corrected = holm_by_family([score.p_value for score in scores], [_family_of_tests(score) for score in scores])
    return [replace(score, p_holm=p_holm) for score, p_holm in zip(scores, corrected, strict=True)]


def _family_of_tests(score: Score) -> tuple[object, ...]:
    key = (score.metric, score.grouping, score.num_seeds > 1)
    if score.grouping == "all":
        return key
    swapped = score.condition.startswith("swap:") and "/swap:" in score.versus
    return (*key, score.run, *(("swap:",) if swapped else (score.condition, score.versus)))


def _compare(
    sides: Sequence[tuple[Columns, Columns]],
    by: Sequence[str],
    cluster: Cluster,
    token_group: tuple[str, str] | None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Score]:
    first, second = sides[0]
    runs = [first["run"][0], second["run"][0]]
    if len(sides) > 1:
        runs = [family(run) for run in runs]
    change = np.array([one["nll"] - versus["nll"] for one, versus in sides])
    shown = [field for side in (first, second) for field in side["fields"][0].split("+") if field]
    scores = []
    for grouping, group, members in _groups(first, by, token_group):
        tokens, outlets = first["num_tokens"][members], first["domain"][members].astype(np.str_)
        clusters = outlets if cluster == "outlet" else None
        if len(sides) == 1:
            estimate, mde = _single(change[0, members], tokens, clusters, resamples, seed)
        else:
            spread = seed_spread(change[:, members], tokens, clusters=clusters)
            estimate, mde = spread.estimate(), spread.minimum_detectable_effect()
        scores.append(
            Score(
                run=runs[0],
                condition=first["condition"][0],
                grouping=grouping,
                group=group,
                metric="nll_difference",
                value=estimate.value,
                ci_low=estimate.low,
                ci_high=estimate.high,
                num_documents=len(members),
                num_tokens=int(tokens.sum()),
                protocol=first["protocol"][0],
                model="+".join(dict.fromkeys(one["model"][0] for one, _ in sides)),
                corpus=first["corpus"][0],
                versus=f"{runs[1]}/{second['condition'][0]}",
                p_value=estimate.p_value,
                mde=mde,
                num_outlets=len(set(outlets) - {""}),
                num_seeds=len(sides),
                fields="+".join(dict.fromkeys(shown)),
            )
        )
    return scores


def _single(
    change: Floats, tokens: npt.NDArray[np.int64], clusters: Labels | None, resamples: int, seed: int
) -> tuple[Estimate, float]:
    columns = np.column_stack([change, tokens.astype(np.float64)])
    if clusters is not None:
        columns = cluster_sums(columns, clusters)
    sums = resampled_sums(columns, resamples=resamples, seed=seed)
    mde = minimum_detectable_effect(ratio_error(columns, 0, 1), degrees=ratio_degrees(columns, 1))
    return difference_estimate(columns, sums, 0, 1), mde


def _groups(
    columns: Columns, by: Sequence[str], token_group: tuple[str, str] | None
) -> list[tuple[str, str, npt.NDArray[np.int64]]]:
    if token_group is None:
        return groups(columns, by)
    if by:
        raise UserError(f"a row has one grouping: compare the tokens of '{token_group[1]}' without by={list(by)}")
    members = np.flatnonzero(columns["num_tokens"] > 0).astype(np.int64)
    if not len(members):
        raise UserError(f"no document has tokens in {token_group[0]} '{token_group[1]}'; leave this group out")
    return [(*token_group, members)]


def _paired(
    documents: pa.Table, documents_versus: pa.Table, condition: str, condition_versus: str
) -> tuple[Columns, Columns]:
    first, second = _one_condition(documents, condition), _one_condition(documents_versus, condition_versus)
    _check_comparable(first, second)
    return first, second


def _one_condition(documents: pa.Table, condition: str) -> Columns:
    columns = {name: documents.column(name).to_numpy() for name in DOCUMENT_SCHEMA.names}
    chosen = np.flatnonzero(columns["condition"] == condition)
    if not len(chosen):
        known = ", ".join(sorted(set(columns["condition"]))) or "none at all"
        raise UserError(f"no documents under condition '{condition}'; the table has: {known}")
    ordered = chosen[np.argsort(columns["id"][chosen].astype(np.str_), kind="stable")]
    result = {name: values[ordered] for name, values in columns.items()}
    if len(set(result["run"])) > 1:
        raise UserError(f"the table holds several runs ({', '.join(sorted(set(result['run'])))}); compare one with one")
    name = f"{result['run'][0]}/{condition}"
    twice = np.flatnonzero(result["id"][1:] == result["id"][:-1])
    if len(twice):
        raise UserError(f"{name}: document {result['id'][twice[0]]} is there twice; choose one group of tokens")
    bad = np.flatnonzero(~np.isfinite(result["nll"]))
    if len(bad):
        at = int(bad[0])
        raise UserError(
            f"{name}: the nll of document {result['id'][at]} is {result['nll'][at]} ({len(bad)} of {len(ordered)} "
            "documents); evaluate again, in float32 if it was not"
        )
    return result


def _check_comparable(first: Columns, second: Columns) -> None:
    names = [f"{side['run'][0]}/{side['condition'][0]}" for side in (first, second)]
    for kind in ("protocol", "corpus"):
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
    unequal = np.flatnonzero(first["num_tokens"] != second["num_tokens"])
    if len(unequal):
        at = int(unequal[0])
        raise UserError(
            f"different tokens were scored: document {first['id'][at]} has {first['num_tokens'][at]} under {names[0]} "
            f"and {second['num_tokens'][at]} under {names[1]}; use the strict protocol and one tokenizer"
        )


def _check_seeds(sides: Sequence[tuple[Columns, Columns]]) -> None:
    if len(sides) < 2:
        raise UserError(f"{len(sides)} pair of runs: the spread over seeds needs two or more; use differences for one")
    for position in (0, 1):
        runs = [pair[position]["run"][0] for pair in sides]
        families = sorted({family(run) for run in runs})
        if len(families) > 1:
            raise UserError(f"runs of several families ({', '.join(families)}) are no seeds of one recipe")
        twice = [run for index, run in enumerate(runs) if run in runs[:index]]
        if twice:
            raise UserError(f"run '{twice[0]}' is there twice; every seed has a run of its own")
    for first, _ in sides[1:]:
        _check_comparable(sides[0][0], first)
