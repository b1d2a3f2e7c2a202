"""The table of items: one row an item, condition and form, from which every score can be computed again.

Enters: answers, or a folder of an earlier evaluation. Leaves: `items.parquet`, and answers in the order of the items.
Deliberately not done: no comparison of different items or of different ways of asking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.evaluate.mcq.questions import Question
from dateline.evaluate.mcq.scores import Answers
from dateline.manifest import require_manifest
from dateline.records import stable_hash

STAGE = "mcq"
ITEMS = "items.parquet"
MAKE = "dateline eval mcq MODEL FILE --out DIR"
_KINDS: dict[str, pa.DataType] = {
    "correct": pa.float64(),
    "chosen": pa.int32(),
    "costs": pa.list_(pa.float64()),
}
_NAMES = (
    *("run", "condition", "form", "id", "country", "continent", "fields"),
    *("correct", "chosen", "costs", "written", "model", "protocol", "corpus"),
)
SCHEMA = pa.schema({name: _KINDS.get(name, pa.string()) for name in _NAMES})
"""`correct` is between 0 and 1; `chosen` is -1 for ties, unanswered items, and forms without a choice."""


def questions_fingerprint(questions: Sequence[Question]) -> str:
    """Returns 16 hex digits of everything that is asked, whatever the format of the file."""
    return f"{stable_hash(*(repr(question) for question in questions)):016x}"


def write_items(path: Path, answers: Sequence[Answers], origin: Mapping[str, str]) -> None:
    """Writes the table of items as Parquet."""
    fixed = {name: origin[name] for name in ("model", "protocol", "corpus")}
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for one in answers:
            number = len(one.ids)
            same = {"run": one.run, "condition": one.condition, "form": one.form, "fields": one.fields, **fixed}
            columns = {
                **{name: [value] * number for name, value in same.items()},
                "id": one.ids,
                "country": one.countries,
                "continent": one.continents,
                "correct": one.points,
                "chosen": one.chosen,
                "costs": one.costs,
                "written": one.written,
            }
            writer.write_table(pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA))


def read_answers(folder: Path) -> list[Answers]:
    """Reads the answers of a finished evaluation.

    Raises:
        UserError: where the folder holds none.
    """
    require_manifest(folder, STAGE, MAKE)
    path = folder / ITEMS
    try:
        rows = pq.read_table(path, schema=SCHEMA).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable table of items ({str(error).splitlines()[0]})") from None
    parts: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault((row["run"], row["condition"], row["form"]), []).append(row)
    return [
        Answers(
            run=run,
            condition=condition,
            form=form,
            ids=[row["id"] for row in members],
            countries=[row["country"] for row in members],
            continents=[row["continent"] for row in members],
            points=[row["correct"] for row in members],
            chosen=[row["chosen"] for row in members],
            costs=[row["costs"] for row in members],
            written=[row["written"] for row in members],
            fields=members[0]["fields"],
        )
        for (run, condition, form), members in parts.items()
    ]


def check_comparable(folder: Path, run: str, origin: Mapping[str, str]) -> None:
    """Refuses, before anything is asked, an evaluation that these answers could not be compared with item by item.

    Raises:
        UserError: where it asked other questions, asked in another way, or has the same name.
    """
    other = require_manifest(folder, STAGE, MAKE)
    name = str(other.recipe.get("run"))
    for meaning, theirs, ours in (
        ("other questions", other.parents.get("questions"), origin["corpus"]),
        ("in another way", other.facts.get("protocol"), origin["protocol"]),
    ):
        if theirs != ours:
            raise UserError(
                f"{folder}: run '{name}' was asked {meaning} ({theirs}, here {ours}); a paired comparison needs the "
                "same: ask both models with the same FILE and options"
            )
    if name == run:
        raise UserError(f"{folder}: holds a run that is called '{run}' too; give this one another name with --run")


def matching_answers(folder: Path, own: Sequence[Answers]) -> list[Answers]:
    """Returns the answers of another evaluation that have their like among these, on the same items in the same order.

    Raises:
        UserError: where there are none.
    """
    items = {(answers.condition, answers.form): answers.ids for answers in own}
    theirs = read_answers(folder)
    result = [other for other in theirs if items.get((other.condition, other.form)) == other.ids]
    if not result:
        known = ", ".join(sorted({other.condition for other in theirs}))
        raise UserError(f"{folder}: was asked under {known}; a comparison needs a condition in common")
    return result
