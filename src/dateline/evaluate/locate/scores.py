"""From probabilities of places to rows with intervals: accuracy, log loss and calibration, by slice.

A country without test documents has rows all the same, which say that there are none (NaN, 0 documents). Bins of
calibration have equal widths, because the borders of bins of equal counts would differ between two models.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.evaluate.locate.locator import by_continent, order_places, ranks
from dateline.scores import Score, correct
from dateline.statistics import (
    LEVEL,
    RESAMPLES,
    Estimate,
    mcnemar,
    micro_average,
    minimum_detectable_effect,
    paired_difference,
    resampled_sums,
    wilson,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

STAGE = "locate"
TOP = 3
BINS = 10
"""Bins of equal width over [0, 1], as in Guo et al. 2017 (who use 15 on sets of 10,000)."""


@dataclass(frozen=True)
class Cases:
    """The test documents, the same for every guesser."""

    ids: list[str]
    domains: list[str]
    codes: list[str]
    """The places, in the order of every array of probabilities."""
    continents: list[str]
    """Of each place."""
    truth: Integers
    """Index of each document's place, shape [documents]."""

    def slices(self) -> Iterator[tuple[str, str, Integers]]:
        """Yields (slice_by, slice, documents) for all, each continent and each country, empty ones included."""
        yield "all", "all", np.arange(len(self.ids))
        own = np.array(self.continents)[self.truth]
        for name in sorted(set(self.continents)):
            yield "continent", name, np.flatnonzero(own == name)
        for number, code in enumerate(self.codes):
            yield "country", code, np.flatnonzero(self.truth == number)


class Origin(NamedTuple):
    """What is the same in every row of a guesser."""

    run: str
    condition: str
    protocol: str
    model: str
    data: str
    shown: str
    """Fields of the prefixes, joined by `+`; empty for the baseline."""


@dataclass(frozen=True)
class Guesses:
    """What a model, or the baseline, says of all documents, with the names of places or without."""

    origin: Origin
    masked: bool
    """Whether the names of places were masked."""
    log_probabilities: Floats
    """log p(place | text), shape [documents, places]."""
    num_tokens: Integers | None
    """Body tokens that were scored of each document; None for the baseline, which scores no tokens."""
    cases: Cases

    @property
    def suffix(self) -> str:
        """Of the metrics: empty, or `_masked`."""
        return "_masked" if self.masked else ""

    @cached_property
    def probabilities(self) -> Floats:
        """p(place | text), shape [documents, places]."""
        result: Floats = np.exp(self.log_probabilities)
        return result

    @cached_property
    def predicted(self) -> Integers:
        """The most probable place of each document."""
        return order_places(self.log_probabilities)[:, 0]

    @cached_property
    def rank(self) -> Integers:
        """Rank of the true place, 1 where the guess is right."""
        return ranks(self.log_probabilities, self.cases.truth)

    @cached_property
    def confidence(self) -> Floats:
        """Probability of the guess."""
        largest: Floats = self.probabilities.max(axis=1)
        return largest

    @cached_property
    def right_continent(self) -> Booleans:
        """Whether the most probable continent is the true one."""
        names, summed = by_continent(self.probabilities, self.cases.continents)
        own = np.array(self.cases.continents)[self.cases.truth]
        right: Booleans = np.array(names)[summed.argmax(axis=1)] == own
        return right

    @cached_property
    def log_loss(self) -> Floats:
        """-log p(true place | text) in nats."""
        own: Floats = -self.log_probabilities[np.arange(len(self.cases.truth)), self.cases.truth]
        return own


def level_scores(guesses: Guesses, resamples: int, seed: int) -> list[Score]:
    """Returns accuracies, log loss and calibration of one guesser, by slice.

    Args:
        guesses: with the names of places or without; without, the metrics end in `_masked`.
        resamples: of the bootstrap over documents.
        seed: of the bootstrap.
    """
    scores = []
    for slice_by, name, members in guesses.cases.slices():
        metrics = {
            "accuracy_country": _share(guesses.rank[members] == 1),
            f"top{TOP}_country": _share(guesses.rank[members] <= TOP),
            "accuracy_continent": _share(guesses.right_continent[members]),
            "log_loss": _mean(guesses.log_loss[members], resamples, seed),
        }
        if slice_by != "country":
            right = (guesses.rank[members] == 1).tolist()
            sure = guesses.confidence[members].tolist()
            metrics["ece"] = calibration_error(sure, right, resamples=resamples, seed=seed)
        scores += [
            _row(guesses, slice_by, name, members, f"{metric}{guesses.suffix}", estimate)
            for metric, estimate in metrics.items()
        ]
    return scores


