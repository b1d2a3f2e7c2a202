"""Cues: what gives the answer away to somebody who compares lengths or looks for words of the question.

Enters: questions. Leaves: findings about simple guessers, and the items with the plainest cues.
Deliberately not done: no language understanding; a cue is what a line of code can use.
"""

from __future__ import annotations

from collections.abc import Sequence

from dateline.corpus.text.words import plain_words
from dateline.evaluate.mcq.audit.finding import Finding, Suspect, chance_of, credit, judge_guesser, share_words, suspect
from dateline.evaluate.mcq.questions import Question, QuestionSet
from dateline.statistics import wilson

MUCH_LONGER = 2.0
"""A gold option that is so many times as long as the longest other one is listed for reading."""
_SMALL = (
    "a an and are as at be by for from had has have in is it its of on or s than that the their this to was were what "
    "when where which who whom whose why with how"
)
SMALL_WORDS = frozenset(_SMALL.split())
"""Words that questions and options share without meaning anything."""


def lengths(found: QuestionSet) -> tuple[list[Finding], list[Suspect]]:
    """Returns how far picking the longest, and the shortest, option gets. Length is in characters."""
    questions = found.questions
    findings = [_extreme(questions, "longest", 1), _extreme(questions, "shortest", -1)]
    suspects = []
    for place, item in enumerate(questions):
        gold, *others = sorted(range(len(item.options)), key=lambda option: option != item.answer)
        longest = max(len(item.options[option]) for option in others)
        if longest and len(item.options[gold]) >= MUCH_LONGER * longest:
            why = f"the answer has {len(item.options[gold])} characters, the longest other option {longest}"
            suspects.append(suspect("longest", found, place, why))
    return findings, suspects


def _extreme(questions: Sequence[Question], name: str, sign: int) -> Finding:
    credits, chances = [], []
    hits = alone = 0
    for item in questions:
        scores = [sign * len(option) for option in item.options]
        credits.append(credit(scores, item.answer))
        if scores.count(max(scores)) == 1:
            alone += 1
            chances.append(1 / len(scores))
            hits += scores[item.answer] == max(scores)
    strict = wilson(hits, alone)
    expected = sum(chances) / alone if alone else 0.0
    chance = chance_of(questions)
    accuracy = sum(credits) / len(credits)
    return judge_guesser(
        name,
        f"accuracy of picking the {name} option",
        credits,
        chance,
        sentence=(
            f"Picking the {name} option is right in {accuracy:.1%} (chance {chance:.1%}); the answer is strictly the "
            f"{name} in {share_words(hits, alone)} of the items that have one, where chance is {expected:.1%}. "
            "Rotating the options does not change this."
        ),
        facts={
            "strict": {"share": strict.value, "low": strict.low, "high": strict.high, "chance": expected},
            "strict_items": alone,
            "strict_hits": hits,
        },
    )


def overlap(questions: Sequence[Question]) -> Finding:
    """Returns how far picking the option with most words of the question gets, small words left out."""
    from dateline.statistics import paired_difference

    credits, gold, distractors = [], [], []
    for item in questions:
        asked = content_words(item.question)
        shares = [_shared(content_words(option), asked) for option in item.options]
        credits.append(credit(shares, item.answer))
        gold.append(shares[item.answer])
        distractors.append((sum(shares) - shares[item.answer]) / (len(shares) - 1))
    chance = chance_of(questions)
    accuracy = sum(credits) / len(credits)
    more = paired_difference(gold, distractors, [1.0] * len(gold), resamples=1000)
    mean_gold, mean_other = sum(gold) / len(gold), sum(distractors) / len(distractors)
    return judge_guesser(
        "overlap",
        "accuracy of picking the option with most words of the question",
        credits,
        chance,
        sentence=(
            f"Of an answer's words {mean_gold:.1%} stand in the question, of a wrong option's {mean_other:.1%}; "
            f"picking the option that shares most is right in {accuracy:.1%} (chance {chance:.1%}). "
            "Rotating the options does not change this."
        ),
        facts={
            "gold": mean_gold,
            "distractors": mean_other,
            "difference": {"value": more.value, "low": more.low, "high": more.high},
        },
    )


def content_words(text: str) -> frozenset[str]:
    """Returns the different words of a text, small ones left out."""
    return frozenset(plain_words(text).split()) - SMALL_WORDS


def _shared(words: frozenset[str], asked: frozenset[str]) -> float:
    return len(words & asked) / len(words) if words else 0.0
