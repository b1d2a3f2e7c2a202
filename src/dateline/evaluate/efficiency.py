"""Learning efficiency: how much text a run has to read until it predicts as well as another run does in the end.

The curve is read off one run, at the learning rates that it had, so a run that was planned to end there would be
better. The interval speaks of documents, not of seeds. Source: experiment (3) of arXiv 2601.15236, which reads the same
off a table of four checkpoints, without an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dateline.conditions import Condition, Conditioner, parse_condition
from dateline.errors import UserError
from dateline.evaluate.documents import Documents, check_tokens, encode_prefixes, take_documents
from dateline.evaluate.losses import score_conditions
from dateline.evaluate.recipe import Efficiency
from dateline.manifest import Manifest, require_manifest
from dateline.model.load import Subject, load_subject, model_fingerprint, trained_fields
from dateline.scores import Score, slices, write_scores
from dateline.stage import Made, Stage
from dateline.statistics import LEVEL, ratio_estimate, resampled_sums
from dateline.tokens.store import EncodedCorpus
from dateline.train.checkpoint import STATE
from dateline.train.export import load_weights
from dateline.train.folder import checkpoints, damage, read_facts

STAGE = "efficiency"
_TRAIN = "dateline train RECIPE --out DIR"
Floats = npt.NDArray[np.float64]
Group = tuple[str, str, npt.NDArray[np.int64]]
"""(slice_by, slice, documents), as `scores.slices` gives them."""


@dataclass(frozen=True)
class Point:
    """A model on the way: steps taken, body tokens read, and the loss of each test document."""

    step: int
    body_tokens: int
    nll: Floats
    """In nats, summed over each document's scored tokens, shape [documents]."""


def efficiency_stage(model: Path, options: Efficiency, run: str) -> Stage:
    """Returns the stage that finds where a run reaches the last loss of another run.

    Args:
        model: the output of `dateline train`, finished, with checkpoints (`train.keep_checkpoints`).
        options: the other run, the corpus, and the protocol, which is `strict`.
        run: the measured run's name in the tables.

    Raises:
        UserError: where a run is not finished or has no checkpoint before its end, or a name is not known.

    Example:
        >>> options = Efficiency(corpus="runs/encoded", versus="runs/plain")
        >>> efficiency_stage(Path("runs/conditioned"), options, "conditioned").make(Path("runs/efficiency"))
    """
    if options.protocol.name != "strict":
        raise UserError("learning efficiency compares two runs on the same tokens; use protocol strict")
    ours = require_manifest(model, "train", _TRAIN)
    theirs = require_manifest(Path(options.versus), "train", _TRAIN)
    corpus = require_manifest(Path(options.corpus), "encode", "dateline encode CORPUS --out DIR")
    shown = options.fields if options.fields is not None else trained_fields(model)
    condition = parse_condition(options.condition, shown)
    if condition.transform == "marginal" or condition.country == "all":
        raise UserError(f"condition '{condition.name}' stands for several; name one, such as gold")
    saved = _saved(model, ours)
    recipe = {
        **options.identity(),
        "run": run,
        "condition": condition.name,
        "fields": list(shown),
        "steps": [*saved, ours.counts["steps"]],
    }
    parents = {"run": ours.fingerprint, "versus": theirs.fingerprint, "corpus": corpus.fingerprint}

    def fill(folder: Path) -> Made:
        return _measure(model, options, run, condition, saved, folder)

    return Stage(STAGE, recipe, parents, fill)


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


def _measure(
    model: Path, options: Efficiency, run: str, condition: Condition, saved: dict[int, Path], folder: Path
) -> Made:
    """Scores every checkpoint of the run and the end of both runs on the same documents."""
    versus = Path(options.versus)
    for path in saved.values():
        if problem := damage(path):
            raise UserError(f"{path}: damaged ({problem}); remove it, or restore it from a backup")
    ours, theirs = require_manifest(model, "train", _TRAIN), require_manifest(versus, "train", _TRAIN)
    corpus = EncodedCorpus.open(options.corpus)
    _, documents, target, counts = _last(versus, options, corpus, parse_condition("none", ()))
    subject, sample, last, scored = _last(model, options, corpus, condition)
    if documents.ids != sample.ids or counts.tolist() != scored.tolist():
        raise UserError(f"{model} and {versus} were scored on different tokens; both need the tokenizer of the corpus")
    points = []
    for step, path in saved.items():
        load_weights(path, subject.model)
        nll, _ = _losses(subject, sample, options, condition, f"step {step}")
        points.append(Point(step, int(read_facts(path / STATE)["counts"]["body_tokens"]), nll))
    points.append(Point(ours.counts["steps"], ours.counts["body_tokens"], last))
    about = {
        "run": run,
        "measure": STAGE,
        "condition": condition.name,
        "shown": "+".join(_conditioner(subject, sample, options, condition).shown()),
        "n_documents": len(sample.ids),
        "n_tokens": int(counts.sum()),
        "protocol": options.protocol.fingerprint(),
        "model": model_fingerprint(model),
        "data": corpus.manifest.fingerprint,
    }
    total = int(theirs.counts["body_tokens"])
    places = {"id": np.array(sample.ids)}
    places |= {name: np.array([getattr(one, name) for one in sample.metadata]) for name in options.by}
    scores, early = efficiency_scores(
        points,
        target,
        counts,
        total,
        about,
        versus.resolve().name,
        groups=slices(places, options.by)[1:],
        resamples=options.resamples,
        seed=options.seed,
    )
    write_scores(folder, scores)
    facts = {"versus_body_tokens": total, "points": len(points), "reached_before_first_point": early}
    return Made(facts=facts, packages=("torch", "transformers", "numpy"))


