"""Audits a set of multiple-choice questions: all checks, the items that a person should read, and one verdict.

A set is fit for use if no check is unfit; checks are not weighed against each other. On disk an audit is a folder with
`audit.json`, `items.parquet` (one row for each item and check that names it) and a manifest; no item is corrected.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dateline.benchmark import checks
from dateline.benchmark.checks import Finding
from dateline.benchmark.guesser import guessers
from dateline.benchmark.questions import QuestionSet, read_question_set
from dateline.stage import Made, Stage

AUDIT = "audit.json"
ITEMS = "items.parquet"
STAGE = "audit"


@dataclass(frozen=True, slots=True)
class Suspect:
    """An item that a person should read, and why."""

    check: str
    where: str
    id: str
    country: str
    question: str
    options: tuple[str, ...]
    answer: str
    why: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit of a set of questions found."""

    path: Path
    file: str
    """Fingerprint of the file, 16 hex digits."""
    quota: Mapping[str, int] | str
    rotated: bool
    """Whether the set is only scored over all rotations of the options."""
    num_items: int
    num_questions: int
    """Items of which a question could be made."""
    findings: list[Finding]
    suspects: list[Suspect]
    """Items that a person should read; an item stands here once for each check that names it."""
    fit: bool
    """No check is unfit."""
    sentence: str
    """Whether and why, in plain words."""


def audit_questions(path: Path | str, *, quota: Mapping[str, int] | str = "", rotated: bool = False) -> Audit:
    """Audits a file of questions, broken items included.

    Args:
        path: JSON Lines, JSON or Parquet.
        quota: wanted items by country, as `parse_quota` returns them; empty for none.
        rotated: the set will only be scored by averaging over all rotations of the options, which repairs `position`
            and nothing else.

    Returns:
        The audit, its findings sorted by verdict, the unfit ones first.

    Raises:
        UserError: where the file cannot be read, or has no column for questions, options or answers.

    Example:
        >>> audit = audit_questions("questions.jsonl", quota="even")
        >>> audit.fit, audit.sentence
        (True, 'Fit for use: no check is unfit.')
    """
    found = read_question_set(path)
    with found.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    findings = [checks.defects(found)]
    suspects = [Suspect("defects", problem.where, "", "", "", (), "", problem.message) for problem in found.problems]
    if found.questions:
        findings += [checks.size(found), checks.position(found, rotated=rotated)]
        for check in (checks.lengths, checks.repeats, checks.options, checks.labels):
            findings += check(found)
        findings += [checks.overlap(found), *guessers(found), checks.balance(found, quota)]
    suspects += [
        _suspect(finding.check, found, place, why) for finding in findings for place, why in finding.items.items()
    ]
    order = {"unfit": 0, "look": 1, "fit": 2}
    findings.sort(key=lambda finding: order[finding.verdict])
    fit = findings[0].verdict != "unfit"
    sentence = _sentence(findings, rotated)
    return Audit(
        path=found.path,
        file=digest,
        quota=quota,
        rotated=rotated,
        num_items=found.num_items,
        num_questions=len(found.questions),
        findings=findings,
        suspects=suspects,
        fit=fit,
        sentence=sentence,
    )


def _sentence(findings: list[Finding], rotated: bool) -> str:
    unfit = [finding for finding in findings if finding.verdict == "unfit"]
    if not unfit:
        looked = ", ".join(finding.check for finding in findings if finding.verdict == "look")
        under = "Fit for use where scoring rotates the options" if rotated else "Fit for use"
        return f"{under}: no check is unfit{f'; look at: {looked}' if looked else ''}."
    others = ", ".join(finding.check for finding in unfit[1:])
    return f"Not fit for use. {unfit[0].sentence}{f' Unfit as well: {others}.' if others else ''}"


def _suspect(check: str, found: QuestionSet, place: int, why: str) -> Suspect:
    item = found.questions[place]
    answer = item.options[item.answer]
    return Suspect(check, found.places[place], item.id, item.country, item.question, item.options, answer, why)


def as_plain(audit: Audit) -> dict[str, Any]:
    """Returns an audit as JSON can hold it, without the single items: missing numbers are null."""
    plain: dict[str, Any] = _without_nan(
        {
            "file": str(audit.path),
            "fit": audit.fit,
            "sentence": audit.sentence,
            "items": audit.num_items,
            "questions": audit.num_questions,
            "items_to_read": len(audit.suspects),
            "checks": [_numbers(finding) for finding in audit.findings],
        }
    )
    return plain


def audit_stage(audit: Audit) -> Stage:
    """Returns the stage that keeps an audit: `audit.json`, and `items.parquet` with the items to read.

    Args:
        audit: what `audit_questions` returned.

    Example:
        >>> audit_stage(audit_questions("questions.jsonl")).make(Path("runs/audit")).facts["fit"]
        True
    """
    quota = audit.quota if isinstance(audit.quota, str) else dict(audit.quota)
    recipe = {"quota": quota, "rotated": audit.rotated}
    return Stage(STAGE, recipe, {"questions": audit.file}, lambda folder: _write(audit, folder))


def _write(audit: Audit, folder: Path) -> Made:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        {
            **dict.fromkeys(("check", "where", "id", "country", "question"), pa.string()),
            "options": pa.list_(pa.string()),
            **dict.fromkeys(("answer", "why"), pa.string()),
        }
    )
    rows = [asdict(suspect) for suspect in audit.suspects]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / ITEMS, compression="zstd")
    (folder / AUDIT).write_text(json.dumps(as_plain(audit), indent=2) + "\n", encoding="utf-8")
    verdicts = [finding.verdict for finding in audit.findings]
    return Made(
        counts={
            "in": audit.num_items,
            "kept": audit.num_questions,
            **{name: verdicts.count(name) for name in ("fit", "look", "unfit")},
        },
        drops={"not a question": audit.num_items - audit.num_questions},
        facts={"fit": audit.fit, "sentence": audit.sentence},
    )


def _numbers(finding: Finding) -> dict[str, Any]:
    plain = asdict(finding)
    del plain["items"]
    return plain


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return value
