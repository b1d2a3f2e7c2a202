"""What people decide about the questions of a benchmark: kept line by line, compared, and applied.

Each reviewer has a JSON Lines file, to which every decision is appended at once; of several decisions about one
question the last one holds. The files can be sent around as they are. Applying them makes a new benchmark: what a
reviewer rejects goes to the rejected ones, what one edits is replaced.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from dateline.benchmark.build import STAGE
from dateline.benchmark.card import COLUMNS
from dateline.benchmark.drafts import NUM_OPTIONS
from dateline.benchmark.finish import REJECTED, TABLE, finish
from dateline.benchmark.recipe import BuildOptions
from dateline.config import Section, fingerprint
from dateline.errors import UserError
from dateline.manifest import Manifest, require_manifest
from dateline.records import stable_hash
from dateline.stage import Made, Stage, say
from dateline.statistics import Estimate, kappa

Verdict = Literal["accept", "reject", "edit", "undecided"]
MAKE = "dateline benchmark build CORPUS --out {}"


class Decision(Section):
    """What a reviewer says about a question."""

    reviewer: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w.-]+$")]
    id: Annotated[str, Field(min_length=1)]
    """Of the question."""
    verdict: Verdict
    """`undecided` takes an earlier decision back."""
    reason: Annotated[str, Field(max_length=500)] = ""
    """Why it is rejected."""
    question: str = ""
    """As edited; the three are empty for other verdicts."""
    options: tuple[str, ...] = ()
    correct_answer: str = ""
    time: str = ""
    """When it was written down, ISO 8601."""

    @model_validator(mode="after")
    def _whole(self) -> Decision:
        if self.verdict == "reject" and not self.reason.strip():
            raise ValueError("a rejection needs a reason")
        if self.verdict == "edit":
            if not self.question.strip() or len(self.options) != NUM_OPTIONS:
                raise ValueError(f"an edit needs a question and {NUM_OPTIONS} options")
            if len({option.strip() for option in self.options} - {""}) != NUM_OPTIONS:
                raise ValueError("an option is empty, or two are equal")
            if self.correct_answer not in self.options:
                raise ValueError("the answer is none of the options")
        return self


class ReviewLog:
    """The decisions of one reviewer, in a file that grows.

    Args:
        path: JSON Lines; made at the first decision.
        reviewer: whose file it is.

    Raises:
        UserError: where the file is damaged, or is another reviewer's.
    """

    def __init__(self, path: Path, reviewer: str) -> None:
        self.path, self.reviewer = path, reviewer
        self.decisions: dict[str, Decision] = {}
        """Question -> the decision that holds; undecided ones are not there."""
        if path.exists():
            self.decisions = read_decisions(path)
            if strange := {one.reviewer for one in self.decisions.values()} - {reviewer}:
                raise UserError(f"{path}: holds decisions of {', '.join(sorted(strange))}; name another --reviewer")

    def add(self, decision: Decision) -> None:
        """Writes a decision down; it is on the disk when this returns."""
        decision = decision.model_copy(update={"time": datetime.now(UTC).isoformat(timespec="seconds")})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(decision.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else f"\n{line}"  # a line that was cut off stays alone
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        if decision.verdict == "undecided":
            self.decisions.pop(decision.id, None)
        else:
            self.decisions[decision.id] = decision


def read_decisions(path: Path) -> dict[str, Decision]:
    """Returns the decision that holds for each question, those that were taken back left out.

    A line that was cut off by a power failure is named and passed over: its key press was never confirmed.

    Raises:
        UserError: which names the line that is no decision.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name a file of decisions") from None
    found: dict[str, Decision] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            decision = Decision.model_validate_json(line)
        except ValidationError as error:
            if not _is_json(line):
                say(f"{path}:{number}: is no whole line of JSON, and is passed over")
                continue
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            words = first["msg"].removeprefix("Value error, ")
            raise UserError(f"{path}:{number}: {where}{': ' if where else ''}{words}; correct the line") from None
        found[decision.id] = decision
    if not found and path.stat().st_size:
        raise UserError(f"{path}: holds no decision of a reviewer")
    return {name: one for name, one in found.items() if one.verdict != "undecided"}


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def read_benchmark(folder: Path) -> tuple[Manifest, list[dict[str, Any]]]:
    """Returns the manifest and the questions of a finished benchmark.

    Raises:
        UserError: where the folder is none.
    """
    import pyarrow.parquet as pq

    manifest = require_manifest(folder, STAGE, MAKE.format(folder))
    rows: list[dict[str, Any]] = pq.read_table(folder / TABLE).to_pylist()
    return manifest, rows


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree on the questions that both have decided."""

    first: str
    second: str
    questions: int
    agreed: int
    kappa: Estimate
    """Cohen's, with its 95% interval: 1 for perfect agreement, 0 for what chance gives."""


def agreements(reviews: Sequence[Path]) -> list[Agreement]:
    """Returns the agreement of any two reviewers who have decided about the same questions."""
    decided = {path.stem: read_decisions(path) for path in sorted(reviews)}
    pairs = [agreement(decided[one], decided[other], (one, other)) for one, other in combinations(decided, 2)]
    return [found for found in pairs if found.questions]


