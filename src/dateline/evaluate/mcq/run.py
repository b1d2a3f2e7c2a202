"""Asks a model multiple-choice questions and writes the result, or writes them as tasks for lm-evaluation-harness.

No item is left out. What is too long for the model stops the evaluation, or is wrong in every form and under every
condition where `long` says so: dropping it would flatter short contexts.

A folder of tasks is read by lm_eval offline: for each form and condition a YAML file and its documents, each with
prefix, prompt and options ready. The beginning-of-text token stands in them as text, so that it does not depend on
settings of lm_eval. What lm_eval does otherwise is to tokenize prefix and question together, while a model in training
and `dateline eval mcq` have them apart. For byte-level tokenizers that have a token for an empty line the two differ by
that token; the manifest says for how many prompts they do. Without a prefix (condition none) there is no such seam. The
locale switch has no task: a task there knows one prompt an item.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import yaml

from dateline.benchmark.questions import Question, questions_fingerprint, read_questions
from dateline.conditions import FIELDS, Condition, Field
from dateline.config import fingerprint
from dateline.errors import UserError
from dateline.evaluate.mcq.ask import (
    LAYOUTS,
    LETTERS,
    NUM_TOKENS,
    TEMPERATURE,
    Layout,
    Settings,
    Tokens,
    ask,
    cloze_prompt,
    is_pair,
    letter_place,
    letter_prompt,
    prefix_texts,
    question_conditions,
)
from dateline.evaluate.mcq.scores import ITEMS, MAKE, STAGE, check_comparable, matching_answers, score_rows, write_items
from dateline.evaluate.subject import Dtype, Subject, load_subject, subject_fingerprint, trained_fields
from dateline.evaluate.table import SCORES, write_scores
from dateline.manifest import Manifest, check_free, new_folder, require_manifest, write_manifest
from dateline.records import Score
from dateline.statistics import RESAMPLES

BATCH_TOKENS = 8_192
CONDITIONS = ("gold", "none", "wrong")
GROUPINGS = ("continent", "country")
Protocol = Literal["likelihood", "paper-generative"]
"""`likelihood` asks for probabilities only; `paper-generative` samples answers besides."""
Long = Literal["error", "wrong"]
"""What becomes of items that are longer than the model can read."""

TASKS = "tasks"
FORMS = ("cloze", "letter")
TASK_PREFIX = "dateline_mcq"


def mcq_plan(
    model_folder: Path,
    questions: Sequence[Question],
    *,
    run: str,
    conditions: Sequence[str] = CONDITIONS,
    by: Sequence[str] = GROUPINGS,
    layout: Layout = "question",
    long: Long = "error",
    protocol: Protocol = "likelihood",
    temperature: float = TEMPERATURE,
    num_tokens: int = NUM_TOKENS,
    versus: Path | None = None,
    dtype: Dtype = "float32",
    resamples: int = RESAMPLES,
    seed: int = 0,
    fields: Sequence[Field] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the recipe and parents that decide whether an evaluation is up to date, without asking anything.

    Raises:
        UserError: where a folder is missing, or a name is not known.
    """
    choices: list[tuple[str, str, tuple[str, ...]]] = [
        ("layout", layout, LAYOUTS),
        ("protocol", protocol, get_args(Protocol)),
        ("long", long, get_args(Long)),
        *(("by", name, GROUPINGS) for name in by),
        *(("fields", name, FIELDS) for name in fields or ()),
    ]
    for what, value, known in choices:
        if value not in known:
            raise UserError(f"{what}: '{value}' is not known; known are {', '.join(known)}")
    if not run:
        raise UserError("the run has no name; give --run")
    if temperature <= 0 or num_tokens < 1:
        raise UserError(f"temperature must be above 0 and num_tokens 1 or more, not {temperature} and {num_tokens}")
    shown = tuple(fields) if fields is not None else trained_fields(model_folder)
    asked = question_conditions(conditions, shown)
    recipe: dict[str, Any] = {
        "run": run,
        "protocol": protocol,
        "conditions": [condition.name for condition in asked],
        "fields": list(shown),
        "by": list(by),
        "layout": layout,
        "long": long,
        "dtype": dtype,
        "resamples": resamples,
        "seed": seed,
    }
    if protocol == "paper-generative":
        recipe |= {"temperature": temperature, "num_tokens": num_tokens}
    parents = {"model": subject_fingerprint(model_folder), "questions": questions_fingerprint(questions)}
    if versus is not None:
        parents["versus"] = require_manifest(versus, STAGE, MAKE).fingerprint
    return recipe, parents


