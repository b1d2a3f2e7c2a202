"""Asks a model every question in every form under every condition.

Prefix, prompt and continuations are tokenized apart, as in training. Base models are asked as they were trained:
without a chat template and without examples. Where every continuation is one token, as letters mostly are, one forward
pass over the context answers for all of them; contexts of one length are read together, so that there is no padding.

The published generative protocol (arXiv 2601.15236) samples an answer, searches a letter in it, and takes the accuracy
over items in which one was found. Three things go wrong. Options stand in one order, and a file whose answers are all
at A rewards a liking for A. A search that takes any single letter, whatever its case, reads the article in "a capital
city" as the answer A. And what names no letter leaves the denominator, so that a model gains by saying nothing where it
is unsure. Here the letter must stand as an answer does (see `named_letter`), and the ratio over answered items is only
reported beside the one in which unanswered items are wrong.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.benchmark.questions import Question
from dateline.benchmark.tasks import LETTERS, Layout, cloze_prompt, letter_place, letter_prompt
from dateline.conditions import Condition, Conditioner, Field, Metadata, parse_condition, render
from dateline.errors import UserError
from dateline.evaluate.mcq.scores import (
    PUBLISHED,
    Answers,
    Floats,
    cloze_points,
    letter_points,
    nats_per_byte,
    shift_points,
    switch_points,
    winner,
)
from dateline.evaluate.recipe import Mcq
from dateline.generate.decode import Request, write
from dateline.generate.sampling import Sampling
from dateline.model.load import Precision, Subject
from dateline.places import continent_of
from dateline.progress import Advance, progress

Tokens = npt.NDArray[np.int32]
KNOWN: tuple[Field, ...] = ("country", "continent")
"""The fields that a question has. Its answer stands in no outlet, so that a prefix never has a line `URL:`.

