"""Near-duplicates against brute force, and articles per second and bytes per document of finding them.

Enters: nothing (made-up news), or a Parquet file with a column `text`. Leaves: recall and precision with 95% Wilson
intervals, seconds, bytes.
Deliberately not done: no files are written, so reading the index from disk is not timed; one core, one process.

    python benchmarks/duplicates.py [--articles news.parquet] [--documents 20000] [--repeats 5]

Quality: 2,000 articles, of which 30% are copies of others with planted changes (scattered edits, cut endings, added
paragraphs, another headline, cut and edited) meant to leave a Jaccard similarity drawn evenly from 0.5 to 1. Truth is
the Jaccard similarity of the sets of word 5-grams (the words themselves, not hashes) of all 2 million pairs.
"""

from __future__ import annotations

import argparse
import os
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, cycle
from statistics import median

os.environ["RAYON_NUM_THREADS"] = "1"  # read by rensa on its first call

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from dateline.corpus.duplicates.candidates import candidate_pairs, jaccard, verify
from dateline.corpus.duplicates.clusters import Clusters, keepers
from dateline.corpus.duplicates.shingles import WORDS, Bands, shingle_hashes
from dateline.corpus.text.words import plain_words, text_key
from dateline.statistics import wilson

Words = list[str]


class Wire:
    """Made-up articles of 300 to 900 words: words by Zipf's law, a third of the text in phrases that others use too."""

    def __init__(self, rng: np.random.Generator, vocabulary: int = 30_000) -> None:
        letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
        lengths = np.minimum(2 + np.arange(vocabulary) // 2000 + rng.integers(0, 4, vocabulary), 14)
        odds = 1 / np.arange(2, 28)
        self.words = ["".join(rng.choice(letters, size, p=odds / odds.sum())) for size in lengths]
        ranks = 1 / (np.arange(vocabulary) + 2.7)
        self.odds = np.cumsum(ranks / ranks.sum())
        self.phrases = [self.draw(rng, int(size)) for size in rng.integers(4, 13, 4000)]
        self.closings = [self.draw(rng, int(size)) for size in rng.integers(15, 60, 40)]

    def draw(self, rng: np.random.Generator, count: int) -> Words:
        """Returns words as frequent as their ranks say."""
        return [self.words[n] for n in np.searchsorted(self.odds[:-1], rng.random(count)).tolist()]

    def article(self, rng: np.random.Generator) -> Words:
        """Returns an article with one of forty closings."""
        size = int(rng.integers(300, 901))
        words: Words = []
        while len(words) < size:
            words += self.draw(rng, int(rng.integers(5, 31)))
            words += self.phrases[int(len(self.phrases) * rng.random() ** 2)]
        return words + self.closings[int(rng.integers(len(self.closings)))]


def changed(rng: np.random.Generator, words: Words, foreign: Words, similarity: float, kind: str) -> Words:
    """Returns a copy that shares about this much of its shingles with the article."""
    size = len(words)
    if kind == "headline":
        return foreign[: int(rng.integers(6, 15))] + words[int(rng.integers(6, 15)) :]
    if kind == "cut":
        return words[: max(WORDS, round(size * similarity))]
    if kind == "added":
        at = int(rng.integers(size))
        return words[:at] + foreign[: round(size * (1 / similarity - 1))] + words[at:]
    if kind == "cut and edited":
        return changed(rng, words[: round(size * similarity**0.5)], foreign, similarity**0.5, "edited")
    copy = list(words)
    for place in rng.choice(size, round(size * (1 - similarity) / (1 + similarity) / WORDS), replace=False):
        copy[place] = foreign[int(rng.integers(len(foreign)))]
    return copy


KINDS = ("edited", "cut", "added", "headline", "cut and edited")


def planted(rng: np.random.Generator, article: Callable[[], Words], documents: int, share: float) -> list[Words]:
    """Returns articles of which a share are changed copies, in an order that tells nothing."""
    copies = round(documents * share)
    originals = [article() for _ in range(documents - copies)]
    texts = list(originals)
    for _ in range(copies):
        source, other = (originals[int(n)] for n in rng.choice(len(originals), 2, replace=False))
        kind = KINDS[int(rng.integers(len(KINDS)))]
        texts.append(changed(rng, source, other, float(rng.uniform(0.5, 1)), kind))
    return [texts[n] for n in rng.permutation(documents)]


def exact_similarities(texts: list[Words]) -> NDArray[np.float64]:
    """Returns the Jaccard similarity of all pairs, [documents, documents], from the words themselves."""
    numbers: dict[tuple[str, ...], int] = {}
    columns, bounds = [], [0]
    for words in texts:
        grams = {tuple(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))}
        columns += [numbers.setdefault(gram, len(numbers)) for gram in grams]
        bounds.append(len(columns))
    matrix = csr_array((np.ones(len(columns), np.int32), columns, bounds), shape=(len(texts), len(numbers)))
    shared = (matrix @ matrix.T).toarray()
    sizes = np.diff(bounds)
    return np.asarray(shared / (sizes[:, None] + sizes[None, :] - shared), np.float64)