def evaluate_mcq(
    model_folder: Path,
    file: Path,
    *,
    out: Path,
    versus: Path | None = None,
    device: str = "auto",
    dtype: Dtype = "float32",
    batch_tokens: int = BATCH_TOKENS,
    overwrite: bool = False,
    **options: Any,
) -> Manifest:
    """Asks a model every question of a file and writes the result to `out`.

    Args:
        model_folder: a Hugging Face folder of a causal language model, or the output of `dateline train`.
        file: JSON Lines or Parquet with question, options, answer, country.
        out: the folder to make.
        versus: the result of another model on the same questions, for paired differences.
        device: `auto`, `cpu`, `cuda`.
        dtype: of weights and computation.
        batch_tokens: tokens of a batch; changes speed and memory, not which option wins.
        overwrite: replace what stands at `out`.
        options: those of `mcq_plan`: `run`, `conditions`, `by`, `layout`, `long`, `protocol`, ...

    Raises:
        UserError: where questions, folders and model do not fit together, or a probability is not finite.
    """
    started = time.monotonic()
    check_free(out, overwrite=overwrite, stage=STAGE)
    questions = read_questions(file)
    recipe, parents = mcq_plan(model_folder, questions, versus=versus, dtype=dtype, **options)
    conditions = question_conditions(recipe["conditions"], recipe["fields"])
    settings = Settings(
        run=recipe["run"],
        layout=recipe["layout"],
        generative=recipe["protocol"] == "paper-generative",
        temperature=recipe.get("temperature", TEMPERATURE),
        num_tokens=recipe.get("num_tokens", NUM_TOKENS),
        long_is_wrong=recipe["long"] == "wrong",
        seed=recipe["seed"],
        batch_tokens=batch_tokens,
        dtype=dtype,
    )
    origin = {"model": parents["model"], "corpus": parents["questions"], **_protocols(recipe)}
    if versus is not None:
        check_comparable(versus, recipe["run"], origin)
    subject = load_subject(model_folder, device=device, dtype=dtype)
    answers, too_long = ask(subject, questions, conditions, settings)
    others = matching_answers(versus, answers) if versus is not None else []
    scores = score_rows(
        answers, others, by=recipe["by"], origin=origin, resamples=recipe["resamples"], seed=recipe["seed"]
    )
    with new_folder(out, overwrite=overwrite, stage=STAGE) as folder:
        write_items(folder / ITEMS, answers, origin)
        write_scores(folder / SCORES, scores)
        manifest = Manifest.of(
            STAGE,
            recipe,
            parents,
            counts={
                "in": len(questions),
                "kept": len(questions),
                "counted_wrong": len(too_long),
                "pairs": sum(is_pair(question) for question in questions),
                "no_pair": sum(bool(q.contrast_country) and not is_pair(q) for q in questions),
            },
            facts={
                "protocol": origin["protocol"],
                "chance": chance(questions),
                "accuracy": _overview(scores),
                "shown": {condition.name: list(condition.fields) for condition in conditions},
                "url": "absent from every prefix: a question stands in no outlet",
                "too_long": too_long[:100],
                "file": file.name,
                "device": str(subject.model.device),
                "batch_tokens": batch_tokens,
                "seconds": round(time.monotonic() - started, 1),
            },
            packages=("torch", "transformers", "numpy"),
        )
        write_manifest(folder, manifest)
    return manifest


def chance(questions: Sequence[Question]) -> float:
    """Returns the expected share of right answers of a blind guess: the mean of 1 / (number of options)."""
    return float(np.mean([1 / len(question.options) for question in questions]))


