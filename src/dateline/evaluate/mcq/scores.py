"""From points of items to the score table: shares with intervals, and paired differences.

Enters: the points of every item under every condition, and optionally those of another model on the same items.
Leaves: `Score`s.
Deliberately not done: no difference of published ratios: under two conditions they are taken over different items.

Shares of whole points get Wilson's interval and McNemar's exact test; points that are averages (over rotations, over
two tellings) or shared by ties get a bootstrap over items. Intervals of differences are bootstrapped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dateline.evaluate.table import groups
from dateline.records import Score
from dateline.statistics import (
    Estimate,
    difference_estimate,
    holm_by_family,
    mcnemar,
    minimum_detectable_effect,
    ratio_estimate,
    resampled_sums,
    wilson,
)

PUBLISHED = "paper_generative"
"""The form whose share is taken over answered items, as published."""

AVERAGES = ("letter", "switch_letter", "switch_cloze", "shift_letter")
"""Forms whose points are averages, even where all happen to be whole."""


@dataclass(frozen=True)
class Answers:
    """The points of one form under one condition; lists have one entry an item."""

    run: str
    condition: str
    form: str
    """`cloze`, `letter`, `switch_cloze`, `shift_cloze`, `switch_letter`, `shift_letter`, `paper_generative`,
    `paper_generative_strict`."""
    ids: list[str]
    countries: list[str]
    continents: list[str]
    points: list[float]
    chosen: list[int]
    """The option that won; -1 for ties, for items without an answer, and where no option is chosen."""
    costs: list[list[float]]
    """Of each option what decided: nats per byte, or mean nats of its letters; empty where nothing of the kind did."""
    written: list[str]
    """What the model wrote, in the generative protocol; empty elsewhere."""
    fields: str = ""
    """What the prefix showed, joined by `+`."""

    @property
    def metric(self) -> str:
        """What the points are called in the score table."""
        return self.form if self.form.startswith(("switch", "shift")) else f"accuracy_{self.form}"


def score_rows(
    own: Sequence[Answers],
    versus: Sequence[Answers],
    *,
    by: Sequence[str],
    origin: Mapping[str, str],
    resamples: int,
    seed: int,
) -> list[Score]:
    """Returns levels, differences between conditions and, under the same condition, differences to another model.

    Args:
        own: answers of this model.
        versus: answers of another model on the same items in the same order; empty for no comparison.
        by: groupings besides `all`: `continent`, `country`.
        origin: `model`, `corpus` (fingerprint of the items) and `protocol` of every score.
        resamples: of the bootstrap over items.
        seed: of the bootstrap.
    """
    levels: list[Score] = []
    differences: list[Score] = []
    for form in dict.fromkeys(answers.form for answers in own):
        mine = [answers for answers in own if answers.form == form]
        if form == PUBLISHED:
            levels += [score for answers in mine for score in _published(answers, by, origin)]
            continue
        known = [answers.condition for answers in mine]
        theirs = [answers for answers in versus if answers.form == form and answers.condition in known]
        points = np.array([answers.points for answers in (*mine, *theirs)], dtype=np.float64).T
        pairs = [(i, j) for i in range(len(mine)) for j in range(i + 1, len(mine))]
        pairs += [(known.index(answers.condition), len(mine) + j) for j, answers in enumerate(theirs)]
        for grouping, group, members in groups(_places(mine[0]), by):
            columns = np.column_stack([points[members], np.ones(len(members))])
            sums = resampled_sums(columns, resamples=resamples, seed=seed)
            named = {"grouping": grouping, "group": group, "num_documents": len(members)}
            for at, answers in enumerate(mine):
                estimate = _level(form, columns, sums, at)
                levels.append(_score(answers, answers.metric, estimate, origin, **named))
            for first, second in pairs:
                other = (*mine, *theirs)[second]
                estimate, mde = _difference(form, columns, sums, first, second)
                score = _score(mine[first], f"{mine[first].metric}_difference", estimate, origin, **named)
                p_value = None if math.isnan(estimate.p_value) else estimate.p_value
                differences.append(replace(score, versus=f"{other.run}/{other.condition}", p_value=p_value, mde=mde))
    return levels + _corrected(differences)


def _level(form: str, columns: npt.NDArray[np.float64], sums: npt.NDArray[np.float64], at: int) -> Estimate:
    points = columns[:, at]
    if form not in AVERAGES and _whole(points):
        return wilson(int(points.sum()), len(points))
    value, low, high, _ = ratio_estimate(columns, sums, at, columns.shape[1] - 1)
    return Estimate(value, *(float(np.clip(end, 0.0, 1.0)) for end in (low, high)))


def _difference(
    form: str, columns: npt.NDArray[np.float64], sums: npt.NDArray[np.float64], first: int, second: int
) -> tuple[Estimate, float | None]:
    """Returns a paired difference with its p-value, and the difference that could have been found.

    Where every item differs by the same, the spread is unknown: there is no p-value then, unless they differ by
    nothing, and no detectable difference.
    """
    change = columns[:, first] - columns[:, second]
    paired, drawn = (np.column_stack([side[:, first] - side[:, second], side[:, -1]]) for side in (columns, sums))
    estimate = difference_estimate(paired, drawn, 0, 1)
    if len(change) < 2:
        return estimate, None
    if form not in AVERAGES and _whole(columns[:, first]) and _whole(columns[:, second]):
        estimate = estimate._replace(p_value=mcnemar(int((change > 0).sum()), int((change < 0).sum())))
    elif np.ptp(change) == 0 and change[0]:
        estimate = estimate._replace(p_value=math.nan)
    error = float(np.std(change, ddof=1)) / math.sqrt(len(change))
    return estimate, minimum_detectable_effect(error, degrees=len(change) - 1) if error else None


def _published(answers: Answers, by: Sequence[str], origin: Mapping[str, str]) -> list[Score]:
    """Returns the published ratio, right over answered; where nothing was answered it is not a number."""
    scores = []
    for grouping, group, members in groups(_places(answers), by):
        answered = [answers.points[at] for at in members if answers.chosen[at] >= 0]
        estimate = wilson(int(sum(answered)), len(answered))
        named = {"grouping": grouping, "group": group, "num_documents": len(answered)}
        scores.append(_score(answers, answers.metric, estimate, origin, **named))
    return scores


def _corrected(differences: Sequence[Score]) -> list[Score]:
    """Returns differences with Holm's correction, a family being the tests of one metric in one grouping."""
    families = [(score.metric, score.grouping) for score in differences]
    corrected = holm_by_family([score.p_value for score in differences], families)
    return [replace(score, p_holm=p_holm) for score, p_holm in zip(differences, corrected, strict=True)]


def _score(answers: Answers, metric: str, estimate: Estimate, origin: Mapping[str, str], **named: Any) -> Score:
    generative = answers.form.startswith(PUBLISHED)
    return Score(
        run=answers.run,
        condition=answers.condition,
        metric=metric,
        value=estimate.value,
        ci_low=estimate.low,
        ci_high=estimate.high,
        num_tokens=0,
        protocol=origin["generative" if generative else "protocol"],
        model=origin["model"],
        corpus=origin["corpus"],
        fields=answers.fields,
        **named,
    )


def _places(answers: Answers) -> dict[str, npt.NDArray[Any]]:
    columns = {"id": answers.ids, "country": answers.countries, "continent": answers.continents}
    return {name: np.array(values, dtype=np.str_) for name, values in columns.items()}


def _whole(points: npt.NDArray[np.float64]) -> bool:
    return bool(np.isin(points, (0.0, 1.0)).all())
