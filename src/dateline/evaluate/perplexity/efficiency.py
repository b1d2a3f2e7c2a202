"""Learning efficiency: how much text a run has to read until it predicts as well as another run does in the end.

Enters: a run with its checkpoints, a finished run to compare with, an encoded corpus. Leaves: the body tokens at which
the first one's loss falls to the other's last loss, as a share of what that one read, with an interval over documents.
Deliberately not done: no training to that point: the curve is read off one run, at the learning rates that it had, so a
run that was planned to end there would be better. No seeds: the interval speaks of documents.

Source: experiment (3) of arXiv 2601.15236, which reads the same off a table of four checkpoints, without an interval.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dateline.conditions import parse_condition
from dateline.errors import UserError
from dateline.evaluate.perplexity.run import BATCH_TOKENS, evaluate_perplexity
from dateline.evaluate.protocol import Protocol
from dateline.evaluate.subject import Dtype, subject_fingerprint, trained_fields
from dateline.evaluate.table import SCORES, read_documents, write_scores
from dateline.manifest import Manifest, check_free, new_folder, require_manifest, write_manifest
from dateline.records import Score
from dateline.statistics import LEVEL, RESAMPLES, ratio_estimate, resampled_sums
from dateline.train.checkpoint import STATE
from dateline.train.folders.export import export_model
from dateline.train.folders.integrity import checkpoints, read_facts

STAGE = "efficiency"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A model on the way: steps taken, body tokens read, and the loss of each test document."""

    step: int
    body_tokens: int
    nll: Floats
    """In nats, summed over each document's scored tokens, shape [documents]."""


_TRAIN = "dateline train RECIPE --out DIR"


