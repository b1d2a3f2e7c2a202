"""The verdict: all checks of a set, and whether it is fit for use.

Enters: a file of questions. Leaves: an `Audit`: findings, the items to read, one verdict with a plain sentence.
Deliberately not done: no weighing of checks against each other: a set is fit if no check is unfit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dateline.evaluate.mcq.audit.countries import balance, labels
from dateline.evaluate.mcq.audit.cues import lengths, overlap
from dateline.evaluate.mcq.audit.finding import Finding, Suspect, judge_share, share_words
from dateline.evaluate.mcq.audit.guesser import guessers
from dateline.evaluate.mcq.audit.options import options
from dateline.evaluate.mcq.audit.position import position
from dateline.evaluate.mcq.audit.repeats import repeats
from dateline.evaluate.mcq.questions import QuestionSet, read_question_set

WIDE = 0.10
"""Half an interval above which a set is too small to tell models apart."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit of a set of questions found."""

    path: Path
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
        quota: wanted items by country, as `countries.parse_quota` returns them; empty for none.
        rotated: the set will only be scored by averaging over all rotations of the options, which repairs `position`
            and nothing else.

    Raises:
        UserError: where the file cannot be read, or has no column for questions, options or answers.
    """
    found = read_question_set(path)
    findings = [_defects(found)]
    suspects = [Suspect("defects", problem.where, "", "", "", (), "", problem.message) for problem in found.problems]
    if found.questions:
        findings += [_size(found), position(found.questions, rotated=rotated)]
        for several, items in (lengths(found), repeats(found), options(found), labels(found)):
            findings += several
            suspects += items
        findings += [overlap(found.questions), *guessers(found.questions), balance(found, quota)]
    order = {"unfit": 0, "look": 1, "fit": 2}
    findings.sort(key=lambda finding: order[finding.verdict])
    fit = findings[0].verdict != "unfit"
    sentence = _sentence(findings, rotated)
    return Audit(found.path, found.num_items, len(found.questions), findings, suspects, fit, sentence)


def _sentence(findings: list[Finding], rotated: bool) -> str:
    unfit = [finding for finding in findings if finding.verdict == "unfit"]
    if not unfit:
        looked = ", ".join(finding.check for finding in findings if finding.verdict == "look")
        under = "Fit for use where scoring rotates the options" if rotated else "Fit for use"
        return f"{under}: no check is unfit{f'; look at: {looked}' if looked else ''}."
    others = ", ".join(finding.check for finding in unfit[1:])
    return f"Not fit for use. {unfit[0].sentence}{f' Unfit as well: {others}.' if others else ''}"


def _defects(found: QuestionSet) -> Finding:
    """Returns how many items cannot be used as they are; scoring refuses a set that has one."""
    bad = len({problem.where for problem in found.problems})
    first = f", the first at {found.problems[0].where}: {found.problems[0].message}" if bad else ""
    return judge_share(
        "defects",
        "share of items that cannot be scored",
        bad,
        found.num_items,
        look=0,
        unfit=0,
        sentence=f"{share_words(bad, found.num_items)} items cannot be scored as they are{first}.",
    )


def _size(found: QuestionSet) -> Finding:
    """Returns how sure an accuracy on this set can be, in the widest case."""
    number = len(found.questions)
    half = 1.96 * 0.5 / math.sqrt(number)
    return Finding(
        "size",
        "half the 95% interval around an accuracy of 50%",
        half,
        math.nan,
        math.nan,
        None,
        "look" if half > WIDE else "fit",
        f"look if more than {100 * WIDE:.0f} points",
        f"{number:,} questions: an accuracy near 50% is known to within {100 * half:.1f} points either way.",
        {"questions": number},
    )
