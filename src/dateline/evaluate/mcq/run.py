"""Asks a model multiple-choice questions and writes the result, or writes them as tasks for lm-evaluation-harness.

No item is left out. What is too long for the model stops the evaluation, or is wrong in every form and under every
condition where `long` says so: dropping it would flatter short contexts.

A folder of tasks is read by lm_eval offline: for each form and condition a YAML file and its documents, each with
prefix, prompt and options ready. The beginning-of-text token stands in them as text, so that it does not depend on
settings of lm_eval, which sees it there and adds no other. lm_eval tokenizes prefix and question together. For a
byte-level tokenizer that gives the tokens of training, where a prefix ends with its last line; where it does not (a
model trained under prefix format 1, a question that spells a special token), the manifest says for how many prompts.
The locale switch has no task: a task there knows one prompt an item.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dateline.benchmark.checks import chance_of
from dateline.benchmark.questions import Question, questions_fingerprint, read_questions
from dateline.benchmark.tasks import FORMS, task_documents, write_task
from dateline.conditions import Condition, Field
from dateline.config import fingerprint
from dateline.errors import UserError
from dateline.evaluate.mcq.ask import ask, is_pair, prefix_texts, question_conditions
from dateline.evaluate.mcq.scores import (
    MAKE,
    STAGE,
    Origin,
    check_comparable,
    matching_answers,
    score_rows,
    write_items,
)
from dateline.evaluate.recipe import Mcq
from dateline.manifest import require_manifest
from dateline.model.load import Subject, load_subject, model_fingerprint, trained_fields
from dateline.scores import Score, write_scores
from dateline.stage import Made, Stage

TASKS = "tasks"
TASK_PREFIX = "dateline_mcq"


def mcq_stage(model: Path, options: Mcq, run: str) -> Stage:
    """Returns the stage that asks a model every question of a file: `scores.parquet` and `items.parquet`.

    Args:
        model: a Hugging Face folder of a causal language model, or the output of `dateline train`.
        options: which questions, conditions, slices, prompts, and whether answers are sampled besides.
        run: the model's name in the tables.

    Raises:
        UserError: where a folder or file is missing or cannot be used, a name is not known, or the result that
            `versus` names cannot be compared.

    Example:
        >>> options = Mcq(questions="questions.jsonl", conditions=("gold", "none"))
        >>> mcq_stage(Path("runs/first"), options, "first").make(Path("runs/answers"))
    """
    if not run:
        raise UserError("the run has no name; give --run")
    if twice := [name for position, name in enumerate(options.by) if name in options.by[:position]]:
        raise UserError(f"by names '{twice[0]}' twice; keep one")
    fields, conditions = _asked(model, options)
    questions = read_questions(options.questions)
    recipe = {
        **options.identity(),
        "run": run,
        "conditions": [condition.name for condition in conditions],
        "fields": list(fields),
    }
    if options.answers == "likelihood":
        del recipe["temperature"], recipe["num_tokens"]
    else:
        recipe["noise"] = "gumbel"  # samples differ from those of versions that inverted the cumulative distribution
    parents = {"model": model_fingerprint(model), "questions": questions_fingerprint(questions)}
    origin = Origin(*_protocols(options), parents["model"], parents["questions"])
    if options.versus is not None:
        versus = Path(options.versus)
        check_comparable(versus, run, origin)
        parents["versus"] = require_manifest(versus, STAGE, MAKE).fingerprint
    return Stage(
        STAGE, recipe, parents, lambda folder: _answer(model, options, run, questions, conditions, origin, folder)
    )


def _asked(model: Path, options: Mcq) -> tuple[tuple[Field, ...], list[Condition]]:
    """Returns the fields that are on, and the conditions reduced to what a question has of them."""
    fields = options.fields if options.fields is not None else trained_fields(model)
    return fields, question_conditions(options.conditions, fields)


def _protocols(options: Mcq) -> tuple[str, str]:
    """Returns what makes two scores comparable: `mcq-1a2b3c4d`, and `paper-generative-...` for sampled answers."""
    asked: dict[str, Any] = {"layout": options.layout, "long": options.long, "seed": options.seed}
    likelihood = f"mcq-{fingerprint(asked)[:8]}"
    if options.answers == "likelihood":
        return likelihood, ""
    sampled = asked | {"temperature": options.temperature, "num_tokens": options.num_tokens}
    return likelihood, f"paper-generative-{fingerprint(sampled)[:8]}"


def _answer(
    model: Path,
    options: Mcq,
    run: str,
    questions: Sequence[Question],
    conditions: Sequence[Condition],
    origin: Origin,
    folder: Path,
) -> Made:
    """Asks everything and writes the tables into a folder."""
    started = time.monotonic()
    subject = load_subject(model, device=options.device, precision=options.precision)
    answers, too_long = ask(subject, questions, conditions, options, run)
    others = matching_answers(Path(options.versus), answers) if options.versus is not None else []
    scores = score_rows(answers, others, by=options.by, origin=origin, resamples=options.resamples, seed=options.seed)
    write_items(folder, answers, origin)
    write_scores(folder, scores)
    return Made(
        counts={
            "in": len(questions),
            "kept": len(questions),
            "counted_wrong": len(too_long),
            "pairs": sum(is_pair(question) for question in questions),
            "no_pair": sum(bool(q.contrast_country) and not is_pair(q) for q in questions),
        },
        facts={
            "protocol": origin.protocol,
            "sampled_protocol": origin.sampled_protocol,
            "chance": chance_of(questions),
            "accuracy": _overview(scores),
            "shown": {condition.name: list(condition.fields) for condition in conditions},
            "url": "absent from every prefix: a question stands in no outlet",
            "too_long": too_long[:100],
            "file": Path(options.questions).name,
            "device": str(subject.model.device),
            "batch_tokens": options.batch_tokens,
            "seconds": round(time.monotonic() - started, 1),
        },
        packages=("torch", "transformers", "numpy"),
    )


def _overview(scores: Sequence[Score]) -> dict[str, dict[str, float | None]]:
    """Returns condition -> metric -> value over all items; None where nothing was answered."""
    result: dict[str, dict[str, float | None]] = {}
    for score in scores:
        if score.slice_by == "all" and not score.versus_run:
            values = result.setdefault(score.condition, {})
            values[score.metric] = round(score.value, 4) if score.n_documents else None
    return result


def task_name(form: str, condition: str) -> str:
    """Returns the name by which lm_eval knows a form under a condition: `dateline_mcq_cloze_gold`."""
    return f"{TASK_PREFIX}_{form}_{_plain(condition)}"


def tasks_stage(model: Path, options: Mcq, out: Path) -> Stage:
    """Returns the stage that writes lm_eval's tasks, which ask what `mcq_stage` asks, in both forms.

    Args:
        model: whose tokenizer and trained fields decide prefix and beginning of text.
        options: questions, conditions, fields, layout and seed; the others do not matter here.
        out: where the folder is going to stand; the YAML files name their documents by its full path, so that a moved
            folder has to be written again.

    Raises:
        UserError: where questions, model or names are not usable.

    Example:
        >>> out = Path("runs/tasks")
        >>> tasks_stage(Path("runs/first"), Mcq(questions="questions.jsonl"), out).make(out)
    """
    fields, conditions = _asked(model, options)
    questions = read_questions(options.questions)
    recipe = {
        "conditions": [condition.name for condition in conditions],
        "fields": list(fields),
        "layout": options.layout,
        "seed": options.seed,
        "folder": str(out.resolve()),
    }
    parents = {"model": model_fingerprint(model), "questions": questions_fingerprint(questions)}
    return Stage(
        TASKS, recipe, parents, lambda folder: _write_tasks(model, options, questions, conditions, out, folder)
    )


def _write_tasks(
    model: Path, options: Mcq, questions: Sequence[Question], conditions: Sequence[Condition], out: Path, folder: Path
) -> Made:
    subject = load_subject(model, device="cpu")
    bos = str(subject.tokenizer.convert_ids_to_tokens(subject.bos))
    counts, otherwise = {"in": len(questions)}, {}
    for condition in conditions:
        for form in FORMS:
            prefixes = prefix_texts(subject, questions, condition, options.seed)
            documents = list(task_documents(questions, prefixes, form, options.layout))
            name = f"{form}_{_plain(condition.name)}"
            otherwise[name] = _tokenized_otherwise(subject, bos, documents)
            counts[name] = write_task(
                folder,
                out,
                task=task_name(form, condition.name),
                name=name,
                tag=TASK_PREFIX,
                form=form,
                documents=({**document, "prefix": f"{bos}{document['prefix']}"} for document in documents),
            )
    return Made(counts=counts, facts={"prompts_tokenized_otherwise_by_lm_eval": otherwise})


def _tokenized_otherwise(subject: Subject, bos: str, documents: Sequence[dict[str, Any]]) -> int:
    """Counts documents whose context lm_eval reads in other tokens than `dateline eval mcq`."""
    known = subject.encode_each(document["prefix"] for document in documents)
    prompts = subject.encode([document["prompt"] for document in documents])
    texts = [f"{bos}{document['prefix']}{document['prompt']}" for document in documents]
    together = subject.tokenizer(texts, add_special_tokens=False)["input_ids"]
    apart = (
        [subject.bos, *known[document["prefix"]].tolist(), *prompt.tolist()]
        for document, prompt in zip(documents, prompts, strict=True)
    )
    return sum(list(one) != other for one, other in zip(together, apart, strict=True))


def _plain(condition: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in condition)
