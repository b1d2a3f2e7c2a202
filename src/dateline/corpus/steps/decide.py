"""The one step that sees the whole corpus: which of several copies stays, and which split each document is in.

Of a cluster the earliest dated article stays, of one day the first in the order of the recipe's paths. No text is read:
near copies are checked on their shingles, which lie on disk.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from datatrove.pipeline.base import PipelineStep

from dateline.corpus.duplicates.candidates import candidate_pairs, verify
from dateline.corpus.duplicates.clusters import Clusters, keepers
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.split import assign_splits
from dateline.corpus.steps.judge import near_threshold
from dateline.corpus.work import DECISION, STATUSES, Signatures, piece_folder, read_index, whole_folder

KEPT, DUPLICATE, NEAR = range(len(STATUSES))


class Decide(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """Decides on all articles of the corpus at once."""

    type = "dateline"
    name = "decide"

    def __init__(self, recipe: CorpusRecipe, work: Path, pieces: int) -> None:
        super().__init__()
        self.recipe, self.work, self.pieces = recipe, work, pieces

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Writes the folder of decisions."""
        if (self.work / "decisions").is_dir():
            return
        with self.track_time():
            index = read_index(self.work, self.pieces)
            exact = Clusters.of_keys(index["key"])
            stays_exact = keepers(exact.labels(), index["day"])
            stays = self._near_copies(index, exact) if near_threshold(self.recipe) is not None else stays_exact
            status = _statuses(index, stays_exact, stays, keep_near=self.recipe.near_duplicates.keep)
            kept = status == KEPT
            splits = np.zeros(len(index), np.uint8)
            # the splits of clusters are those of the articles that stand for them
            splits[kept] = _splits_of_kept(self.recipe, index, stays, kept)
            decisions = np.empty(len(index), DECISION)
            decisions["status"], decisions["split"] = status, splits
            heads = stays_exact if self.recipe.near_duplicates.keep else stays
            decisions["kept"] = index["id"][heads]
            self._write(index, decisions, heads)

    def _near_copies(self, index: npt.NDArray[np.void], clusters: Clusters) -> npt.NDArray[np.int64]:
        """Joins near copies to the clusters of exact ones; returns for each article the one that stays."""
        threshold = near_threshold(self.recipe)
        assert threshold is not None
        if self.recipe.near_duplicates.index == "distributed":
            from dateline.corpus.duplicates.distributed import read_clusters

            clusters.join_pairs(read_clusters(self.work, index, self.pieces))
            return keepers(clusters.labels(), index["day"])
        from dateline.corpus.duplicates.shingles import Bands

        bands = Bands(threshold).count
        signatures = Signatures(self.work, index, self.pieces)
        pairs = candidate_pairs(lambda number: signatures.band(number, bands), bands, clusters.firsts())
        verify(pairs, signatures.shingles, threshold, clusters)
        return keepers(clusters.labels(), index["day"])

    def _write(
        self, index: npt.NDArray[np.void], decisions: npt.NDArray[np.void], heads: npt.NDArray[np.int64]
    ) -> None:
        copies = _addresses_of_copies(self.work, index, decisions, heads)
        with whole_folder(self.work / "decisions") as folder:
            for piece in range(self.pieces):
                members = np.flatnonzero(index["piece"] == piece)
                np.save(folder / f"{piece:05d}.npy", decisions[members])
                if copies[piece]:
                    (folder / f"{piece:05d}.json").write_text(json.dumps(copies[piece]), encoding="utf-8")


def _statuses(
    index: npt.NDArray[np.void], stays_exact: npt.NDArray[np.int64], stays: npt.NDArray[np.int64], *, keep_near: bool
) -> npt.NDArray[np.uint8]:
    own = np.arange(len(index))
    status = np.full(len(index), KEPT, np.uint8)
    if keep_near:
        status[stays_exact != own] = DUPLICATE
        return status
    removed = stays != own
    same_words = index["key"] == index["key"][stays]
    status[removed & same_words] = DUPLICATE
    status[removed & ~same_words] = NEAR
    return status


def _splits_of_kept(
    recipe: CorpusRecipe, index: npt.NDArray[np.void], stays: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Returns the splits of the kept articles; those of one cluster (`near_duplicates.keep`) go one way."""
    members = np.flatnonzero(kept)
    position = np.full(len(index), -1, np.int64)
    position[members] = np.arange(len(members))
    return assign_splits(recipe, index[members], position[stays[members]])


def _addresses_of_copies(
    work: Path, index: npt.NDArray[np.void], decisions: npt.NDArray[np.void], heads: npt.NDArray[np.int64]
) -> defaultdict[int, dict[str, list[str]]]:
    """Returns piece -> row within the piece -> addresses of the removed copies, each once, in reading order."""
    found: defaultdict[int, dict[str, list[str]]] = defaultdict(dict)
    removed = np.flatnonzero(decisions["status"] != KEPT)
    if not len(removed):
        return found
    first_of_piece = np.searchsorted(index["piece"], np.arange(int(index["piece"].max()) + 1))
    for piece in np.unique(index["piece"][removed]):
        urls = _column(work, int(piece), "url")
        for article in removed[index["piece"][removed] == piece]:
            url = urls[int(article - first_of_piece[piece])]
            head = int(heads[article])
            home = int(index["piece"][head])
            row = str(head - int(first_of_piece[home]))
            known = found[home].setdefault(row, [])
            if url and url not in known:
                known.append(url)
    return found


def _column(work: Path, piece: int, name: str) -> list[str]:
    """Returns one column of a piece's articles."""
    with pa.OSFile(str(piece_folder(work, piece) / "articles.arrow"), "rb") as file, pa.ipc.open_file(file) as batches:
        values: list[str] = []
        for number in range(batches.num_record_batches):
            values += (str(value) for value in batches.get_batch(number).column(name).to_pylist())
        return values
