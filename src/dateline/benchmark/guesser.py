"""A guesser that never sees a question (naive Bayes): how often the options alone give the answer away.

The guesser weighs every feature of an option by how much more often than chance options with it were right in the
other folds, and picks the option with the largest sum. Nothing is learned from an item that is worded like the one that
is guessed: questions that are worded alike lie in the same fold, whatever their country. A second figure keeps all
questions with the same answer in one fold as well. That is below chance where answers serve as wrong options elsewhere,
and tells whether the first rests on answers that come back.
Three sets of features: the wording (words, and the option as a whole: it finds strings that are always right and
distractors that never are); the wording with the country; the form (length among the options, capitals, digits, marks:
nothing that is about one subject). The first two learn from the set itself, which a model in use does not; the last is
what anybody can do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from dateline.benchmark.checks import SMALL_WORDS, Finding, alike, chance_of, credit, credit_share, judge_guesser
from dateline.benchmark.questions import Question, QuestionSet
from dateline.corpus.duplicates.clusters import Clusters
from dateline.corpus.text.words import plain_words
from dateline.records import stable_hash

FOLDS = 10
PRIOR = 4.0
"""Options that count as seen before, with chance as their share of gold ones, for every feature."""

Features = Callable[[Question, int], Iterator[str]]
"""Names what is seen of an option of a question, given its index."""


def guessers(found: QuestionSet) -> list[Finding]:
    """Returns how often the guesser is right by wording, by wording and country, and by form, in ten folds."""
    questions = found.questions
    labels = alike(questions)
    folds = _folds(questions, labels)
    apart = _folds(questions, _with_answers(questions, labels))
    chance = chance_of(questions)
    largest = Counter(labels.tolist()).most_common(1)[0][1]
    findings = []
    for check, what, features, more in GUESSERS:
        credits = _credits(questions, folds, features)
        accuracy = sum(credits) / len(credits)
        unseen = credit_share(_credits(questions, apart, features))
        findings.append(
            judge_guesser(
                check,
                f"accuracy of a guesser that sees only {what}",
                credits,
                chance,
                sentence=f"A guesser that sees no question, only {what}, is right in {accuracy:.1%} (chance "
                f"{chance:.1%}), and in {unseen.value:.1%} where it has never seen an answer be right before. {more} "
                "Rotating the options does not change this.",
                facts={
                    "folds": FOLDS,
                    "largest_group": largest,
                    "unseen_answers": {"value": unseen.value, "low": unseen.low, "high": unseen.high},
                },
            )
        )
    return findings


def _folds(questions: Sequence[Question], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Returns the fold of each question; those of one cluster share it, whatever the order of the file."""
    names = [stable_hash("fold", questions[label].question, *questions[label].options) for label in labels.tolist()]
    return np.array([name % FOLDS for name in names], np.int64)


