"""Corpus: news files in, clean, placed, split and audited articles out.

Enters: JSON Lines, CSV, TSV and Parquet files, or the embedded newswire.
Leaves: a folder of Parquet shards by split, what was dropped and why, an audit, a manifest; `read_articles` reads it.
Deliberately not done: no near-duplicates (exact ones only), no tokenizing, no HTML pages, no cutting of long articles.
"""

from dateline.corpus.build import build_corpus, corpus_fingerprint_parents
from dateline.corpus.recipe import CorpusRecipe, NewswireSource, SplitShares
from dateline.corpus.shards import read_articles

__all__ = [
    "CorpusRecipe",
    "NewswireSource",
    "SplitShares",
    "build_corpus",
    "corpus_fingerprint_parents",
    "read_articles",
]
