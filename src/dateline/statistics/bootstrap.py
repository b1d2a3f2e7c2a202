"""Intervals and tests by bootstrap over documents, or over the outlets that wrote them.

Every statistic is a ratio of two sums over documents, so one primitive serves them all: `resampled_sums` draws the
documents and returns the sums of all columns for the same draws. That is what makes a comparison paired. Documents of
one outlet are alike; where a claim is about outlets that were not seen, whole outlets are drawn instead (`clusters`).
Tokens are never drawn: those of one document are not independent, and intervals over tokens are far too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dateline.errors import UserError
from dateline.statistics.intervals import LEVEL, Estimate, difference_estimate, ratio_estimate

Vector = npt.NDArray[np.float64] | npt.NDArray[np.int64] | Sequence[float]
"""One number a document, in the same order in every vector that is given together."""
Labels = npt.NDArray[np.str_] | npt.NDArray[np.int64] | Sequence[str]
"""The cluster of each document, in the same order."""

RESAMPLES = 10_000
DRAWS_AT_ONCE = 500_000
"""Bounds the memory to about 12 MB; 10,000 resamples of 10,000 documents take about a second."""


def cluster_sums(columns: npt.NDArray[np.float64], clusters: Labels) -> npt.NDArray[np.float64]:
    """Returns the sum of every column over each cluster, clusters in the order in which they first appear.

    Args:
        columns: per-document quantities, shape [documents, columns].
        clusters: a label for each document, such as its outlet.

    Returns:
        Sums, shape [clusters, columns].
    """
    labels = np.asarray(clusters)
    if labels.shape != columns.shape[:1]:
        raise UserError(f"one cluster label a document is needed: {labels.shape} labels, {len(columns)} documents")
    _, first, members = np.unique(labels, return_index=True, return_inverse=True)
    members = np.argsort(np.argsort(first))[members]
    return np.column_stack([np.bincount(members, weights=column, minlength=len(first)) for column in columns.T])


def resampled_sums(
    columns: npt.NDArray[np.float64],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    clusters: Labels | None = None,
) -> npt.NDArray[np.float64]:
    """Returns the sum of every column over documents drawn with replacement, for each of many resamples.

    Which documents are drawn depends on nothing but (number of documents, resamples, seed), and is the same for all
    columns of one call and for any later call with the same three.

    Args:
        columns: per-document quantities, shape [documents, columns].
        resamples: how many times a sample of the same size is drawn.
        seed: of the draws.
        clusters: a label for each document; whole clusters are drawn then, as many as there are. None draws documents.

    Returns:
        Sums, shape [resamples, columns].

    Raises:
        UserError: where there are no documents, or a number is not finite.
    """
    if len(columns) < 1:
        raise UserError("no documents to resample; leave out empty groups")
    if resamples < 1:
        raise UserError(f"resamples must be 1 or more, not {resamples}")
    _check_finite(columns)
    if clusters is not None:
        columns = cluster_sums(columns, clusters)
    documents = len(columns)
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
    nll: Vector,
    num_tokens: Vector,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    clusters: Labels | None = None,
) -> Estimate:
    """Returns nats per token over all documents, sum(nll) / sum(tokens), with its interval.

    Long documents weigh more, as in the perplexity of the whole text. `exp` of value and ends is the perplexity.

    Args:
        nll: negative log-likelihood of each document in nats.
        num_tokens: scored tokens of each document.
        resamples: number of bootstrap resamples.
        seed: of the resamples.
        level: of the interval.
        clusters: a label for each document, such as its outlet, to draw whole clusters; None draws documents.

    Raises:
        UserError: where there is no document or no token, or a number is not finite.

    Example:
        >>> average = micro_average([20.0, 30.0, 44.0], [10, 10, 20])
        >>> round(average.value, 2), round(average.low, 2), round(average.high, 2)
        (2.35, 1.12, 3.58)
    """
    columns = _units(nll, num_tokens, clusters)
    return ratio_estimate(columns, resampled_sums(columns, resamples=resamples, seed=seed), 0, 1, level=level)


def paired_difference(
    nll: Vector,
    nll_versus: Vector,
    num_tokens: Vector,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    clusters: Labels | None = None,
) -> Estimate:
    """Returns sum(nll - nll_versus) / sum(tokens) on the same documents, with interval and p-value.

    Negative means that the first is the better model, in nats per token. Pairing takes out how hard each document is,
    which is most of the spread: intervals are several times narrower than those of the two levels.

    The p-value is below 1 - level where the interval leaves out zero, and never below 1 / (resamples + 1).

    Example:
        >>> difference = paired_difference([20.0, 30.0, 44.0], [22.0, 31.0, 45.0], [10, 10, 20])
        >>> round(difference.value, 2), round(difference.low, 2), round(difference.high, 2)
        (-0.1, -0.36, 0.16)
    """
    first, second = _vector(nll), _vector(nll_versus)
    if len(first) != len(second):
        raise UserError(
            f"a paired difference needs the same documents on both sides, not {len(first)} and {len(second)}"
        )
    columns = _units(first - second, num_tokens, clusters)
    sums = resampled_sums(columns, resamples=resamples, seed=seed)
    return difference_estimate(columns, sums, 0, 1, level=level)


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

    Example:
        >>> gain = ratio_difference([1.0, 2.0, 1.5, 1.0], [2.0, 3.0, 2.5, 2.0])
        >>> round(gain.value, 2), round(gain.low, 2), round(gain.high, 2)
        (0.58, 0.44, 0.72)
    """
    columns = _units(numerator, denominator, what="gain to recover")
    return ratio_estimate(columns, resampled_sums(columns, resamples=resamples, seed=seed), 0, 1, level=level)


def _units(
    over: Vector, under: Vector, clusters: Labels | None = None, what: str = "tokens or bytes"
) -> npt.NDArray[np.float64]:
    first, second = _vector(over), _vector(under)
    if len(first) != len(second):
        raise UserError(f"the vectors are of different documents: {len(first)} and {len(second)} entries")
    if not len(first):
        raise UserError("no documents: an interval needs at least one, and two to be finite")
    columns = np.column_stack([first, second])
    _check_finite(columns)
    if not second.sum() > 0:
        raise UserError(f"no {what} in these {len(first)} documents; the average is not defined")
    return columns if clusters is None else cluster_sums(columns, clusters)


def _vector(values: Vector) -> npt.NDArray[np.float64]:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise UserError(f"one number a document is needed, not an array of shape {vector.shape}")
    return vector


def _check_finite(columns: npt.NDArray[np.float64]) -> None:
    bad = np.argwhere(~np.isfinite(columns))
    if len(bad):
        document, column = (int(index) for index in bad[0])
        raise UserError(
            f"document {document} of {len(columns)} has {columns[document, column]} where a finite number is needed; "
            "score it again, or leave it out on both sides"
        )
