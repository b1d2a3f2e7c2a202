"""Position: whether the gold answer stands at one place more often than at others.

Enters: questions. Leaves: a finding.
Deliberately not done: no repair by shuffling the file; scoring that rotates the options repairs it without touching it.
"""

from __future__ import annotations

import string
from collections import Counter, defaultdict
from collections.abc import Sequence

from dateline.evaluate.mcq.audit.finding import Finding, chance_of, judge_guesser, share_words
from dateline.evaluate.mcq.questions import Question
from dateline.statistics import chi_square_uniform


def position(questions: Sequence[Question], *, rotated: bool = False) -> Finding:
    """Returns how often the gold answer stands where it stands most often.

    The chi-square test takes the items with the commonest number of options, because only these have the same places.

    Args:
        questions: at least one.
        rotated: the set is only scored by averaging over all rotations of the options: then `unfit` becomes `look`.
    """
    counts = Counter(question.answer for question in questions)
    best, most = max(counts.items(), key=lambda pair: (pair[1], -pair[0]))
    commonest = Counter(len(question.options) for question in questions).most_common(1)[0][0]
    same = [question.answer for question in questions if len(question.options) == commonest]
    cells = [same.count(place) for place in range(commonest)]
    groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for question in questions:
        groups[question.group][letter(question.answer)] += 1
    chance = chance_of(questions)
    p_value = chi_square_uniform(cells)
    found = judge_guesser(
        "position",
        "accuracy of always picking the commonest place",
        [float(question.answer == best) for question in questions],
        chance,
        sentence="",
        facts={
            "counts": {letter(place): counts[place] for place in sorted(counts)},
            "commonest": letter(best),
            "chi_square_items": len(same),
            "chi_square_options": commonest,
            "p_value": p_value,
            "by_group": {name: dict(sorted(group.items())) for name, group in sorted(groups.items())},
        },
    )
    verdict = "look" if rotated and found.verdict == "unfit" else found.verdict
    where = f"The gold answer is option {letter(best)} in {share_words(most, len(questions))}"
    p_words = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    if found.verdict == "fit":
        said = f"{where}; chance is {chance:.1%} (chi-square {p_words})."
    else:
        said = (
            f"{where} where chance is {chance:.1%} (chi-square {p_words}): who always answers {letter(best)} is right "
            "that often. Averaging over all rotations of the options repairs this; scoring in the given order, and "
            "answers that a model writes as a letter, are worthless."
        )
    rule = f"{found.rule}{'; with rotation never worse than look' if rotated else ''}"
    return Finding(
        found.check, found.measure, found.value, found.low, found.high, found.chance, verdict, rule, said, found.facts
    )


def letter(place: int) -> str:
    """Returns the letter of an option: A for the first."""
    return string.ascii_uppercase[place] if place < len(string.ascii_uppercase) else str(place + 1)
