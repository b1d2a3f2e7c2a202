"""The generator that asks a language model: one writes questions from held-out articles, another one judges them.

The judge answers each question from the evidence alone, answers it without article and place, and tries to defend each
wrong option. What fails one of these is rejected with the reason, and so is what the judge refuses or garbles.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any, Literal

from dateline.benchmark.drafts import NUM_OPTIONS, Draft, problems
from dateline.benchmark.endpoint import Chat, Ledger, RateLimit, Reply, read_names
from dateline.benchmark.recipe import LlmOptions
from dateline.errors import UserError
from dateline.places import country
from dateline.records import Article, stable_hash

NAME = "llm"
VERSION = "llm-1"
"""Raised when a prompt or a form changes."""
CLOSED_BOOK = "closed book"
"""The mark of an item that the judge solves without article and place."""

WRITE = """You write multiple-choice questions that test what readers of news from one place know.
Each question is asked of people in several places, and its answer depends on the place. So do not name the country in
the question or the options; write "here" instead. Ask for lasting facts: institutions, currencies, cities, laws,
companies, customs. Do not ask for what only this one article knows, or for dates, numbers and recent events.
The evidence is one sentence of the article, copied letter by letter, that holds the answer as you write it.
The three wrong options are of the same type and about as long as the answer, wrong in the article's country, and right
answers to the same question in other countries: give the country of each as an ISO code, or an empty string.
No word of the answer stands in the question. No option speaks of the others, such as "all of the above"."""
ANSWER = """You answer a multiple-choice question from a passage alone. If the passage does not say which option is
right, answer "none", whatever you know besides."""
GUESS = """You answer a multiple-choice question. If you do not know, guess."""
DEFEND = """You check a multiple-choice question for a place. For each wrong option, try to defend it: could it be a
right answer as well, for that place, by the article or by what is generally known? Copy each wrong option letter by
letter. Be strict with the question, not with the option: if two options are defensible, the question is bad."""

AT_ONCE = 8
"""Articles in a batch, for each request at once; drafts of a batch are looked at before the next one is paid for."""

Letter = Literal["A", "B", "C", "D"]
LETTERS: tuple[Letter, ...] = ("A", "B", "C", "D")


class WrongOption(Reply):
    """A wrong option, and where it is right."""

    option: str
    right_in: str


class WrittenQuestion(Reply):
    """A question as the writer gives it."""

    question: str
    answer: str
    wrong_options: list[WrongOption]
    evidence: str
    kind: str


class Written(Reply):
    """What the writer gives for one article."""

    questions: list[WrittenQuestion]


class FromEvidence(Reply):
    """The judge's answer from the evidence."""

    answer: Literal["A", "B", "C", "D", "none"]


class Guessed(Reply):
    """The judge's answer with closed book."""

    answer: Letter


class Defence(Reply):
    """What can be said for one wrong option."""

    option: str
    defensible: bool
    why: str


class Defended(Reply):
    """What can be said for the wrong options."""

    options: list[Defence]


def named_models(options: LlmOptions) -> dict[str, str]:
    """Returns the names of writer and judge, which are part of what decides a result.

    Raises:
        UserError: where an endpoint is not named, or both are one model and that is refused.
    """
    writer, judge = read_names(options.writer, "writer"), read_names(options.judge, "judge")
    if writer == judge:
        same = f"writer and judge are one model ({writer[1]}), which would judge its own questions"
        if options.same_model == "refuse":
            raise UserError(
                f"{same}; name another one in {options.judge.model_env}, or accept it with --llm.same-model warn"
            )
        print(f"dateline: warning: {same}", file=sys.stderr)
    return {"writer_model": writer[1], "judge_model": judge[1], "prompts": VERSION}