def efficiency_plan(
    run_folder: Path,
    versus_folder: Path,
    corpus_folder: Path,
    *,
    protocol: Protocol,
    condition: str = "gold",
    dtype: Dtype = "float32",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the recipe and parents that decide whether a result is up to date, without scoring anything.

    Arguments are those of `evaluate_efficiency`.

    Raises:
        UserError: where a run is not finished or has no checkpoint before its end, or a name is not known.
    """
    if protocol.name != "strict":
        raise UserError("learning efficiency compares two runs on the same tokens; use protocol strict")
    ours = require_manifest(run_folder, "train", _TRAIN)
    theirs = require_manifest(versus_folder, "train", _TRAIN)
    corpus = require_manifest(corpus_folder, "encode", "dateline encode CORPUS --out DIR")
    told = parse_condition(condition, trained_fields(run_folder))
    if told.transform == "marginal" or told.country == "all":
        raise UserError(f"condition '{told.name}' stands for several; name one, such as gold")
    recipe = {
        "condition": told.name,
        "protocol": protocol.model_dump(mode="json"),
        "steps": [*_saved(run_folder, ours), ours.counts["steps"]],
        "dtype": dtype,
        "resamples": resamples,
        "seed": seed,
    }
    return recipe, {"run": ours.fingerprint, "versus": theirs.fingerprint, "corpus": corpus.fingerprint}


def _saved(run_folder: Path, manifest: Manifest) -> dict[int, Path]:
    """Returns the checkpoints before a run's end, by rising step."""
    saved = {int(path.name.removeprefix("step-")): path for path in checkpoints(run_folder)}
    saved.pop(manifest.counts["steps"], None)
    if not saved:
        raise UserError(
            f"{run_folder}: has no checkpoint before its end, so no curve; train it with train.checkpoint_every and "
            "a large train.keep_checkpoints"
        )
    return dict(sorted(saved.items()))


def evaluate_efficiency(
    run_folder: Path,
    versus_folder: Path,
    corpus_folder: Path,
    *,
    protocol: Protocol,
    out: Path,
    condition: str = "gold",
    batch_tokens: int = BATCH_TOKENS,
    device: str = "auto",
    dtype: Dtype = "float32",
    resamples: int = RESAMPLES,
    seed: int = 0,
    overwrite: bool = False,
) -> Manifest:
    """Scores every checkpoint of a run, and finds where it reaches the last loss of another run.

    Args:
        run_folder: the output of `dateline train`, finished, with checkpoints (`train.keep_checkpoints`).
        versus_folder: the finished run whose last loss is to be reached; it is told nothing.
        corpus_folder: the encoded corpus that both are scored on.
        protocol: which documents and tokens count; `strict` only.
        out: the folder to make.
        condition: what the run is told.
        batch_tokens: padded tokens in a batch.
        device: `auto`, `cpu`, `cuda`.
        dtype: of weights and computation.
        resamples: of the bootstrap over documents.
        seed: of the bootstrap.
        overwrite: replace what stands at `out`.

    Raises:
        UserError: where a run is not finished, has no checkpoint before its end, or does not fit the protocol.
    """
    check_free(out, overwrite=overwrite, stage=STAGE)
    recipe, parents = efficiency_plan(
        run_folder, versus_folder, corpus_folder, protocol=protocol, condition=condition, dtype=dtype,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    told = parse_condition(condition, trained_fields(run_folder))
    ours = require_manifest(run_folder, "train", _TRAIN)
    theirs = require_manifest(versus_folder, "train", _TRAIN)
    saved = _saved(run_folder, ours)
    settings: dict[str, Any] = {
        "protocol": protocol, "by": (), "batch_tokens": batch_tokens, "device": device, "dtype": dtype,
        "resamples": 2, "seed": seed,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="dateline-") as name:
        scratch = Path(name)

        def losses(model: Path, run: str, what: str) -> dict[str, npt.NDArray[Any]]:
            evaluate_perplexity(model, corpus_folder, conditions=(what,), run=run, out=scratch / run, **settings)
            table = read_documents(scratch / run)
            return {name: table.column(name).to_numpy() for name in ("id", "nll", "num_tokens")}

        target = losses(versus_folder, "versus", "none")
        points = []
        for step, path in saved.items():
            export_model(run_folder, scratch / "model", step, overwrite=True)
            found = losses(scratch / "model", f"step-{step}", told.name)
            points.append(Point(step, int(read_facts(path / STATE)["counts"]["body_tokens"]), found["nll"]))
        last = losses(run_folder, "last", told.name)
        points.append(Point(ours.counts["steps"], ours.counts["body_tokens"], last["nll"]))
    if target["id"].tolist() != last["id"].tolist() or target["num_tokens"].tolist() != last["num_tokens"].tolist():
        raise UserError(
            f"{run_folder} and {versus_folder} were scored on different tokens; both need the tokenizer of the corpus"
        )

    about = {
        "run": run_folder.resolve().name, "condition": told.name, "fields": "+".join(told.fields),
        "num_documents": len(target["id"]), "num_tokens": int(target["num_tokens"].sum()),
        "protocol": protocol.fingerprint(), "model": subject_fingerprint(run_folder), "corpus": parents["corpus"],
    }  # fmt: skip
    versus = f"{versus_folder.resolve().name}/none"
    total = int(theirs.counts["body_tokens"])
    scores, early = efficiency_scores(
        points, target["nll"], target["num_tokens"], total, about, versus, resamples=resamples, seed=seed
    )
    facts = {"versus_body_tokens": total, "points": len(points), "reached_before_first_point": early}
    with new_folder(out, overwrite=overwrite) as folder:
        write_scores(folder / SCORES, scores)
        manifest = Manifest.of(STAGE, recipe, parents, facts=facts, packages=("torch", "transformers", "numpy"))
        write_manifest(folder, manifest)
    return manifest


def efficiency_scores(
    points: Sequence[Point], target: Floats, num_tokens: npt.NDArray[np.int64], total: int, about: dict[str, Any],
    versus: str, *, resamples: int, seed: int,
) -> tuple[list[Score], float]:  # fmt: skip
    """Returns the rows of the score table, and the share of resamples that had arrived before the first point.

    Args:
        points: of the run, by rising step.
        target: last nll of the other run, shape [documents].
        num_tokens: scored tokens of each document.
        total: body tokens that the other run has read.
        about: what is the same in all rows.
        versus: `run/condition` of the other run.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    columns = np.column_stack([*(point.nll for point in points), target, num_tokens]).astype(np.float64)
    sums = resampled_sums(columns, resamples=resamples, seed=seed)
    at = np.array([point.body_tokens for point in points], dtype=np.float64)
    whole = columns.sum(axis=0, keepdims=True)
    value = float(crossing(at, whole[:, :-2], whole[:, -2])[0])
    drawn = np.sort(crossing(at, sums[:, :-2], sums[:, -2]))
    tail = (1 - LEVEL) / 2
    low, high = (drawn[round(share * (len(drawn) - 1))] for share in (tail, 1 - tail))
    if len(target) < 2:
        low = high = float("nan")
    scores = [
        Score(
            grouping="body_tokens", group=str(point.body_tokens), metric="nll", value=estimate.value,
            ci_low=estimate.low, ci_high=estimate.high, **about,
        )
        for index, point in enumerate(points)
        for estimate in [ratio_estimate(columns, sums, index, len(points) + 1)]
    ]  # fmt: skip
    scores += [
        Score(
            grouping="all", group="all", metric=metric, versus=versus, value=value / unit, ci_low=float(low) / unit,
            ci_high=float(high) / unit, **about,
        )
        for metric, unit in (("tokens_to_reach", 1), ("share_to_reach", total))
    ]  # fmt: skip
    return scores, float((drawn <= at[0]).mean())


def crossing(at: Floats, losses: Floats, target: Floats) -> Floats:
    """Returns where curves first fall to a target: between two points in a straight line over the logarithm of `at`.

    A curve that is there at its first point gets that point, which is then an upper bound; one that never is, infinity.

    Args:
        at: body tokens of the points, rising, shape [points].
        losses: shape [curves, points].
        target: shape [curves], in the same unit as the losses.

    Returns:
        Body tokens, shape [curves].
    """
    reached = losses <= target[:, None]
    first = reached.argmax(axis=1)
    rows = np.arange(len(losses))
    before = np.maximum(first - 1, 0)
    high, low = losses[rows, before], losses[rows, first]
    share = (high - target) / np.where(first > 0, high - low, 1.0)
    between = np.exp(np.log(at[before]) + share * (np.log(at[first]) - np.log(at[before])))
    found: Floats = np.where(first > 0, between, at[0])
    return np.where(reached.any(axis=1), found, np.inf)
