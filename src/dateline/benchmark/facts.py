"""The offline generator: questions from the facts of the embedded newswire, in groups that contrast places.

A group has one question text and one set of options for up to four places, each of which has another right answer. So
a wrong option is right somewhere else, and whoever knows question and options but no place is right once in a group,
whatever the strategy. Each fact of a country is asked for once.

Articles are read with the grammar that wrote them, which tells what each of their words stands for. Questions stand in
`frames.yaml`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from dateline.benchmark.checks import containing
from dateline.benchmark.drafts import NUM_OPTIONS, Draft, problems, stands_in
from dateline.corpus.newswire.grammar import Bindings
from dateline.corpus.newswire.wire import Newswire, place_tables
from dateline.corpus.text.words import plain_words
from dateline.errors import UserError
from dateline.records import Article, stable_hash

NAME = "facts"
VERSION = "facts-1"
"""Raised when a change of the frames or of this module makes other questions."""

_SENTENCE_END = re.compile(r"[.!?][\"”]?\s+(?=[\"“A-Z])")
TITLES = ("Officer", "Judge", "Doctor", "Nurse", "Professor", "Engineer", "Lawyer", "Coach", "Manager", "Driver")
"""What may stand before a person's name in every country."""
PAIRS = {"places": ("city", "region"), "clubs": ("club",)}
"""Tables of two values joined by `and`, and the tables of the single values."""
TRIES = 200
"""Combinations of facts that are tried for one group before another frame is taken."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A question about a kind of fact."""

    kind: str
    table: str
    question: str
    story: str = ""
    """Of the newswire; empty for facts that a place has one of."""
    evidence: tuple[str, ...] = ()
    """One of these must stand in the evidence, with {} for the answer; empty for any sentence with the answer."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that an article says, in one of its sentences."""

    frame: Frame
    answer: str
    article: Article
    evidence: str
    start: int
    topic: str


@cache
def frames() -> tuple[tuple[Frame, ...], Mapping[str, tuple[Frame, ...]]]:
    """Returns the frames for facts that a place has one of, and those for each story."""
    text = resources.files("dateline.benchmark").joinpath("frames.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    direct = tuple(
        Frame(kind, frame["table"], frame["question"], evidence=tuple(frame.get("evidence", ())))
        for kind, frame in loaded["direct"].items()
    )
    listed = {
        story: tuple(
            Frame(kind, frame["table"], f"{loaded['lead'].format(subject=subject)} {frame['question']}", story)
            for kind, frame in loaded["listed"].items()
        )
        for story, subject in loaded["subjects"].items()
    }
    return direct, listed


