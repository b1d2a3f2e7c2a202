"""Questions as prompts, followed by an option or by a letter, and as tasks for lm-evaluation-harness."""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from dateline.benchmark.questions import Question
from dateline.records import body_text, prompt_text

Layout = Literal["question", "article"]
"""`question`: `Question: ...\\nAnswer:`; `article`: `TITLE: ...\\n\\nCONTENT:`, the form of all texts in training."""

LETTERS = string.ascii_uppercase
FORMS = ("cloze", "letter")


def cloze_prompt(question: Question, layout: Layout) -> str:
    """Returns the text that an option continues, after a space."""
    if layout == "article":
        return prompt_text(question.question)
    return f"Question: {question.question}\nAnswer:"


def letter_prompt(question: Question, layout: Layout, rotation: int = 0) -> str:
    """Returns the text that a letter continues, with the options moved up by `rotation` places in a circle.

    Example:
        >>> letter_prompt(read_questions("questions.jsonl")[0], "question")
        'Question: What is the capital?\\nA. Abuja\\nB. Accra\\nAnswer:'
    """
    number = len(question.options)
    options = [question.options[(place + rotation) % number] for place in range(number)]
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    if layout == "article":
        return body_text(question.question, f"{listed}\nAnswer:")
    return f"Question: {question.question}\n{listed}\nAnswer:"


def letter_place(option: int, rotation: int, number: int) -> int:
    """Returns the place, counted from A, at which an option stands in a rotation."""
    return (option - rotation) % number


def task_documents(
    questions: Iterable[Question], contexts: Iterable[str], form: str, layout: Layout
) -> Iterator[dict[str, Any]]:
    """Yields what a task asks: a document an item in the cloze form, one a rotation in the letter form.

    Args:
        questions: items.
        contexts: what stands before the prompt of each item.
        form: one of `FORMS`.
        layout: of the prompt.
    """
    for question, before in zip(questions, contexts, strict=True):
        known = {"id": question.id, "country": question.country, "continent": question.continent, "prefix": before}
        number = len(question.options)
        if form == "cloze":
            prompt = cloze_prompt(question, layout)
            yield {**known, "prompt": prompt, "choices": list(question.options), "gold": question.answer}
            continue
        for turn in range(number):
            prompt, place = letter_prompt(question, layout, turn), letter_place(question.answer, turn, number)
            yield {**known, "rotation": turn, "prompt": prompt, "choices": list(LETTERS[:number]), "gold": place}


def write_task(
    folder: Path, out: Path, *, task: str, name: str, tag: str, form: str, documents: Iterable[Mapping[str, Any]]
) -> int:
    """Writes one task, `NAME.yaml` and `NAME.jsonl`, and returns the number of its documents.

    Args:
        folder: where to write.
        out: where the folder is going to stand: the YAML file names its documents by their full path.
        task: the name by which lm_eval knows it.
        name: of the two files.
        tag: the name by which lm_eval runs all tasks of the folder.
        form: one of `FORMS`.
        documents: as `task_documents` yields them, with `prefix` as it is to be read.
    """
    count = 0
    with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as lines:
        for document in documents:
            rest = {key: value for key, value in document.items() if key not in ("prefix", "prompt")}
            context = f"{document['prefix']}{document['prompt']}"
            lines.write(json.dumps({"context": context, **rest}, ensure_ascii=False) + "\n")
            count += 1
    settings = yaml.safe_load((Path(__file__).parent / f"{form}.yaml").read_text(encoding="utf-8"))
    settings = {
        "task": task,
        **settings,
        "tag": tag,
        "dataset_kwargs": {"data_files": {"test": str(out.resolve() / f"{name}.jsonl")}},
    }
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return count
