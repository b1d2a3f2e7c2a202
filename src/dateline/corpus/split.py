"""Split: which documents are trained on, watched while training, and tested on.

Enters: an article's text key, place and date. Leaves: `train`, `validation` or `test`.
Deliberately not done: no state and no random numbers: the split of a document depends on its own words and on the
recipe alone, so that it stays when other files are added, and identical documents go the same way in every corpus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dateline.records import stable_hash

if TYPE_CHECKING:
    from dateline.corpus.recipe import CorpusRecipe

_SCALE = 1 << 64


def split_of(recipe: CorpusRecipe, *, key: int, country: str, domain: str, date: str) -> str:
    """Returns the split of one document.

    First rule that applies: its country or its outlet is held out, or its date is `test_from` or later: test.
    Otherwise the hash of its words decides by the shares. A document without a date is never `test_from` or later:
    it goes by its hash, and the audit counts how many did.

    Args:
        recipe: shares and what is held out.
        key: `duplicates.text_key` of the text.
        country: ISO alpha-2, or empty.
        domain: registered domain, or empty.
        date: ISO day, or empty.
    """
    if country in recipe.held_out or domain in recipe.held_out_outlets:
        return "test"
    if recipe.test_from is not None and date and date >= recipe.test_from.isoformat():
        return "test"
    share = stable_hash("split", f"{key:016x}") / _SCALE
    if share < recipe.splits.train:
        return "train"
    return "validation" if share < recipe.splits.train + recipe.splits.validation else "test"
