"""Prefix dropout: which fields a training document shows, a pure function of (seed, document, epoch).

Dropout of the whole prefix teaches one checkpoint to work with and without it. Always-conditioned training collapses
when no prefix is given (MeCo, arXiv 2501.01956: ten-task average 50.3 against 56.4 with 10% plain documents).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import pydantic
from pydantic import model_validator

from dateline.conditions.template import DEFAULT_FIELDS, LABELS, Field
from dateline.config import Section
from dateline.records import mix_bits

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Share = Annotated[float, pydantic.Field(ge=0.0, le=1.0)]

WHOLE = 0xD1CE
"""Stream number of the draw for the whole prefix; fields draw from the streams after it."""


class Conditioning(Section):
    """Which metadata the training prefixes show. `fields: []` trains the plain model."""

    fields: tuple[Field, ...] = DEFAULT_FIELDS
    """Fields of the prefix, in training."""
    dropout: Share = 0.1
    """Share of documents that show no prefix at all."""
    field_dropout: dict[Field, Share] = {}
    """Share of documents that lose this one field, drawn for each field apart."""
    cooldown: Share = 0.0
    """Last share of training without any prefix (MeCo uses 0.1 and no dropout)."""

    @model_validator(mode="after")
    def _check(self) -> Conditioning:
        if len(set(self.fields)) != len(self.fields):
            raise ValueError("a field is named twice")
        labels = [LABELS[field] for field in self.fields]
        if len(set(labels)) != len(labels):
            raise ValueError("domain, url and url_hash share the line 'URL:'; choose one")
        unknown = set(self.field_dropout) - set(self.fields)
        if unknown:
            raise ValueError(f"field_dropout names {', '.join(sorted(unknown))}, which fields does not")
        return self


def shown_fields(
    conditioning: Conditioning,
    seed: int,
    keys: npt.NDArray[np.uint64],
    epochs: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Returns a bit mask for each document: bit i set means `conditioning.fields[i]` is shown.

    Args:
        conditioning: what the recipe says; its cooldown is the planner's business.
        seed: the run's seed.
        keys: 64-bit document keys, shape [num_documents].
        epochs: how often each document has been seen before, shape [num_documents].

    Example:
        >>> half = Conditioning(fields=("domain", "country"), dropout=0.5)
        >>> shown_fields(half, 0, np.arange(1, 5, dtype=np.uint64), np.zeros(4, np.int64))
        array([0, 0, 3, 3])
    """
    import numpy as np  # here, because the options of the command line need the section and no numpy

    mask = np.zeros(len(keys), dtype=np.int64)
    for index, field in enumerate(conditioning.fields):
        share = conditioning.field_dropout.get(field, 0.0)
        mask |= (uniform(seed, keys, epochs, WHOLE + 1 + index) >= share).astype(np.int64) << index
    mask[uniform(seed, keys, epochs, WHOLE) < conditioning.dropout] = 0
    return mask


def uniform(
    seed: int, keys: npt.NDArray[np.uint64], epochs: npt.NDArray[np.int64], stream: int
) -> npt.NDArray[np.float64]:
    """Returns numbers in [0, 1) that depend on nothing but the arguments (splitmix64; Steele et al., 2014)."""
    import numpy as np

    step = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        state = mix_bits(keys.astype(np.uint64) + np.uint64(seed & 0xFFFFFFFFFFFFFFFF) * step + step)
        state = mix_bits(state + epochs.astype(np.uint64) * np.uint64(0xD1B54A32D192ED03) + step)
        state = mix_bits(state + np.uint64(stream) + step)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
