"""From nats of options to points of items, the table of items, and the score table with intervals and differences.

Points are between 0 and 1, and every item has some. Locale switch: an item with two answers, one right for its own
country and one for a contrast country, is asked twice, once under each country. Either time it earns 1 where the answer
of the given country is more probable than that of the other, and 1/2 for a tie; the item's score is the mean of both. A
model that ignores the place has the same preference both times, hence is right exactly once: 1/2 on every item by
construction, which is what chance should be. "Right both times" as the score would put that model at 0, below a coin
(1/4), and reward noise over steadiness.

Shares of whole points get Wilson's interval and McNemar's exact test; points that are averages (over rotations, over
both countries) or shared by ties get a bootstrap over items. Intervals of differences are bootstrapped. There is no
difference of published ratios: under two conditions they are taken over different items.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.evaluate.table import groups
from dateline.manifest import require_manifest
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

Floats = npt.NDArray[np.float64]

STAGE = "mcq"
ITEMS = "items.parquet"
MAKE = "dateline eval mcq MODEL FILE --out DIR"
_KINDS: dict[str, pa.DataType] = {
    "correct": pa.float64(),
    "chosen": pa.int32(),
    "costs": pa.list_(pa.float64()),
}
_NAMES = (
    *("run", "condition", "form", "id", "country", "continent", "fields"),
    *("correct", "chosen", "costs", "written", "model", "protocol", "corpus"),
)
SCHEMA = pa.schema({name: _KINDS.get(name, pa.string()) for name in _NAMES})
"""`correct` is between 0 and 1; `chosen` is -1 for ties, unanswered items, and forms without a choice."""

PUBLISHED = "paper_generative"
"""The form whose share is taken over answered items, as published."""

AVERAGES = ("letter", "switch_letter", "switch_cloze", "shift_letter")
"""Forms whose points are averages, even where all happen to be whole."""

TIE = 1e-5
"""Numbers this close are equal: rounding in batches of other shapes moves nats by about 1e-6 a token."""


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


def share(costs: Floats, answer: int) -> float:
    """Returns 1 / (number of best options) where the answer is among the cheapest, and 0 elsewhere.

    Args:
        costs: of each option, shape [options]; the lowest wins.
        answer: index of the right one.
    """
    best = costs <= costs.min() + TIE
    return 1.0 / int(best.sum()) if best[answer] else 0.0


def winner(costs: Floats) -> int:
    """Returns the index of the cheapest option; -1 for a tie."""
    best = np.flatnonzero(costs <= costs.min() + TIE)
    return int(best[0]) if len(best) == 1 else -1


def nats_per_byte(nats: Floats, options: tuple[str, ...]) -> Floats:
    """Returns nats over the UTF-8 bytes of each option, without its leading space, shape [options]."""
    return nats / np.array([len(option.encode("utf-8")) for option in options], dtype=np.float64)


def cloze_points(nats: Floats, options: tuple[str, ...], answer: int) -> float:
    """Returns whether the answer has the fewest nats per byte; ties share the point."""
    return share(nats_per_byte(nats, options), answer)


def letter_points(nats: Floats, answer: int) -> float:
    """Returns the share of rotations in which the answer's letter is the most probable; ties share the point.

    A model that always says the same letter gets 1 / (number of options), wherever the answer stands in the file.

    Args:
        nats: of the letter at which each option stands, shape [rotations, options].
        answer: index of the right option.
    """
    return float(np.mean([share(rotation, answer) for rotation in nats]))


def switch_points(under_target: Floats, under_contrast: Floats, target: int, contrast: int) -> float:
    """Returns the mean over both countries of preferring the given country's answer: 0, 1/2 or 1 in the cloze form.

    Args:
        under_target: costs under the item's country, shape [options] or [rotations, options].
        under_contrast: costs under the contrast country, same shape.
        target: index of the answer for the item's country.
        contrast: index of the answer for the contrast country.
    """
    lead_target = _lead(under_target, target, contrast)
    lead_contrast = _lead(under_contrast, contrast, target)
    return float(((_sign(lead_target) + _sign(lead_contrast)) / 2).mean())


def shift_points(under_target: Floats, under_contrast: Floats, target: int, contrast: int) -> float:
    """Returns whether log p(target) - log p(contrast) is higher under the item's country: 0, 1/2 for a tie, or 1.

    It sees a place move the answers even where one of both stays the more probable throughout. Arguments are those of
    `switch_points`, in nats.
    """
    gain = _lead(under_target, target, contrast) - _lead(under_contrast, target, contrast)
    return float(_sign(gain).mean())


def _lead(costs: Floats, first: int, second: int) -> Floats:
    """Returns by how much one option is cheaper than another, shape [rotations] (1 where there are none)."""
    rows = np.atleast_2d(costs)
    return np.asarray(rows[:, second] - rows[:, first], dtype=np.float64)


def _sign(lead: Floats) -> Floats:
    """Returns 1 where a lead is positive, 1/2 where it is no lead, 0 where it is negative."""
    return np.where(np.abs(lead) <= TIE, 0.5, (lead > 0).astype(np.float64))


def write_items(path: Path, answers: Sequence[Answers], origin: Mapping[str, str]) -> None:
    """Writes the table of items as Parquet."""
    fixed = {name: origin[name] for name in ("model", "protocol", "corpus")}
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for one in answers:
            number = len(one.ids)
            same = {"run": one.run, "condition": one.condition, "form": one.form, "fields": one.fields, **fixed}
            columns = {
                **{name: [value] * number for name, value in same.items()},
                "id": one.ids,
                "country": one.countries,
                "continent": one.continents,
                "correct": one.points,
                "chosen": one.chosen,
                "costs": one.costs,
                "written": one.written,
            }
            writer.write_table(pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA))


def read_answers(folder: Path) -> list[Answers]:
    """Reads the answers of a finished evaluation.

    Raises:
        UserError: where the folder holds none.
    """
    require_manifest(folder, STAGE, MAKE)
    path = folder / ITEMS
    try:
        rows = pq.read_table(path, schema=SCHEMA).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable table of items ({str(error).splitlines()[0]})") from None
    parts: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault((row["run"], row["condition"], row["form"]), []).append(row)
    return [
        Answers(
            run=run,
            condition=condition,
            form=form,
            ids=[row["id"] for row in members],
            countries=[row["country"] for row in members],
            continents=[row["continent"] for row in members],
            points=[row["correct"] for row in members],
            chosen=[row["chosen"] for row in members],
            costs=[row["costs"] for row in members],
            written=[row["written"] for row in members],
            fields=members[0]["fields"],
        )
        for (run, condition, form), members in parts.items()
    ]


def check_comparable(folder: Path, run: str, origin: Mapping[str, str]) -> None:
    """Refuses, before anything is asked, an evaluation that these answers could not be compared with item by item.

    Raises:
        UserError: where it asked other questions, asked in another way, or has the same name.
    """
    other = require_manifest(folder, STAGE, MAKE)
    name = str(other.recipe.get("run"))
    for meaning, theirs, ours in (
        ("other questions", other.parents.get("questions"), origin["corpus"]),
        ("in another way", other.facts.get("protocol"), origin["protocol"]),
    ):
        if theirs != ours:
            raise UserError(
                f"{folder}: run '{name}' was asked {meaning} ({theirs}, here {ours}); a paired comparison needs the "
                "same: ask both models with the same FILE and options"
            )
    if name == run:
        raise UserError(f"{folder}: holds a run that is called '{run}' too; give this one another name with --run")


def matching_answers(folder: Path, own: Sequence[Answers]) -> list[Answers]:
    """Returns the answers of another evaluation that have their like among these, on the same items in the same order.

    Raises:
        UserError: where there are none.
    """
    items = {(answers.condition, answers.form): answers.ids for answers in own}
    theirs = read_answers(folder)
    result = [other for other in theirs if items.get((other.condition, other.form)) == other.ids]
    if not result:
        known = ", ".join(sorted({other.condition for other in theirs}))
        raise UserError(f"{folder}: was asked under {known}; a comparison needs a condition in common")
    return result


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