def _last(
    run: Path, options: Efficiency, corpus: EncodedCorpus, condition: Condition
) -> tuple[Subject, Documents, Floats, npt.NDArray[np.int64]]:
    """Loads the end of a run and scores it; returns it with the documents, their nats and their tokens."""
    subject = load_subject(run, device=options.device, precision=options.precision)
    options.protocol.check_positions(subject.positions, str(subject.folder))
    documents = take_documents(corpus, options.protocol, subject)
    nll, counts = _losses(subject, documents, options, condition, f"{run.name} {condition.name}")
    return subject, documents, nll, counts


def _losses(
    subject: Subject, documents: Documents, options: Efficiency, condition: Condition, what: str
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Returns nats and numbers of scored tokens of each document."""
    protocol = options.protocol
    prefixes = encode_prefixes(subject, _conditioner(subject, documents, options, condition), documents)
    check_tokens(protocol, subject, documents, {condition.name: prefixes})
    ((_, found),) = score_conditions(subject, documents, {what: prefixes}, options, str(subject.folder))
    return found.nll, found.num_tokens


def _conditioner(subject: Subject, documents: Documents, options: Efficiency, condition: Condition) -> Conditioner:
    return Conditioner(
        condition, seed=options.protocol.seed, pool=documents.metadata, prefix_format=subject.prefix_format
    )


def efficiency_scores(
    points: Sequence[Point],
    target: Floats,
    num_tokens: npt.NDArray[np.int64],
    total: int,
    about: dict[str, Any],
    versus: str,
    *,
    groups: Sequence[Group] = (),
    resamples: int,
    seed: int,
) -> tuple[list[Score], float]:
    """Returns the rows of the score table, and the share of resamples that had arrived before the first point.

    Args:
        points: of the run, by rising step.
        target: last nll of the other run, shape [documents].
        num_tokens: scored tokens of each document.
        total: body tokens that the other run has read.
        about: what is the same in all rows.
        versus: name of the other run, which is scored without a prefix.
        groups: documents for which the crossing is told apart, besides that of all.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    columns = np.column_stack([*(point.nll for point in points), target, num_tokens]).astype(np.float64)
    sums = resampled_sums(columns, resamples=resamples, seed=seed)
    at = np.array([point.body_tokens for point in points], dtype=np.float64)
    scores = []
    for index, point in enumerate(points):
        loss = ratio_estimate(columns, sums, index, len(points) + 1)
        at_step = {**about, "slice_by": "step", "slice": str(point.step)}
        scores += [
            Score(metric="nll", unit="nats/token", value=loss.value, ci_low=loss.low, ci_high=loss.high, **at_step),
            Score(
                metric="body_tokens",
                unit="tokens",
                value=float(point.body_tokens),
                ci_low=float(point.body_tokens),
                ci_high=float(point.body_tokens),
                **at_step,
            ),
        ]
    reached, early = _reach(at, columns, sums, total)
    whole = {**about, "versus_run": versus, "versus_condition": "none"}
    scores += [Score(slice_by="all", slice="all", **found, **whole) for found in reached]
    for slice_by, name, members in groups:
        own = columns[members]
        reached, _ = _reach(at, own, resampled_sums(own, resamples=resamples, seed=seed), total)
        sizes = {"n_documents": len(members), "n_tokens": int(num_tokens[members].sum())}
        scores += [Score(slice_by=slice_by, slice=name, **found, **{**whole, **sizes}) for found in reached]
    return scores, early


def _reach(at: Floats, columns: Floats, sums: Floats, total: int) -> tuple[list[dict[str, Any]], float]:
    """Returns where a curve reaches its target, in tokens and as a share, and the share of early resamples.

    Args:
        at: body tokens of the points, shape [points].
        columns: nll at each point, that of the target, and tokens; shape [documents, points + 2].
        sums: of resamples of the same columns.
        total: body tokens that the other run has read.
    """
    whole = columns.sum(axis=0, keepdims=True)
    value = float(crossing(at, whole[:, :-2], whole[:, -2])[0])
    drawn = np.sort(crossing(at, sums[:, :-2], sums[:, -2]))
    tail = (1 - LEVEL) / 2
    low, high = (drawn[round(share * (len(drawn) - 1))] for share in (tail, 1 - tail))
    if len(columns) < 2:
        low = high = float("nan")
    rows = [
        {
            "metric": metric,
            "unit": unit,
            "value": value / divisor,
            "ci_low": float(low) / divisor,
            "ci_high": float(high) / divisor,
        }
        for metric, unit, divisor in (("tokens_to_reach", "tokens", 1), ("share_to_reach", "share", total))
    ]
    return rows, float((drawn <= at[0]).mean())


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