def _protocols(recipe: dict[str, Any]) -> dict[str, str]:
    """Returns what makes two scores comparable: `mcq-1a2b3c4d`, and `paper-generative-...` for sampled answers."""
    asked: dict[str, Any] = {name: recipe[name] for name in ("layout", "long", "seed")}
    sampled = asked | {name: recipe[name] for name in ("temperature", "num_tokens") if name in recipe}
    return {
        "protocol": f"mcq-{fingerprint(asked)[:8]}",
        "generative": f"paper-generative-{fingerprint(sampled)[:8]}",
    }


def _overview(scores: Sequence[Score]) -> dict[str, dict[str, float | None]]:
    """Returns condition -> metric -> value over all items; None where nothing was answered."""
    result: dict[str, dict[str, float | None]] = {}
    for score in scores:
        if score.grouping == "all" and not score.versus:
            values = result.setdefault(score.condition, {})
            values[score.metric] = round(score.value, 4) if score.num_documents else None
    return result


def task_name(form: str, condition: str) -> str:
    """Returns the name by which lm_eval knows a form under a condition: `dateline_mcq_cloze_gold`."""
    return f"{TASK_PREFIX}_{form}_{_plain(condition)}"


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
        conditions: names of the conditions under which the model is asked.
        fields: what the prefix shows; None for what the model was trained with.
        layout: of the prompt.
        seed: of the places claimed under `wrong`.
        overwrite: replace what stands at `out`.

    Raises:
        UserError: where questions, model or names are not usable.
    """
    check_free(out, overwrite=overwrite, stage=TASKS)
    questions = read_questions(file)
    subject = load_subject(model_folder, device="cpu")
    chosen = question_conditions(conditions, _fields(subject, fields))
    bos = str(subject.tokenizer.convert_ids_to_tokens(subject.bos))
    counts, merged = {"in": len(questions)}, {}
    with new_folder(out, overwrite=overwrite, stage=TASKS) as folder:
        for condition in chosen:
            for form in FORMS:
                documents = list(_documents(subject, questions, condition, form, layout, seed))
                name = f"{form}_{_plain(condition.name)}"
                merged[name] = _merged(subject, bos, documents)
                counts[name] = len(documents)
                with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as lines:
                    for document in documents:
                        context = f"{bos}{document.pop('prefix')}{document.pop('prompt')}"
                        lines.write(json.dumps({"context": context, **document}, ensure_ascii=False) + "\n")
                _write_yaml(folder / f"{name}.yaml", form, condition.name, out.resolve() / f"{name}.jsonl")
        manifest = Manifest.of(
            TASKS,
            {
                "conditions": [condition.name for condition in chosen],
                "fields": list(_fields(subject, fields)),
                "layout": layout,
                "seed": seed,
            },
            {"model": subject_fingerprint(model_folder), "questions": questions_fingerprint(questions)},
            counts=counts,
            facts={"prompts_tokenized_otherwise_by_lm_eval": merged},
        )
        write_manifest(folder, manifest)
    return manifest


def _fields(subject: Subject, fields: Sequence[str] | None) -> Any:
    return tuple(fields) if fields is not None else subject.fields


def _documents(
    subject: Subject, questions: Sequence[Question], condition: Condition, form: str, layout: Layout, seed: int
) -> Iterator[dict[str, Any]]:
    """Yields what one task asks: a document an item in the cloze form, one a rotation in the letter form."""
    for question, prefix in zip(questions, prefix_texts(subject, questions, condition, seed), strict=True):
        known = {"id": question.id, "country": question.country, "continent": question.continent, "prefix": prefix}
        number = len(question.options)
        if form == "cloze":
            prompt = cloze_prompt(question, layout)
            yield {**known, "prompt": prompt, "choices": list(question.options), "gold": question.answer}
            continue
        for turn in range(number):
            prompt, place = letter_prompt(question, layout, turn), letter_place(question.answer, turn, number)
            yield {**known, "rotation": turn, "prompt": prompt, "choices": list(LETTERS[:number]), "gold": place}


def _merged(subject: Subject, bos: str, documents: Sequence[dict[str, Any]]) -> int:
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