class LlmGenerator:
    """Asks for questions, article by article, until every country has enough.

    Args:
        articles: held-out articles.
        options: endpoints, retries, limits.
        seed: of the order of articles and options, and of sampling.
        max_length_ratio: of the options of a question; what breaks a rule that needs no model is not judged.
        cache: folder of earlier answers.

    Raises:
        UserError: where an endpoint is not named, or the package openai is not installed.
    """

    def __init__(
        self, articles: Sequence[Article], options: LlmOptions, *, seed: int, max_length_ratio: float, cache: Path
    ) -> None:
        self._options, self._seed, self._ratio = options, seed, max_length_ratio
        self.ledger = Ledger()
        limit = RateLimit(options.requests_per_minute)
        self._writer = Chat(options.writer, "writer", options, cache, self.ledger, limit)
        self._judge = Chat(options.judge, "judge", options, cache, self.ledger, limit)
        self._waiting: defaultdict[str, list[Article]] = defaultdict(list)
        for article in sorted(articles, key=lambda one: stable_hash("llm", str(seed), one.id), reverse=True):
            self._waiting[article.country].append(article)
        self._articles: Counter[str] = Counter()

    def facts(self) -> dict[str, Any]:
        """Returns version and models, and what was asked and paid."""
        models = {"writer": self._writer.model, "judge": self._judge.model}
        return {"name": NAME, "version": VERSION, **models, **self.ledger.as_plain(), "articles": dict(self._articles)}

    def drafts(self, wanted: Mapping[str, int]) -> Iterator[list[Draft]]:
        """Yields drafts one by one, those of several articles being written at once.

        Args:
            wanted: how many questions each country still lacks; the caller lowers it as it accepts drafts.
        """
        while True:
            batch: list[Article] = []
            for code, number in sorted(wanted.items()):
                for _ in range(ceil(max(number, 0) / self._options.questions_per_article)):
                    if self._waiting[code] and len(batch) < AT_ONCE * self._options.parallel:
                        batch.append(self._waiting[code].pop())
            if not batch:
                return
            self._articles.update(article.country for article in batch)
            with ThreadPoolExecutor(self._options.parallel) as pool:
                results = [pool.submit(self._from_article, article) for article in batch]
                try:
                    finished, _ = wait(results, return_when=FIRST_EXCEPTION)
                    if problem := next((found for one in finished if (found := one.exception())), None):
                        raise problem
                except BaseException:
                    self.ledger.stopped.set()
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            for result in results:
                yield from ([draft] for draft in result.result())

    def _from_article(self, article: Article) -> list[Draft]:
        known = country(article.country)
        where = known.name if known else article.country
        shown = article.text[: self._options.max_characters]
        user = (
            f"Write {self._options.questions_per_article} questions.\n\nCountry: {where}\nTitle: {article.title}\n\n"
            f"Article:\n{shown}"
        )
        answered = self._writer.ask(WRITE, user, Written, seed=self._seed)
        if answered.reply is None:
            return [self._draft(article, None, rejected=answered.failure)]
        drafts = [self._draft(article, one) for one in answered.reply.questions]
        if not drafts:
            return [self._draft(article, None, rejected="the writer found no question")]
        return [draft if problems(draft, max_length_ratio=self._ratio) else self._judged(draft) for draft in drafts]

    def _draft(self, article: Article, written: WrittenQuestion | None, rejected: str = "") -> Draft:
        wrong = written.wrong_options if written else []
        homes = [country(one.right_in) for one in wrong]
        return Draft(
            question=written.question.strip() if written else "",
            answer=written.answer.strip() if written else "",
            distractors=tuple(one.option.strip() for one in wrong),
            homes=tuple(home.alpha2 if home else "" for home in homes),
            country=article.country,
            article=article,
            evidence=written.evidence if written else "",
            start=article.text.find(written.evidence) if written and written.evidence else -1,
            kind=written.kind if written else "",
            topic="",
            generator=NAME,
            prompt_version=VERSION,
            rejected=rejected,
        )

    def _judged(self, draft: Draft) -> Draft:
        """Returns a draft with what the judge has against it; a pass is only paid for after the one before."""
        order = self._order(draft, 0)
        told = f"Passage: {draft.evidence}\n\n{_lettered(draft, order)}"
        answered = self._judge.ask(ANSWER, told, FromEvidence, seed=self._seed)
        if answered.reply is None:
            return replace(draft, rejected=answered.failure)
        if answered.reply.answer != LETTERS[order.index(0)]:
            return replace(draft, rejected="the answer does not follow from the evidence")

        solved = 0
        for turn in range(self._options.closed_book_asks):
            order = self._order(draft, 1 + turn)
            guessed = self._judge.ask(GUESS, _lettered(draft, order), Guessed, seed=self._seed)
            if guessed.reply is None:
                return replace(draft, rejected=guessed.failure)
            if guessed.reply.answer != LETTERS[order.index(0)]:
                break
            solved += 1
        if solved == self._options.closed_book_asks:
            if self._options.solved == "drop":
                return replace(draft, rejected="solved with closed book by the judge")
            draft = replace(draft, notes=(*draft.notes, CLOSED_BOOK))

        known = country(draft.country)
        wrong = "\n".join(f"- {option}" for option in draft.distractors)
        told = (
            f"Place: {known.name if known else draft.country}\nArticle: {draft.article.title}. "
            f"{draft.article.text[: self._options.max_characters]}\n\nQuestion: {draft.question}\n"
            f"Right answer: {draft.answer}\nWrong options:\n{wrong}"
        )
        defended = self._judge.ask(DEFEND, told, Defended, seed=self._seed)
        if defended.reply is None:
            return replace(draft, rejected=defended.failure)
        if {one.option for one in defended.reply.options} != set(draft.distractors):
            return replace(draft, rejected="the judge did not look at each wrong option")
        if any(one.defensible for one in defended.reply.options):
            return replace(draft, rejected="another option can be defended")
        return draft

    def _order(self, draft: Draft, turn: int) -> list[int]:
        """Returns the options in an order of the draft's own, moved up by `turn` places in a circle."""
        name = (str(self._seed), draft.id)
        order = sorted(range(NUM_OPTIONS), key=lambda option: stable_hash("judge", *name, str(option)))
        return order[turn % NUM_OPTIONS :] + order[: turn % NUM_OPTIONS]


def _lettered(draft: Draft, order: Sequence[int]) -> str:
    options = (draft.answer, *draft.distractors)
    lines = [f"{letter}. {options[option]}" for letter, option in zip(LETTERS, order, strict=True)]
    return "\n".join((f"Question: {draft.question}", *lines))
