"""What is measured of a run besides perplexity, where the recipe asks for it.

Enters: a run of an experiment. Leaves: `locate/<run>`, `mcq/<run>`, `efficiency/<run>`, each a stage with a manifest.
Deliberately not done: nothing is put into the experiment's own score table: these have protocols of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dateline.benchmark.questions import read_questions
from dateline.evaluate.locate.run import evaluate_locating, locate_plan
from dateline.evaluate.mcq.run import evaluate_mcq, mcq_plan
from dateline.evaluate.perplexity.efficiency import efficiency_plan, evaluate_efficiency
from dateline.experiment.grid import Run, comparisons
from dateline.experiment.recipe import ExperimentRecipe
from dateline.manifest import Manifest

MEASURES = ("locate", "mcq", "efficiency")
"""Folders of an experiment, one folder a run in each."""

Stage = Callable[[Path, str, Mapping[str, Any], Mapping[str, str], Callable[[], Manifest]], Manifest]
"""Makes a stage's folder unless it stands: folder, stage, recipe, parents, and what makes it."""


def measure(run: Run, runs: list[Run], recipe: ExperimentRecipe, out: Path, stage: Stage) -> dict[str, Manifest]:
    """Makes the measures of one run that the recipe asks for, and returns their manifests by name."""
    made: dict[str, Manifest] = {}
    settings, model, corpus = recipe.evaluate, out / "runs" / run.name, out / "encoded"
    common: dict[str, Any] = {"dtype": settings.precision, "resamples": settings.resamples}
    if settings.locate and not run.is_plain:
        options = {
            "run": run.name, "window": settings.protocol.length, "num_documents": settings.protocol.num_documents,
            "seed": settings.protocol.seed, **common,
        }  # fmt: skip
        folder = out / "locate" / run.name
        made["locate"] = stage(
            folder, "locate", *locate_plan(model, corpus, **options),
            lambda: evaluate_locating(
                model, corpus, out=folder, batch_tokens=settings.batch_tokens, overwrite=True, **options
            ),
        )  # fmt: skip
    if settings.questions is not None:
        file, asked = Path(settings.questions), {"run": run.name, **common}
        told = ("none",) if run.is_plain else ("gold", "none", "wrong")
        answers = out / "mcq" / run.name
        made["mcq"] = stage(
            answers, "mcq", *mcq_plan(model, read_questions(file), conditions=told, **asked),
            lambda: evaluate_mcq(
                model, file, out=answers, conditions=told, batch_tokens=settings.batch_tokens, overwrite=True, **asked
            ),
        )  # fmt: skip
    plain = next((pair.versus_run for pair in comparisons(recipe, runs) if pair.run == run.name), run.name)
    if settings.efficiency and not run.is_plain and plain != run.name:
        options = {"protocol": settings.protocol, **common}
        curve, versus = out / "efficiency" / run.name, out / "runs" / plain
        made["efficiency"] = stage(
            curve, "efficiency", *efficiency_plan(model, versus, corpus, **options),
            lambda: evaluate_efficiency(
                model, versus, corpus, out=curve, batch_tokens=settings.batch_tokens, overwrite=True, **options
            ),
        )  # fmt: skip
    return made
