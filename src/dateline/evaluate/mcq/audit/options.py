"""Options: those that are equal, contain one another, stand in the question, or speak of the others.

Enters: questions. Leaves: a finding for each, and the items concerned.
Deliberately not done: no options are compared by meaning (`UK` and `Britain` differ), nor by case and punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dateline.corpus.text.words import plain_words
from dateline.evaluate.mcq.audit.finding import Finding, Suspect, judge_share, share_words, suspect
from dateline.evaluate.mcq.questions import QuestionSet

UNFIT_EQUAL = 0.01
LOOK_CONTAINED = 0.05
LOOK_IN_QUESTION, UNFIT_IN_QUESTION = 0.01, 0.05
UNFIT_ABOVE_OPTIONS = 0.05

_ABOVE = re.compile(
    r"(all|none|neither|both|any|most) (of )?(the )?(above|these|those|them|options|answers|choices)( options)?"
    r"|(both )?[a-d] and [a-d]|(all|none) of the other(s| options| answers)"
)


def options(found: QuestionSet) -> tuple[list[Finding], list[Suspect]]:
    """Returns what is wrong with options as they stand."""
    equal: dict[int, str] = {}
    contained: dict[int, str] = {}
    in_question: dict[int, str] = {}
    above: dict[int, str] = {}
    wrong_in_question = wrong = with_gold = 0
    for place, item in enumerate(found.questions):
        words = [plain_words(option) or option for option in item.options]
        asked = f" {plain_words(item.question)} "
        if len(set(words)) < len(words):
            equal[place] = "two options have the same words"
        elif pair := _containing(words):
            contained[place] = f"'{item.options[pair[0]]}' is part of '{item.options[pair[1]]}'"
            with_gold += item.answer in pair
        standing = [f" {option} " in asked for option in words]
        if standing[item.answer]:
            in_question[place] = f"the answer '{item.options[item.answer]}' stands in the question"
        wrong_in_question += sum(standing) - standing[item.answer]
        wrong += len(words) - 1
        if any(_ABOVE.fullmatch(option) for option in words):
            above[place] = "an option speaks of the other options"
    total = len(found.questions)
    findings = [
        judge_share(
            "equal options",
            "share of items with two options of the same words",
            len(equal),
            total,
            look=0,
            unfit=UNFIT_EQUAL,
            sentence=f"{share_words(len(equal), total)} items have two options of the same words (case and punctuation "
            "aside): if one of them is the answer, the other is counted wrong.",
        ),
        judge_share(
            "options in options",
            "share of items with an option that is part of another",
            len(contained),
            total,
            look=LOOK_CONTAINED,
            unfit=1,
            sentence=f"{share_words(len(contained), total)} items have an option whose words are part of another's, in "
            f"{with_gold:,} of them the answer is one of the two: both may be defensible.",
            facts={"with_gold": with_gold},
        ),
        judge_share(
            "answer in question",
            "share of items whose question holds the answer",
            len(in_question),
            total,
            look=LOOK_IN_QUESTION,
            unfit=UNFIT_IN_QUESTION,
            sentence=f"{share_words(len(in_question), total)} questions hold their own answer word for word; of the "
            f"wrong options {share_words(wrong_in_question, wrong)} stand in the question.",
            facts={"wrong_options_in_question": wrong_in_question, "wrong_options": wrong},
        ),
        judge_share(
            "all of the above",
            "share of items with an option that speaks of the others",
            len(above),
            total,
            look=0,
            unfit=UNFIT_ABOVE_OPTIONS,
            sentence=f"{share_words(len(above), total)} items have an option such as 'all of the above', which means "
            "something else when options are rotated or scored one by one.",
        ),
    ]
    listed = {"equal options": equal, "options in options": contained, "answer in question": in_question}
    listed["all of the above"] = above
    return findings, [
        suspect(check, found, place, why) for check, items in listed.items() for place, why in items.items()
    ]


def _containing(words: Sequence[str]) -> tuple[int, int] | None:
    """Returns the first pair of options of which one holds all words of the other in a row, the part first."""
    for part, small in enumerate(words):
        for whole, large in enumerate(words):
            if part != whole and f" {small} " in f" {large} ":
                return part, whole
    return None
