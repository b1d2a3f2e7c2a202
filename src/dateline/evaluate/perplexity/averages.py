"""From losses of documents to numbers of groups, each with its interval, and the tables that comparisons start from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.evaluate.perplexity.leak import METRIC
from dateline.evaluate.perplexity.parts import GROUPS
from dateline.evaluate.table import DOCUMENT_SCHEMA, groups
from dateline.records import Score
from dateline.statistics import Estimate, ratio_estimate, resampled_sums

Columns = dict[str, npt.NDArray[Any]]
Parts = dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]
"""Condition -> nats and tokens of one part in each of some documents."""

PARTS = "parts.parquet"
PART_SCHEMA = DOCUMENT_SCHEMA.append(pa.field("grouping", pa.string())).append(pa.field("group", pa.string()))
"""One row a document, condition and part of the document that has scored tokens; its bytes are not known (null)."""


class Scored(NamedTuple):
    """One condition's losses; all arrays have one entry a document."""

    fields: str
    """What the prefix showed, joined by `+`."""
    nll: npt.NDArray[np.float64]
    num_tokens: npt.NDArray[np.int64]
    num_bytes: npt.NDArray[np.int64]
    """Of the scored text; 0 where the tokens do not give the text back."""
    part_nll: npt.NDArray[np.float64] | None = None
    """Nats by part, shape [documents, len(GROUPS)]; None where the condition has no losses of single tokens."""
    part_tokens: npt.NDArray[np.int64] | None = None


class Origin(NamedTuple):
    """What is the same in every row of an evaluation."""

    run: str
    protocol: str
    model: str
    corpus: str


def levels(
    tables: Mapping[str, Scored], places: Columns, origin: Origin, by: Sequence[str], resamples: int, seed: int
) -> list[Score]:
    """Averages every condition over every group and part; all conditions of a group share their resamples.

    There are no bits per byte where some document's bytes were not scored (`without_bytes`).
    """
    scores = []
    has_bytes = not without_bytes(tables)
    for grouping, group, members in groups(places, by):
        columns = np.column_stack(
            [column[members] for t in tables.values() for column in (t.nll, t.num_tokens, t.num_bytes)]
        ).astype(np.float64)
        sums = resampled_sums(columns, resamples=resamples, seed=seed)
        for position, (condition, table) in enumerate(tables.items()):
            over = position * 3
            nll = ratio_estimate(columns, sums, over, over + 1)
            metrics = _nll_and_ppl(nll)
            if has_bytes:
                bits = ratio_estimate(columns, sums, over, over + 2)
                metrics["bits_per_byte"] = Estimate(*(part / math.log(2) for part in bits[:3]))
            about = {"condition": condition, "fields": table.fields, "num_tokens": int(columns[:, over + 1].sum())}
            scores += _rows(metrics, origin, grouping, group, places, members, about)
    for (grouping, group), members, parts in _by_part(tables):
        columns = np.column_stack([column for pair in parts.values() for column in pair]).astype(np.float64)
        sums = resampled_sums(columns, resamples=resamples, seed=seed)
        for position, (condition, (_, tokens)) in enumerate(parts.items()):
            nll = ratio_estimate(columns, sums, 2 * position, 2 * position + 1)
            about = {"condition": condition, "fields": tables[condition].fields, "num_tokens": int(tokens.sum())}
            scores += _rows(_nll_and_ppl(nll), origin, grouping, group, places, members, about)
    return scores


def without_bytes(tables: Mapping[str, Scored]) -> int:
    """Counts the documents whose bytes were not scored, because their tokens do not give the text back."""
    return max(int((table.num_bytes == 0).sum()) for table in tables.values())