A model whose training always showed an outlet beside the country (no `field_dropout`) never saw such a prefix; what it
makes of it is part of what is measured, and `none` remains the condition that it knows."""

BLOCK = 2048
"""Questions whose contexts are in memory at once."""

_ANSWER = re.compile(
    r"(?:^|\b[Aa]nswer(?:\s+is)?\s*:?)\s*"  # at the start, or behind "answer"
    r"(?:\(([A-Z])\)|([A-Z])(?=[).:](?:\s|$)|[,;]?[ \t]*(?:\n|$)))"  # in brackets, as a label, or alone on its line
)


class Asked(NamedTuple):
    """One question under one prefix."""

    prefix: str
    question: int
    """Position of the question."""


class Asking(NamedTuple):
    """What was found out."""

    answers: list[Answers]
    too_long: list[str]
    """Items that count as wrong because the model cannot read them."""


class _Nats(NamedTuple):
    """What the model finds probable; `asked` -> shape [options], and [rotations, options]."""

    options: dict[Asked, Floats]
    letters: dict[Asked, Floats]


def ask(
    subject: Subject, questions: Sequence[Question], conditions: Sequence[Condition], options: Mcq, run: str
) -> Asking:
    """Asks every question under every condition in cloze and letter form, and items with two answers under each place.

    Args:
        subject: the model.
        questions: what is asked.
        conditions: as `question_conditions` returns them.
        options: layout, sampled answers, seed, batch and precision.
        run: the model's name in the answers.

    Raises:
        UserError: where an item is too long and may not count as wrong, or a probability is not a number.
    """
    prefixes = {condition.name: prefix_texts(subject, questions, condition, options.seed) for condition in conditions}
    pairs = [at for at, question in enumerate(questions) if is_pair(question)]
    contrasts = {
        condition.name: {at: _contrast_prefix(subject, questions[at], condition) for at in pairs}
        for condition in conditions
        if condition.transform in ("gold", "none")
    }
    texts = {text for several in prefixes.values() for text in several}
    texts |= {text for several in contrasts.values() for text in several.values()}
    prompts = encode_prompts(subject, questions, sorted(texts), options.layout)
    wanted = [Asked(prefix, at) for several in prefixes.values() for at, prefix in enumerate(several)]
    wanted += [Asked(prefix, at) for several in contrasts.values() for at, prefix in several.items()]
    wanted = list(dict.fromkeys(wanted))
    too_long = _too_long(subject, prompts, questions, wanted, options)
    wanted = [one for one in wanted if one.question not in too_long]
    nats = _nats(subject, prompts, wanted, options)
    _check_finite(nats, questions)

    answers: list[Answers] = []
    for condition in conditions:
        asked = [Asked(prefix, at) for at, prefix in enumerate(prefixes[condition.name])]
        blank = _blank(questions, range(len(questions)), condition, run)
        answers += [_cloze(blank, questions, asked, nats), _letter(blank, questions, asked, nats)]
        if pairs and condition.name in contrasts:
            blank = _blank(questions, pairs, condition, run)
            under_target = [asked[at] for at in pairs]
            under_contrast = [Asked(contrasts[condition.name][at], at) for at in pairs]
            answers += _switch(blank, questions, under_target, under_contrast, nats)
    if options.answers == "paper-generative":
        for condition in conditions:
            asked = [Asked(prefix, at) for at, prefix in enumerate(prefixes[condition.name])]
            blank = _blank(questions, range(len(questions)), condition, run)
            answers += _generative(blank, subject, prompts, questions, asked, too_long, options)
    return Asking(answers, [questions[at].id for at in sorted(too_long)])


def is_pair(question: Question) -> bool:
    """Says whether an item has two answers, one for each of two countries."""
    return question.contrast_answer is not None


def _contrast_prefix(subject: Subject, question: Question, condition: Condition) -> str:
    place = Metadata(country=question.contrast_country, continent=continent_of(question.contrast_country))
    return render(place, condition.fields, prefix_format=subject.prefix_format)


def _too_long(
    subject: Subject, prompts: Prompts, questions: Sequence[Question], wanted: Sequence[Asked], options: Mcq
) -> set[int]:
    """Returns the questions that the model cannot read, under any condition."""
    if subject.positions is None:
        return set()
    more = options.num_tokens if options.answers == "paper-generative" else 0
    bodies = [prompts.longest(at) + more for at in range(len(questions))]
    result: set[int] = set()
    for one in wanted:
        length = 1 + len(prompts.prefixes[one.prefix]) + bodies[one.question]
        if length > subject.positions:
            if options.long == "error":
                raise UserError(
                    f"item '{questions[one.question].id}' takes {length} tokens with its prefix, the model reads "
                    f"{subject.positions}; shorten it, or count such items as wrong with --long wrong"
                )
            result.add(one.question)
    return result


def _nats(subject: Subject, prompts: Prompts, wanted: Sequence[Asked], options: Mcq) -> _Nats:
    found: list[dict[Asked, Floats]] = []
    how: dict[str, Any] = {"batch_tokens": options.batch_tokens, "precision": options.precision}
    for name, measure in (("cloze", option_nats), ("letters", letter_nats)):
        nats: list[Floats] = []
        with progress(name, len(wanted), "questions") as advance:
            for start in range(0, len(wanted), BLOCK):
                block = wanted[start : start + BLOCK]
                nats += measure(subject, prompts, block, **how)
                advance(len(block))
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
        shown="+".join(condition.fields),
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
    under_target: Sequence[Asked],
    under_contrast: Sequence[Asked],
    nats: _Nats,
) -> list[Answers]:
    """Returns the locale switch and the shift in both forms."""
    result = []
    for form, table in (("cloze", nats.options), ("letter", nats.letters)):
        switch, shift = list(blank.points), list(blank.points)
        for at, (first, second) in enumerate(zip(under_target, under_contrast, strict=True)):
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
    options: Mcq,
) -> list[Answers]:
    """Returns sampled answers twice: for the published ratio and for the one over all items."""
    members = [at for at, one in enumerate(asked) if one.question not in too_long]
    with progress(f"write {blank.condition}", len(members), "answers") as advance:
        texts = write_answers(
            subject,
            prompts,
            [asked[at] for at in members],
            [question.id for question in questions],
            options,
            advance,
        )
    points, chosen, written = list(blank.points), list(blank.chosen), list(blank.written)
    for at, text in zip(members, texts, strict=True):
        question = questions[asked[at].question]
        chosen[at], written[at] = named_letter(text, len(question.options)), text
        points[at] = float(chosen[at] == question.answer)
    full = replace(blank, points=points, chosen=chosen, written=written)
    return [replace(full, form=PUBLISHED), replace(full, form=f"{PUBLISHED}_strict")]


def place_of(question: Question) -> Metadata:
    """Returns what is known of a question's origin."""
    return Metadata(country=question.country, continent=question.continent)


def question_conditions(names: Sequence[str], fields: Sequence[Field]) -> list[Condition]:
    """Reads names of conditions and reduces what they show to country and continent.

    Raises:
        UserError: for unknown names, for `marginal` and `swap:all`, and where a condition would show nothing at all:
            `gold` would be `none` under another name.
    """
    conditions = [parse_condition(name, fields) for name in names]
    if not conditions:
        raise UserError("no conditions to ask under; give at least one of gold, none, wrong, swap:<country>")
    result: list[Condition] = []
    for condition in conditions:
        if condition.transform == "marginal" or condition.country == "all":
            raise UserError(f"condition '{condition.name}' stands for many prefixes; ask under swap:<country> instead")
        shown = tuple(field for field in condition.fields if field in KNOWN)
        if condition.transform != "none" and not shown:
            raise UserError(
                f"condition '{condition.name}' shows only {', '.join(condition.fields) or 'nothing'}, of which a "
                "question has none; choose the condition none, or fields with --fields country,continent"
            )
        if condition.name in [known.name for known in result]:
            raise UserError(f"conditions names '{condition.name}' twice; keep one")
        result.append(Condition(condition.name, shown, condition.transform, condition.country))
    return result


