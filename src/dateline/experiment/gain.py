"""Recovered gain: how much of what knowing the place is worth a model has made its own.

Enters: per-document losses of a plain and a conditioned run on newswire articles, and the articles. Leaves: a ratio.
Deliberately not done: not defined for real news, whose entropy nobody knows.

gain = (plain loss - conditioned loss) / (entropy without the place - entropy with it), all summed over the same test
articles. 1 means that conditioning works all the way through; 0, that the prefix is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.conditions import DEFAULT_FIELDS, Field
from dateline.corpus import read_articles
from dateline.errors import UserError
from dateline.statistics import Estimate, ratio_difference
from dateline.tokens.mix import Mix

Floats = npt.NDArray[np.float64]


class Entropies(NamedTuple):
    """Exact -log p of the scored articles in nats, arrays of shape [num_documents] in the order of `ids`."""

    ids: list[str]
    without_place: Floats
    with_place: Floats
    """Knowing what the run's prefix shows: the outlet, or only the country or the continent."""


def newswire_entropies(
    corpus: Path, mix: Mix, fields: Sequence[Field] = DEFAULT_FIELDS, *, split: str = "test"
) -> Entropies | None:
    """Returns the exact log-probabilities of a split's articles under the grammar, negated.

    The place that is not known is averaged over as the training mix has it: natural, or equal continents.

    Args:
        corpus: a corpus folder made from the newswire.
        mix: of the runs that are compared.
        fields: of the conditioned run's prefix.
        split: that the protocol scores.

    Returns:
        None where the mix has another distribution of places than the grammar can average over, or where the prefix
        shows no place.
    """
    from dateline.corpus.newswire import Newswire

    if mix.include or mix.exclude or not (mix.weights == "natural" or (mix.weights, mix.by) == ("equal", "continent")):
        return None
    shown = {"domain" if field in ("url", "url_hash") else field for field in fields}
    finest = next((field for field in ("domain", "country", "continent") if field in shown), None)
    if finest is None:
        return None
    wire = Newswire(balance="country" if mix.weights == "natural" else "continent")
    articles = list(read_articles(corpus, split=split))
    found = [wire.log_probabilities(article) for article in articles]
    without, known = (-np.array([getattr(one, name) for one in found]) for name in ("none", finest))
    if not (np.isfinite(without).all() and np.isfinite(known).all()):
        raise UserError(f"{corpus}: holds articles that the newswire of this version cannot write; build it again")
    return Entropies([article.id for article in articles], without, known)


def recovered_gain(
    plain: pa.Table, conditioned: pa.Table, entropies: Entropies, *, resamples: int, seed: int = 0
) -> tuple[Estimate, dict[str, float]]:
    """Returns the gain with its interval over documents, and the entropies in nats per token.

    Args:
        plain: per-document table of the plain run.
        conditioned: per-document table of the conditioned run.
        entropies: of (at least) the documents in the tables.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    none, gold = _column(plain, "none"), _column(conditioned, "gold")
    place = {identifier: index for index, identifier in enumerate(entropies.ids)}
    ids = [identifier for identifier in none if identifier in gold and identifier in place]
    rows = np.array([place[identifier] for identifier in ids])
    gained = np.array([none[i]["nll"] - gold[i]["nll"] for i in ids])
    possible = entropies.without_place[rows] - entropies.with_place[rows]
    tokens = sum(none[i]["num_tokens"] for i in ids)
    estimate = ratio_difference(gained, possible, resamples=resamples, seed=seed)
    return estimate, {
        "without_place": float(entropies.without_place[rows].sum() / tokens),
        "with_place": float(entropies.with_place[rows].sum() / tokens),
    }


def _column(documents: pa.Table, condition: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in documents.to_pylist() if row["condition"] == condition}
