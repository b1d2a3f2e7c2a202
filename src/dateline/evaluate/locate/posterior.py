"""Bayes' rule: from what a text costs under each place to how probable each place is.

Enters: nats of texts under prompts, weights of the prompts within their place, a prior over places. Leaves:
probabilities of countries and continents, one row a text.
Deliberately not done: no temperature and no smoothing: the posterior is what the model implies, and calibration says
how far it can be believed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def mixture(nll: Floats, place: Integers, weights: Floats, num_places: int) -> Floats:
    """Returns -log p(text | place) where a place is a mixture of prompts: -log sum over prompts of w p(text | prompt).

    Exact up to rounding: sums of probabilities are taken in logarithms.

    Args:
        nll: nats of each text under each prompt, shape [texts, prompts].
        place: the place that each prompt belongs to, shape [prompts].
        weights: of each prompt within its place, summing to one there, shape [prompts].
        num_places: how many places there are.

    Returns:
        Shape [texts, num_places].
    """
    total = np.full((len(nll), num_places), -np.inf)
    with np.errstate(divide="ignore"):
        terms = np.log(weights) - nll
    for prompt, owner in enumerate(place.tolist()):
        total[:, owner] = np.logaddexp(total[:, owner], terms[:, prompt])
    return -total


def posterior(nll: Floats, prior: Floats) -> Floats:
    """Returns p(place | text), each row summing to one; what all places of a text have in common cancels out.

    Args:
        nll: -log p(text | place) in nats, finite, shape [texts, places].
        prior: p(place), some of it possibly zero, shape [places].
    """
    with np.errstate(divide="ignore"):
        log_joint = np.log(prior) - nll
    log_joint -= log_joint.max(axis=1, keepdims=True)
    joint = np.exp(log_joint)
    result: Floats = joint / joint.sum(axis=1, keepdims=True)
    return result


def log_posterior(nll: Floats, prior: Floats) -> Floats:
    """Returns log p(place | text), which stays finite where the probability itself is too small for a float."""
    with np.errstate(divide="ignore"):
        log_joint = np.log(prior) - nll
    result: Floats = log_joint - np.logaddexp.reduce(log_joint, axis=1, keepdims=True)
    return result


def by_continent(probabilities: Floats, continents: Sequence[str]) -> tuple[list[str], Floats]:
    """Sums the probabilities of countries over their continents.

    Args:
        probabilities: of each text's countries, shape [texts, countries].
        continents: of each country.

    Returns:
        The continents in alphabetical order, and their probabilities, shape [texts, continents].
    """
    names = sorted(set(continents))
    member = np.array([[own == name for name in names] for own in continents], dtype=np.float64)
    return names, probabilities @ member


def order_places(log_probabilities: Floats) -> Integers:
    """Returns the places of each text, most probable first, shape [texts, places]; of equal ones the earlier."""
    result: Integers = np.argsort(-log_probabilities, axis=1, kind="stable").astype(np.int64)
    return result


def ranks(log_probabilities: Floats, truth: Integers) -> Integers:
    """Returns the rank of each text's true place, 1 for the most probable.

    Args:
        log_probabilities: shape [texts, places].
        truth: index of the true place, shape [texts].
    """
    result: Integers = (order_places(log_probabilities) == truth[:, None]).argmax(axis=1) + 1
    return result
