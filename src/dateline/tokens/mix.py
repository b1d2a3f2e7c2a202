"""In which order documents are read, and how often: weights by group, in tokens.

Every group is an endless stream: its documents in one shuffled order after another, an order for each epoch. Window j
takes from each group the documents whose first token falls into the group's share of tokens [j * size, (j+1) * size).
It is computed from (recipe, seed, j).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import field_validator

from dateline.conditions.dropout import uniform
from dateline.config import Section
from dateline.errors import UserError
from dateline.places import all_countries
from dateline.records import CONTINENTS
from dateline.tokens.store import EncodedCorpus

ORDER = 0x04DE4
"""Stream number of the draw that sorts documents."""

Indices = npt.NDArray[np.int64]


class Mix(Section):
    """What share of the training tokens comes from which group."""

    by: Literal["continent", "country"] = "continent"
    """What a group is."""
    weights: Literal["equal", "natural"] | dict[str, float] = "equal"
    """`equal` tokens from every group (the paper's global mix), `natural` as the corpus has them, or shares by name."""
    include: tuple[str, ...] = ()
    """Only these continents or countries (codes), in any case; empty means all. `Africa` trains a local model."""
    exclude: tuple[str, ...] = ()
    """Not these continents or countries (codes), in any case. `Africa` leaves one out; `Africa,in` two."""

    @field_validator("include", "exclude")
    @classmethod
    def _known_spelling(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Writes names as corpora have them; `select_training` refuses those that the corpus does not have."""
        continents, countries = {name.lower(): name for name in CONTINENTS}, all_countries()
        lower = {name: name.strip().lower() for name in value}
        return tuple(
            dict.fromkeys(continents.get(low, low if low in countries else name) for name, low in lower.items())
        )


def select_training(corpus: EncodedCorpus, mix: Mix) -> Indices:
    """Returns the training documents that the mix's filters let through, ascending.

    Raises:
        UserError: where a name is in no document, or nothing is left.
    """
    train = corpus.select("train")
    continents, countries = corpus.continents[train], corpus.countries[train]
    for name in (*mix.include, *mix.exclude):
        if name not in set(corpus.continents) | set(corpus.countries):
            known = ", ".join(sorted({str(value) for value in corpus.continents if value}))
            raise UserError(f"mix: '{name}' is no continent or country of {corpus.folder}; it has {known}")
    keep = np.ones(len(train), dtype=bool)
    if mix.include:
        keep &= np.isin(continents, mix.include) | np.isin(countries, mix.include)
    keep &= ~(np.isin(continents, mix.exclude) | np.isin(countries, mix.exclude))
    if not keep.any():
        raise UserError(f"mix: no training document of {corpus.folder} is left by include and exclude")
    return train[keep]


def region_share(corpus: EncodedCorpus, mix: Mix) -> Fraction:
    """Returns which part of the tokens that the mix takes from all groups is left by `include` and `exclude`.

    A local run that reads this part of a global run's tokens has read no more of its region than the global run did.

    Raises:
        UserError: as `DocumentStream`.

    Example:
        >>> region_share(corpus, Mix(weights="equal", include=("Africa",)))  # of four continents
        Fraction(1, 4)
    """
    everything = DocumentStream(corpus, mix.model_copy(update={"include": (), "exclude": ()}), 0)
    selected = select_training(corpus, mix)
    share = Fraction(0)
    for name, members in everything.groups.items():
        tokens = int(corpus.lengths[np.intersect1d(members, selected)].sum())
        share += everything.shares[name] * Fraction(tokens, everything.group_tokens[name])
    return share


class DocumentStream:
    """The endless document order of one run."""

    def __init__(self, corpus: EncodedCorpus, mix: Mix, seed: int) -> None:
        """Raises UserError where the mix names groups that the corpus does not have, or leaves out some that it has."""
        self.seed = seed
        self._keys = corpus.keys
        self._lengths = corpus.lengths
        documents = select_training(corpus, mix)
        self.epoch_tokens = int(self._lengths[documents].sum())
        self.groups, self.shares = self._group(corpus, mix, documents)
        self.group_tokens = {name: int(self._lengths[members].sum()) for name, members in self.groups.items()}
        self._order = lru_cache(maxsize=4 * len(self.groups))(self._compute_order)

    @staticmethod
    def _group(corpus: EncodedCorpus, mix: Mix, documents: Indices) -> tuple[dict[str, Indices], dict[str, Fraction]]:
        if mix.weights == "natural":
            return {"all": documents}, {"all": Fraction(1)}
        labels = (corpus.continents if mix.by == "continent" else corpus.countries)[documents]
        names = sorted(set(labels.tolist()))
        if "" in names:
            raise UserError(
                f"mix: {int((labels == '').sum()):,} training documents have no {mix.by} and would form a group "
                'of their own; build the corpus with require_place, set mix.exclude to [""], '
                "or mix.weights to natural"
            )
        if mix.weights == "equal":
            weights = dict.fromkeys(names, Fraction(1))
        else:
            if set(names) != set(mix.weights):
                odd = ", ".join(sorted(set(names) ^ set(mix.weights)))
                raise UserError(f"mix.weights: give one weight for each {mix.by} in the corpus; check {odd or 'names'}")
            weights = {name: Fraction(weight).limit_denominator(10**6) for name, weight in mix.weights.items()}
            if min(weights.values()) <= 0:
                raise UserError("mix.weights: weights are positive; use mix.exclude to leave a group out")
        total = sum(weights.values())
        groups = {name: documents[labels == name] for name in names}
        return groups, {name: weights[name] / total for name in names}

    def window(self, start: int, end: int) -> tuple[Indices, Indices]:
        """Returns documents and, for each, how often it came before, for tokens [start, end) of the mixed stream.

        Consecutive windows partition the stream: a document belongs to the window in which its first token falls.
        """
        documents: list[Indices] = [np.zeros(0, dtype=np.int64)]
        epochs: list[Indices] = [np.zeros(0, dtype=np.int64)]
        for name in self.groups:
            share, tokens = self.shares[name], self.group_tokens[name]
            low, high = int(start * share), int(end * share)
            for epoch in range(low // tokens, -(-high // tokens)):
                order, begins = self._order(name, epoch)
                first = np.searchsorted(begins, low - epoch * tokens, side="left")
                last = np.searchsorted(begins, high - epoch * tokens, side="left")
                documents.append(order[first:last])
                epochs.append(np.full(last - first, epoch, dtype=np.int64))
        return np.concatenate(documents), np.concatenate(epochs)

    def _compute_order(self, name: str, epoch: int) -> tuple[Indices, Indices]:
        members = self.groups[name]
        keys = self._keys[members]
        draw = uniform(self.seed, keys, np.full(len(members), epoch, dtype=np.int64), ORDER)
        order = members[np.lexsort((keys, draw))]
        lengths = self._lengths[order]
        return order, np.cumsum(lengths) - lengths

    def repeats(self, tokens: int) -> dict[str, float]:
        """Returns how many times each group is read when the run consumes this many body tokens."""
        return {name: float(tokens * self.shares[name] / self.group_tokens[name]) for name in self.groups}