def shown(hits: int, total: int) -> str:
    """Returns a share with its 95% interval, as text."""
    if not total:
        return "none"
    share = wilson(hits, total)
    return f"{share.value:.4f} [{share.low:.4f}, {share.high:.4f}] ({hits:,} of {total:,})"


def groups(labels: NDArray[np.int64]) -> set[frozenset[int]]:
    """Returns the clusters of two documents and more."""
    members: dict[int, list[int]] = {}
    for document, label in enumerate(labels.tolist()):
        members.setdefault(label, []).append(document)
    return {frozenset(some) for some in members.values() if len(some) > 1}


def together(labels: NDArray[np.int64]) -> set[tuple[int, int]]:
    return {(one, other) for some in groups(labels) for one in some for other in some if one < other}


def quality(sets: list[list[Words]], threshold: float) -> None:
    bands = Bands(threshold)
    counts = {name: [0, 0] for name in ("cand_r", "cand_p", "pair_r", "pair_p", "clus_r", "clus_p", "same_r", "same_p")}
    bins = np.array([0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0001])
    found_in, all_in = np.zeros(len(bins) - 1, int), np.zeros(len(bins) - 1, int)
    for texts in sets:
        truth = exact_similarities(texts)
        upper = np.triu(truth, 1)
        alike = set(zip(*(axis.tolist() for axis in np.nonzero(upper >= threshold)), strict=True))
        shingles = shingle_hashes([" ".join(words) for words in texts])
        hashes = bands.band_hashes(shingles)
        pairs = np.concatenate(list(candidate_pairs(hashes.T.__getitem__, bands.count)))
        candidates = set(map(tuple, pairs.tolist()))
        kept = {(a, b) for a, b in candidates if jaccard(shingles[a], shingles[b]) >= threshold}
        clusters = Clusters(len(texts))
        verify([pairs], shingles.__getitem__, threshold, clusters)
        labels = clusters.labels()
        true_labels = connected_components((truth >= threshold).astype(np.int8))[1].astype(np.int64)
        for name, hits, total in (
            ("cand_r", candidates & alike, alike),
            ("cand_p", candidates & alike, candidates),
            ("pair_r", kept & alike, alike),
            ("pair_p", kept & alike, kept),
            ("clus_r", groups(labels) & groups(true_labels), groups(true_labels)),
            ("clus_p", groups(labels) & groups(true_labels), groups(labels)),
            ("same_r", together(labels) & alike, alike),
            ("same_p", together(labels) & alike, together(labels)),
        ):
            counts[name][0] += len(hits)
            counts[name][1] += len(total)
        all_in += np.histogram(upper, bins)[0]
        found_in += np.histogram([truth[a, b] for a, b in candidates], bins)[0]
    print(
        f"quality: {len(sets)} sets of {len(sets[0]):,} articles, "
        f"{np.mean([len(w) for s in sets for w in s]):.0f} words on average, "
        f"threshold {threshold:g}, {bands.count} bands of {bands.rows} rows"
    )
    for name, words in (
        ("cand_r", "candidates: share of the pairs at the threshold or above that are candidates"),
        ("cand_p", "candidates: share of the candidates that are such pairs"),
        ("pair_r", "recall of verified pairs"),
        ("pair_p", "precision of verified pairs"),
        ("clus_r", "recall of clusters (found with exactly the same members)"),
        ("clus_p", "precision of clusters"),
        ("same_r", "pairs at the threshold or above that end in one cluster"),
        ("same_p", "pairs of one cluster that are at the threshold or above themselves (chains are not)"),
    ):
        print(f"  {words}: {shown(*counts[name])}")
    for low, high, hits, total in zip(bins, bins[1:], found_in, all_in, strict=False):
        promised = f"promised {bands.chance((low + min(high, 1)) / 2):.3f} in the middle"
        print(f"  Jaccard {low:.2f} to {min(high, 1):.2f}: candidates {shown(int(hits), int(total))}; {promised}")


