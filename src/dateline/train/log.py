"""Training log: which records a run writes to `metrics.jsonl`, and when.

All values but `tokens_per_second`, `flops_per_second` and `mfu` are functions of the recipe: a run that was killed and
resumed leaves the same file. Only the first rank writes.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dateline.conditions import Conditioner, Conditioning, parse_condition
from dateline.conditions.dropout import uniform
from dateline.model.scoring import Segment, score_segments
from dateline.progress import span
from dateline.tokens.loader import Loader
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import encode_texts
from dateline.train.callbacks import Callback
from dateline.train.metrics import MetricsFile
from dateline.train.parallel import World, whole_weights
from dateline.train.recipe import TrainRecipe
from dateline.train.step import Engine, Totals

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


SAMPLE = 0x5A3F1E
"""Stream number of the draw that chooses documents, the same for every run on a corpus."""


class Validation:
    """A fixed sample of the validation split, rendered once under `gold` and `none`."""

    def __init__(
        self,
        corpus: EncodedCorpus,
        tokenizer: PreTrainedTokenizerFast,
        conditioning: Conditioning,
        *,
        bos: int,
        sequence_length: int,
        num_documents: int,
    ) -> None:
        """Chooses documents evenly over the continents and cuts each to what fits behind the longest prefix.

        Args:
            corpus: the encoded corpus.
            tokenizer: its tokenizer, for the prefixes.
            conditioning: the fields that the model is trained with; without fields, only `none` is measured.
            bos: id of the token that starts a segment.
            sequence_length: tokens that a segment may have.
            num_documents: in all; fewer where the split is smaller.
        """
        chosen = _choose(corpus, num_documents)
        self.groups = [str(corpus.continents[index]) for index in chosen]
        metadata = [corpus.metadata(index) for index in chosen]
        self.segments: dict[str, list[Segment]] = {}
        for name in ("gold", "none") if conditioning.fields else ("none",):
            conditioner = Conditioner(parse_condition(name, conditioning.fields), seed=0, pool=metadata)
            prefixes = encode_texts(tokenizer, [conditioner.prefix(place, "") for place in metadata])
            segments = []
            for index, prefix in zip(chosen, prefixes, strict=True):
                body = corpus.tokens(index)[: sequence_length // 2 - 1]
                ids = np.concatenate([[bos], prefix[: sequence_length // 2], body]).astype(np.int64)
                segments.append(Segment(ids, len(body)))
            self.segments[name] = segments

    def measure(self, model: Any, *, dtype: str) -> list[dict[str, Any]]:
        """Returns a record for each condition and group: `{"condition", "group", "loss"}` in nats per body token."""
        records = []
        names = np.array(self.groups)
        for condition, segments in self.segments.items():
            nll = score_segments(model, segments, dtype=dtype)
            tokens = np.array([segment.num_scored for segment in segments])
            for group in ["all", *sorted(set(self.groups))]:
                inside = np.ones(len(names), dtype=bool) if group == "all" else names == group
                loss = float(nll[inside].sum() / tokens[inside].sum())
                records.append({"condition": condition, "group": group or "unplaced", "loss": loss})
        return records


def _choose(corpus: EncodedCorpus, num_documents: int) -> list[int]:
    indices = corpus.select("validation")
    if not len(indices):
        return []
    draw = uniform(0, corpus.keys[indices], np.zeros(len(indices), dtype=np.int64), SAMPLE)
    indices = indices[np.argsort(draw, kind="stable")]
    continents = corpus.continents[indices]
    names = sorted(set(continents.tolist()))
    share = max(1, num_documents // len(names))
    return sorted(int(index) for name in names for index in indices[continents == name][:share])


class TrainingLog:
    """Records of training, validation, gain, groups and skipped steps; its clock stops while anything else is done."""

    def __init__(
        self, recipe: TrainRecipe, corpus: EncodedCorpus, tokenizer: PreTrainedTokenizerFast, loader: Loader,
        engine: Engine, world: World, callback: Callback,
    ) -> None:  # fmt: skip
        """Args: recipe and corpus of the run; tokenizer, loader and engine in use; the processes; who sees records."""
        self.training, self.loader, self.engine, self.world, self.callback = (
            recipe.train, loader, engine, world, callback,
        )  # fmt: skip
        self.validation = Validation(
            corpus,
            tokenizer,
            recipe.conditions,
            bos=loader.bos,
            sequence_length=recipe.packing.sequence_length,
            num_documents=recipe.train.validation_documents,
        )
        self._file: MetricsFile | None = None

    def open(self, folder: Path, done: int, num_steps: int, tokens: int, *, resumed: bool) -> None:
        """Starts the file, or goes on with it after dropping what lies beyond the checkpoint.

        Args:
            folder: of the run.
            done: steps taken.
            num_steps: of the whole run.
            tokens: read until now.
            resumed: whether the run goes on from a checkpoint.
        """
        if self.world.rank == 0:
            self._file = MetricsFile(folder, resume_at=done if resumed else None)
        self._begun, self._first, self._num_steps = time.perf_counter(), done, num_steps
        self._since, self._tokens = time.perf_counter(), tokens

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Writes one record, on the first process."""
        if self._file is not None:
            self._file.write(kind, step, **values)
            self.callback.record(kind, step, values)

    def train(self, step: int, loss: float, norm: float, rate: float, counts: dict[str, int], totals: Totals) -> None:
        """Writes what a step gave, where it is one that is written."""
        if step % self.training.log_every and step not in (1, self._num_steps):
            return
        speed = (counts["tokens"] - self._tokens) / (time.perf_counter() - self._since)
        flops = (self.engine.flops_fixed + self.engine.flops_attended * totals.mean_attended) * speed
        peak = self.training.peak_flops
        share = {} if peak is None else {"mfu": flops / (peak * self.world.size)}
        self.write(
            "train", step, loss=loss, lr=rate, grad_norm=norm, **counts, tokens_per_second=round(speed, 1),
            fill=totals.fill, flops_per_second=flops, **share,
        )  # fmt: skip
        self._since, self._tokens = time.perf_counter(), counts["tokens"]

    def skipped(self, step: int, loss: float, norm: float, reason: str, skipped: int) -> None:
        """Writes that a step was not taken; what is not finite is null."""
        finite = {"loss": loss, "grad_norm": norm}
        finite_or_null = {name: value if math.isfinite(value) else None for name, value in finite.items()}
        self.write("skipped", step, **finite_or_null, reason=reason, skipped=skipped)

    def validate(self, step: int, counts: dict[str, int], groups: Any, dtype: str) -> str:
        """Measures validation losses, on all processes together, and writes them with the gain by group.

        Returns:
            What people want to know of them, in a line; empty without validation documents.
        """
        begun = time.perf_counter()
        losses: dict[tuple[str, str], float] = {}
        if self.validation.groups:
            with whole_weights(self.engine.module):
                records = self.validation.measure(self.engine.model, dtype=dtype)
            for record in records:
                self.write("validation", step, **counts, **record)
            losses = {(record["condition"], record["group"]): record["loss"] for record in records}
            for (condition, group), plain in losses.items():
                if condition == "none" and ("gold", group) in losses:
                    self.write("gain", step, group=group, gain=plain - losses["gold", group])
        available = self.loader.plan.stream.group_tokens
        for name, tokens in zip(self.loader.groups, groups.tolist(), strict=True):
            self.write("groups", step, group=name, body_tokens=tokens, repeats=tokens / available[name])
        self.pause(begun)
        if not losses:
            return ""
        plain, gold = losses["none", "all"], losses.get(("gold", "all"))
        if gold is None:
            return f"validation loss {plain:.3f}"
        change = math.expm1(gold - plain)
        return (
            f"validation loss {gold:.3f} with its prefix, {plain:.3f} without: perplexity {abs(change):.1%} "
            f"{'lower' if change < 0 else 'higher'} with it"
        )

    def pause(self, since: float) -> None:
        """Takes the seconds since a moment out of the measured speed."""
        self._since += time.perf_counter() - since

    def left(self, step: int) -> str:
        """Returns an estimate of the time left, for people: `1 h 5 min left`; empty before the second step."""
        taken = step - self._first
        if taken < 2:
            return ""
        return f"{span((time.perf_counter() - self._begun) / taken * (self._num_steps - step))} left"
