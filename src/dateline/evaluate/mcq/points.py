"""From nats to points: which option wins, and whether an answer moves with the place.

Enters: nats of options or letters. Leaves: points between 0 and 1 for each item.
Deliberately not done: no averages over items, and no item without points.

Locale switch: an item with two answers, one right for its own country and one for a contrast country, is asked twice,
once told each. A telling earns 1 where the answer of the told country is more probable than that of the other, and 1/2
for a tie; the item's score is the mean of both. A model that ignores what it is told has the same preference both
times, hence is right in exactly one telling: 1/2 on every item by construction, which is what chance should be.
"Right in both tellings" as the score would put that model at 0, below a coin (1/4), and reward noise over steadiness.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TIE = 1e-5
"""Numbers this close are equal: rounding in batches of other shapes moves nats by about 1e-6 a token."""


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


def switch_points(told_target: Floats, told_contrast: Floats, target: int, contrast: int) -> float:
    """Returns the mean over both tellings of preferring the told country's answer: 0, 1/2 or 1 in the cloze form.

    Args:
        told_target: costs when told the item's country, shape [options] or [rotations, options].
        told_contrast: costs when told the contrast country, same shape.
        target: index of the answer for the item's country.
        contrast: index of the answer for the contrast country.
    """
    lead_target = _lead(told_target, target, contrast)
    lead_contrast = _lead(told_contrast, contrast, target)
    return float(((_sign(lead_target) + _sign(lead_contrast)) / 2).mean())


def shift_points(told_target: Floats, told_contrast: Floats, target: int, contrast: int) -> float:
    """Returns whether log p(target) - log p(contrast) is higher when told the item's country: 0, 1/2 for a tie, or 1.

    It sees a place move the answers even where one of both stays the more probable throughout. Arguments are those of
    `switch_points`, in nats.
    """
    gain = _lead(told_target, target, contrast) - _lead(told_contrast, target, contrast)
    return float(_sign(gain).mean())


def _lead(costs: Floats, first: int, second: int) -> Floats:
    """Returns by how much one option is cheaper than another, shape [rotations] (1 where there are none)."""
    rows = np.atleast_2d(costs)
    return np.asarray(rows[:, second] - rows[:, first], dtype=np.float64)


def _sign(lead: Floats) -> Floats:
    """Returns 1 where a lead is positive, 1/2 where it is no lead, 0 where it is negative."""
    return np.where(np.abs(lead) <= TIE, 0.5, (lead > 0).astype(np.float64))
