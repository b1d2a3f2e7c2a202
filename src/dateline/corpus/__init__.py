"""Corpus: news files in, clean, placed, split and audited articles out."""

from typing import TYPE_CHECKING

from dateline.corpus.recipe import CorpusRecipe, NearDuplicates, NewswireSource, SplitShares

if TYPE_CHECKING:
    from dateline.corpus.build import build_corpus, corpus_stage, submit_corpus
    from dateline.corpus.diff import diff_corpora
    from dateline.corpus.shards import read_articles

__all__ = [
    "CorpusRecipe",
    "NearDuplicates",
    "NewswireSource",
    "SplitShares",
    "build_corpus",
    "corpus_stage",
    "diff_corpora",
    "read_articles",
    "submit_corpus",
]


def __getattr__(name: str) -> object:
    # whoever only reads a recipe loads neither pyarrow nor datatrove, whoever only reads a corpus no datatrove
    if name == "read_articles":
        from dateline.corpus.shards import read_articles

        return read_articles
    if name == "diff_corpora":
        from dateline.corpus.diff import diff_corpora

        return diff_corpora
    if name in ("build_corpus", "corpus_stage", "submit_corpus"):
        from dateline.corpus import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
