"""Corpus: news files in, clean, placed, split and audited articles out.

Enters: news in files of many kinds (`readers/registry.py` lists them), or the embedded newswire.
Leaves: a folder of Parquet shards by split, what was dropped and why, an audit, a manifest; `read_articles` reads it.
Deliberately not done: no tokenizing, no cutting of long articles, no download of what the recipe does not name.
"""

from typing import TYPE_CHECKING

from dateline.corpus.plan import corpus_fingerprint_parents
from dateline.corpus.recipe import CorpusRecipe, NearDuplicates, NewswireSource, SplitShares
from dateline.corpus.shards import read_articles

if TYPE_CHECKING:
    from dateline.corpus.build import build_corpus, submit_corpus

__all__ = [
    "CorpusRecipe",
    "NearDuplicates",
    "NewswireSource",
    "SplitShares",
    "build_corpus",
    "corpus_fingerprint_parents",
    "read_articles",
    "submit_corpus",
]


def __getattr__(name: str) -> object:
    # the build brings datatrove in, which whoever only reads a corpus need not load
    if name in ("build_corpus", "submit_corpus"):
        from dateline.corpus import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