def prefix_texts(subject: Subject, questions: Sequence[Question], condition: Condition, seed: int) -> list[str]:
    """Returns the prefix text of every question under a condition; under `wrong`, of a country on another continent.

    The other country is drawn from those of the questions by a hash of (seed, item): the same for every model.
    """
    places = [place_of(question) for question in questions]
    conditioner = Conditioner(condition, seed=seed, pool=places, prefix_format=subject.prefix_format)
    return [conditioner.prefix(place, question.id) for place, question in zip(places, questions, strict=True)]


@dataclass(frozen=True)
class Prompts:
    """The tokens of everything that is asked; lists have one entry a question."""

    prefixes: dict[str, Tokens]
    cloze: list[Tokens]
    options: list[list[Tokens]]
    """Of each option with its leading space."""
    letter: list[list[Tokens]]
    """Of the prompt in each rotation; as many rotations as options."""
    letters: list[Tokens]
    """Of ` A`, ` B`, ... with their leading space."""

    def longest(self, question: int) -> int:
        """Returns the tokens of the longest text of a question, without BOS and prefix."""
        options = max(map(len, self.options[question]))
        return max(
            len(self.cloze[question]) + options, max(map(len, self.letter[question])) + max(map(len, self.letters))
        )


def encode_prompts(subject: Subject, questions: Sequence[Question], prefixes: Sequence[str], layout: Layout) -> Prompts:
    """Tokenizes prefixes, prompts and continuations, equal texts once.

    A continuation is what its tokens are behind the last word of the prompt (`Answer:`), which is what tools get that
    tokenize both together and split (lm-evaluation-harness); for byte-level tokenizers it is the same as alone.

    Raises:
        UserError: where an item has more options than letters, where the tokenizer merges prompt and continuation into
            one token, or where tokens do not fit the model.
    """
    largest = max(questions, key=lambda question: len(question.options))
    if len(largest.options) > len(LETTERS):
        raise UserError(f"item '{largest.id}' has {len(largest.options)} options; at most {len(LETTERS)} have a letter")
    cloze = [cloze_prompt(question, layout) for question in questions]
    letter = [[letter_prompt(q, layout, turn) for turn in range(len(q.options))] for q in questions]
    tokens = subject.encode_each({*prefixes, *cloze, *(text for texts in letter for text in texts)})
    cue = "CONTENT:" if layout == "article" else "Answer:"
    options = _continuations(subject, cue, {option for question in questions for option in question.options})
    letters = _continuations(subject, "Answer:", LETTERS[: len(largest.options)])
    everything = [*tokens.values(), *options.values(), *letters.values()]
    subject.check_fits(max(subject.bos, *(int(part.max()) for part in everything if len(part))))
    return Prompts(
        prefixes={text: tokens[text] for text in prefixes},
        cloze=[tokens[text] for text in cloze],
        options=[[options[option] for option in question.options] for question in questions],
        letter=[[tokens[text] for text in texts] for texts in letter],
        letters=list(letters.values()),
    )


def _continuations(subject: Subject, cue: str, texts: set[str] | str) -> dict[str, Tokens]:
    """Returns the tokens of ` text` behind a cue."""
    distinct = sorted(texts)
    head, *whole = subject.encode([cue, *(f"{cue} {text}" for text in distinct)])
    for text, tokens in zip(distinct, whole, strict=True):
        if len(tokens) <= len(head) or not np.array_equal(tokens[: len(head)], head):
            raise UserError(
                f"{subject.folder}: its tokenizer merges '{cue}' and '{text[:40]}' into one token, so that the "
                "option has no probability of its own; the other layout may do: --layout article or question"
            )
    return {text: tokens[len(head) :] for text, tokens in zip(distinct, whole, strict=True)}


def option_nats(
    subject: Subject, prompts: Prompts, asked: Sequence[Asked], *, batch_tokens: int, precision: Precision
) -> list[Floats]:
    """Returns -log p of each option as the continuation of its question, for each of `asked` shape [options]."""
    contexts = [_context(subject, prompts, one.prefix, prompts.cloze[one.question]) for one in asked]
    choices = [prompts.options[one.question] for one in asked]
    return continuation_nats(subject, contexts, choices, batch_tokens=batch_tokens, precision=precision)


