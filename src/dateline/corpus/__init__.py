"""Corpus: news files in, clean, placed, split and audited articles out."""

from typing import TYPE_CHECKING

from dateline.corpus.recipe import CorpusRecipe, NearDuplicates, NewswireSource, SplitShares
from dateline.corpus.shards import read_articles

if TYPE_CHECKING:
    from dateline.corpus.build import build_corpus, corpus_stage, submit_corpus

__all__ = [
    "CorpusRecipe",
    "NearDuplicates",
    "NewswireSource",
    "SplitShares",
    "build_corpus",
    "corpus_stage",
    "read_articles",
    "submit_corpus",
]


def __getattr__(name: str) -> object:
    # the build brings datatrove in, which whoever only reads a corpus need not load
    if name in ("build_corpus", "corpus_stage", "submit_corpus"):
        from dateline.corpus import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
