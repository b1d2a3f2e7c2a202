"""What an audit says: one finding a check, and the items that a person should look at.

Enters: counts of items, and what chance would give. Leaves: `Finding`s with an interval and a verdict, `Suspect`s.
Deliberately not done: no check here; this page is what all checks share, so that they judge alike.

Guessers, which answer without reading the question as a whole, are judged by how far the lower end of their 95%
interval lies above chance: more than 5 points is a reason to look, more than 10 makes a set unfit, because differences
between models and conditions are of that size. Shares of bad items are judged as they are, each check by two bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dateline.evaluate.mcq.questions import Question, QuestionSet
from dateline.statistics import Estimate, wilson

Verdict = Literal["fit", "look", "unfit"]

LOOK_ABOVE, UNFIT_ABOVE = 0.05, 0.10
"""How far above chance the lower end of a guesser's interval may lie."""
GUESSER_RULE = "look if the lower end of the interval is 5 points above chance, unfit if 10"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: a number with its 95% interval, a verdict, and one sentence for people."""

    check: str
    measure: str
    """What the number is, such as `accuracy of picking the longest option`."""
    value: float
    low: float
    high: float
    """95% interval (Wilson's); NaN where the number is a count of what is there and not a share."""
    chance: float | None
    """What guessing at random would give; None where that has no meaning."""
    verdict: Verdict
    rule: str
    """When the verdict is look, when it is unfit."""
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)
    """Further numbers, for machines."""


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


def judge_guesser(
    check: str,
    measure: str,
    credits: Sequence[float],
    chance: float,
    *,
    sentence: str,
    facts: Mapping[str, Any] | None = None,
) -> Finding:
    """Returns the finding of a guesser.

    Args:
        check: name of the check.
        measure: what the number is.
        credits: probability that the guesser is right, for each item: 1 over the number of tied options.
        chance: mean over items of 1 over the number of options.
        sentence: of the finding.
        facts: of the finding.
    """
    found = credit_share(credits)
    excess = found.low - chance
    verdict: Verdict = "unfit" if excess > UNFIT_ABOVE else "look" if excess > LOOK_ABOVE else "fit"
    numbers = (found.value, found.low, found.high, chance)
    return Finding(check, measure, *numbers, verdict, GUESSER_RULE, sentence, dict(facts or {}))


def judge_share(
    check: str,
    measure: str,
    bad: int,
    items: int,
    *,
    look: float,
    unfit: float,
    sentence: str,
    facts: Mapping[str, Any] | None = None,
) -> Finding:
    """Returns the finding of a check that counts bad items: fit up to `look`, look up to `unfit` (1 for never)."""
    found = wilson(bad, items)
    verdict: Verdict = "unfit" if found.value > unfit else "look" if found.value > look else "fit"
    bounds = [("look", look)] * (look < unfit) + [("unfit", unfit)] * (unfit < 1)
    rule = ", ".join(f"{name} if {f'more than {bound:.0%}' if bound else 'any'}" for name, bound in bounds)
    return Finding(check, measure, found.value, found.low, found.high, None, verdict, rule, sentence, dict(facts or {}))


def credit_share(credits: Sequence[float]) -> Estimate:
    """Returns the expected share of right guesses, with Wilson's interval for the nearest whole number of items.

    The interval is a little too wide where ties are many, never too narrow: a credit between 0 and 1 varies less than
    a guess that is right or wrong.
    """
    total = math.fsum(credits)
    around = wilson(round(total), len(credits))
    return Estimate(total / len(credits), around.low, around.high)


def credit(scores: Sequence[float], answer: int) -> float:
    """Returns the probability that the gold option is picked by its score, ties being broken at random."""
    best = max(scores)
    return 1 / scores.count(best) if scores[answer] == best else 0.0


def chance_of(questions: Sequence[Question]) -> float:
    """Returns the accuracy of guessing at random."""
    return math.fsum(1 / len(question.options) for question in questions) / len(questions)


def suspect(check: str, found: QuestionSet, place: int, why: str) -> Suspect:
    """Returns an item of a set as one to be looked at."""
    item = found.questions[place]
    return Suspect(
        check, found.places[place], item.id, item.country, item.question, item.options, item.options[item.answer], why
    )


def share_words(part: int, whole: int) -> str:
    """Returns `780 of 800 (97.5%)`."""
    return f"{part:,} of {whole:,} ({part / whole:.1%})" if whole else "none of none"