def _with_answers(questions: Sequence[Question], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Returns larger clusters, in which all questions with the same answer are together too."""
    clusters = Clusters(len(questions))
    first: dict[str, int] = {}
    for place, (item, label) in enumerate(zip(questions, labels.tolist(), strict=True)):
        answer = item.options[item.answer]
        clusters.join(place, label)
        clusters.join(place, first.setdefault(plain_words(answer) or answer, place))
    return clusters.labels()


def wording(item: Question, place: int) -> Iterator[str]:
    """Yields the different words of an option, and the option as a whole."""
    words = plain_words(item.options[place])
    yield f"={words or item.options[place]}"
    yield from sorted(set(words.split()))


def placed_wording(item: Question, place: int) -> Iterator[str]:
    """Yields the wording of an option, once alone and once with the country that the question is about."""
    for name in wording(item, place):
        yield name
        yield f"{item.country or item.label}: {name}"


def asked_wording(item: Question, place: int) -> Iterator[str]:
    """Yields the words of an option, and each of them with each word of the question."""
    own = list(wording(item, place))
    yield from own
    asked = sorted(set(plain_words(item.question).split()) - SMALL_WORDS)
    yield from (f"{one} > {name}" for one in asked for name in own)


def form(item: Question, place: int) -> Iterator[str]:
    """Yields what an option looks like among the others, whatever it is about."""
    options, option = item.options, item.options[place]
    size, words = [len(other) for other in options], [len(other.split()) for other in options]
    yield f"rank {sum(other > size[place] for other in size)} of {len(size)} in characters, {size.count(size[place])}"
    yield f"rank {sum(other > words[place] for other in words)} of {len(words)} in words, {words.count(words[place])}"
    signs = {
        "digit": r"\d",
        "bracket": r"[()\[\]]",
        "comma": ",",
        "hyphen": "-",
        "point": r"\.",
        "quote": "[\"'\u2018\u2019\u201c\u201d]",
        "beyond ASCII": r"[^\x00-\x7f]",
        "small first letter": r"^[a-z]",
        "capitals": r"[A-Z]{2}",
        "article": r"^(?:[Tt]he|[Aa]n?) ",
    }
    for name, pattern in signs.items():
        if re.search(pattern, option):
            others = sum(bool(re.search(pattern, other)) for other in options) - 1
            yield f"{name}, {'alone' if not others else 'with others'}"


GUESSERS: tuple[tuple[str, str, Features, str], ...] = (
    (
        "blind wording",
        "words of the options, learned on the rest of the set",
        wording,
        "Where the second number is much lower, it knows answers that come back: never tune on a part of the set and "
        "test on another.",
    ),
    (
        "blind with country",
        "words of the options and the country, learned on the rest of the set",
        placed_wording,
        "What this has over blind wording is what the country alone adds, without any question.",
    ),
    ("blind form", "length and spelling of the options", form, "This is open to every model."),
)
"""Check, what is seen, its features, and what the number means."""


def guess(questions: Sequence[Question], features: Features) -> list[float]:
    """Returns for each item the probability that a guesser with these features, trained on other folds, is right."""
    return _credits(questions, _folds(questions, alike(questions)), features)


def _credits(questions: Sequence[Question], folds: npt.NDArray[np.int64], features: Features) -> list[float]:
    """Returns for each item the probability that the guesser, trained on the other folds, is right."""
    numbers: dict[str, int] = {}
    seen: list[int] = []
    owner: list[int] = []
    gold: list[bool] = []
    base: list[float] = []
    fold_of: list[int] = []
    starts = [0]
    for item, fold in zip(questions, folds.tolist(), strict=True):
        for place in range(len(item.options)):
            mine = [numbers.setdefault(name, len(numbers)) for name in features(item, place)]
            seen += mine
            owner += [len(gold)] * len(mine)
            gold.append(place == item.answer)
            base.append(1 / len(item.options))
            fold_of.append(fold)
        starts.append(len(gold))
    feature, option = np.array(seen, np.int64), np.array(owner, np.int64)
    hits, expected, of_fold = np.array(gold, np.float64), np.array(base), np.array(fold_of)
    scores = np.zeros(len(gold))
    for fold in range(FOLDS):
        trained = of_fold[option] != fold
        known = feature[trained]
        right, chance, times = (
            np.bincount(known, weights, len(numbers))
            for weights in (hits[option[trained]], expected[option[trained]], np.ones(len(known)))
        )
        prior = np.divide(chance, times, out=np.full(len(numbers), 0.5), where=times > 0)
        share = (right + PRIOR * prior) / (times + PRIOR)
        weight = np.log(share / (1 - share)) - np.log(prior / (1 - prior))
        sums = np.bincount(option[~trained], weight[feature[~trained]], len(gold))
        scores += sums  # options of other folds got nothing
    ranked = np.round(scores, 9).tolist()
    return [
        credit(ranked[start:end], item.answer)
        for item, start, end in zip(questions, starts[:-1], starts[1:], strict=True)
    ]