class FactsGenerator:
    """Draws groups of questions from the facts that held-out articles of the newswire state.

    Args:
        articles: held-out articles, all written by the newswire.
        seed: the same seed gives the same groups.
        max_length_ratio: of the options of a question, as in `problems`.

    Raises:
        UserError: where an article was not written by the newswire of this version.
    """

    def __init__(self, articles: Sequence[Article], *, seed: int, max_length_ratio: float) -> None:
        self._seed = str(seed)
        self._ratio = max_length_ratio
        self._open: defaultdict[Frame, defaultdict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
        self._asked: set[tuple[str, str]] = set()
        """Country and answer of facts that are used up, and country and question."""
        self._kinds: Counter[str] = Counter()
        self._rejected: list[Draft] = []
        self.found = 0
        self._collect(articles)

    def _collect(self, articles: Sequence[Article]) -> None:
        wire = Newswire()
        seen: set[tuple[Frame, str, str]] = set()
        failed: dict[tuple[str, str, str], Draft] = {}
        direct, listed = frames()
        for article in sorted(articles, key=lambda one: stable_hash("facts", self._seed, one.id)):
            read = None
            if article.domain in wire.grammar.places:
                read = wire.grammar.derivation(article.title, article.text, article.domain)
            if read is None:
                raise UserError(
                    f"article {article.id}: was not written by the newswire of this version, whose facts the generator "
                    "'facts' asks for; build the newswire again, or take --generator llm"
                )
            pattern, bindings = read
            values = _values(article.text, bindings)
            for frame in (*direct, *listed[pattern.name]):
                for answer in values.get(frame.table, ()):
                    if (frame, article.country, answer) in seen:
                        continue
                    fact = _find(frame, answer, article, pattern.topic, bindings)
                    if fact is None:  # another article may say it in a sentence that will do
                        continue
                    seen.add((frame, article.country, answer))
                    wrong = problems(self._draft(fact, ()), max_length_ratio=self._ratio)
                    wrong = [reason for reason in wrong if reason != f"has not {NUM_OPTIONS} options"]
                    if wrong:
                        draft = self._draft(fact, (), rejected=wrong[0])
                        failed.setdefault((frame.kind, article.country, answer), draft)
                    else:
                        self._open[frame][article.country].append(fact)
                        self.found += 1
        self._rejected = list(failed.values())

    def known(self) -> Iterator[Fact]:
        """Yields every fact that can be asked for, those of one kind and country one after another."""
        for countries in self._open.values():
            for facts in countries.values():
                yield from facts

    def drafts(self, wanted: Mapping[str, int]) -> Iterator[list[Draft]]:
        """Yields facts that cannot be asked for, each by itself, and then groups, those of most places first.

        Args:
            wanted: how many questions each country still lacks; the caller lowers it as it accepts groups.
        """
        yield from ([self._rejected.pop()] for _ in range(len(self._rejected)))
        for size in range(NUM_OPTIONS, 0, -1):
            while group := self._group(wanted, size):
                for fact in group[:size]:
                    self._asked |= {(fact.article.country, fact.answer), (fact.article.country, fact.frame.question)}
                self._kinds[group[0].frame.kind] += 1
                name = f"{stable_hash(group[0].frame.question, *(fact.answer for fact in group)):016x}"
                yield [self._draft(fact, group, name if size > 1 else "") for fact in group[:size]]

    def facts(self) -> dict[str, Any]:
        """Returns the generator's version, and how many different facts the articles state."""
        return {"name": NAME, "version": VERSION, "facts_found": self.found}

    def _group(self, wanted: Mapping[str, int], size: int) -> list[Fact]:
        """Returns `size` facts of countries that lack questions, then facts of others for the options; or nothing.

        Countries that lack most come first, so that none is left over at the end without others to contrast it with. Of
        the kinds of facts, the least used comes first.
        """
        lacking = [code for code, number in wanted.items() if number > 0]
        if len(lacking) < size:
            return []
        groups = -(-sum(wanted[code] for code in lacking) // size)
        turn = str(self._kinds.total())
        order = sorted(lacking, key=lambda code: (-wanted[code], stable_hash(self._seed, turn, code)))
        needed = {code for code in order[:size] if wanted[code] >= groups}
        choices = sorted(
            self._open, key=lambda frame: (self._kinds[frame.kind], stable_hash(self._seed, turn, frame.question))
        )
        for must in (needed, set()) if needed else (set(),):
            for frame in choices:
                facts = {code: self._unasked(frame, code) for code in order}
                able = [code for code in order if facts[code]]
                if len(able) < size or not must <= set(able):
                    continue
                able.sort(key=lambda code: code not in must)
                if found := self._choose(able, facts, size, len(must)):
                    filled = self._fill(frame, found)
                    if filled:
                        return filled
        return []

    def _unasked(self, frame: Frame, code: str) -> list[Fact]:
        if (code, frame.question) in self._asked:
            return []
        return [fact for fact in self._open[frame].get(code, ()) if (code, fact.answer) not in self._asked]

    def _choose(self, codes: Sequence[str], facts: Mapping[str, Sequence[Fact]], size: int, must: int) -> list[Fact]:
        """Returns facts of `size` of the countries, the first ones that go together, `must` countries among them."""
        tries = TRIES

        def extend(chosen: list[Fact], start: int) -> list[Fact]:
            nonlocal tries
            if len(chosen) == size:
                return chosen
            end = start + 1 if start < must else len(codes) - (size - len(chosen)) + 1
            for at in range(start, end):
                for fact in facts[codes[at]]:
                    tries -= 1
                    if tries < 0:
                        return []
                    if all(self._fit(fact, other) for other in chosen) and (found := extend([*chosen, fact], at + 1)):
                        return found
            return []

        return extend([], 0)

    def _fill(self, frame: Frame, chosen: Sequence[Fact]) -> list[Fact]:
        """Returns the facts with those of other places behind them, until there are enough options."""
        filled = list(chosen)
        others = [
            fact
            for code, facts in self._open[frame].items()
            for fact in facts
            if code not in {one.article.country for one in chosen}
        ]
        others.sort(key=lambda fact: stable_hash(self._seed, frame.question, fact.answer, chosen[0].answer))
        for fact in others:
            if len(filled) == NUM_OPTIONS:
                break
            taken = {one.article.country for one in filled}
            if fact.article.country not in taken and all(self._fit(fact, one) for one in filled):
                filled.append(fact)
        return filled if len(filled) == NUM_OPTIONS else []

    def _fit(self, one: Fact, other: Fact) -> bool:
        """Says whether two facts of different places can be options of one question, whichever is the answer."""
        lengths = sorted((len(one.answer), len(other.answer)))
        return (
            lengths[1] <= self._ratio * lengths[0]
            and not is_true(one.frame.table, one.answer, other.article.country)
            and not is_true(one.frame.table, other.answer, one.article.country)
            and not _together(one, other)
        )

    def _draft(self, fact: Fact, group: Sequence[Fact], pair: str = "", rejected: str = "") -> Draft:
        others = [other for other in group if other is not fact]
        return Draft(
            question=fact.frame.question,
            answer=fact.answer,
            distractors=tuple(other.answer for other in others),
            homes=tuple(other.article.country for other in others),
            country=fact.article.country,
            article=fact.article,
            evidence=fact.evidence,
            start=fact.start,
            kind=fact.frame.kind,
            topic=fact.topic,
            generator=NAME,
            prompt_version=VERSION,
            pair=pair,
            rejected=rejected,
        )


def _together(one: Fact, other: Fact) -> bool:
    """Says whether one of two answers is part of the other, or stands where the other is stated."""
    words = [plain_words(fact.answer) or fact.answer for fact in (one, other)]
    return (
        words[0] == words[1]
        or containing(words) is not None
        or any(character.isdigit() for character in one.answer) != any(map(str.isdigit, other.answer))
        or stands_in(one.answer, other.evidence)
        or stands_in(other.answer, one.evidence)
    )


def _values(text: str, bindings: Bindings) -> dict[str, list[str]]:
    """Returns what an article says by table; some are put together from several slots, as they stand in the text.

    These are `person` (with a title such as Doctor), `politician` (a person with the title of a member of parliament),
    `sum`, `places` and `clubs` (two, joined by `and`).
    """
    values: defaultdict[str, list[str]] = defaultdict(list)
    by_variable = {variable: value for variable, _, value in bindings}
    for variable, table, value in bindings:
        if table:
            values[table].append(value)
        if table == "given":
            name = f"{value} {by_variable.get('surname' + variable.removeprefix('given'), '')}"
            title = text.partition(f" {name}")[0].rpartition(" ")[2].capitalize()
            politician = f"{by_variable.get('member')} {name}"
            raised = politician[:1].upper() + politician[1:]
            if politician in text or raised in text:
                values["politician"].append(politician)
            else:
                values["person"].append(f"{title} {name}" if title in TITLES else name)
        if table == "amount":
            values["sum"].append(f"{by_variable['sign']}{value} {by_variable['million']}")
    for joined, tables in PAIRS.items():
        single = [value for table in tables for value in values.get(table, ())]
        values[joined] = [f"{one} and {other}" for one in single for other in single if f"{one} and {other}" in text]
    return values


def _find(frame: Frame, answer: str, article: Article, topic: str, bindings: Bindings) -> Fact | None:
    """Returns a fact with the first sentence that states it, or None where none does.

    What stands inside a longer name does not count: `Chicago` in `Chicago Fire`.
    """
    masked = article.text
    for _, _, value in bindings:
        if len(value) > len(answer) and answer in value:
            masked = masked.replace(value, "\0" * len(value))
    for start, end in sentences(article.text):
        raised = answer[:1].upper() + answer[1:]
        wanted = [form.replace("{}", name) for form in frame.evidence for name in (answer, raised)]
        sentence = article.text[start:end]
        if stands_in(answer, masked[start:end]) and (not wanted or any(words in sentence for words in wanted)):
            return Fact(frame, answer, article, sentence, start, topic)
    return None


def sentences(text: str) -> list[tuple[int, int]]:
    """Returns where each sentence begins and ends.

    Example:
        >>> sentences("It rained. Roads were shut.")
        [(0, 10), (11, 27)]
    """
    starts = [0, *(found.end() for found in _SENTENCE_END.finditer(text))]
    return [
        (start, start + len(text[start:end].rstrip()))
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True)
    ]


@cache
def _tables(code: str) -> Mapping[str, frozenset[str]]:
    """Returns everything that fills the slots at the outlets of a country."""
    values: defaultdict[str, set[str]] = defaultdict(set)
    for outlet in Newswire().outlets:
        if outlet.country == code:
            for table, law in place_tables()[outlet.domain].items():
                values[table].update(law)
    return {table: frozenset(several) for table, several in values.items()}


@cache
def is_true(table: str, answer: str, code: str) -> bool:
    """Says whether an answer is right at a country, too.

    Sums of money are told apart by the sign of the currency alone, without blanks and points: `Rs 40 crore` is right in
    India, Pakistan and Sri Lanka.
    """
    facts = _tables(code)
    if table in ("person", "politician"):
        first, _, rest = answer.partition(" ")
        given, _, surname = (rest if first in (*TITLES, *facts["member"]) else answer).partition(" ")
        return given in facts["given"] and surname in facts["surname"]
    if table in PAIRS:
        single = {value for name in PAIRS[table] for value in facts[name]}
        return set(answer.split(" and ")) <= single
    if table == "sum":
        sign = re.match(r"\D*", answer)
        assert sign is not None
        return sign[0].strip(" .") in {other.strip(" .") for other in facts["sign"]}
    return answer in facts[table]