def leak_scores(
    counts: npt.NDArray[np.float64], places: Columns, origin: Origin, by: Sequence[str], resamples: int, seed: int
) -> list[Score]:
    """Returns the share of title words that the URL spells out, by group; `num_tokens` is the number of title words.

    Args:
        counts: words found and words of the title, shape [documents, 2].
        places: metadata columns of the documents.
        origin: of the evaluation.
        by: groupings besides all.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    scores = []
    for grouping, group, members in groups(places, by):
        columns = counts[members]
        words = int(columns[:, 1].sum())
        if words:
            share = ratio_estimate(columns, resampled_sums(columns, resamples=resamples, seed=seed), 0, 1)
            share = Estimate(share.value, *np.clip(share[1:3], 0.0, 1.0).tolist())
            about = {"condition": "", "fields": "", "num_tokens": words}
            scores += _rows({METRIC: share}, origin, grouping, group, places, members, about)
    return scores


def document_table(tables: Mapping[str, Scored], places: Columns, origin: Origin) -> pa.Table:
    """Returns one row a document and condition."""
    everyone = np.arange(len(places["id"]))
    return pa.concat_tables(
        _table(DOCUMENT_SCHEMA, condition, scored, places, origin, everyone, columns)
        for condition, scored in tables.items()
        for columns in [{"nll": scored.nll, "num_tokens": scored.num_tokens, "num_bytes": scored.num_bytes}]
    )


def part_table(tables: Mapping[str, Scored], places: Columns, origin: Origin) -> pa.Table:
    """Returns one row a document, condition and part."""
    made = [PART_SCHEMA.empty_table()]
    for (grouping, group), members, parts in _by_part(tables):
        for condition, (nll, tokens) in parts.items():
            number = len(members)
            columns: dict[str, Any] = {
                "nll": nll,
                "num_tokens": tokens,
                "num_bytes": [None] * number,
                "grouping": [grouping] * number,
                "group": [group] * number,
            }
            made.append(_table(PART_SCHEMA, condition, tables[condition], places, origin, members, columns))
    return pa.concat_tables(made)


def _by_part(tables: Mapping[str, Scored]) -> Iterator[tuple[tuple[str, str], npt.NDArray[np.int64], Parts]]:
    """Yields each part, the documents that have it, and nats and tokens of these under each condition.

    Under `paper` a condition may cut a document before a part that another still reaches; a document counts where all
    reach the part.
    """
    cut = {name: table for name, table in tables.items() if table.part_nll is not None}
    for column, name in enumerate(GROUPS if cut else ()):
        found = [t.part_tokens[:, column] > 0 for t in cut.values() if t.part_tokens is not None]
        members = np.flatnonzero(np.logical_and.reduce(found)).astype(np.int64)
        if len(members):
            parts = {
                condition: (table.part_nll[members, column], table.part_tokens[members, column])
                for condition, table in cut.items()
                if table.part_nll is not None and table.part_tokens is not None
            }
            yield name, members, parts


def _rows(
    metrics: Mapping[str, Estimate], origin: Origin, grouping: str, group: str, places: Columns,
    members: npt.NDArray[np.int64], about: Mapping[str, Any],
) -> list[Score]:  # fmt: skip
    outlets = len(set(places["domain"][members].tolist()) - {""})
    return [
        Score(
            grouping=grouping, group=group, metric=metric, value=estimate.value, ci_low=estimate.low,
            ci_high=estimate.high, num_documents=len(members), num_outlets=outlets, **origin._asdict(), **about,
        )
        for metric, estimate in metrics.items()
    ]  # fmt: skip


def _table(
    schema: pa.Schema, condition: str, scored: Scored, places: Columns, origin: Origin,
    members: npt.NDArray[np.int64], columns: Mapping[str, Any],
) -> pa.Table:  # fmt: skip
    fixed = {**origin._asdict(), "condition": condition, "fields": scored.fields}
    every: dict[str, Any] = {name: [value] * len(members) for name, value in fixed.items()}
    every |= {name: values[members] for name, values in places.items()}
    every |= columns
    return pa.table({name: every[name] for name in schema.names}, schema=schema)


def _nll_and_ppl(nll: Estimate) -> dict[str, Estimate]:
    return {"nll": nll, "ppl": Estimate(*(_exp(part) for part in nll[:3]))}


def _exp(value: float) -> float:
    return math.inf if value >= 700 else math.exp(value)
