"""`dateline experiment`: several runs in one recipe, from corpus to report.

`dateline quickstart` is the same with the packaged recipe; `dateline report` builds only the report again.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from dateline.cli.options import read_arguments, read_words
from dateline.config import Section, load_recipe
from dateline.errors import RunsFailed, UserError
from dateline.jobs import Workers, slurm_options, slurm_parameters

if TYPE_CHECKING:
    from dateline.experiment import ExperimentRecipe


QUICKSTART = Path(__file__).parent / "quickstart.yaml"


class Experiment(Workers):
    """Runs an experiment: builds and encodes the corpus, trains and evaluates every run, writes the report.

    Finished stages are skipped if neither their recipe nor their parents have changed; after an interruption the same
    command continues. A run that fails does not stop the others; it is named at the end, with exit code 1. Any value of
    the recipe can be given as --section.key VALUE.
    """

    recipe: Annotated[Path, tyro.conf.Positional]
    """Experiment recipe (.yaml)."""
    out: Path
    """Folder of the experiment."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args, overrides = read_words("dateline experiment", Experiment, words)
    from dateline.experiment import ExperimentRecipe

    execute(load_recipe(ExperimentRecipe, args.recipe, overrides), args.out, args)


class Quickstart(Workers):
    """Trains a plain and a conditioned model on the embedded newswire and measures the gain from metadata.

    Takes three to six minutes on two CPU cores. Any value of recipes/quickstart.yaml can be given as --section.key
    VALUE.
    """

    out: Path = Path("runs/quickstart")
    """Folder of the experiment."""


def quickstart(words: list[str]) -> None:
    """Runs the verb `quickstart`."""
    args, overrides = read_words("dateline quickstart", Quickstart, words)
    from dateline.experiment import ExperimentRecipe

    execute(load_recipe(ExperimentRecipe, QUICKSTART, overrides), args.out, args)


class Report(Section):
    """Rebuilds report.html from the score table and what lies beside it."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of the experiment."""


def report(words: list[str]) -> None:
    """Runs the verb `report`."""
    args = read_arguments("dateline report", Report, words)
    from dateline.report import write_report

    print(write_report(args.folder))


def execute(recipe: ExperimentRecipe, out: Path, args: Workers) -> None:
    """Runs an experiment and prints its outcome."""
    started = time.monotonic()
    if bool(args.slurm) != (args.executor == "slurm"):
        raise UserError("--executor slurm and --slurm partition=NAME,gpus=N,time=HH:MM:SS go together")
    workers = Workers(**{name: getattr(args, name) for name in Workers.model_fields})
    slurm = slurm_parameters(slurm_options(args.slurm)) if args.slurm else None
    from dateline.experiment.run import SUMMARY, run_experiment, write_summary
    from dateline.report import write_report
    from dateline.scores import read_scores, summary_rows

    failed: RunsFailed | None = None
    try:
        run_experiment(recipe, out, workers, slurm)
    except RunsFailed as error:  # raised again below: what was finished is worth a report
        failed = error
    page = write_report(out)
    summary: dict[str, Any] = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    summary["seconds"] = round(time.monotonic() - started, 1)
    write_summary(out, summary)
    from dateline.cli.evaluate import print_rows

    print(f"\nperplexity on {summary['num_documents']:,} test documents, with 95% intervals")
    scores = read_scores(out)
    print_rows(summary_rows(score for score in scores if not score.condition.startswith("swap:")))
    if any(score.condition.startswith("swap:") for score in scores):
        print("losses under counterfactual countries are in the report")
    for line in verdicts(summary):
        print(line)
    print(f"\n{page} ({summary['seconds']:.0f} s)")
    if failed is not None:
        raise failed


def verdicts(summary: dict[str, Any]) -> list[str]:
    """Says the paired differences in words, with their intervals: over all seeds where there are several."""
    pairs = summary["nll_difference"]
    pooled = {pair: found for pair, found in pairs.items() if found["seeds"] > 1}
    from dateline.evaluate.parts import LEAK_WARNING

    lines = [f"  mean and interval over {max(f['seeds'] for f in pooled.values())} seeds:"] if pooled else []
    for pair, found in (pooled or pairs).items():
        ends = _interval([_percent(value) for value in found["ci"]], "+.2f")
        lines.append(f"  {pair}: perplexity {_percent(found['value']):+.2f}% {ends}, p {_p(found['p'])}")
    if "recovered_gain" in summary:
        lines.append(
            f"  recovered gain: {summary['recovered_gain']:.3f} {_interval(summary['recovered_gain_ci'], '.3f')} "
            "of the possible gain from metadata (1 = all)"
        )
    lines += [f"  LEAK: {name}: {LEAK_WARNING}" for name in summary["leaks"]]
    return ["", *lines]


def _percent(difference: float | None) -> float | None:
    """Turns a difference in nats per token into a change of perplexity."""
    return None if difference is None else 100 * math.expm1(difference)


def _interval(ends: list[float | None], form: str) -> str:
    low, high = ends
    return "[no interval]" if low is None or high is None else f"[{low:{form}}, {high:{form}}]"


def _p(value: float | None) -> str:
    if value is None:
        return "not available"
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
