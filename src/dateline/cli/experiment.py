"""`dateline experiment`: several runs in one recipe, from corpus to report.

`dateline quickstart` is the same with the packaged recipe; `dateline report` builds only the report again.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from dateline.cli.options import read_arguments, read_words
from dateline.cli.study import UNSOUND, show_findings
from dateline.cli.tables import print_rows
from dateline.config import Section, load_recipe
from dateline.errors import RunsFailed, UserError
from dateline.jobs import Workers, slurm_options, slurm_parameters

if TYPE_CHECKING:
    from dateline.experiment import ExperimentRecipe
    from dateline.scores import Run, Score


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

    Takes some four minutes on two CPU cores. Any value of recipes/quickstart.yaml can be given as --section.key
    VALUE.
    """

    out: Path = Path("runs/quickstart")
    """Folder of the experiment."""


def quickstart(words: list[str]) -> None:
    """Runs the verb `quickstart`."""
    args, overrides = read_words("dateline quickstart", Quickstart, words)
    from dateline.experiment import ExperimentRecipe

    execute(load_recipe(ExperimentRecipe, QUICKSTART, overrides), args.out, args)
    command = "dateline" if shutil.which("dateline") else os.path.relpath(Path(sys.executable).with_name("dateline"))
    print(f"use it: {command} serve {args.out / 'runs' / 'conditioned'}, then open http://127.0.0.1:8000")


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
    if args.executor == "slurm" and shutil.which("sbatch") is None:
        raise UserError("--executor slurm: no 'sbatch' here; run it where jobs are submitted, or use --executor local")
    workers = Workers(**{name: getattr(args, name) for name in Workers.model_fields})
    slurm = slurm_parameters(slurm_options(args.slurm)) if args.slurm else None
    from dateline.evaluate.parts import LEAK_WARNING
    from dateline.experiment.run import SUMMARY, run_experiment, write_summary
    from dateline.experiment.study import study
    from dateline.model.sizes import undertrained
    from dateline.report import write_report
    from dateline.scores import read_runs, read_scores

    failed: RunsFailed | None = None
    try:
        run_experiment(recipe, out, workers, slurm)
    except RunsFailed as error:  # raised again below: what was finished is worth a report
        failed = error
    findings = study(recipe, out) if recipe.study is not None else None
    page = write_report(out)
    summary: dict[str, Any] = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    summary["seconds"] = round(time.monotonic() - started, 1)
    write_summary(out, summary)
    scores, runs = read_scores(out), read_runs(out)
    show_tables(
        (
            difference_table(scores, runs, recipe.evaluate.compare, recipe.evaluate.margin),
            level_table(scores, runs, summary.get("recovered_gain_by_run", {})),
        )
    )
    if few := undertrained_runs(recipe, runs, out):
        print(undertrained(few))
    for name in summary["leaks"]:
        print(f"LEAK: {name}: {LEAK_WARNING}")
    print(f"{page} ({summary['seconds']:.0f} s)")
    if findings is not None:
        show_findings(findings, out)
    if failed is not None:
        raise failed
    if findings is not None and findings.truths_not_found:
        raise SystemExit(UNSOUND)


def undertrained_runs(recipe: ExperimentRecipe, runs: Sequence[Run], out: Path) -> list[str]:
    """Returns the families of runs from scratch that read too little for their results to mean anything."""
    from dateline.model.sizes import is_undertrained, num_parameters
    from dateline.tokens.store import EncodedCorpus

    vocab_size = int(EncodedCorpus.open(out / "encoded").manifest.facts["vocab_size"])
    few = []
    for run in runs:
        trained = recipe.run(run.family, run.seed, data="")
        if trained.init_from is None and is_undertrained(run.body_tokens, num_parameters(trained.model, vocab_size)):
            few.append(run.family)
    return list(dict.fromkeys(few))


MOST_ROWS = 8
"""Comparisons that are all shown; of more, those that are named, and one for each run and its baseline."""
UNDERTRAINED = 1.25
"""Recovered gain above which the plain run is clearly further from its floor than the conditioned run."""
TableOf = tuple[str, list[dict[str, str]], list[str]]
"""Title, rows, and lines below."""


def show_tables(tables: Iterable[TableOf]) -> None:
    """Prints tables that have rows, close enough for a screen."""
    for title, rows, notes in tables:
        if rows:
            print(f"\n{title}")
            print_rows(rows, dense=True)
        for note in notes:
            print(note)


