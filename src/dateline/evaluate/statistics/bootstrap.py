"""Intervals and tests by bootstrap over documents.

Enters: per-document sums (nll in nats, tokens, bytes), one vector each. Leaves: `Estimate`s: value, percentile
interval, and for differences a p-value.
Deliberately not done: no resampling of tokens (tokens of one document are not independent, so intervals over tokens
are far too narrow), no normal approximation, no correction for many tests (that belongs to whoever runs many).

Every statistic is a ratio of two sums over documents, so one primitive serves them all: `resampled_sums` draws the
documents and returns the sums of all columns for the same draws. That is what makes a comparison paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.errors import UserError

Vector = npt.NDArray[np.float64] | npt.NDArray[np.int64] | Sequence[float]
"""One number a document, in the same order in every vector that is given together."""

RESAMPLES = 10_000
LEVEL = 0.95
DRAWS_AT_ONCE = 500_000
"""Bounds the memory to about 12 MB; 10,000 resamples of 10,000 documents take about half a second."""


class Estimate(NamedTuple):
    """A number with its interval; `low` and `high` are NaN where the data cannot give one (a single document)."""

    value: float
    low: float
    high: float
    p_value: float = math.nan
    """Two-sided, for differences only; NaN for levels and where there is a single document."""


def resampled_sums(
    columns: npt.NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Returns the sum of every column over documents drawn with replacement, for each of many resamples.

    Which documents are drawn depends on nothing but (number of documents, resamples, seed), and is the same for all
    columns of one call and for any later call with the same three.

    Args:
        columns: per-document quantities, shape [documents, columns].
        resamples: how many times a sample of the same size is drawn.
        seed: of the draws.

    Returns:
        Sums, shape [resamples, columns].
    """
    documents = len(columns)
    _check(documents, resamples)
    rng = np.random.default_rng(seed)
    sums = np.empty((resamples, columns.shape[1]))
    block = max(1, DRAWS_AT_ONCE // documents)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(0, documents, size=(rows, documents), dtype=np.int64)
        drawn += np.arange(rows)[:, None] * documents
        times = np.bincount(drawn.ravel(), minlength=rows * documents).reshape(rows, documents)
        sums[start : start + rows] = times.astype(np.float64) @ columns
    return sums


def micro_average(
    nll: Vector, num_tokens: Vector, *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> Estimate:
    """Returns nats per token over all documents, sum(nll) / sum(tokens), with its percentile interval.

    Long documents weigh more, as in the perplexity of the whole text. `exp` of value and ends is the perplexity.

    Args:
        nll: negative log-likelihood of each document in nats.
        num_tokens: scored tokens of each document.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
        level: of the interval.

    Raises:
        UserError: where there is no document or no token.
    """
    columns = _columns(nll, num_tokens)
    return ratio_estimate(columns, resampled_sums(columns, resamples=resamples, seed=seed), 0, 1, level=level)


def bits_per_byte(
    nll: Vector, num_bytes: Vector, *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> Estimate:
    """Returns sum(nll) / ln 2 / sum(bytes): the unit in which models with different tokenizers compare."""
    nats_per_byte = micro_average(nll, num_bytes, resamples=resamples, seed=seed, level=level)
    return Estimate(*(part / math.log(2) for part in nats_per_byte[:3]))


def paired_difference(
    nll: Vector,
    nll_versus: Vector,
    num_tokens: Vector,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Returns sum(nll - nll_versus) / sum(tokens) on the same documents, with interval and p-value.

    Negative means that the first is the better model, in nats per token. Pairing takes out how hard each document is,
    which is most of the spread: intervals are several times narrower than those of the two levels.

    The p-value is (1 + count) / (resamples + 1), capped at 1, where count is twice the number of resampled differences
    in the smaller tail (at or below zero, at or above zero). It is never below 1 / (resamples + 1): a bootstrap of B
    resamples cannot know more, so "p = 0.0" is never printed.
    """
    first, second = _vector(nll), _vector(nll_versus)
    if len(first) != len(second):
        raise UserError(
            f"a paired difference needs the same documents on both sides, not {len(first)} and {len(second)}"
        )
    columns = _columns(first - second, num_tokens)
    sums = resampled_sums(columns, resamples=resamples, seed=seed)
    estimate = ratio_estimate(columns, sums, 0, 1, level=level)
    if len(columns) < 2:
        return estimate
    return estimate._replace(p_value=two_sided_p(sums[:, 0]))


def ratio_difference(
    numerator: Vector,
    denominator: Vector,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Returns sum(numerator) / sum(denominator), where both are per-document differences: the recovered gain.

    Recovered gain is sum(nll_plain - nll_conditioned) / sum(logp_with_place - logp_without_place): what conditioning
    gives the model, over what it could give to a perfect one. Near 1 means that it works all the way through.

    Args:
        numerator: nll_plain - nll_conditioned of each document, in nats.
        denominator: log-probability with the place minus that without, of each document, in nats.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
        level: of the interval.

    Returns:
        The interval is NaN where some resample has no gain to recover (a denominator of zero or less): the ratio then
        has no bounded interval, and more documents are needed.

    Raises:
        UserError: where there are no documents, or where their places tell nothing (the denominator is not positive).
    """
    columns = _columns(numerator, denominator, what="gain to recover")
    return ratio_estimate(columns, resampled_sums(columns, resamples=resamples, seed=seed), 0, 1, level=level)


def ratio_estimate(
    columns: npt.NDArray[np.float64], sums: npt.NDArray[np.float64], over: int, under: int, *, level: float = LEVEL
) -> Estimate:
    """Returns the ratio of two columns' totals with the percentile interval that resampled sums give.

    Args:
        columns: per-document quantities, shape [documents, columns].
        sums: what `resampled_sums` made of them, shape [resamples, columns].
        over: index of the column above the line.
        under: index of the column below the line.
        level: of the interval.
    """
    value = float(columns[:, over].sum() / columns[:, under].sum())
    below = sums[:, under]
    if len(columns) < 2 or not bool((below > 0).all()):
        return Estimate(value, math.nan, math.nan)
    tail = (1 - level) / 2
    low, high = np.quantile(sums[:, over] / below, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def two_sided_p(differences: npt.NDArray[np.float64]) -> float:
    """Returns (1 + twice the smaller tail) / (resamples + 1), at most 1, for resampled differences around zero."""
    smaller = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, (1 + 2 * smaller) / (len(differences) + 1))


def _columns(over: Vector, under: Vector, what: str = "tokens or bytes") -> npt.NDArray[np.float64]:
    first, second = _vector(over), _vector(under)
    if len(first) != len(second):
        raise UserError(f"the vectors are of different documents: {len(first)} and {len(second)} entries")
    if not len(first):
        raise UserError("no documents: an interval needs at least one, and two to be finite")
    if not second.sum() > 0:
        raise UserError(f"no {what} in these {len(first)} documents; the average is not defined")
    return np.column_stack([first, second])


def _vector(values: Vector) -> npt.NDArray[np.float64]:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise UserError(f"one number a document is needed, not an array of shape {vector.shape}")
    return vector


def _check(documents: int, resamples: int) -> None:
    if documents < 1:
        raise UserError("no documents to resample; leave out empty groups")
    if resamples < 1:
        raise UserError(f"resamples must be 1 or more, not {resamples}")
