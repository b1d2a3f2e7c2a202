"""From probabilities of places to numbers with intervals.

Enters: what a model or the baseline says of each test document. Leaves: rows of a score table, and tables of
posteriors, of confusions and of reliability.
Deliberately not done: no number for a country without test documents: its row says that there are none (NaN, 0
documents).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.evaluate.locate.calibration import calibration_error, reliability
from dateline.evaluate.locate.posterior import by_continent, order_places, ranks
from dateline.records import Score
from dateline.statistics import (
    Estimate,
    holm_by_family,
    mcnemar,
    micro_average,
    minimum_detectable_effect,
    paired_difference,
    wilson,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Members = npt.NDArray[np.int64]

TOP = 3


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

    def groups(self) -> Iterator[tuple[str, str, Members]]:
        """Yields (grouping, group, documents) for all, each continent and each country, empty ones included."""
        yield "all", "all", np.arange(len(self.ids))
        own = np.array(self.continents)[self.truth]
        for name in sorted(set(self.continents)):
            yield "continent", name, np.flatnonzero(own == name)
        for number, code in enumerate(self.codes):
            yield "country", code, np.flatnonzero(self.truth == number)


@dataclass(frozen=True)
class Guesses:
    """What one guesser says under one condition."""

    run: str
    condition: str
    log_probabilities: Floats
    """log p(place | text), shape [documents, places]."""
    num_tokens: Integers
    """Body tokens that were read of each document; zeros for a guesser that reads words."""
    cases: Cases

    @property
    def name(self) -> str:
        """How a difference names it."""
        return f"{self.run}/{self.condition}"

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
        """Rank of the truth, 1 where the guess is right."""
        return ranks(self.log_probabilities, self.cases.truth)

    @cached_property
    def confidence(self) -> Floats:
        """Probability of the guess."""
        largest: Floats = self.probabilities.max(axis=1)
        return largest

    @cached_property
    def right_continent(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable continent is the true one."""
        names, summed = by_continent(self.probabilities, self.cases.continents)
        own = np.array(self.cases.continents)[self.cases.truth]
        right: npt.NDArray[np.bool_] = np.array(names)[summed.argmax(axis=1)] == own
        return right

    @cached_property
    def log_loss(self) -> Floats:
        """-log p(truth | text) in nats."""
        own: Floats = -self.log_probabilities[np.arange(len(self.cases.truth)), self.cases.truth]
        return own


def level_scores(guesses: Guesses, about: dict[str, Any], resamples: int, seed: int) -> list[Score]:
    """Returns accuracies, log loss and calibration of one guesser, by group.

    Args:
        guesses: of one guesser under one condition.
        about: protocol, model, corpus and fields of each row.
        resamples: of the bootstrap over documents.
        seed: of the bootstrap.
    """
    scores = []
    for grouping, group, members in guesses.cases.groups():
        metrics = {
            "accuracy_country": _share(guesses.rank[members] == 1),
            f"top{TOP}_country": _share(guesses.rank[members] <= TOP),
            "accuracy_continent": _share(guesses.right_continent[members]),
            "log_loss": _mean(guesses.log_loss[members], resamples, seed),
        }
        if grouping != "country":
            right = (guesses.rank[members] == 1).tolist()
            sure = guesses.confidence[members].tolist()
            metrics["ece"] = calibration_error(sure, right, resamples=resamples, seed=seed)
        scores += [
            _row(guesses, grouping, group, members, about, metric, estimate) for metric, estimate in metrics.items()
        ]
    return scores


