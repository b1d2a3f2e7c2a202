"""From corpus to score table, stage by stage; a finished stage is skipped only if nothing that made it has changed.

The folder: `corpus/`, `encoded/`, `runs/`, a folder for each measure with one for each run, and at the top
`runs.parquet`, `scores.parquet`, `samples.json`, `summary.json`, `manifest.json`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from dateline.corpus import corpus_stage
from dateline.errors import Interrupted, RunsFailed, UserError
from dateline.evaluate.recipe import MEASURES
from dateline.experiment.checks import check_mixes, few_documents
from dateline.experiment.claims import plan_study
from dateline.experiment.comparisons import plain_run, score_table
from dateline.experiment.grid import PlannedRun, expand
from dateline.experiment.jobs import Failure, carry_out, held
from dateline.experiment.recipe import ExperimentRecipe, experiment_inputs
from dateline.experiment.summary import summarize, write_samples
from dateline.jobs import Workers
from dateline.manifest import MANIFEST, Manifest, read_manifest, write_atomically, write_manifest
from dateline.model.load import model_fingerprint
from dateline.scores import write_runs, write_scores
from dateline.stage import Stage, say
from dateline.tokens.encode import encode_stage
from dateline.tokens.store import EncodedCorpus
from dateline.train.loop import train_stage
from dateline.train.parallel import is_first

STAGE = "experiment"
SUMMARY = "summary.json"
ALONE = Workers(workers=1)
"""One run after another, in this process."""


def run_experiment(
    recipe: ExperimentRecipe, out: Path, workers: Workers = ALONE, slurm: dict[str, Any] | None = None
) -> Manifest:
    """Runs what is not yet done and returns the experiment's manifest.

    Args:
        recipe: the experiment.
        out: its folder; what an earlier call finished there is kept where it still holds.
        workers: where runs are trained and measured; by default one after another in this process.
        slurm: what to ask Slurm for, as `jobs.slurm_parameters` gives it.

    Raises:
        UserError: where recipe and data do not fit, its study cannot be computed, or the folder is another stage's.
        TrainingDiverged: where the only run, or every run, fails; what was finished before is kept.
        RunsFailed: where some runs fail; tables are written of the others, and no manifest.
        Interrupted: after a signal; the same command continues.

    Example:
        >>> recipe = load_recipe(ExperimentRecipe, "recipes/quickstart.yaml", [])
        >>> run_experiment(recipe, Path("runs/quickstart")).stage
        'experiment'
    """
    _check_folder(out)
    if recipe.study is not None:
        plan_study(recipe)
    out.mkdir(parents=True, exist_ok=True)
    with held(out):
        return _run(recipe, out, workers, slurm)


def _run(recipe: ExperimentRecipe, out: Path, workers: Workers, slurm: dict[str, Any] | None) -> Manifest:
    started = time.monotonic()
    (out / MANIFEST).unlink(missing_ok=True)
    corpus = corpus_stage(recipe.corpus).ensure(out / "corpus")
    encoded = encode_stage(recipe.encode, out / "corpus").ensure(out / "encoded")
    parents = {"corpus": corpus.fingerprint, "encoded": encoded.fingerprint}
    documents = EncodedCorpus.open(out / "encoded")
    check_mixes(recipe, documents)
    if few := few_documents(recipe, documents):
        say(few)
    runs = expand(recipe, str(out / "encoded"))
    failed: dict[str, Failure] = {}
    for second in (False, True):
        left = [run for run in runs if run.name not in failed]
        todo = [run.name for run in left if workers == ALONE or not _finished(recipe, runs, run, out, second)[1]]
        if len(todo) < len(left) and not second:
            say(f"{len(left) - len(todo)} of {len(left)} runs: unchanged, skipped")
        failed |= {
            failure.run: failure
            for failure in carry_out(recipe, out, todo, work_on, second=second, workers=workers, slurm=slurm)
        }
        if not second:
            done = [run for run in runs if run.name not in failed]
        if not done:
            raise next(iter(failed.values())).error
    made = {
        place: manifest
        for run in done
        for second in (False, True)
        for place, manifest in _finished(recipe, runs, run, out, second)[0].items()
    }
    parents |= {place: manifest.fingerprint for place, manifest in made.items()}
    _name_leftovers(out, parents, failed)
    scores = score_table(recipe, done, out, [place for place in parents if place.partition("/")[0] in MEASURES])
    models = {run.name: model_fingerprint(out / "runs" / run.name) for run in done}
    write_runs(out, [run.identity(recipe.corpus, made[f"runs/{run.name}"], models[run.name]) for run in done])
    write_scores(out, scores)
    write_samples(out / "samples.json", recipe, done, out)
    summary = summarize(recipe, done, out, scores)
    write_summary(out, {"seconds": round(time.monotonic() - started, 1), **summary})
    if failed:
        reasons = "; ".join(f"{name}: {failure}" for name, failure in failed.items())
        raise RunsFailed(
            f"{len(failed)} of {len(runs)} runs failed ({reasons}); tables and report hold the others; the same "
            "command tries again what failed"
        )
    manifest = Manifest.of(STAGE, recipe.model_dump(mode="json"), parents)
    write_manifest(out, manifest)
    return manifest


def work_on(recipe: ExperimentRecipe, out: Path, name: str, second: bool) -> None:
    """Trains and measures one run of an experiment whose corpus is encoded, so far as that is not done.

    Args:
        recipe: of the experiment.
        out: its folder.
        name: of the run.
        second: take the measures for which other runs must be trained; else train, and take all others.
    """
    runs = expand(recipe, str(out / "encoded"))
    run = next(run for run in runs if run.name == name)
    stages = _stages(recipe, runs, run, out, second)
    if not is_first():  # several processes train a run, and one of them takes its measures
        stages = islice(stages, 0 if second else 1)
    try:
        for stage, place in stages:
            stage.ensure(out / place)
    except Interrupted as stopped:  # an experiment knows no --resume
        raise Interrupted(str(stopped).replace("continue with --resume", "the same command continues")) from None


def _stages(
    recipe: ExperimentRecipe, runs: list[PlannedRun], run: PlannedRun, out: Path, second: bool
) -> Iterator[tuple[Stage, str]]:
    """Yields the stages of a run with their places in the folder; each can be built once the one before is made."""
    if not second:
        yield train_stage(run.recipe, EncodedCorpus.open(out / "encoded")), f"runs/{run.name}"
    for name in ("perplexity", *recipe.evaluate.measures):
        if ("versus" in experiment_inputs(name)) == second and (stage := _measure(name, run, runs, recipe, out)):
            yield stage, f"{name}/{run.name}"


def _finished(
    recipe: ExperimentRecipe, runs: list[PlannedRun], run: PlannedRun, out: Path, second: bool
) -> tuple[dict[str, Manifest], bool]:
    """Returns the manifests of a run's finished stages by place, and whether nothing is left to do."""
    found: dict[str, Manifest] = {}
    try:
        for stage, place in _stages(recipe, runs, run, out, second):
            manifest = read_manifest(out / place)
            if manifest is None or manifest.fingerprint != stage.fingerprint:
                return found, False
            found[place] = manifest
    except UserError:  # of a stage that cannot be made: whoever tries to make it says why
        return found, False
    return found, True