def speed(texts: list[str], threshold: float, repeats: int) -> None:
    """Prints median seconds of each step, in two steps as in a build: per file, then over the corpus."""
    bands = Bands(threshold)
    taken: dict[str, list[float]] = {}
    parts = [texts[start : start + 1000] for start in range(0, len(texts), 1000)]

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        taken.setdefault(name, []).append(time.perf_counter() - started)

    for _ in range(repeats):
        with timed("plain words"):
            word_parts = [[plain_words(text) for text in part] for part in parts]
        words = [one for some in word_parts for one in some]
        with timed("exact keys"):
            keys = np.array([text_key(*both) for both in zip(texts, words, strict=True)], np.uint64)
        with timed("shingles"):
            shingle_parts = [shingle_hashes(some) for some in word_parts]
        with timed("bands"):
            columns = np.concatenate([bands.band_hashes(some).T for some in shingle_parts], axis=1)
        shingles = [one for some in shingle_parts for one in some]
        with timed("exact clusters"):
            clusters = Clusters.of_keys(keys)
            firsts = clusters.firsts()
        with timed("candidates"):
            pairs = list(candidate_pairs(columns.__getitem__, bands.count, firsts))
        with timed("verify"):
            verify(pairs, shingles.__getitem__, threshold, clusters)
        with timed("keepers"):
            stays = keepers(clusters.labels(), np.zeros(len(texts), np.int32))
    stages = {"stage A": ("shingles", "bands"), "stage B": ("exact clusters", "candidates", "verify", "keepers")}
    print(
        f"speed: {len(texts):,} articles of {np.mean([len(s) for s in shingles]):.0f} different shingles, "
        f"{sum(map(len, pairs)):,} candidates, {len(texts) - len(set(stays.tolist())):,} documents removed; "
        f"median of {repeats} runs [fastest, slowest]"
    )
    for name, seconds in taken.items():
        print(f"  {name}: {per_article(seconds, len(texts))}")
    for stage, names in stages.items():
        print(f"  {stage} ({' + '.join(names)}): {per_article(sums(taken, names), len(texts))}")
    print(f"  both stages: {per_article(sums(taken, chain(*stages.values())), len(texts))}")
    print(f"  everything: {per_article(sums(taken, taken), len(texts))}")
    disk = sum(one.nbytes for one in shingles) / len(texts)
    print(f"disk: {disk:.0f} bytes of shingles and {8 * bands.count} of band hashes a document, before compression")


def sums(taken: dict[str, list[float]], names: Iterable[str]) -> list[float]:
    return [sum(run) for run in zip(*(taken[name] for name in names), strict=True)]


def per_article(seconds: list[float], documents: int) -> str:
    rates = sorted(documents / one for one in seconds)
    spread = f"[{rates[0]:,.0f}, {rates[-1]:,.0f}]"
    return f"{1e3 * median(seconds) / documents:.4f} ms an article, {median(rates):,.0f}/s {spread}"


def memory(documents: int) -> None:
    """Prints the slope of the peak of stage B over documents, from columns in which a sixth of the documents repeat."""
    peaks = []
    for size in (documents // 2, documents):
        tracemalloc.start()
        column = np.random.default_rng(0).integers(0, 3 * size, size).astype(np.uint64)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        clusters = Clusters.of_keys(np.arange(size, dtype=np.uint64))
        for pairs in candidate_pairs(partial(np.add, column), 3):
            clusters.join_pairs(pairs[:100])
        keepers(clusters.labels(), np.zeros(size, np.int32))
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
    print(
        f"memory of stage B: {(peaks[1] - peaks[0]) / (documents - documents // 2):.0f} bytes a document "
        f"({peaks[1] / 1e6:.0f} MB at {documents:,}), without the cache of shingles (64 MB)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", help="Parquet file with a column text; made-up articles if left out")
    parser.add_argument("--documents", type=int, default=20_000, help="articles whose time is taken")
    parser.add_argument("--sets", type=int, default=5, help="sets of 2,000 articles compared with brute force")
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    if args.articles:
        column = pq.read_table(args.articles, columns=["text"]).column("text").to_pylist()
        pool = [words for text in column if len(words := plain_words(text or "").split()) >= 60]
        order = cycle(rng.permutation(len(pool)).tolist())

        def article() -> Words:
            return pool[next(order)]

        texts = [text for text in column if text][: args.documents]
    else:
        wire = Wire(rng)

        def article() -> Words:
            return wire.article(rng)

        texts = [" ".join(words) for words in planted(rng, article, args.documents, 0.3)]
    quality([planted(rng, article, 2000, 0.3) for _ in range(args.sets)], args.threshold)
    speed(texts, args.threshold, args.repeats)
    memory(1_000_000)


if __name__ == "__main__":
    main()
