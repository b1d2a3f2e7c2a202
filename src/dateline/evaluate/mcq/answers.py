"""Every question asked in every form under every condition.

Enters: a loaded model, questions, conditions, settings. Leaves: `Answers`, one for each form and condition.
Deliberately not done: no averages and no tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from dateline.conditions import Condition, Metadata, render
from dateline.errors import UserError
from dateline.evaluate.mcq.generative import named_letter, write_answers
from dateline.evaluate.mcq.likelihood import Asked, Floats, letter_nats, option_nats
from dateline.evaluate.mcq.points import cloze_points, letter_points, nats_per_byte, shift_points, switch_points, winner
from dateline.evaluate.mcq.prompts import Layout, Prompts, encode_prompts, told
from dateline.evaluate.mcq.questions import Question
from dateline.evaluate.mcq.scores import PUBLISHED, Answers
from dateline.evaluate.subject import Subject
from dateline.places import continent_of
from dateline.progress import progress


@dataclass(frozen=True)
class Settings:
    """How a model is asked."""

    run: str
    layout: Layout = "question"
    generative: bool = False
    """Sample answers besides."""
    temperature: float = 0.7
    num_tokens: int = 8
    long_is_wrong: bool = False
    """Whether items that are too long are wrong; else they stop the evaluation."""
    seed: int = 0
    """Of the places claimed under `wrong`, and of sampled answers."""
    batch_tokens: int = 8192
    dtype: str = "float32"


class Asking(NamedTuple):
    """What was found out."""

    answers: list[Answers]
    too_long: list[str]
    """Items that count as wrong because the model cannot read them."""


class _Nats(NamedTuple):
    """What the model finds probable; `asked` -> shape [options], and [rotations, options]."""

    options: dict[Asked, Floats]
    letters: dict[Asked, Floats]


def ask(subject: Subject, questions: Sequence[Question], conditions: Sequence[Condition], settings: Settings) -> Asking:
    """Asks every question under every condition in cloze and letter form, and items with two answers told each place.

    Raises:
        UserError: where an item is too long and may not count as wrong, or a probability is not a number.
    """
    prefixes = {condition.name: told(subject, questions, condition, settings.seed) for condition in conditions}
    pairs = [at for at, question in enumerate(questions) if is_pair(question)]
    contrasts = {
        condition.name: {at: _contrast_prefix(subject, questions[at], condition) for at in pairs}
        for condition in conditions
        if condition.transform in ("gold", "none")
    }
    texts = {text for several in prefixes.values() for text in several}
    texts |= {text for several in contrasts.values() for text in several.values()}
    prompts = encode_prompts(subject, questions, sorted(texts), settings.layout)
    wanted = [Asked(prefix, at) for several in prefixes.values() for at, prefix in enumerate(several)]
    wanted += [Asked(prefix, at) for several in contrasts.values() for at, prefix in several.items()]
    wanted = list(dict.fromkeys(wanted))
    too_long = _too_long(subject, prompts, questions, wanted, settings)
    wanted = [one for one in wanted if one.question not in too_long]
    nats = _nats(subject, prompts, wanted, settings)
    _check_finite(nats, questions)

    answers: list[Answers] = []
    for condition in conditions:
        asked = [Asked(prefix, at) for at, prefix in enumerate(prefixes[condition.name])]
        blank = _blank(questions, range(len(questions)), condition, settings.run)
        answers += [_cloze(blank, questions, asked, nats), _letter(blank, questions, asked, nats)]
        if pairs and condition.name in contrasts:
            blank = _blank(questions, pairs, condition, settings.run)
            told_target = [asked[at] for at in pairs]
            told_contrast = [Asked(contrasts[condition.name][at], at) for at in pairs]
            answers += _switch(blank, questions, told_target, told_contrast, nats)
    if settings.generative:
        for condition in conditions:
            asked = [Asked(prefix, at) for at, prefix in enumerate(prefixes[condition.name])]
            blank = _blank(questions, range(len(questions)), condition, settings.run)
            answers += _generative(blank, subject, prompts, questions, asked, too_long, settings)
    return Asking(answers, [questions[at].id for at in sorted(too_long)])


def is_pair(question: Question) -> bool:
    """Says whether an item has two answers, one for each of two countries."""
    return question.contrast_answer is not None


def _contrast_prefix(subject: Subject, question: Question, condition: Condition) -> str:
    place = Metadata(country=question.contrast_country, continent=continent_of(question.contrast_country))
    return render(place, condition.fields, prefix_format=subject.prefix_format)


def _too_long(
    subject: Subject, prompts: Prompts, questions: Sequence[Question], wanted: Sequence[Asked], settings: Settings
) -> set[int]:
    """Returns the questions that the model cannot read, under any condition."""
    if subject.positions is None:
        return set()
    more = settings.num_tokens if settings.generative else 0
    bodies = [prompts.longest(at) + more for at in range(len(questions))]
    result: set[int] = set()
    for one in wanted:
        length = 1 + len(prompts.prefixes[one.prefix]) + bodies[one.question]
        if length > subject.positions:
            if not settings.long_is_wrong:
                raise UserError(
                    f"item '{questions[one.question].id}' takes {length} tokens with its prefix, the model reads "
                    f"{subject.positions}; shorten it, or count such items as wrong with --long wrong"
                )
            result.add(one.question)
    return result


def _nats(subject: Subject, prompts: Prompts, wanted: Sequence[Asked], settings: Settings) -> _Nats:
    found = []
    for name, measure in (("cloze", option_nats), ("letters", letter_nats)):
        with progress(name, len(wanted), "questions") as advance:
            nats = measure(
                subject, prompts, wanted, batch_tokens=settings.batch_tokens, dtype=settings.dtype, advance=advance
            )
        found.append(dict(zip(wanted, nats, strict=True)))
    return _Nats(*found)


def _check_finite(nats: _Nats, questions: Sequence[Question]) -> None:
    for several in nats:
        bad = [one.question for one, values in several.items() if not np.isfinite(values).all()]
        if bad:
            raise UserError(
                f"the model's probabilities for item '{questions[bad[0]].id}' are not finite ({len(bad)} of "
                f"{len(several)} askings); use float32, or train again: the checkpoint may hold broken weights"
            )


def _blank(questions: Sequence[Question], members: Sequence[int], condition: Condition, run: str) -> Answers:
    """Returns answers in which every item is wrong."""
    chosen = [questions[at] for at in members]
    return Answers(
        run=run,
        condition=condition.name,
        form="",
        ids=[question.id for question in chosen],
        countries=[question.country for question in chosen],
        continents=[question.continent for question in chosen],
        points=[0.0] * len(chosen),
        chosen=[-1] * len(chosen),
        costs=[[] for _ in chosen],
        written=[""] * len(chosen),
        fields="+".join(condition.fields),
    )


def _cloze(blank: Answers, questions: Sequence[Question], asked: Sequence[Asked], nats: _Nats) -> Answers:
    points, chosen, costs = list(blank.points), list(blank.chosen), list(blank.costs)
    for at, one in enumerate(asked):
        if one in nats.options:
            question = questions[one.question]
            points[at] = cloze_points(nats.options[one], question.options, question.answer)
            values = nats_per_byte(nats.options[one], question.options)
            chosen[at], costs[at] = winner(values), values.tolist()
    return replace(blank, form="cloze", points=points, chosen=chosen, costs=costs)


def _letter(blank: Answers, questions: Sequence[Question], asked: Sequence[Asked], nats: _Nats) -> Answers:
    points, chosen, costs = list(blank.points), list(blank.chosen), list(blank.costs)
    for at, one in enumerate(asked):
        if one in nats.letters:
            points[at] = letter_points(nats.letters[one], questions[one.question].answer)
            values = nats.letters[one].mean(axis=0)
            chosen[at], costs[at] = winner(values), values.tolist()
    return replace(blank, form="letter", points=points, chosen=chosen, costs=costs)


def _switch(
    blank: Answers,
    questions: Sequence[Question],
    told_target: Sequence[Asked],
    told_contrast: Sequence[Asked],
    nats: _Nats,
) -> list[Answers]:
    """Returns the locale switch and the shift in both forms."""
    result = []
    for form, table in (("cloze", nats.options), ("letter", nats.letters)):
        switch, shift = list(blank.points), list(blank.points)
        for at, (first, second) in enumerate(zip(told_target, told_contrast, strict=True)):
            if first in table:
                question = questions[first.question]
                assert question.contrast_answer is not None, "only items with two answers are asked twice"
                both = (question.answer, question.contrast_answer)
                costs = [_costs(table[one], question, form) for one in (first, second)]
                switch[at] = switch_points(costs[0], costs[1], *both)
                shift[at] = shift_points(table[first], table[second], *both)
        result.append(replace(blank, form=f"switch_{form}", points=switch))
        result.append(replace(blank, form=f"shift_{form}", points=shift))
    return result


def _costs(nats: Floats, question: Question, form: str) -> Floats:
    return nats_per_byte(nats, question.options) if form == "cloze" else nats


def _generative(
    blank: Answers,
    subject: Subject,
    prompts: Prompts,
    questions: Sequence[Question],
    asked: Sequence[Asked],
    too_long: set[int],
    settings: Settings,
) -> list[Answers]:
    """Returns sampled answers twice: for the published ratio and for the one over all items."""
    members = [at for at, one in enumerate(asked) if one.question not in too_long]
    with progress(f"write {blank.condition}", len(members), "answers") as advance:
        texts = write_answers(
            subject,
            prompts,
            [asked[at] for at in members],
            [question.id for question in questions],
            temperature=settings.temperature,
            num_tokens=settings.num_tokens,
            seed=settings.seed,
            batch_tokens=settings.batch_tokens,
            advance=advance,
        )
    points, chosen, written = list(blank.points), list(blank.chosen), list(blank.written)
    for at, text in zip(members, texts, strict=True):
        question = questions[asked[at].question]
        chosen[at], written[at] = named_letter(text, len(question.options)), text
        points[at] = float(chosen[at] == question.answer)
    full = replace(blank, points=points, chosen=chosen, written=written)
    return [replace(full, form=PUBLISHED), replace(full, form=f"{PUBLISHED}_strict")]