def letter_nats(
    subject: Subject, prompts: Prompts, asked: Sequence[Asked], *, batch_tokens: int, precision: Precision
) -> list[Floats]:
    """Returns -log p of the letter at which each option stands, for each of `asked` shape [rotations, options]."""
    contexts = [
        _context(subject, prompts, one.prefix, turned) for one in asked for turned in prompts.letter[one.question]
    ]
    numbers = [len(prompts.letter[one.question]) for one in asked]
    choices = [prompts.letters[:number] for number in numbers for _ in range(number)]
    nats = iter(continuation_nats(subject, contexts, choices, batch_tokens=batch_tokens, precision=precision))
    result: list[Floats] = []
    for number in numbers:
        places = [[letter_place(option, turn, number) for option in range(number)] for turn in range(number)]
        result.append(np.stack([next(nats)[at] for at in places]))
    return result


def continuation_nats(
    subject: Subject,
    contexts: Sequence[Tokens],
    choices: Sequence[Sequence[Tokens]],
    *,
    batch_tokens: int,
    precision: Precision,
) -> list[Floats]:
    """Returns -log p in nats of each continuation of each context; equal contexts and equal pairs are read once.

    Args:
        subject: the model.
        contexts: tokens from BOS on.
        choices: of each context, the tokens of its continuations.
        batch_tokens: tokens of a batch; a context counts once for each continuation of several tokens.
        precision: of the forward pass.
    """
    from dateline.model.scoring import score_continuations

    wanted: dict[bytes, dict[bytes, Tokens]] = {}
    heads: dict[bytes, Tokens] = {}
    for context, several in zip(contexts, choices, strict=True):
        key = context.tobytes()
        heads[key] = context
        wanted.setdefault(key, {}).update((tokens.tobytes(), tokens) for tokens in several)
    lengths: defaultdict[tuple[int, int], list[bytes]] = defaultdict(list)
    for key, head in heads.items():
        longer = sum(len(tokens) > 1 for tokens in wanted[key].values())
        lengths[len(head), max(1, longer)].append(key)
    found: dict[tuple[bytes, bytes], float] = {}
    for (length, rows), keys in sorted(lengths.items(), reverse=True):
        size = max(1, batch_tokens // (length * rows))
        for start in range(0, len(keys), size):
            chosen = keys[start : start + size]
            pairs = [(row, tokens) for row, key in enumerate(chosen) for tokens in wanted[key].values()]
            nats = score_continuations(
                subject.model, [heads[key] for key in chosen], pairs, batch_tokens=batch_tokens, dtype=precision
            )
            found.update(
                ((chosen[row], tokens.tobytes()), cost) for (row, tokens), cost in zip(pairs, nats, strict=True)
            )
    return [
        np.array([found[context.tobytes(), tokens.tobytes()] for tokens in several])
        for context, several in zip(contexts, choices, strict=True)
    ]


def _context(subject: Subject, prompts: Prompts, prefix: str, prompt: Tokens) -> Tokens:
    """Returns `<bos> prefix prompt`."""
    return np.concatenate([np.array([subject.bos], dtype=np.int32), prompts.prefixes[prefix], prompt])


def named_letter(text: str, options: int) -> int:
    """Returns the option that a text names, counted from 0, or -1.

    `B`, `(B)`, `B.`, `B) Abuja`, `B. Abuja`, `Answer: B` and `The answer is (B).` name B. `A man`, `A capital city`
    and `a` name nothing: an article is not an answer. Nor does `B Abuja`, so that no letter is easier to name than A.

    Example:
        >>> named_letter("The answer is (B).", 2), named_letter("A man", 2)
        (1, -1)
    """
    found = _ANSWER.search(text.strip())
    place = LETTERS.index(found.group(1) or found.group(2)) if found else -1
    return place if place < options else -1


def write_answers(
    subject: Subject,
    prompts: Prompts,
    asked: Sequence[Asked],
    ids: Sequence[str],
    options: Mcq,
    advance: Advance | None = None,
) -> list[str]:
    """Returns what the model writes behind each letter prompt with the options in the order of the file.

    A draw is a hash of (seed, item, prefix, place of the token): it depends on neither batch nor neighbours.

    Args:
        subject: the model.
        prompts: its tokens of the questions.
        asked: which question under which prefix.
        ids: of all questions.
        options: temperature, length and seed of the answers; batch and precision.
        advance: progress callback, called with the number of answers that are finished.
    """
    requests = []
    for one in asked:
        context = _context(subject, prompts, one.prefix, prompts.letter[one.question][0])
        key = ("answer", str(options.seed), ids[one.question], one.prefix)
        requests.append(Request((context,), len(context) - 1, key))
    written = write(
        subject,
        requests,
        Sampling(max_tokens=options.num_tokens, temperature=options.temperature),
        batch_tokens=options.batch_tokens,
        precision=options.precision,
        advance=advance,
    )
    return [text.text for text in written]
