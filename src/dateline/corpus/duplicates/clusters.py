"""Clusters of copies, over chains, and which document of each stays.

There is no limit to chains: if A is like B and B like C, all three are one cluster, because no copy may be in two
splits. Takes 8 bytes a document to hold, 48 while exact copies are found, 41 while keepers are.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

UNDATED = int(np.iinfo(np.int32).max)
"""The day of a document without a date: every dated copy is earlier."""


class Clusters:
    """Documents that can be joined and asked whether they are together: a union-find whose roots are the first ones.

    Attributes:
        documents: Number of documents.
    """

    def __init__(self, documents: int) -> None:
        self.documents = documents
        self._parents = array("q", range(documents))

    @classmethod
    def of_keys(cls, keys: NDArray[np.uint64]) -> Clusters:
        """Returns the clusters of exact copies: documents with the same key (`text_key`) are together."""
        clusters = cls(len(keys))
        if len(keys):
            order = np.argsort(keys, kind="stable")
            ordered = keys[order]
            opens = np.concatenate(([True], ordered[1:] != ordered[:-1]))
            firsts = order[opens][np.cumsum(opens) - 1]
            np.frombuffer(clusters._parents, np.int64)[order] = firsts
        return clusters

    def root(self, document: int) -> int:
        """Returns the first document of a document's cluster."""
        parents = self._parents
        while (parent := parents[document]) != document:
            parents[document] = document = parents[parent]
        return document

    def together(self, one: int, other: int) -> bool:
        """Says whether two documents are in one cluster already."""
        return self.root(one) == self.root(other)

    def join(self, one: int, other: int) -> bool:
        """Makes one cluster of the clusters of two documents; says whether they were apart."""
        first, second = sorted((self.root(one), self.root(other)))
        self._parents[second] = first
        return first != second

    def join_pairs(self, pairs: NDArray[np.int64]) -> None:
        """Joins the two documents of each pair, [pairs, 2]."""
        for one, other in pairs.tolist():
            self.join(one, other)

    def labels(self) -> NDArray[np.int64]:
        """Returns for each document the first document of its cluster, whatever the order of joining was."""
        labels = np.array(self._parents, np.int64)
        while not np.array_equal(labels, further := labels[labels]):
            labels = further
        return labels

    def firsts(self) -> NDArray[np.int64]:
        """Returns the first document of every cluster, ascending."""
        return np.flatnonzero(self.labels() == np.arange(self.documents))


def keepers(labels: NDArray[np.int64], days: NDArray[np.int32]) -> NDArray[np.int64]:
    """Returns for each document the document of its cluster that stays: the earliest, of one day the first read.

    Args:
        labels: What `Clusters.labels` returns.
        days: Days since 1970-01-01; `UNDATED` where none is known, which comes after all that have one.
    """
    if len(labels) != len(days):
        raise ValueError(f"{len(labels)} labels and {len(days)} days: one of each a document is needed")
    order = np.lexsort((days, labels))  # stable: of one day, in reading order
    ordered = labels[order]
    opens = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(order) else np.empty(0, bool)
    stays = np.empty(len(labels), np.int64)
    stays[ordered[opens]] = order[opens]
    return stays[labels]
