"""`dateline study`: the findings of a finished experiment; exit code 3 where known truths are not found."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dateline.cli.options import read_arguments
from dateline.config import Section, load_recipe, validate_recipe

if TYPE_CHECKING:
    from dateline.experiment.study import Result

UNSOUND = 3
"""Exit code where the study of a newswire does not find what is known to be true."""
WIDTH = 80


class StudyFolder(Section):
    """Judges the claims of the published study on a finished experiment.

    Writes findings.parquet, findings.md and the report, whose first page they are. Each finding has its effect with
    interval, the published effect, on the newswire that of an ideal learner, and a verdict by the rule of the recipe's
    section study. The exit code is 3 if a known truth is not found, else 0.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of the experiment."""
    recipe: Path | None = None
    """Its recipe (.yaml), where the experiment has no manifest.json because some of its runs failed."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = read_arguments("dateline study", StudyFolder, words)
    from dateline.experiment import ExperimentRecipe
    from dateline.experiment.study import study
    from dateline.manifest import require_manifest
    from dateline.report import write_report

    if args.recipe is not None:
        recipe = load_recipe(ExperimentRecipe, args.recipe)
    else:
        manifest = require_manifest(
            args.folder,
            "experiment",
            f"dateline experiment RECIPE --out {args.folder}, or give --recipe RECIPE where some of its runs failed",
        )
        recipe = validate_recipe(ExperimentRecipe, manifest.recipe, source=str(args.folder))
    result = study(recipe, args.folder)
    write_report(args.folder)
    show_findings(result, args.folder)
    if result.truths_not_found:
        raise SystemExit(UNSOUND)


def show_findings(result: Result, out: Path) -> None:
    """Prints the findings for people: counts, a table for each experiment, notes, and truths that were not found."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dateline.experiment.claims import EXPERIMENTS
    from dateline.experiment.study import (
        SUMMARY,
        describe,
        rests_on_one_seed,
        truth_in_words,
        verdict_counts,
    )

    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(result.findings).items())
    console = Console(highlight=False, width=WIDTH)
    console.print(Text(f"{len(result.findings)} findings: {counts}"))
    if result.truths_not_found:
        lost = len(result.truths_not_found)
        console.print(
            Text(
                f"{lost} known truths were not found, see the end: do not rely on these verdicts (exit code 3); more "
                "training, seeds or test documents may find them",
                style="bold",
            )
        )
    for number, title in EXPERIMENTS.items():
        rows = [finding for finding in result.findings if finding.experiment == number]
        if not rows:
            continue
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        table.add_column("claim", overflow="fold", ratio=1)
        for name in ("effect", "95% interval", "published"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        for finding in rows:
            ends = (finding.ci_low, finding.ci_high)
            interval = "" if None in ends else " ".join(_short(end) for end in ends)
            cells = (describe(finding), _short(finding.effect), interval, _short(finding.published))
            verdict = f"{finding.verdict} *" if rests_on_one_seed(finding) else finding.verdict
            table.add_row(*(Text(cell) for cell in (*cells, verdict)))
        console.print(Text(f"\n{number}. {title}", style="bold"))
        console.print(table)
    print()
    if any(map(rests_on_one_seed, result.findings)):
        print("* one seed was trained: the interval is over documents only")
    for finding in result.findings:
        if finding.missing:
            console.print(Text(f"missing: {describe(finding)}: {finding.missing}"))
    for note in result.notes:
        console.print(Text(note))
    for finding in result.truths_not_found:
        console.print(Text(f"NOT FOUND: {truth_in_words(finding)}"))
    print(out / SUMMARY)


def _short(value: float | None) -> str:
    return "" if value is None else "never" if value == math.inf else f"{value:+.3f}"
