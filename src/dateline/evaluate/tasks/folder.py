"""A folder that lm-evaluation-harness reads offline: for each form and condition a YAML file and its documents.

Enters: a model folder, questions, conditions. Leaves: `cloze_gold.yaml`, `cloze_gold.jsonl`, `letter_gold.yaml`, ...
Deliberately not done: no link to the original file of questions: a document has its prefix, prompt and options ready.

The beginning-of-text token stands in the documents as text, so that it does not depend on settings of lm_eval. What
lm_eval does otherwise is to tokenize prefix and question together, while a model in training and `dateline eval mcq`
have them apart. For byte-level tokenizers that have a token for an empty line the two differ by that token;
the manifest says for how many prompts they do. Without a prefix (condition none) there is no such seam.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dateline.conditions import Condition
from dateline.evaluate.mcq.items import questions_fingerprint
from dateline.evaluate.mcq.prompts import (
    LETTERS,
    Layout,
    Tokens,
    cloze_prompt,
    letter_place,
    letter_prompt,
    question_conditions,
    told,
)
from dateline.evaluate.mcq.questions import Question, read_questions
from dateline.evaluate.subject import Subject, load_subject, subject_fingerprint
from dateline.manifest import Manifest, check_free, new_folder, write_manifest

STAGE = "tasks"
FORMS = ("cloze", "letter")
PREFIX = "dateline_mcq"


def task_name(form: str, condition: str) -> str:
    """Returns the name by which lm_eval knows a form under a condition: `dateline_mcq_cloze_gold`."""
    return f"{PREFIX}_{form}_{_plain(condition)}"


def write_tasks(
    model_folder: Path,
    file: Path,
    *,
    out: Path,
    conditions: Sequence[str],
    fields: Sequence[str] | None = None,
    layout: Layout = "question",
    seed: int = 0,
    overwrite: bool = False,
) -> Manifest:
    """Writes the tasks that ask what `dateline eval mcq` asks, in both forms under every condition.

    Args:
        model_folder: whose tokenizer and trained fields decide prefix and beginning of text.
        file: JSON Lines or Parquet with questions.
        out: the folder to make; the YAML files name their documents by its full path.
        conditions: what the model is told.
        fields: what the prefix shows; None for what the model was trained with.
        layout: of the prompt.
        seed: of the places claimed under `wrong`.
        overwrite: replace what stands at `out`.

    Raises:
        UserError: where questions, model or names are not usable.
    """
    check_free(out, overwrite=overwrite, stage=STAGE)
    questions = read_questions(file)
    subject = load_subject(model_folder, device="cpu")
    chosen = question_conditions(conditions, _fields(subject, fields))
    bos = str(subject.tokenizer.convert_ids_to_tokens(subject.bos))
    counts, melted = {"in": len(questions)}, {}
    with new_folder(out, overwrite=overwrite, stage=STAGE) as folder:
        for condition in chosen:
            for form in FORMS:
                documents = list(_documents(subject, questions, condition, form, layout, seed))
                name = f"{form}_{_plain(condition.name)}"
                melted[name] = _melted(subject, bos, documents)
                counts[name] = len(documents)
                with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as lines:
                    for document in documents:
                        context = f"{bos}{document.pop('prefix')}{document.pop('prompt')}"
                        lines.write(json.dumps({"context": context, **document}, ensure_ascii=False) + "\n")
                _write_yaml(folder / f"{name}.yaml", form, condition.name, out.resolve() / f"{name}.jsonl")
        manifest = Manifest.of(
            STAGE,
            {
                "conditions": [condition.name for condition in chosen],
                "fields": list(_fields(subject, fields)),
                "layout": layout,
                "seed": seed,
            },
            {"model": subject_fingerprint(model_folder), "questions": questions_fingerprint(questions)},
            counts=counts,
            facts={"prompts_tokenized_otherwise_by_lm_eval": melted},
        )
        write_manifest(folder, manifest)
    return manifest


def _fields(subject: Subject, fields: Sequence[str] | None) -> Any:
    return tuple(fields) if fields is not None else subject.fields


def _documents(
    subject: Subject, questions: Sequence[Question], condition: Condition, form: str, layout: Layout, seed: int
) -> Iterator[dict[str, Any]]:
    """Yields what one task asks: a document an item in the cloze form, one a rotation in the letter form."""
    for question, prefix in zip(questions, told(subject, questions, condition, seed), strict=True):
        known = {"id": question.id, "country": question.country, "continent": question.continent, "prefix": prefix}
        number = len(question.options)
        if form == "cloze":
            prompt = cloze_prompt(question, layout)
            yield {**known, "prompt": prompt, "choices": list(question.options), "gold": question.answer}
            continue
        for turn in range(number):
            prompt, place = letter_prompt(question, layout, turn), letter_place(question.answer, turn, number)
            yield {**known, "rotation": turn, "prompt": prompt, "choices": list(LETTERS[:number]), "gold": place}


def _melted(subject: Subject, bos: str, documents: Sequence[dict[str, Any]]) -> int:
    """Counts documents whose context lm_eval reads in other tokens than `dateline eval mcq`."""
    prefixes = sorted({document["prefix"] for document in documents} - {""})
    known: dict[str, Tokens] = {
        "": np.zeros(0, dtype=np.int32),
        **dict(zip(prefixes, subject.encode(prefixes), strict=True)),
    }
    prompts = subject.encode([document["prompt"] for document in documents])
    texts = [f"{bos}{document['prefix']}{document['prompt']}" for document in documents]
    together = subject.tokenizer(texts, add_special_tokens=False)["input_ids"]
    apart = (
        [subject.bos, *known[document["prefix"]].tolist(), *prompt.tolist()]
        for document, prompt in zip(documents, prompts, strict=True)
    )
    return sum(list(one) != other for one, other in zip(together, apart, strict=True))


def _write_yaml(path: Path, form: str, condition: str, documents: Path) -> None:
    settings = yaml.safe_load((Path(__file__).parent / f"{form}.yaml").read_text(encoding="utf-8"))
    settings = {
        "task": task_name(form, condition),
        **settings,
        "dataset_kwargs": {"data_files": {"test": str(documents)}},
    }
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _plain(condition: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in condition)
