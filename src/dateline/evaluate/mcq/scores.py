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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.manifest import require_manifest
from dateline.scores import Score, correct, slices
from dateline.statistics import (
    Estimate,
    difference_estimate,
    mcnemar,
    minimum_detectable_effect,
    ratio_estimate,
    resampled_sums,
    wilson,
)

Floats = npt.NDArray[np.float64]

STAGE = "mcq"
ITEMS = "items.parquet"
MAKE = "dateline eval mcq MODEL --questions FILE --out DIR"
_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("run", "condition", "form", "id", "country", "continent", "shown"), pa.string()),
    "points": pa.float64(),
    "chosen": pa.int32(),
    "costs": pa.list_(pa.float64()),
    **dict.fromkeys(("cost_unit", "written", "model", "protocol", "data"), pa.string()),
}
SCHEMA = pa.schema(_COLUMNS)
"""One row an item, condition and form; see `Answers`. `data` is the fingerprint of the questions."""
COST_UNITS = {"cloze": "nats/byte", "letter": "nats"}
"""Of the costs by which a form chooses; other forms have none."""

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
    """Of each option what decided: nats per byte (cloze), or the mean nats of its letters (letter); empty elsewhere."""
    written: list[str]
    """The answer that was sampled; empty for forms without one."""
    shown: str = ""
    """Fields that the prefix showed, joined by `+`."""

    @property
    def metric(self) -> str:
        """What the points are called in the score table."""
        return self.form if self.form.startswith(("switch", "shift")) else f"accuracy_{self.form}"


class Origin(NamedTuple):
    """What is the same in every row of an evaluation."""

    protocol: str
    """Fingerprint of how the model was asked for probabilities, `mcq-1a2b3c4d`."""
    sampled_protocol: str
    """The same for sampled answers, `paper-generative-1a2b3c4d`; empty where there are none."""
    model: str
    data: str
    """Fingerprint of the questions."""

    def protocol_of(self, form: str) -> str:
        """Returns the protocol under which a form was asked."""
        return self.sampled_protocol if form.startswith(PUBLISHED) else self.protocol


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

    Example:
        >>> right, other = np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 3.0])
        >>> switch_points(right, other, 0, 1), switch_points(right, right, 0, 1)
        (1.0, 0.5)
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


def write_items(folder: Path, answers: Sequence[Answers], origin: Origin) -> None:
    """Writes `items.parquet` into a folder."""
    with pq.ParquetWriter(folder / ITEMS, SCHEMA, compression="zstd") as writer:
        for one in answers:
            same = {
                "run": one.run,
                "condition": one.condition,
                "form": one.form,
                "shown": one.shown,
                "cost_unit": COST_UNITS.get(one.form, ""),
                "model": origin.model,
                "protocol": origin.protocol_of(one.form),
                "data": origin.data,
            }
            columns = {
                **{name: [value] * len(one.ids) for name, value in same.items()},
                "id": one.ids,
                "country": one.countries,
                "continent": one.continents,
                "points": one.points,
                "chosen": one.chosen,
                "costs": one.costs,
                "written": one.written,
            }
            writer.write_table(pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA))


def read_answers(folder: Path) -> list[Answers]:
    """Reads the answers of a finished evaluation.

    Raises:
        UserError: where the folder holds none, or those of another version.
    """
    check_items(folder)
    rows = pq.read_table(folder / ITEMS, columns=SCHEMA.names).to_pylist()
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
            points=[row["points"] for row in members],
            chosen=[row["chosen"] for row in members],
            costs=[row["costs"] for row in members],
            written=[row["written"] for row in members],
            shown=members[0]["shown"],
        )
        for (run, condition, form), members in parts.items()
    ]


def check_items(folder: Path) -> None:
    """Refuses a folder without a table of items that this version can read.

    Raises:
        UserError: where it is no finished evaluation, or the table is damaged or of another version.
    """
    require_manifest(folder, STAGE, MAKE)
    path = folder / ITEMS
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable table of items ({str(error).splitlines()[0]})") from None
    missing = [name for name in SCHEMA.names if name not in names]
    if missing:
        raise UserError(
            f"{path}: has no column '{missing[0]}'; it was written by another version of Dateline: ask that model "
            f"again with: {MAKE}"
        )