def difference_scores(
    pairs: Sequence[tuple[Guesses, Guesses]], about: dict[str, dict[str, Any]], resamples: int, seed: int
) -> list[Score]:
    """Compares accuracies on the same documents; all comparisons that are given together are one family for Holm.

    The interval is of the paired bootstrap, the p-value McNemar's exact one.

    Args:
        pairs: the guesser that is judged, and the one that is subtracted.
        about: protocol, model, corpus and fields of each run.
        resamples: of the bootstrap over documents.
        seed: of the bootstrap.
    """
    scores = []
    for first, second in pairs:
        for grouping, group, members in first.cases.groups():
            if grouping == "country":
                continue
            one, other = (first.rank[members] == 1), (second.rank[members] == 1)
            estimate = _difference(one, other, resamples, seed)
            row = _row(first, grouping, group, members, about[first.run], "accuracy_country_difference", estimate)
            p, mde = _known(estimate.p_value), _known(_mde(one, other))
            scores.append(replace(row, versus=second.name, p_value=p, mde=mde))
    corrected = holm_by_family([score.p_value for score in scores], [""] * len(scores))
    return [replace(score, p_holm=p) for score, p in zip(scores, corrected, strict=True)]


def posterior_table(several: Sequence[Guesses]) -> pa.Table:
    """Returns one row a guesser, condition and document."""
    rows: dict[str, list[Any]] = {}
    for guesses in several:
        codes = np.array(guesses.cases.codes)
        number = len(guesses.cases.ids)
        columns: dict[str, list[Any]] = {
            "run": [guesses.run] * number,
            "condition": [guesses.condition] * number,
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
        codes = guesses.cases.codes
        counts = Counter(zip(guesses.cases.truth.tolist(), guesses.predicted.tolist(), strict=True))
        rows += [
            {"run": guesses.run, "condition": guesses.condition, "truth": codes[a], "predicted": codes[b], "count": n}
            for (a, b), n in sorted(counts.items())
        ]
    return pa.Table.from_pylist(rows)


def reliability_table(several: Sequence[Guesses]) -> pa.Table:
    """Returns the bins of each guesser's reliability diagram; averages of empty bins are NaN."""
    rows = []
    for guesses in several:
        for low, high, number, confidence, accuracy in reliability(
            guesses.confidence.tolist(), (guesses.rank == 1).tolist()
        ):
            rows.append({
                "run": guesses.run, "condition": guesses.condition, "bin_low": low, "bin_high": high, "count": number,
                "confidence": confidence, "accuracy": accuracy.value, "ci_low": accuracy.low, "ci_high": accuracy.high,
            })  # fmt: skip
    return pa.Table.from_pylist(rows)


def _row(
    guesses: Guesses, grouping: str, group: str, members: Members, about: dict[str, Any], metric: str,
    estimate: Estimate,
) -> Score:  # fmt: skip
    domains = {guesses.cases.domains[number] for number in members.tolist()}
    return Score(
        run=guesses.run, condition=guesses.condition, grouping=grouping, group=group, metric=metric,
        value=estimate.value, ci_low=estimate.low, ci_high=estimate.high, num_documents=len(members),
        num_tokens=int(guesses.num_tokens[members].sum()), num_outlets=len(domains - {""}), **about,
    )  # fmt: skip


def _share(right: npt.NDArray[np.bool_]) -> Estimate:
    return wilson(int(right.sum()), len(right))


def _mean(values: Floats, resamples: int, seed: int) -> Estimate:
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan)
    if not np.isfinite(values).all():  # a prior of zero for a document's true place
        return Estimate(math.inf, math.nan, math.nan)
    estimate = micro_average(values, np.ones(len(values)), resamples=resamples, seed=seed)
    return estimate._replace(low=float(np.maximum(0.0, estimate.low)))  # NaN stays


def _difference(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], resamples: int, seed: int) -> Estimate:
    if not len(one):
        return Estimate(math.nan, math.nan, math.nan)
    first, second = one.astype(np.float64), other.astype(np.float64)
    estimate = paired_difference(first, second, np.ones(len(one)), resamples=resamples, seed=seed)
    low, high = np.clip([estimate.low, estimate.high], -1.0, 1.0).tolist()
    return Estimate(estimate.value, low, high, mcnemar(int((one & ~other).sum()), int((other & ~one).sum())))


def _mde(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    change = one.astype(np.float64) - other.astype(np.float64)
    if len(change) < 2:
        return math.nan
    return minimum_detectable_effect(float(change.std(ddof=1)) / math.sqrt(len(change)), degrees=len(change) - 1)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
