"""Near-duplicates through datatrove's own MinHash stages, for corpora whose index no single process holds.

Pairs are not checked against the threshold: all that share a bucket count as copies. With the number of buckets and
hashes that the threshold asks for, about one pair in four at Jaccard 0.5 is taken for a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import TextNormConfig
from datatrove.utils.word_tokenizers import WordTokenizer

from dateline.corpus.duplicates.shingles import WORDS, Bands
from dateline.corpus.text.words import plain_words
from dateline.corpus.work import piece_folder, read_rows

FOLDER = "minhash"
AS_IT_IS = TextNormConfig(
    lowercase=False, norm_whitespace=False, remove_punctuation=False, norm_unicode_diacritics=False,
    norm_numbers=False, norm_weekdays=False, norm_monthnames=False,
)  # fmt: skip
"""The words have been normalized before, and a report of other numbers is another report."""
SHA1 = HashConfig(hash_fc="sha1")
"""datatrove's xxhash fails with xxhash 4, which takes no strings."""


class ReadWords(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """Reads the kept articles of a piece as plain words."""

    type = "dateline"
    name = "read words"

    def __init__(self, work: Path) -> None:
        super().__init__()
        self.work = work

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yields a document an article, in the order of the index."""
        for row in read_rows(piece_folder(self.work, rank) / "articles.arrow"):
            yield Document(plain_words(row["text"]), row["id"])


class BlankTokenizer(WordTokenizer):  # type: ignore[misc]  # datatrove has no types
    """Words are what stands between blanks: the text has been normalized before."""

    def word_tokenize(self, text: str) -> list[str]:
        """Returns the words."""
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        """Returns the text as one sentence."""
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Returns the text as one span."""
        return [(0, len(text))]


def minhash_stages(work: Path, threshold: float, pieces: int) -> list[tuple[str, list[PipelineStep], int]]:
    """Returns (name, steps, tasks) of datatrove's stages: signatures, buckets, clusters."""
    bands = Bands(threshold)
    config = MinhashConfig(
        WORDS, num_buckets=bands.count, hashes_per_bucket=bands.rows, norm_config=AS_IT_IS, hash_config=SHA1
    )
    folder = work / FOLDER
    signature = MinhashDedupSignature(str(folder / "signatures"), config, language=BlankTokenizer())
    buckets = MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config)
    clusters = MinhashDedupCluster(str(folder / "buckets"), str(folder / "clusters"), config, save_cluster_id=True)
    return [
        ("signatures", [ReadWords(work), signature], pieces),
        ("buckets", [buckets], bands.count),
        ("clusters", [clusters], 1),
    ]


def read_clusters(work: Path, index: npt.NDArray[np.void], pieces: int) -> npt.NDArray[np.int64]:
    """Returns the pairs that make the clusters: each member with the first of its cluster, of shape [pairs, 2]."""
    starts = np.searchsorted(index["piece"], np.arange(pieces))
    members, numbers = [], []
    for piece in range(pieces):
        path = work / FOLDER / "clusters" / f"{piece:06d}.clusters"
        if not path.is_file():
            continue
        found = np.fromfile(path, dtype="<u4").reshape(-1, 2)
        members.append(found[:, 0].astype(np.int64) + starts[piece])
        numbers.append(found[:, 1])
    if not members:
        return np.empty((0, 2), np.int64)
    member, number = np.concatenate(members), np.concatenate(numbers)
    _, first, inverse = np.unique(number, return_index=True, return_inverse=True)
    return np.stack([member[first][inverse], member], axis=1)
