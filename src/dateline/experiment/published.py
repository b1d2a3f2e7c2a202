"""What the published study (arXiv 2601.15236) found, from its perplexities, as effects in nats per token.

Its pairs were scored at own protocol: the model with metadata on prefixed text, the plain model on plain text. The
prefix took room in the window, so that the two sides of a pair were scored on different tokens.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np

from dateline.experiment.claims import Question, Side, shown_by, split_names

REGIONS = ("Africa", "America", "Asia", "Europe")
END = 10_000
"""Steps of every published run."""
LIKE = {"domain": "url", "url": "url", "country": "country", "continent": "continent"}
"""Our field -> the published one that is compared with it. They had no domain and no hash, only the whole URL."""


class Figure(NamedTuple):
    """Which published perplexity."""

    size: str
    """`0.5b` or `1b`."""
    trained_on: str
    """A continent, or `all`."""
    left_out: str
    fields: str
    """Of training, joined by `+`."""
    step: int
    test: str
    """A continent, or `all`."""
    prefix: str
    """Fields that the test documents showed."""


@cache
def perplexities() -> dict[Figure, float]:
    """Returns the published perplexities of the two sizes."""
    file = resources.files("dateline.experiment").joinpath("published.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in file.splitlines() if not line.startswith("#"))
    found = {}
    for row in rows:
        places = (row["size"], row["trained_on"], row["left_out"], row["fields"])
        found[Figure(*places, int(row["step"]), row["test"], row["prefix"])] = float(row["ppl"])
    return found


def published_size(size: str) -> str:
    """Returns the published size that models of a size are compared with: 1b, unless they have half a billion."""
    return "0.5b" if size == "0.5b" else "1b"


def published_loss(figure: Figure) -> float | None:
    """Returns a published loss in nats per token; None where none was published.

    On several continents it is the mean of theirs, which had equally many test documents.

    Args:
        figure: `test` may be continents joined by `+`.
    """
    found = [perplexities().get(figure._replace(test=test)) for test in figure.test.split("+")]
    known = [math.log(ppl) for ppl in found if ppl is not None]
    return math.fsum(known) / len(found) if len(known) == len(found) else None


def published_fields(fields: Sequence[str]) -> str | None:
    """Returns the published fields that are compared with ours; None where there are none such.

    Example:
        >>> published_fields(("domain", "country"))
        'url+country'
    """
    if any(field not in LIKE for field in fields):
        return None
    return "+".join(dict.fromkeys(LIKE[field] for field in LIKE if field in fields))


def published_share_to_reach(size: str, test: str) -> float | None:
    """Returns the share of its steps after which the model with metadata had the last loss of the plain model.

    Read off the published checkpoints, in a straight line over the logarithm of steps, as `evaluate.efficiency` does.

    Args:
        size: `0.5b` or `1b`.
        test: a continent, or `all`.
    """
    from dateline.evaluate.efficiency import crossing

    steps = (2_000, 4_000, 8_000, END)
    shown = "url+country+continent"
    curve = [published_loss(Figure(size, "all", "", shown, step, test, shown)) for step in steps]
    target = published_loss(Figure(size, "all", "", "", END, test, ""))
    if target is None or any(loss is None for loss in curve):
        return None
    losses = np.array([curve], dtype=np.float64)
    return float(crossing(np.array(steps, dtype=np.float64), losses, np.array([target]))[0]) / END


def published_effect(question: Question) -> tuple[float | None, str]:
    """Returns the published effect of a claim, or None and why not, where that is not plain.

    Args:
        question: from `plan_study`.
    """
    if not question.comparable:
        return None, ""
    if question.region not in ("all", *REGIONS):
        return None, ""
    test = question.region
    if question.elsewhere:
        test = "+".join(region for region in REGIONS if region not in question.places)
    size = published_size(question.sides[0].model.size)
    if question.claim == "share_to_reach":
        fields = published_fields(split_names(question.first[0].model.fields))
        return (published_share_to_reach(size, test) if fields == "url+country+continent" else None), ""
    losses: dict[Side, float] = {}
    for side in question.sides:
        fields = published_fields(split_names(side.model.fields))
        prefix = published_fields(shown_by(side))
        local, left = (
            next((name for name in split_names(column) if name in REGIONS), "")
            for column in (side.model.trained_on, side.model.left_out)
        )
        loss = None
        if fields is not None and prefix is not None:
            loss = published_loss(Figure(size, local or "all", left, fields, END, test, prefix))
        if loss is None:
            return None, ""
        losses[side] = loss
    gain = math.fsum(losses[side] for side in question.first) - math.fsum(losses[side] for side in question.second)
    if question.over is None:
        return gain, ""
    gap = losses[question.over[0]] - losses[question.over[1]]
    return (gain / gap, "") if gap > 0 else (None, "the published gap is not positive")
