"""What a model reads of a question: prefix, prompt and continuations, each tokenized apart as in training.

Enters: questions, a layout, a model's tokenizer. Leaves: texts, and the same as tokens.
Deliberately not done: no chat template and no examples in the prompt: base models are asked as they were trained.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from dateline.conditions import Condition, Conditioner, Field, Metadata, parse_condition
from dateline.errors import UserError
from dateline.evaluate.mcq.questions import Question
from dateline.evaluate.subject import Subject
from dateline.records import body_text, prompt_text

Tokens = npt.NDArray[np.int32]
Layout = Literal["question", "article"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
"""`question`: `Question: ...\\nAnswer:`; `article`: `TITLE: ...\\n\\nCONTENT:`, the form of all texts in training."""

KNOWN: tuple[Field, ...] = ("country", "continent")
"""The fields that a question has. Its answer stands in no outlet, so that a prefix never has a line `URL:`.

A model whose training always showed an outlet beside the country (no `field_dropout`) never saw such a prefix; what it
makes of it is part of what is measured, and `none` remains the condition that it knows."""

LETTERS = string.ascii_uppercase


def cloze_prompt(question: Question, layout: Layout) -> str:
    """Returns the text that an option continues, after a space."""
    if layout == "article":
        return prompt_text(question.question)
    return f"Question: {question.question}\nAnswer:"


def letter_prompt(question: Question, layout: Layout, rotation: int = 0) -> str:
    """Returns the text that a letter continues, with the options moved up by `rotation` places in a circle."""
    number = len(question.options)
    options = [question.options[(place + rotation) % number] for place in range(number)]
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    if layout == "article":
        return body_text(question.question, f"{listed}\nAnswer:")
    return f"Question: {question.question}\n{listed}\nAnswer:"


def letter_place(option: int, rotation: int, number: int) -> int:
    """Returns the place, counted from A, at which an option stands in a rotation."""
    return (option - rotation) % number


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


def told(subject: Subject, questions: Sequence[Question], condition: Condition, seed: int) -> list[str]:
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
        UserError: where an item has more options than letters, where the tokenizer melts prompt and continuation into
            one token, or where tokens do not fit the model.
    """
    largest = max(questions, key=lambda question: len(question.options))
    if len(largest.options) > len(LETTERS):
        raise UserError(f"item '{largest.id}' has {len(largest.options)} options; at most {len(LETTERS)} have a letter")
    cloze = [cloze_prompt(question, layout) for question in questions]
    letter = [[letter_prompt(q, layout, turn) for turn in range(len(q.options))] for q in questions]
    tokens = _encode(subject, {*prefixes, *cloze, *(text for texts in letter for text in texts)})
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


def _encode(subject: Subject, texts: set[str]) -> dict[str, Tokens]:
    distinct = sorted(texts - {""})
    return {"": np.zeros(0, dtype=np.int32), **dict(zip(distinct, subject.encode(distinct), strict=True))}


def _continuations(subject: Subject, cue: str, texts: set[str] | str) -> dict[str, Tokens]:
    """Returns the tokens of ` text` behind a cue."""
    distinct = sorted(texts)
    head, *whole = subject.encode([cue, *(f"{cue} {text}" for text in distinct)])
    for text, tokens in zip(distinct, whole, strict=True):
        if len(tokens) <= len(head) or not np.array_equal(tokens[: len(head)], head):
            raise UserError(
                f"{subject.folder}: its tokenizer melts '{cue}' and '{text[:40]}' into one token, so that the "
                "option has no probability of its own; the other layout may do: --layout article or question"
            )
    return {text: tokens[len(head) :] for text, tokens in zip(distinct, whole, strict=True)}
