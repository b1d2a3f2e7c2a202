"""`dateline eval mcq`: a model's answers to multiple-choice questions, or the questions as tasks for lm_eval.

The audit of the questions, `dateline audit mcq FILE`, comes first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dateline.cli.evaluation.protocol import at_least
from dateline.cli.evaluation.tables import print_rows, split_words
from dateline.config import validate_recipe
from dateline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dateline.conditions import Field
    from dateline.records import Score

WARNING = (
    "paper-generative: options stand in one order, answers are sampled, and items without a letter leave the "
    "denominator of accuracy_paper_generative; accuracy_paper_generative_strict counts them as wrong, and "
    "accuracy_cloze and accuracy_letter neither sample nor depend on the order"
)


@dataclass(frozen=True)
class Mcq:
    """Asks a model multiple-choice questions; every item counts.

    Cloze: each option continues the question, and the fewest nats per byte win. Letter: the most probable letter behind
    the lettered options, averaged over all rotations of the options. Switch: items with two answers are asked twice,
    once under each place; a model that ignores places gets exactly one half. Ties share the point. The prefix shows
    country and continent, never a URL.
    """

    model: Annotated[Path, tyro.conf.Positional]
    """Model folder."""
    file: Annotated[Path, tyro.conf.Positional]
    """Questions, JSON Lines or Parquet: question, options, answer, country."""
    out: Path | None = None
    """Folder to make."""
    write_tasks: Path | None = None
    """Instead of asking, write the same questions as tasks for lm_eval --include_path into this new folder."""
    conditions: str = "gold,none,wrong"
    """Conditions to ask under, separated by commas: gold, none, wrong, swap:<country>, country, continent."""
    by: str = "continent,country"
    """Groupings besides all, separated by commas: continent, country."""
    layout: Literal["question", "article"] = "question"
    """question: Question: ... Answer:; article: TITLE: ... CONTENT:, as the texts of training."""
    versus: Path | None = None
    """Result of another model on the same questions: paired differences under the same conditions."""
    long: Literal["error", "wrong"] = "error"
    """Items longer than the model can read: stop, or count as wrong in every form and condition."""
    protocol: Literal["likelihood", "paper-generative"] = "likelihood"
    """paper-generative: sampled answers as in the published study, besides, with the strict share beside them."""
    temperature: float = 0.7
    """Of sampled answers."""
    num_tokens: int = 8
    """Of a sampled answer, at most."""
    run: str = ""
    """Name in the tables (default: the model folder's name)."""
    fields: str = ""
    """Fields of the prefix, separated by commas (default: those that the model was trained with)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the forward pass."""
    batch_tokens: int = 8192
    """Tokens in a batch."""
    resamples: int = 10_000
    """Bootstrap resamples over items."""
    seed: int = 0
    """Of the places claimed under wrong, of sampled answers, and of the bootstrap."""
    device: str = "auto"
    """auto, cpu or cuda."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = tyro.cli(Mcq, prog="dateline eval mcq", args=words)
    if (args.out is None) == (args.write_tasks is None):
        raise UserError("give either --out DIR, to ask the questions, or --write-tasks DIR, to write them for lm_eval")
    at_least(1, batch_tokens=args.batch_tokens, num_tokens=args.num_tokens)
    at_least(2, resamples=args.resamples)
    fields: Sequence[Field] | None = None
    if args.fields:
        from dateline.conditions import Conditioning

        fields = validate_recipe(Conditioning, {"fields": split_words(args.fields)}, source="--fields").fields
    if args.write_tasks is not None:
        _write_tasks(args, args.write_tasks, fields)
    elif args.out is not None:
        _ask(args, args.out, fields)


def _ask(args: Mcq, out: Path, fields: Sequence[Field] | None) -> None:
    import sys

    from dateline.evaluate.mcq.run import evaluate_mcq
    from dateline.evaluate.table import read_scores

    if args.protocol == "paper-generative":
        print(f"dateline: warning: {WARNING}", file=sys.stderr)
    manifest = evaluate_mcq(
        args.model,
        args.file,
        out=out,
        run=args.run or args.model.resolve().name,
        conditions=split_words(args.conditions),
        by=split_words(args.by),
        layout=args.layout,
        versus=args.versus,
        long=args.long,
        protocol=args.protocol,
        temperature=args.temperature,
        num_tokens=args.num_tokens,
        fields=fields,
        dtype=args.precision,
        batch_tokens=args.batch_tokens,
        resamples=args.resamples,
        seed=args.seed,
        device=args.device,
        overwrite=args.overwrite,
    )
    scores = read_scores(out)
    print_rows(level_rows(scores))
    differences = difference_rows(scores)
    if differences:
        print()
        print_rows(differences)
    wrong = manifest.counts["counted_wrong"]
    if wrong:
        print(f"{wrong:,} items are longer than the model can read and count as wrong")
    counts = manifest.counts
    if counts["pairs"] or counts["no_pair"]:
        print(
            f"switch and shift: {counts['pairs']:,} pairs; {counts['no_pair']:,} items name another country and are no "
            "pair (the question is not ambiguous, or has no other answer among its options for another country)"
        )
    print(
        f"{manifest.counts['in']:,} items, chance {manifest.facts['chance']:.3f} (switch and shift: 0.5), 95% "
        f"intervals over items; p after Holm's correction; everything is in {out}"
    )


def level_rows(scores: Sequence[Score]) -> list[dict[str, str]]:
    """Returns a row for each metric and condition: all items, then the continents."""
    chosen = [score for score in scores if not score.versus and score.grouping in ("all", "continent")]
    columns = ["all", *sorted({score.group for score in chosen if score.grouping == "continent"})]
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for score in chosen:
        head = {"condition": score.condition, "metric": score.metric, "items": ""}
        row = rows.setdefault((score.metric, score.condition), head | dict.fromkeys(columns, ""))
        row[score.group] = _shown(score)
        if score.grouping == "all":
            row["items"] = f"{score.num_documents:,}"
    return list(rows.values())


def difference_rows(scores: Sequence[Score]) -> list[dict[str, str]]:
    """Returns a row for each difference of accuracy over all items, with its p-value and what could have been found."""
    return [
        {
            "condition": score.condition,
            "versus": score.versus,
            "metric": score.metric,
            "difference": _shown(score),
            "p": "" if score.p_holm is None else f"{score.p_holm:.2g}",
            "detectable": "" if score.mde is None else f"{score.mde:.3f}",
        }
        for score in scores
        if score.versus and score.grouping == "all" and score.metric.startswith("accuracy")
    ]


def _shown(score: Score) -> str:
    if math.isnan(score.value):
        return "none answered"
    if math.isnan(score.ci_low):
        return f"{score.value:.3f} [one item]"
    return f"{score.value:.3f} [{score.ci_low:.3f}, {score.ci_high:.3f}]"


def _write_tasks(args: Mcq, out: Path, fields: Sequence[Field] | None) -> None:
    from dateline.evaluate.mcq.run import TASK_PREFIX, write_tasks
    from dateline.model.build import model_folder

    manifest = write_tasks(
        args.model,
        args.file,
        out=out,
        conditions=split_words(args.conditions),
        fields=fields,
        layout=args.layout,
        seed=args.seed,
        overwrite=args.overwrite,
    )
    otherwise = manifest.facts["prompts_tokenized_otherwise_by_lm_eval"]
    seams = {name: count for name, count in otherwise.items() if count}
    if seams:
        shown = ", ".join(f"{name} {count:,} of {manifest.counts[name]:,}" for name, count in seams.items())
        print(f"lm_eval joins prefix and question into other tokens than training did: {shown}")
    folder = model_folder(args.model)
    print(f"lm_eval run --model hf --model_args pretrained={folder} --include_path {out} --tasks {TASK_PREFIX}")
