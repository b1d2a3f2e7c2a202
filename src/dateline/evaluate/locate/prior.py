"""How probable each place is before the text is read.

Enters: a choice: equal, as in the training documents, or numbers that somebody wrote down. Leaves: one probability a
place, summing to one.
Deliberately not done: no prior is learned from the texts that are located.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dateline.errors import UserError
from dateline.places import country

Floats = npt.NDArray[np.float64]


def choose_prior(choice: str, codes: Sequence[str], training: Mapping[str, int] | None = None) -> Floats:
    """Returns p(place) for each place, in their order.

    Args:
        choice: `uniform`, `corpus`, numbers such as `gb=3,ng=1`, or a file: a JSON mapping or a line `gb=3` a place.
            Only their proportions count; a place that is not named has probability zero.
        codes: the places.
        training: documents of each country in the training split; None where no corpus is given.

    Raises:
        UserError: where the choice cannot be read, or gives nothing to any place.
    """
    if choice == "uniform":
        return np.full(len(codes), 1 / len(codes))
    if choice == "corpus":
        if training is None:
            raise UserError("--prior corpus: takes the proportions of a corpus's training documents; give --corpus")
        return proportions(codes, training, "--prior corpus")
    path = Path(choice)
    if "=" not in choice or path.is_file():
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError(
                f"--prior '{choice}': is neither uniform nor corpus, nor numbers such as gb=3,ng=1, nor a file of them"
            ) from None
        return proportions(codes, _parse(content, str(path)), str(path))
    return proportions(codes, _parse(choice, "--prior"), "--prior")


def proportions(codes: Sequence[str], weights: Mapping[str, float], source: str) -> Floats:
    """Returns probabilities in proportion to weights.

    Args:
        codes: the places.
        weights: by place; a missing one is zero.
        source: where they come from, for the message.

    Raises:
        UserError: where a weight is negative or not finite, or all of them are zero.
    """
    values = np.array([float(weights.get(code, 0.0)) for code in codes])
    if not np.isfinite(values).all() or (values < 0).any():
        raise UserError(f"{source}: the prior of a place is a finite number of zero or more; correct it")
    if not values.any():
        raise UserError(f"{source}: gives nothing to any of {', '.join(codes)}; use --prior uniform")
    scaled = values / values.max()  # so that the sum of very large numbers stays finite
    result: Floats = scaled / scaled.sum()
    return result


def _parse(text: str, source: str) -> dict[str, float]:
    """Returns weights by code from a JSON mapping, or from `gb=3` between commas or on lines."""
    pairs: dict[str, Any] = {}
    if text.lstrip().startswith("{"):
        try:
            pairs = json.loads(text)
        except ValueError as error:
            raise UserError(f"{source}: not valid JSON ({error})") from None
    else:
        for part in text.replace("\n", ",").split(","):
            if part.strip():
                name, _, number = part.partition("=")
                pairs[name.strip()] = number.strip()
    result: dict[str, float] = {}
    for name, number in pairs.items():
        known = country(name)
        if known is None:
            raise UserError(f"{source}: '{name}' is no country; write an ISO code such as gb")
        try:
            result[known.alpha2] = float(number)
        except (TypeError, ValueError):
            raise UserError(f"{source}: '{number}' is no number for {name}; write {known.alpha2}=3") from None
    return result