def difference_table(
    scores: Sequence[Score], runs: Sequence[Run], named: Sequence[tuple[str, str]] = (), margin: float | None = None
) -> TableOf:
    """Returns the paired differences: named ones, then each run under its first condition, then others if all fit.

    Where there are several seeds, rows are over seeds. What is left out is counted below the table.

    Args:
        scores: of an experiment.
        runs: of the same.
        named: `evaluate.compare` of its recipe.
        margin: `evaluate.margin` of its recipe.
    """
    from dateline.scores import contrasts

    found = [s for s in scores if s.metric == "nll_difference" and s.slice_by == "all"]
    found = [s for s in found if s.n_seeds > 1] or found
    if not found:
        return "", [], []
    family = {run.run: run.family for run in runs}
    first: dict[tuple[str, str], str] = {}
    for s in found:
        first.setdefault((s.run, s.versus_run), s.condition)

    def rank(score: Score) -> int:
        sides = ((score.run, score.condition), (score.versus_run, score.versus_condition))
        if tuple(f"{family.get(run, run)}/{condition}" for run, condition in sides) in named:
            return 0
        return 1 if score.run != score.versus_run and first[score.run, score.versus_run] == score.condition else 2

    ranked = sorted(found, key=rank)
    main = [score for score in ranked if rank(score) < 2]
    shown = ranked if len(ranked) <= MOST_ROWS else main or ranked[:MOST_ROWS]
    regions = {
        (s.run, s.condition, s.versus, s.slice): s
        for s in scores
        if s.slice_by == "region" and s.metric == "nll_difference"
    }
    digits = 1 if regions else 2
    rows = []
    for s in shown:
        row = {"comparison": _name(s), "%": f"{_percent(s.value):+.2f}"}
        row |= {"95% interval": _interval([s.ci_low, s.ci_high], digits), "p": _p(s.p_holm)}
        if margin is not None:
            row["="] = "" if s.equivalent_within is None else "="
        for part in ("in", "out") if regions else ():
            inside = regions.get((s.run, s.condition, s.versus, part))
            row[part] = "" if inside is None else f"{_percent(inside.value):+.{digits}f}{_star(inside)}"
        rows.append(row)
    over = f"{max(s.n_documents for s in found):,} test documents"
    if (seeds := max(s.n_seeds for s in found)) > 1:
        over += f", {seeds} seeds"
    notes = []
    if margin is not None:
        notes.append(f"= : equivalent within {margin:g} nats per token (the 90% interval lies within it)")
    if regions:
        notes.append("in, out: region of the first run's training, and other texts; * p < 0.05 (Holm)")
    by_run = {run.family: run for run in runs} | {run.run: run for run in runs}
    for s in shown:
        if unlike := contrasts(by_run[s.run], by_run[s.versus_run]):
            notes.append(f"{_name(s)}: also differ in {', '.join(unlike)}")
    if len(found) > len(shown):
        notes.append(f"{len(found) - len(shown)} more comparisons are in the report")
    return f"differences of perplexity in %, {over}; p is Holm's", rows, notes


def level_table(scores: Sequence[Score], runs: Sequence[Run], gains: Mapping[str, Any]) -> TableOf:
    """Returns a row for each family of runs: its perplexity under each condition, and its recovered gain.

    Several seeds are averaged. Counterfactual countries are left to the report.

    Args:
        scores: of an experiment.
        runs: of the same.
        gains: `recovered_gain_by_run` of its summary.
    """
    family = {run.run: run.family for run in runs}
    levels = [s for s in scores if s.metric == "ppl" and s.slice_by == "all" and not s.versus]
    usual = [s for s in levels if not s.condition.startswith("swap:")]
    values: dict[str, dict[str, list[float]]] = {}
    for s in usual:
        values.setdefault(family.get(s.run, s.run), {}).setdefault(s.condition, []).append(s.value)
    columns = list(dict.fromkeys((*max(values.values(), key=len, default={}), *(s.condition for s in usual))))
    recovered: dict[str, list[dict[str, Any]]] = {}
    for run, gain in gains.items():
        recovered.setdefault(family.get(run, run), []).append(gain)
    rows = []
    for name, by in values.items():
        row = {"run": name} | {one: f"{fmean(by[one]):.2f}" if one in by else "" for one in columns}
        if gains:
            row["recovered gain"] = _gain(recovered.get(name, []))
        rows.append(row)
    seeds = max((len(found) for by in values.values() for found in by.values()), default=1)
    title = "perplexity" + (f", mean of {seeds} seeds" if seeds > 1 else "")
    if gains:
        title += "; recovered gain (1: all that metadata can bring)"
    notes = ["losses under counterfactual countries are in the report"] if len(levels) > len(usual) else []
    if any((gain["value"] or 0) > UNDERTRAINED for gain in gains.values()):
        notes.append("a recovered gain well above 1: the plain run is undertrained, and metadata made learning faster")
    return title, rows, notes


def _name(score: Score) -> str:
    return f"{score.run}/{score.condition} - {score.versus}"


def _gain(found: Sequence[Mapping[str, Any]]) -> str:
    values = [gain["value"] for gain in found if gain["value"] is not None]
    if not values:
        return ""
    low, high = found[0]["ci"]
    ends = f" [{low:.3f}, {high:.3f}]" if len(found) == 1 and None not in (low, high) else ""
    return f"{fmean(values):.3f}{ends}"


def _percent(difference: float) -> float:
    """Turns a difference in nats per token into a change of perplexity."""
    return 100 * math.expm1(difference)


def _interval(ends: list[float], digits: int) -> str:
    low, high = map(_percent, ends)
    return "none" if math.isnan(low) or math.isnan(high) else f"[{low:+.{digits}f}, {high:+.{digits}f}]"


def _star(score: Score) -> str:
    return "*" if score.p_holm is not None and score.p_holm < 0.05 else ""


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"