def difference_scores(
    pairs: Sequence[tuple[Guesses, Guesses]], family_of_tests: str, resamples: int, seed: int
) -> list[Score]:
    """Compares accuracies on the same documents.

    The interval is of the paired bootstrap, the p-value McNemar's exact one. The metric is
    `accuracy_country_difference` or `accuracy_country_masked_difference` between two guessers on the same texts, and
    `accuracy_country_masking_difference` where one guesser is compared without and with the names of places.

    Args:
        pairs: the guesses that are judged, and those that are subtracted.
        family_of_tests: of all these comparisons, for Holm's correction.
        resamples: of the bootstrap over documents.
        seed: of the bootstrap.
    """
    scores = []
    for first, second in pairs:
        change = first.suffix if first.masked == second.masked else "_masking"
        for slice_by, name, members in first.cases.slices():
            if slice_by == "country":
                continue
            one, other = (first.rank[members] == 1), (second.rank[members] == 1)
            estimate = _difference(one, other, resamples, seed)
            row = _row(first, slice_by, name, members, f"accuracy_country{change}_difference", estimate)
            scores.append(
                replace(
                    row,
                    versus_run=second.origin.run,
                    versus_condition=second.origin.condition,
                    p=_known(estimate.p_value),
                    mde=_known(_mde(one, other)),
                    family_of_tests=family_of_tests,
                )
            )
    return correct(scores)


class Bin(NamedTuple):
    """One bar of a reliability diagram; averages are NaN where it holds no text."""

    low: float
    high: float
    number: int
    """Texts in it."""
    confidence: float
    """Mean probability of the guesses."""
    accuracy: Estimate
    """Share of guesses that are right, with Wilson's interval."""


def bin_numbers(confidence: Floats, bins: int = BINS) -> Integers:
    """Returns the bin of each confidence; a border belongs to the bin above it, 1 to the last."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def reliability(confidence: Sequence[float], hits: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Returns the bins in order, empty ones included.

    Args:
        confidence: probability of each guess.
        hits: whether it was right.
        bins: how many.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(hits, dtype=np.bool_)
    numbers = bin_numbers(sure, bins)
    result = []
    for number in range(bins):
        inside = numbers == number
        count = int(inside.sum())
        mean = float(sure[inside].mean()) if count else math.nan
        result.append(Bin(number / bins, (number + 1) / bins, count, mean, wilson(int(right[inside].sum()), count)))
    return result


def calibration_error(
    confidence: Sequence[float], hits: Sequence[bool], *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Returns the ECE: the mean over texts of |accuracy - confidence| of their bin, with an interval.

    A sample's ECE is too large on average, because noise within a bin never cancels out, and a resample's once more by
    about as much. The interval is therefore the hull of the bootstrap's and of the same mirrored about the value, and
    it begins at zero where a perfectly calibrated guesser with these confidences would be as far off in 5% of samples.
    Simulated with true errors from 0 to 0.3 and 100 to 1,000 texts it covers the truth in 91% to 98% (mirrored alone:
    63% to 97%; the bootstrap's own, near zero: never). NaN for a single text.

    Args:
        confidence: probability of each guess.
        hits: whether it was right.
        resamples: of the bootstrap over texts.
        seed: of the resamples.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(hits, dtype=np.float64)
    number = len(sure)
    if not number:
        return Estimate(math.nan, math.nan, math.nan)
    own = bin_numbers(sure)
    gaps = np.zeros((number, BINS))
    gaps[np.arange(number), own] = right - sure
    value = float(np.abs(gaps.sum(axis=0)).sum() / number)
    if number < 2:
        return Estimate(value, math.nan, math.nan)
    drawn = np.abs(resampled_sums(gaps, resamples=resamples, seed=seed)).sum(axis=1) / number
    low, high = (float(end) for end in np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    spread = np.sqrt(np.bincount(own, weights=sure * (1 - sure), minlength=BINS))
    by_chance = np.abs(np.random.default_rng(seed).normal(size=(resamples, BINS)) * spread).sum(axis=1) / number
    if value <= float(np.quantile(by_chance, LEVEL)):
        low = 0.0
    return Estimate(value, max(0.0, min(low, 2 * value - high)), max(high, 2 * value - low))


def posterior_table(several: Sequence[Guesses]) -> pa.Table:
    """Returns one row a guesser, masking and document."""
    rows: dict[str, list[Any]] = {}
    for guesses in several:
        codes = np.array(guesses.cases.codes)
        number = len(guesses.cases.ids)
        columns: dict[str, list[Any]] = {
            "run": [guesses.origin.run] * number,
            "masked": [guesses.masked] * number,
            "id": guesses.cases.ids,
            "truth": codes[guesses.cases.truth].tolist(),
            "predicted": codes[guesses.predicted].tolist(),
            "confidence": guesses.confidence.tolist(),
            "rank": guesses.rank.tolist(),
            "probabilities": guesses.probabilities.tolist(),
        }
        for name, values in columns.items():
            rows.setdefault(name, []).extend(values)
    return pa.table(rows)


def confusion_table(several: Sequence[Guesses]) -> pa.Table:
    """Returns how often each place was taken for each; pairs that never occur are left out."""
    rows = []
    for guesses in several:
        codes, about = guesses.cases.codes, {"run": guesses.origin.run, "masked": guesses.masked}
        counts = Counter(zip(guesses.cases.truth.tolist(), guesses.predicted.tolist(), strict=True))
        rows += [
            {**about, "truth": codes[a], "predicted": codes[b], "count": n} for (a, b), n in sorted(counts.items())
        ]
    return pa.Table.from_pylist(rows)


def reliability_table(several: Sequence[Guesses]) -> pa.Table:
    """Returns the bins of each guesser's reliability diagram; averages of empty bins are NaN."""
    rows = []
    for guesses in several:
        for one in reliability(guesses.confidence.tolist(), (guesses.rank == 1).tolist()):
            rows.append(
                {
                    "run": guesses.origin.run,
                    "masked": guesses.masked,
                    "bin_low": one.low,
                    "bin_high": one.high,
                    "count": one.number,
                    "confidence": one.confidence,
                    "accuracy": one.accuracy.value,
                    "ci_low": one.accuracy.low,
                    "ci_high": one.accuracy.high,
                }
            )
    return pa.Table.from_pylist(rows)


