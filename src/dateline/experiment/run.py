"""From corpus to score table, stage by stage; a finished stage is skipped only if nothing that made it has changed.

Enters: an experiment recipe and a folder. Leaves: `corpus/`, `encoded/`, `runs/`, `evaluation/`, where asked for
`locate/`, `mcq/`, `efficiency/`, and at the top `scores.parquet`, `samples.json`, `summary.json`, `manifest.json`.
Deliberately not done: no report (it reads this folder), no two stages at once.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from dateline.corpus import build_corpus, corpus_fingerprint_parents
from dateline.errors import Interrupted, UserError
from dateline.evaluate.perplexity import evaluate_perplexity, perplexity_plan
from dateline.evaluate.table import SCORES, write_scores
from dateline.experiment.grid import Run, conditions_of, expand
from dateline.experiment.measures import MEASURES, measure
from dateline.experiment.outcome import summarize, write_samples
from dateline.experiment.recipe import ExperimentRecipe
from dateline.experiment.scores import score_table
from dateline.manifest import (
    MANIFEST,
    Manifest,
    explain_change,
    is_current,
    read_manifest,
    stage_fingerprint,
    write_atomically,
    write_manifest,
)
from dateline.tokens.encode import encode_corpus, encode_plan
from dateline.tokens.store import EncodedCorpus
from dateline.train.folder import belongs_to, checkpoints
from dateline.train.loop import train_model
from dateline.train.metrics import METRICS
from dateline.train.recipe import train_identity, train_plan

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
    """
    started = time.monotonic()
    _check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    corpus, encoded = _corpus(recipe, out), _encoded(recipe, out)
    runs = expand(recipe, str(out / "encoded"))
    parents = {"corpus": corpus.fingerprint, "encoded": encoded.fingerprint}
    for run in runs:
        parents[f"runs/{run.name}"] = _train(run, out).fingerprint
        parents[f"evaluation/{run.name}"] = _evaluate(run, recipe, out).fingerprint
    for run in runs:
        for name, manifest in measure(run, runs, recipe, out, _stage).items():
            parents[f"{name}/{run.name}"] = manifest.fingerprint
    _remove_others(out, {run.name for run in runs})
    scores = score_table(recipe, runs, out)
    write_scores(out / SCORES, scores)
    write_samples(out / "samples.json", recipe, runs, out)
    summary = summarize(recipe, runs, out, scores)
    write_summary(out, {"seconds": round(time.monotonic() - started, 1), **summary})
    manifest = Manifest.of(STAGE, recipe.model_dump(mode="json"), parents)
    write_manifest(out, manifest)
    return manifest


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


def _corpus(recipe: ExperimentRecipe, out: Path) -> Manifest:
    data, parents = recipe.corpus.model_dump(mode="json"), corpus_fingerprint_parents(recipe.corpus)
    folder = out / "corpus"
    return _stage(folder, "corpus", data, parents, lambda: build_corpus(recipe.corpus, folder, overwrite=True))


def _encoded(recipe: ExperimentRecipe, out: Path) -> Manifest:
    data, parents = encode_plan(recipe.encode, out / "corpus")
    folder = out / "encoded"
    corpus = out / "corpus"
    return _stage(folder, "encode", data, parents, lambda: encode_corpus(recipe.encode, corpus, folder, overwrite=True))


def _train(run: Run, out: Path) -> Manifest:
    folder = out / "runs" / run.name
    corpus = EncodedCorpus.open(out / "encoded")
    data, parents = train_plan(run.recipe, corpus)

    def make() -> Manifest:
        saved = checkpoints(folder)
        resume = (
            bool(saved) and not (folder / MANIFEST).exists() and belongs_to(saved[-1], train_identity(data, parents))
        )
        try:
            return train_model(run.recipe, folder, resume=resume, overwrite=not resume)
        except Interrupted as stopped:  # an experiment knows no --resume
            raise Interrupted(str(stopped).replace("continue with --resume", "the same command continues")) from None

    return _stage(folder, "train", data, parents, make)


def _evaluate(run: Run, recipe: ExperimentRecipe, out: Path) -> Manifest:
    settings = recipe.evaluate
    model, corpus, folder = out / "runs" / run.name, out / "encoded", out / "evaluation" / run.name
    data, parents = perplexity_plan(
        model, corpus, protocol=settings.protocol, conditions=conditions_of(run, recipe), by=settings.by,
        run=run.name, dtype=settings.precision, resamples=settings.resamples,
    )  # fmt: skip

    def make() -> Manifest:
        return evaluate_perplexity(
            model, corpus, protocol=settings.protocol, conditions=conditions_of(run, recipe), by=settings.by,
            run=run.name, dtype=settings.precision, resamples=settings.resamples, batch_tokens=settings.batch_tokens,
            out=folder, overwrite=True,
        )  # fmt: skip

    return _stage(folder, "perplexity", data, parents, make)


def _stage(
    folder: Path, stage: str, recipe: Mapping[str, Any], parents: Mapping[str, str], make: Callable[[], Manifest]
) -> Manifest:
    """Makes a stage's folder, or says that it stands; says why where it is made again."""
    say = Console(stderr=True, highlight=False, soft_wrap=True).print
    if is_current(folder, stage_fingerprint(stage, recipe, parents)):
        say(f"{folder}: unchanged, skipped", markup=False)
        found = read_manifest(folder)
        assert found is not None
        return found
    if read_manifest(folder) is not None:
        say(f"{folder}: made again ({explain_change(folder, recipe, parents)})", markup=False)
    return make()


def _remove_others(out: Path, names: set[str]) -> None:
    """Removes runs and measures that the recipe no longer names: the folder shows what the recipe says."""
    for room in ("runs", "evaluation", *MEASURES):
        for folder in (out / room).iterdir() if (out / room).is_dir() else ():
            begun = (folder / METRICS).exists() or (folder / MANIFEST).exists()  # stopped runs have no manifest
            if folder.name not in names and begun:
                shutil.rmtree(folder)
