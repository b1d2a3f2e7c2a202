"""Repeats: the same question again, and the same question with another answer.

Enters: questions. Leaves: findings, the repeated items, and clusters of questions that are worded alike.
Deliberately not done: no meaning; the same fact asked in quite other words is found only where country and answer are
the same, and then counted, not judged: an answer may rightly answer several questions.

Two questions are worded alike if the Jaccard similarity of their words and word pairs is 0.6 or more: in a question of
ten words one may differ. Near-duplicates are about the same country and have the same answer besides, so that the same
question about another year, club or office is none.
"""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from dateline.corpus.duplicates.candidates import candidate_pairs, verify
from dateline.corpus.duplicates.clusters import Clusters
from dateline.corpus.duplicates.shingles import Bands
from dateline.corpus.text.words import plain_words
from dateline.evaluate.mcq.audit.finding import Finding, Suspect, judge_share, share_words, suspect
from dateline.evaluate.mcq.questions import Question, QuestionSet

ALIKE = 0.6
"""Jaccard similarity of words and word pairs from which on questions are worded alike."""
LOOK_SAME, UNFIT_SAME = 0.01, 0.05
"""Bounds for the share of items that repeat an earlier one word for word."""
LOOK_ALIKE, UNFIT_ALIKE = 0.02, 0.20
"""For near-duplicates; with a fifth of the items repeated, intervals are 12% too narrow."""
UNFIT_CONTRARY = 0.01
"""For items whose question is asked before, of the same country, with another answer."""


def repeats(found: QuestionSet) -> tuple[list[Finding], list[Suspect]]:
    """Returns what is asked twice: word for word, nearly, and with contrary answers."""
    questions = found.questions
    asked = [(item.country or item.label, plain_words(item.question) or item.question) for item in questions]
    gold = [plain_words(item.options[item.answer]) or item.options[item.answer] for item in questions]
    first: dict[tuple[str, str, str], int] = {}
    answered: dict[tuple[str, str], int] = {}
    same: dict[int, int] = {}
    contrary: dict[int, int] = {}
    for place, (key, answer) in enumerate(zip(asked, gold, strict=True)):
        if (earlier := first.setdefault((*key, answer), place)) != place:
            same[place] = earlier
        elif (earlier := answered.setdefault(key, place)) != place:
            contrary[place] = earlier
    facts = list(zip((country for country, _ in asked), gold, strict=True))
    codes = np.unique(np.array([f"{country}\n{answer}" for country, answer in facts]), return_inverse=True)[1]
    labels = alike(questions, lambda pairs: pairs[codes[pairs[:, 0]] == codes[pairs[:, 1]]])
    near = {place: int(label) for place, label in enumerate(labels) if label != place}
    near |= same
    shared = sum(times - 1 for times in Counter(facts).values())
    total = len(questions)
    findings = [
        judge_share(
            "duplicates",
            "share of items that repeat an earlier one word for word",
            len(same),
            total,
            look=LOOK_SAME,
            unfit=UNFIT_SAME,
            sentence=f"{share_words(len(same), total)} items repeat question and answer of an earlier one about the "
            "same country (case and punctuation aside). Repeats count twice, and intervals come out too narrow.",
        ),
        judge_share(
            "near-duplicates",
            "share of items that nearly repeat an earlier one",
            len(near),
            total,
            look=LOOK_ALIKE,
            unfit=UNFIT_ALIKE,
            sentence=f"{share_words(len(near), total)} items ask nearly or exactly what an earlier one about the same "
            f"country asks, with the same answer; {share_words(shared, total)} have country and answer of an earlier "
            "one, however worded. Repeats count twice, and intervals come out too narrow.",
            facts={"same_country_and_answer": shared, "similarity": ALIKE},
        ),
        judge_share(
            "contrary answers",
            "share of items that ask what an earlier one asks and answer otherwise",
            len(contrary),
            total,
            look=0,
            unfit=UNFIT_CONTRARY,
            sentence=f"{share_words(len(contrary), total)} items ask what an earlier one about the same country asks, "
            "and have another answer: no model can be right both times.",
        ),
    ]
    suspects = [suspect("duplicates", found, place, f"repeats {_name(found, other)}") for place, other in same.items()]
    suspects += [
        suspect("near-duplicates", found, place, f"nearly repeats {_name(found, other)}")
        for place, other in sorted(near.items())
        if place not in same
    ]
    suspects += [
        suspect("contrary answers", found, place, f"another answer than {_name(found, other)}")
        for place, other in contrary.items()
    ]
    return findings, suspects


def alike(
    questions: Sequence[Question],
    admitted: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]] = lambda pairs: pairs,
) -> npt.NDArray[np.int64]:
    """Returns for each question the first one of its cluster: questions connected by pairs that are worded alike.

    Args:
        questions: any number.
        admitted: returns those of some candidate pairs, [pairs, 2], that may be connected at all.
    """
    shingles = [_shingles(item.question) for item in questions]
    clusters = Clusters(len(questions))
    bands = Bands(ALIKE)
    hashes = bands.band_hashes(shingles)

    def candidates() -> Iterator[npt.NDArray[np.int64]]:
        for pairs in candidate_pairs(lambda band: hashes[:, band], bands.count):
            yield admitted(pairs)

    verify(candidates(), shingles.__getitem__, ALIKE, clusters)
    return clusters.labels()


def _shingles(question: str) -> npt.NDArray[np.uint32]:
    """Returns the sorted different hashes of a question's words and word pairs."""
    words = plain_words(question).split()
    parts = {*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))}
    return np.unique(np.array([zlib.crc32(part.encode()) for part in parts], dtype=np.uint32))


def _name(found: QuestionSet, place: int) -> str:
    return f"{found.questions[place].id} ({found.places[place]})"
