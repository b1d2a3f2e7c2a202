"""The score table: its columns, writing, reading, merging, and a view of it for people.

Enters: scores, and files with scores or with the nll of single documents. Leaves: one tidy table, one row a number.
Deliberately not done: no mixing of protocols or corpora, no statistics (see `comparisons`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.records import Score

SCORES = "scores.parquet"
DOCUMENTS = "documents.parquet"
UNKNOWN = "unknown"
"""The group of documents whose country, continent or domain is not known."""

_INTEGERS = ("num_documents", "num_tokens", "num_bytes", "num_outlets", "num_seeds")
_FLOATS = ("value", "ci_low", "ci_high", "p_value", "p_holm", "mde", "nll")


def _schema(names: Iterable[str]) -> pa.Schema:
    kinds: dict[str, pa.DataType] = {**dict.fromkeys(_INTEGERS, pa.int64()), **dict.fromkeys(_FLOATS, pa.float64())}
    return pa.schema({name: kinds.get(name, pa.string()) for name in names})


SCORE_SCHEMA = _schema(f.name for f in fields(Score))
DOCUMENT_SCHEMA = _schema(
    [
        *("run", "condition", "fields", "id", "domain", "country", "continent"),
        *("nll", "num_tokens", "num_bytes"),
        *("model", "protocol", "corpus"),
    ]
)
"""One row a document and condition: nll in nats summed over the document's scored tokens, and the bytes of these.

`fields` is what the prefix showed, joined by `+`; empty for nothing.
"""


def to_table(scores: Iterable[Score]) -> pa.Table:
    """Returns scores as an Arrow table with the columns of `records.Score`."""
    return pa.Table.from_pylist([asdict(score) for score in scores], schema=SCORE_SCHEMA)


def from_table(table: pa.Table) -> list[Score]:
    """Returns the scores of an Arrow table; columns that `Score` does not have are left out."""
    missing = [name for name in SCORE_SCHEMA.names if name not in table.column_names]
    if missing:
        raise UserError(f"not a score table: column '{missing[0]}' is missing; evaluate again")
    return [Score(**row) for row in table.select(SCORE_SCHEMA.names).to_pylist()]


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """Writes a score table as Parquet."""
    pq.write_table(to_table(scores), path, compression="zstd")


def read_scores(path: Path) -> list[Score]:
    """Reads a score table from a folder that an evaluation made, or from a Parquet file.

    Raises:
        UserError: where there is none.
    """
    return from_table(_read(path / SCORES if path.is_dir() else path))


def read_documents(path: Path) -> pa.Table:
    """Reads the per-document nll of an evaluation from its folder, or from a Parquet file.

    Raises:
        UserError: where there is none, or where it has other columns.
    """
    table = _read(path / DOCUMENTS if path.is_dir() else path)
    missing = [name for name in DOCUMENT_SCHEMA.names if name not in table.column_names]
    if missing:
        raise UserError(f"{path}: not a table of documents: column '{missing[0]}' is missing; evaluate again")
    return table.select(DOCUMENT_SCHEMA.names)


def merge_scores(folders: Sequence[Path]) -> list[Score]:
    """Puts the scores of several evaluations into one table.

    Args:
        folders: folders (or files) with score tables.

    Raises:
        UserError: where protocols or corpora differ, or where two folders score the same run under one condition.
    """
    merged: list[Score] = []
    origin: dict[tuple[str, ...], Path] = {}
    for folder in folders:
        scores = read_scores(folder)
        for score in scores:
            key = (score.run, score.condition, score.grouping, score.group, score.metric, score.versus)
            if key in origin:
                raise UserError(
                    f"run '{score.run}' under '{score.condition}' is in {origin[key]} and in {folder}; "
                    "give each evaluation its own --run name"
                )
            origin[key] = folder
        merged.extend(scores)
    if merged:
        for kind in ("protocol", "corpus"):
            first = getattr(merged[0], kind)
            other = next((score for score in merged if getattr(score, kind) != first), None)
            if other is not None:
                raise UserError(
                    f"run '{merged[0].run}' was scored with {kind} {first}, run '{other.run}' with "
                    f"{getattr(other, kind)}; scores of different {kind} are not comparable: evaluate again under one"
                )
    return merged


def groups(columns: Mapping[str, npt.NDArray[Any]], by: Sequence[str]) -> list[tuple[str, str, npt.NDArray[np.int64]]]:
    """Returns (grouping, group, rows) for all documents and for every group of each grouping, in sorted order."""
    result = [("all", "all", np.arange(len(columns["id"]), dtype=np.int64))]
    for grouping in by:
        names = np.array([name or UNKNOWN for name in columns[grouping]], dtype=np.str_)
        for name in np.unique(names):
            result.append((grouping, str(name), np.flatnonzero(names == name).astype(np.int64)))
    return result


def summary_rows(
    scores: Iterable[Score], *, metric: str = "ppl", grouping: str = "continent", interval: bool = True
) -> list[dict[str, str]]:
    """Returns a table for people: a row for each run and condition, a column for `all` and for each group.

    Args:
        scores: levels or differences.
        metric: which number is shown.
        grouping: whose groups are the columns beside `all`.
        interval: show the interval behind the value.

    Returns:
        Rows with the same keys in the same order: `run`, `condition` (and `versus` for differences), `all`, groups.
    """
    chosen = [score for score in scores if score.metric == metric and score.grouping in ("all", grouping)]
    columns = ["all", *sorted({score.group for score in chosen if score.grouping == grouping})]
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for score in chosen:
        key = (score.run, score.condition, score.versus)
        if key not in rows:
            leak = " [leak]" if "url" in score.fields.split("+") else ""
            head = {"run": score.run, "condition": f"{score.condition}{leak}"}
            head |= {"versus": score.versus} if score.versus else {}
            rows[key] = head | dict.fromkeys(columns, "")
        rows[key][score.group] = _shown(score, interval)
    return list(rows.values())


def _shown(score: Score, interval: bool) -> str:
    digits = 2 if score.metric == "ppl" else 4
    text = f"{score.value:.{digits}f}"
    if interval and math.isnan(score.ci_low):
        return f"{text} [{'one document' if score.num_documents == 1 else 'no interval'}]"
    return f"{text} [{score.ci_low:.{digits}f}, {score.ci_high:.{digits}f}]" if interval else text


def _read(path: Path) -> pa.Table:
    try:
        table: pa.Table = pq.read_table(path)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such table; make it with: dateline eval perplexity MODEL --corpus ENCODED --out DIR"
        ) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    return table
