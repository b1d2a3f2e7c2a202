"""The split: which documents are trained on, validated on, and tested on.

There are no random numbers: a split follows from the documents' words, outlets and dates and from the recipe. With
`by: document` a document keeps its split when files are added, except where its country crosses `enough`, or a share
would have been left without a document.

In this order: what the recipe holds out is tested on; a country with too few documents is trained on; the rest is
divided within each country by the shares. A cluster of copies goes one way as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dateline.records import SPLITS, stable_hash

if TYPE_CHECKING:
    from dateline.corpus.recipe import CorpusRecipe

TRAIN, VALIDATION, TEST = (SPLITS.index(name) for name in ("train", "validation", "test"))
UNDATED = np.iinfo(np.int32).max
FEWEST_OUTLETS = 3

Splits = npt.NDArray[np.uint8]
Chosen = npt.NDArray[np.int64]


def draw_of(key: int) -> int:
    """Returns 64 bits drawn from a document's words: the same for identical documents in every corpus."""
    return stable_hash("split", f"{key:016x}")


def outlet_hash(domain: str) -> int:
    """Returns 64 bits that stand for an outlet, 0 for none."""
    return stable_hash("outlet", domain) if domain else 0


def assign_splits(recipe: CorpusRecipe, index: npt.NDArray[np.void], cluster: Chosen) -> Splits:
    """Returns the position in SPLITS of every document.

    Args:
        recipe: shares, and what is held out.
        index: entries (`work.ENTRY`) of shape [documents].
        cluster: for each document the one of its cluster that stands for all, of shape [documents]; itself where it
            has no copies.
    """
    splits = np.full(len(index), TRAIN, np.uint8)
    forced = np.zeros(len(index), bool)
    forced[cluster[_held_out(recipe, index)]] = True
    splits[forced] = TEST
    heads = np.flatnonzero((cluster == np.arange(len(index))) & ~forced)
    countries = index["country"][heads]
    divide = {"document": _by_draw, "outlet": _by_outlet, "date": _by_date}[recipe.splits.by]
    if recipe.splits.by == "outlet":
        index = _without_shared_outlets(index, heads)
    shares = (recipe.splits.train, recipe.splits.validation, recipe.splits.test)
    enough = max(recipe.splits.enough, sum(share > 0 for share in shares))
    for country in np.unique(countries):
        members = heads[countries == country]
        if len(members) >= enough:
            divide(recipe, index, members, splits)
    return splits[cluster]


def _held_out(recipe: CorpusRecipe, index: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    held = np.isin(index["country"], np.array([name.encode() for name in recipe.held_out], "S2"))
    outlets = [outlet_hash(name) for name in recipe.held_out_outlets]
    held |= np.isin(index["outlet"], np.array(outlets, np.uint64))
    if recipe.test_from is not None:
        held |= (index["day"] >= recipe.test_from.toordinal()) & (index["day"] != UNDATED)
    return held


def _by_draw(recipe: CorpusRecipe, index: npt.NDArray[np.void], members: Chosen, splits: Splits) -> None:
    """Divides by the hash of the words; the highest draws are tested on, so that the shares nest.

    Whatever the draws, each share above zero has a document.
    """
    shares = recipe.splits
    members = members[np.argsort(index["draw"][members], kind="stable")]
    draws = index["draw"][members] / 2.0**64
    trained, validated = int(shares.train > 0), int(shares.validation > 0)
    first_test = int(np.searchsorted(draws, shares.train + shares.validation)) if shares.test else len(members)
    first_test = max(min(first_test, len(members) - (shares.test > 0)), trained + validated)
    first_validation = int(np.searchsorted(draws, shares.train)) if shares.validation else first_test
    first_validation = max(min(first_validation, first_test - validated), trained)
    splits[members[first_validation:first_test]] = VALIDATION
    splits[members[first_test:]] = TEST


def _without_shared_outlets(index: npt.NDArray[np.void], heads: Chosen) -> npt.NDArray[np.void]:
    """Returns the index without the outlets that have documents of several countries, which would be divided."""
    pairs = np.unique(index[["outlet", "country"]][heads])
    outlets, countries = np.unique(pairs["outlet"], return_counts=True)
    index = index[["outlet"]].copy()
    index["outlet"][np.isin(index["outlet"], outlets[countries > 1])] = 0
    return index


def _by_outlet(recipe: CorpusRecipe, index: npt.NDArray[np.void], members: Chosen, splits: Splits) -> None:
    """Gives whole outlets away, in the order of their hashes, none that has half of the country's documents.

    Documents without a domain are trained on, and so are those of an outlet that has documents of other countries too.
    """
    outlets, sizes = np.unique(index["outlet"][members], return_counts=True)
    free = [(int(outlet), int(size)) for outlet, size in zip(outlets, sizes, strict=True) if outlet]
    if len(free) < FEWEST_OUTLETS:
        return
    for share, split in ((recipe.splits.test, TEST), (recipe.splits.validation, VALIDATION)):
        wanted, given = share * len(members), 0
        left = 2 if split == TEST and recipe.splits.validation else 1
        for outlet, size in [item for item in free if 2 * item[1] < len(members)]:
            if given >= wanted or len(free) <= left:
                break
            splits[members[index["outlet"][members] == outlet]] = split
            free.remove((outlet, size))
            given += size


def _by_date(recipe: CorpusRecipe, index: npt.NDArray[np.void], members: Chosen, splits: Splits) -> None:
    """Gives whole days away, the latest first, as long as half of what is to be trained on is left for that.

    A country whose days cannot be divided so is trained on.
    """
    days = index["day"][members]
    dated = members[days != UNDATED]
    latest = dated[np.argsort(-index["day"][dated], kind="stable")]
    taken = 0
    for share, split in ((recipe.splits.test, TEST), (recipe.splits.validation, VALIDATION)):
        if not share or taken >= len(latest):
            continue
        wanted = max(1, round(share * len(latest)))
        last = index["day"][latest[min(taken + wanted, len(latest)) - 1]]
        end = int(np.count_nonzero(index["day"][latest] >= last))
        if 2 * (len(latest) - end) < recipe.splits.train * len(latest):
            return
        splits[latest[taken:end]] = split
        taken = end