def check_comparable(folder: Path, run: str, origin: Origin) -> None:
    """Refuses, before anything is asked, an evaluation that these answers could not be compared with item by item.

    Args:
        folder: the other evaluation.
        run: name of this one.
        origin: of this one.

    Raises:
        UserError: where the other asked other questions, asked in another way, has the same name, or is of another
            version.
    """
    check_items(folder)
    other = require_manifest(folder, STAGE, MAKE)
    name = str(other.recipe.get("run"))
    sampled = str(other.facts.get("sampled_protocol", ""))
    for meaning, theirs, ours in (
        ("other questions", other.parents.get("questions"), origin.data),
        ("in another way", other.facts.get("protocol"), origin.protocol),
        ("for samples in another way", sampled, origin.sampled_protocol if sampled else ""),
    ):
        if theirs != ours and ours:
            raise UserError(
                f"{folder}: run '{name}' was asked {meaning} ({theirs}, here {ours}); a paired comparison needs the "
                "same: ask both models the same questions with the same options"
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
    origin: Origin,
    resamples: int,
    seed: int,
) -> list[Score]:
    """Returns levels, differences between conditions and, under the same condition, differences to another model.

    Args:
        own: answers of this model.
        versus: answers of another model on the same items in the same order; empty for no comparison.
        by: slices besides `all`: `continent`, `country`.
        origin: of the evaluation.
        resamples: of the bootstrap over items.
        seed: of the bootstrap.

    Returns:
        Rows with Holm's correction, a family being the tests of one metric in one kind of slice.
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
        for slice_by, name, members in slices(_places(mine[0]), by):
            columns = np.column_stack([points[members], np.ones(len(members))])
            sums = resampled_sums(columns, resamples=resamples, seed=seed)
            where: dict[str, Any] = {"slice_by": slice_by, "slice": name, "n_documents": len(members)}
            for at, answers in enumerate(mine):
                levels.append(_score(answers, answers.metric, _level(form, columns, sums, at), origin, **where))
            for first, second in pairs:
                answers, other = mine[first], (*mine, *theirs)[second]
                metric = f"{answers.metric}_difference"
                estimate, mde = _difference(form, columns, sums, first, second)
                compared = {
                    "versus_run": other.run,
                    "versus_condition": other.condition,
                    "p": None if math.isnan(estimate.p_value) else estimate.p_value,
                    "family_of_tests": f"{STAGE}: {metric} of {answers.run} by {slice_by}",
                    "mde": mde,
                }
                differences.append(_score(answers, metric, estimate, origin, **where, **compared))
    return correct(levels + differences)


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


def _published(answers: Answers, by: Sequence[str], origin: Origin) -> list[Score]:
    """Returns the published ratio, right over answered; where nothing was answered it is not a number."""
    scores = []
    for slice_by, name, members in slices(_places(answers), by):
        answered = [answers.points[at] for at in members if answers.chosen[at] >= 0]
        estimate = wilson(int(sum(answered)), len(answered))
        where = {"slice_by": slice_by, "slice": name, "n_documents": len(answered)}
        scores.append(_score(answers, answers.metric, estimate, origin, **where))
    return scores


def _score(answers: Answers, metric: str, estimate: Estimate, origin: Origin, **named: Any) -> Score:
    return Score(
        run=answers.run,
        measure=STAGE,
        metric=metric,
        condition=answers.condition,
        unit="share",
        n_tokens=None,
        value=estimate.value,
        ci_low=estimate.low,
        ci_high=estimate.high,
        protocol=origin.protocol_of(answers.form),
        data=origin.data,
        model=origin.model,
        shown=answers.shown,
        **named,
    )


def _places(answers: Answers) -> dict[str, npt.NDArray[Any]]:
    columns = {"id": answers.ids, "country": answers.countries, "continent": answers.continents}
    return {name: np.array(values, dtype=np.str_) for name, values in columns.items()}


def _whole(points: npt.NDArray[np.float64]) -> bool:
    return bool(np.isin(points, (0.0, 1.0)).all())