def agreement(first: Mapping[str, Decision], second: Mapping[str, Decision], names: tuple[str, str]) -> Agreement:
    """Returns the agreement of two reviewers on accept, reject and edit.

    Args:
        first: question -> decision.
        second: of another reviewer.
        names: of the two.
    """
    both = sorted(set(first) & set(second))
    counts: Counter[tuple[str, str]] = Counter((first[one].verdict, second[one].verdict) for one in both)
    agreed = sum(number for (one, other), number in counts.items() if one == other)
    return Agreement(*names, len(both), agreed, kappa(counts))


def reviewed_stage(folder: Path, reviews: Sequence[Path], out: Path) -> Stage:
    """Returns the stage that makes a new benchmark of what reviewers have left of one.

    A question that any of them rejects is thrown away with the reviewer's reason. One that is edited is replaced; where
    two reviewers edit the same question differently, nobody wins. Undecided questions stay.

    Args:
        folder: a finished benchmark.
        reviews: files of decisions.
        out: where the new folder is going to stand.

    Raises:
        UserError: where a file is no file of decisions, decides about other questions, or edits contradict each other.
    """
    manifest, rows = read_benchmark(folder)
    decided = {path: read_decisions(path) for path in reviews}
    known = {row["id"] for row in rows}
    edits: dict[str, Decision] = {}
    rejections: dict[str, list[str]] = {}
    for path, several in decided.items():
        if strange := sorted(set(several) - known):
            raise UserError(f"{path}: decides about {strange[0]}, which is no question of {folder}")
        for name, one in several.items():
            if one.verdict == "reject":
                rejections.setdefault(name, []).append(f"rejected by {one.reviewer}: {one.reason.strip()}")
            elif one.verdict == "edit":
                other = edits.setdefault(name, one)
                if _text(other) != _text(one):
                    raise UserError(
                        f"{path}: edits {name} otherwise than {other.reviewer} does; agree on one, or take one back"
                    )
    content = {name: one.model_dump(mode="json") for path in decided for name, one in decided[path].items()}
    parents = {"benchmark": manifest.fingerprint, "reviews": fingerprint(*(_plain(one) for one in decided.values()))}
    recipe = manifest.recipe | {"folder": str(out.resolve()), "decided": len(content)}
    return Stage(STAGE, recipe, parents, lambda new: _apply(folder, manifest, rows, edits, rejections, out, new))


def _plain(decisions: Mapping[str, Decision]) -> dict[str, Any]:
    return {name: one.model_dump(mode="json", exclude={"time"}) for name, one in sorted(decisions.items())}


def _text(one: Decision) -> tuple[str, frozenset[str], str]:
    return one.question.strip(), frozenset(option.strip() for option in one.options), one.correct_answer.strip()


def _apply(
    folder: Path,
    manifest: Manifest,
    rows: Sequence[dict[str, Any]],
    edits: Mapping[str, Decision],
    rejections: Mapping[str, list[str]],
    out: Path,
    new: Path,
) -> Made:
    import pyarrow.parquet as pq

    options = BuildOptions(**{key: value for key, value in manifest.recipe.items() if key in BuildOptions.model_fields})
    rejected = pq.read_table(folder / REJECTED).to_pylist()
    rejected += [
        {"reason": reasons[0], "reasons": reasons, **row} for row in rows if (reasons := rejections.get(row["id"], []))
    ]
    kept = [
        _edited(row, edits[row["id"]]) if row["id"] in edits else row for row in rows if row["id"] not in rejections
    ]
    if not kept:
        raise UserError(f"{folder}: the reviewers leave no question")
    wanted = dict(Counter(row["country"] for row in kept))
    facts = {
        "generator": manifest.facts["generator"],
        "test_articles": manifest.facts["test_articles"],
        "edited": sum(row["id"] in edits for row in kept),
        "rejected_by_reviewers": len(rows) - len(kept),
    }
    return finish(new, out, _even(kept, options.seed), rejected, options, wanted, facts)


def _edited(row: Mapping[str, Any], edit: Decision) -> dict[str, Any]:
    """Returns a row with an edit; where an option was right stays known for those that were not changed."""
    homes = dict(zip(row["options"], row["option_countries"], strict=True))
    options = [option.strip() for option in edit.options]
    answer = edit.correct_answer.strip()
    known = row["contrast_answer"] in options and row["contrast_answer"] != answer
    return {
        **row,
        "question": edit.question.strip(),
        "options": options,
        "correct_answer": answer,
        "option_countries": [row["country"] if one == answer else homes.get(one, "") for one in options],
        "contrast_country": row["contrast_country"] if known else "",
        "contrast_answer": row["contrast_answer"] if known else "",
        "pair_id": row["pair_id"] if edit.question.strip() == row["question"] else "",
        "notes": [*row["notes"], f"edited by {edit.reviewer}"],
    }


def _even(rows: Sequence[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Returns rows with the answers spread evenly over the positions again, as `arrange` does for drafts."""
    ordered = sorted(rows, key=lambda row: (row["country"], stable_hash("position", str(seed), row["id"])))
    result = []
    for number, row in enumerate(ordered):
        homes = dict(zip(row["options"], row["option_countries"], strict=True))
        options = [option for option in row["options"] if option != row["correct_answer"]]
        options.insert(number % NUM_OPTIONS, row["correct_answer"])
        moved = {**row, "options": options, "option_countries": [homes[option] for option in options]}
        result.append({name: moved[name] for name in COLUMNS})
    return result
