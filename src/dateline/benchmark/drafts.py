"""A question before it is accepted: where it comes from, and what is wrong with it, without asking any model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from dateline.benchmark.checks import SMALL_WORDS, alike, containing, speaks_of_others
from dateline.benchmark.questions import Question
from dateline.corpus.newswire.wire import demonym
from dateline.corpus.text.words import plain_words
from dateline.places import continent_of, country
from dateline.records import Article, stable_hash

NUM_OPTIONS = 4

_EXPIRES = re.compile(
    r"\d|\b(today|yesterday|tomorrow|currently|current|now|latest|newest|recently|recent|so far|this (year|month|week)"
    r"|(last|next) (year|month|week)|January|February|March|April|June|July|August|September|October|November"
    r"|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b"
)
"""What will not be so for long. `May` is left out, which is more often a verb."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A question with its answer, its wrong options and its evidence."""

    question: str
    answer: str
    distractors: tuple[str, ...]
    homes: tuple[str, ...]
    """For each distractor a country where it is right; empty where none is known."""
    country: str
    """Whose question it is."""
    article: Article
    evidence: str
    """A part of the article's text, verbatim."""
    start: int
    """Its first character in the text; -1 where it does not stand there."""
    kind: str
    """What is asked for: `currency`, `city`."""
    topic: str
    generator: str
    prompt_version: str
    pair: str = ""
    """Shared by questions of the same words and options about several places; empty for a question of its own."""
    rejected: str = ""
    """Why the generator itself gives it up; empty where it does not."""
    notes: tuple[str, ...] = ()
    """What marks it without rejecting it: `closed book`."""

    @property
    def id(self) -> str:
        """Sixteen hex digits of question, country and answer."""
        return f"{stable_hash('draft', self.question, self.country, self.answer):016x}"

    @property
    def expires(self) -> bool:
        """Whether question or answer has a date, a number or a word such as `currently`."""
        return bool(_EXPIRES.search(f"{self.question} {self.answer}"))


class Generator(Protocol):
    """Makes drafts from articles."""

    def drafts(self, wanted: Mapping[str, int]) -> Iterator[list[Draft]]:
        """Yields groups of drafts that stand or fall together.

        Args:
            wanted: how many questions each country still lacks; the caller lowers it as it accepts groups.
        """

    def facts(self) -> dict[str, Any]:
        """Returns what the manifest is to say about the generator's work."""


def problems(draft: Draft, *, max_length_ratio: float) -> list[str]:
    """Returns why a draft must be rejected, in the order of the checks; empty where nothing is wrong.

    Args:
        draft: any.
        max_length_ratio: characters of the longest option over those of the shortest.
    """
    return [draft.rejected] if draft.rejected else list(_problems(draft, max_length_ratio))


def _problems(draft: Draft, max_length_ratio: float) -> Iterator[str]:
    options = (draft.answer, *draft.distractors)
    words = [plain_words(option) or option for option in options]
    if not draft.question.strip() or not all(option.strip() for option in options):
        yield "the question or an option is empty"
        return
    if len(options) != NUM_OPTIONS:
        yield f"has not {NUM_OPTIONS} options"
    end = draft.start + len(draft.evidence)
    if not draft.evidence or draft.start < 0 or draft.article.text[draft.start : end] != draft.evidence:
        yield "the evidence does not stand in the article"
    elif not stands_in(draft.answer, draft.evidence):
        yield "the answer does not stand in the evidence"
    elif any(stands_in(option, draft.evidence) for option in draft.distractors):
        yield "another option stands in the evidence"
    if len(set(words)) < len(words):
        yield "two options have the same words"
    elif containing(words):
        yield "an option is part of another"
    if any(speaks_of_others(option) for option in words):
        yield "an option speaks of the others"
    if _content(draft.answer) & _content(draft.question):
        yield "a word of the answer stands in the question"
    lengths = [len(option) for option in options]
    if max(lengths) > max_length_ratio * min(lengths):
        yield "the options differ too much in length"
    if len({bool(re.search(r"\d", option)) for option in options}) > 1:
        yield "some options are numbers and others are not"
    if names_place(draft.answer, draft.country) or any(
        names_place(option, home) for option, home in zip(draft.distractors, draft.homes, strict=True) if home
    ):
        yield "an option names its country"
    if draft.country in draft.homes:
        yield "another option is right for the country"