def _measure(name: str, run: PlannedRun, runs: list[PlannedRun], recipe: ExperimentRecipe, out: Path) -> Stage | None:
    """Returns the stage that takes a measure of a run, where it can be taken of it."""
    measure = MEASURES[name]
    if measure.conditioned and run.is_plain:
        return None
    inputs = {key: str(out / "encoded") for key in experiment_inputs(name) if key == "corpus"}
    if "versus" in experiment_inputs(name):
        plain = plain_run(run, runs)
        if plain is None or read_manifest(out / "runs" / plain.name) is None:
            say(f"{name} of {run.name}: left out: no finished plain run of the same seed, mix, model and length")
            return None
        inputs["versus"] = str(out / "runs" / plain.name)
    options = recipe.evaluate.options(name, run.recipe.conditions.fields, **inputs)
    return measure.stage(out / "runs" / run.name, options, run.name)


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


def _name_leftovers(out: Path, made: Mapping[str, str], failed: Mapping[str, Failure]) -> None:
    """Names the folders of runs and measures that the recipe no longer names; they stay, and count for nothing."""
    left = [
        place
        for place in sorted(str(path.relative_to(out)) for path in out.glob("*/*") if path.is_dir())
        if place not in made
        and place.partition("/")[0] not in made
        and "/." not in place
        and place.partition("/")[2] not in failed
    ]
    if left:
        say(f"{out}: not in the recipe, kept and not used: {', '.join(left)}; remove what you do not need with rm -r")