def _row(guesses: Guesses, slice_by: str, name: str, members: Integers, metric: str, estimate: Estimate) -> Score:
    domains = {guesses.cases.domains[number] for number in members.tolist()}
    return Score(
        measure=STAGE,
        metric=metric,
        slice_by=slice_by,
        slice=name,
        unit="nats" if metric.startswith("log_loss") else "share",
        n_documents=len(members),
        n_tokens=None if guesses.num_tokens is None else int(guesses.num_tokens[members].sum()),
        value=estimate.value,
        ci_low=estimate.low,
        ci_high=estimate.high,
        n_outlets=len(domains - {""}),
        **guesses.origin._asdict(),
    )


def _share(right: Booleans) -> Estimate:
    return wilson(int(right.sum()), len(right))


def _mean(values: Floats, resamples: int, seed: int) -> Estimate:
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan)
    if not np.isfinite(values).all():  # a prior of zero for a document's true place
        return Estimate(math.inf, math.nan, math.nan)
    estimate = micro_average(values, np.ones(len(values)), resamples=resamples, seed=seed)
    return estimate._replace(low=float(np.maximum(0.0, estimate.low)))  # NaN stays


def _difference(one: Booleans, other: Booleans, resamples: int, seed: int) -> Estimate:
    if not len(one):
        return Estimate(math.nan, math.nan, math.nan)
    first, second = one.astype(np.float64), other.astype(np.float64)
    estimate = paired_difference(first, second, np.ones(len(one)), resamples=resamples, seed=seed)
    low, high = np.clip([estimate.low, estimate.high], -1.0, 1.0).tolist()
    return Estimate(estimate.value, low, high, mcnemar(int((one & ~other).sum()), int((other & ~one).sum())))


def _mde(one: Booleans, other: Booleans) -> float:
    change = one.astype(np.float64) - other.astype(np.float64)
    if len(change) < 2:
        return math.nan
    return minimum_detectable_effect(float(change.std(ddof=1)) / math.sqrt(len(change)), degrees=len(change) - 1)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