def stands_in(option: str, text: str) -> bool:
    """Says whether an option stands in a text as it is, at the edges of words; its first letter may be raised."""
    return any(_whole(form, text) for form in {option, option[:1].upper() + option[1:]})


def _whole(words: str, text: str) -> bool:
    start = text.find(words)
    while start >= 0:
        end = start + len(words)
        if not (text[max(start - 1, 0) : start].isalnum() or text[end : end + 1].isalnum()):
            return True
        start = text.find(words, start + 1)
    return False


def _content(text: str) -> frozenset[str]:
    return frozenset(plain_words(text).split()) - SMALL_WORDS


@lru_cache(maxsize=1 << 14)
def names_place(option: str, code: str) -> bool:
    """Says whether an option gives its country away by its name: `the Bank of Ghana`, `the Nigerian Railway`.

    A country's name, its other names, the last word of its name (`Lanka`) and the people's name count; cities do not.
    """
    known = country(code)
    if known is None:
        return False
    pieces = re.findall(r"[^\W_]+", option)
    plain = {piece.casefold() for piece in pieces}
    last = known.name.split()[-1].casefold()
    people = demonym(code).casefold()
    if last in plain or (people and f" {people} " in f" {' '.join(pieces).casefold()} "):
        return True
    for size in range(1, 5):
        for start in range(len(pieces) - size + 1):
            name = " ".join(pieces[start : start + size])
            if len(name) > 2 or name.isupper():  # `in` and `my` are words, `US` is a country
                found = country(name)
                if found is not None and found.alpha2 == code:
                    return True
    return False


def repeated(drafts: Sequence[Draft]) -> dict[int, str]:
    """Returns which drafts ask what an earlier one of the same country asks, and how: position -> reason.

    Questions of one country are near-duplicates if they are worded alike and have the same answer (as in the audit);
    those of the same words with another answer contradict each other.
    """
    found: dict[int, str] = {}
    first: dict[tuple[str, str], int] = {}
    for at, draft in enumerate(drafts):
        key = (draft.country, plain_words(draft.question))
        earlier = first.setdefault(key, at)
        if earlier != at:
            same = plain_words(drafts[earlier].answer) == plain_words(draft.answer)
            found[at] = "repeats an earlier question" if same else "contradicts an earlier question"
    facts: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for at, draft in enumerate(drafts):
        facts[draft.country, plain_words(draft.answer) or draft.answer].append(at)
    for several in facts.values():
        if len(several) > 1:
            labels = alike([as_question(drafts[at]) for at in several])
            for at, label in zip(several, labels.tolist(), strict=True):
                if several[label] != at:
                    found.setdefault(at, "nearly repeats an earlier question")
    return found


def as_question(draft: Draft, order: Iterable[int] = range(NUM_OPTIONS), contrast: str = "") -> Question:
    """Returns a draft as a question.

    Args:
        draft: with its answer.
        order: which option stands at each place: 0 for the answer, 1 for the first distractor.
        contrast: a country where one of the distractors is right.
    """
    options = (draft.answer, *draft.distractors)
    order = [number for number in order if number < len(options)]
    contrast_answer = order.index(1 + draft.homes.index(contrast)) if contrast else None
    continent = continent_of(draft.country)
    return Question(
        id=draft.id,
        question=draft.question,
        options=tuple(options[number] for number in order),
        answer=order.index(0),
        country=draft.country,
        continent=continent,
        label=draft.country,
        contrast_country=contrast,
        contrast_answer=contrast_answer,
        topic=draft.topic,
        group=draft.generator,
    )
