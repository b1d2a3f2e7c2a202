"""From corpus to score table, stage by stage; a finished stage is skipped only if nothing that made it has changed.

The folder: `corpus/`, `encoded/`, `runs/`, a folder for each measure with one for each run, and at the top
`runs.parquet`, `scores.parquet`, `samples.json`, `summary.json`, `manifest.json`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dateline.corpus import corpus_stage
from dateline.errors import Interrupted, UserError
from dateline.evaluate.recipe import MEASURES
from dateline.experiment.comparisons import plain_run, score_table
from dateline.experiment.grid import PlannedRun, expand
from dateline.experiment.recipe import ExperimentRecipe, experiment_inputs
from dateline.experiment.summary import summarize, write_samples
from dateline.manifest import MANIFEST, Manifest, read_manifest, write_atomically, write_manifest
from dateline.model.load import model_fingerprint
from dateline.scores import write_runs, write_scores
from dateline.stage import Stage, say
from dateline.tokens.encode import encode_stage
from dateline.tokens.store import EncodedCorpus
from dateline.train.loop import train_stage

STAGE = "experiment"
SUMMARY = "summary.json"


def run_experiment(recipe: ExperimentRecipe, out: Path) -> Manifest:
    """Runs what is not yet done and returns the experiment's manifest.

    Args:
        recipe: the experiment.
        out: its folder; what an earlier call finished there is kept where it still holds.

    Raises:
        UserError: where recipe and data do not fit, or the folder is another stage's.
        TrainingDiverged: where a run fails; what was finished before is kept.
        Interrupted: after a signal while training; the same command continues.

    Example:
        >>> recipe = load_recipe(ExperimentRecipe, "recipes/quickstart.yaml", [])
        >>> run_experiment(recipe, Path("runs/quickstart")).stage
        'experiment'
    """
    started = time.monotonic()
    _check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    parents: dict[str, str] = {}

    def ensure(stage: Stage, place: str) -> Manifest:
        manifest = stage.ensure(out / place)
        parents[place] = manifest.fingerprint
        return manifest

    ensure(corpus_stage(recipe.corpus), "corpus")
    ensure(encode_stage(recipe.encode, out / "corpus"), "encoded")
    runs = expand(recipe, str(out / "encoded"))
    trained: dict[str, Manifest] = {}
    for run in runs:
        stage = train_stage(run.recipe, EncodedCorpus.open(out / "encoded"))
        try:
            trained[run.name] = ensure(stage, f"runs/{run.name}")
        except Interrupted as stopped:  # an experiment knows no --resume
            raise Interrupted(str(stopped).replace("continue with --resume", "the same command continues")) from None
        _measure("perplexity", run, runs, recipe, out, ensure)
    for name in recipe.evaluate.measures:
        for run in runs:
            _measure(name, run, runs, recipe, out, ensure)
    _name_leftovers(out, parents)
    scores = score_table(recipe, runs, out, [place for place in parents if place.partition("/")[0] in MEASURES])
    models = {run.name: model_fingerprint(out / "runs" / run.name) for run in runs}
    write_runs(out, [run.identity(recipe.corpus, trained[run.name], models[run.name]) for run in runs])
    write_scores(out, scores)
    write_samples(out / "samples.json", recipe, runs, out)
    summary = summarize(recipe, runs, out, scores)
    write_summary(out, {"seconds": round(time.monotonic() - started, 1), **summary})
    manifest = Manifest.of(STAGE, recipe.model_dump(mode="json"), parents)
    write_manifest(out, manifest)
    return manifest


def _measure(
    name: str,
    run: PlannedRun,
    runs: list[PlannedRun],
    recipe: ExperimentRecipe,
    out: Path,
    ensure: Any,
) -> None:
    """Takes a measure of a run, where it can be taken of it."""
    measure = MEASURES[name]
    if measure.conditioned and run.is_plain:
        return
    plain = plain_run(run, runs)
    sources = {"corpus": str(out / "encoded"), "versus": str(out / "runs" / plain.name) if plain is not None else ""}
    inputs = {key: sources[key] for key in experiment_inputs(name)}
    if "" in inputs.values():
        say(f"{name} of {run.name}: no plain run of the same seed to compare with, left out")
        return
    options = recipe.evaluate.options(name, run.recipe.conditions.fields, **inputs)
    ensure(measure.stage(out / "runs" / run.name, options, run.name), f"{name}/{run.name}")


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Writes `summary.json`: the few numbers that a program wants to read after a run; null where there is none."""
    write_atomically(folder / SUMMARY, json.dumps(_plain(summary), indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    """Replaces what JSON has no word for: the ends of an interval over a single document are not numbers."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_folder(out: Path) -> None:
    """Refuses a file, and a folder that another stage has made: its manifest would be lost."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; --out names a folder")
    found = read_manifest(out)
    if found is not None and found.stage != STAGE:
        raise UserError(f"{out}: holds the result of '{found.stage}', not an experiment; choose another --out")


def _name_leftovers(out: Path, made: Mapping[str, str]) -> None:
    """Names the folders of runs and measures that the recipe no longer names; they stay, and count for nothing."""
    left = [
        place
        for place in sorted(str(path.relative_to(out)) for path in out.glob("*/*") if path.is_dir())
        if place not in made and place.partition("/")[0] not in made and "/." not in place
    ]
    if left:
        say(f"{out}: not in the recipe, kept and not used: {', '.join(left)}; remove what you do not need with rm -r")
