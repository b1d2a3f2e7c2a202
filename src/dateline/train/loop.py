"""Training loop: reads batches, takes steps, writes `model/`, `checkpoints/`, `metrics.jsonl` and, last, the manifest.

There is no state outside model, optimizer and guard; everything else is a function of the step. A single step is in
`step.py`, what ranks share in `parallel.py`, what is saved in `checkpoint.py`.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dateline.errors import Interrupted, TrainingDiverged, UserError
from dateline.manifest import Manifest, new_folder, read_manifest, write_manifest
from dateline.progress import progress
from dateline.stage import Stage, say
from dateline.tokens.loader import Batch
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer
from dateline.train.callbacks import Callback, Callbacks, Outcome, RunInfo
from dateline.train.checkpoint import Saver, load_checkpoint, whole_state
from dateline.train.export import describe, save_model
from dateline.train.folder import (
    belongs_to,
    check_out,
    checkpoints,
    finished_run,
    newest_intact,
    open_folder,
    set_aside,
)
from dateline.train.guard import Sentinel, Watchdog, collect_signals
from dateline.train.log import TrainingLog
from dateline.train.optim import factor
from dateline.train.parallel import RemoteRankFailure, World, choose_device, choose_precision, processes
from dateline.train.recipe import (
    FORMAT,
    STAGE,
    TrainRecipe,
    accumulation,
    build_loader,
    train_identity,
    train_plan,
)
from dateline.train.step import Engine, Totals, add_up
from dateline.train.trackers import build_callbacks


def train_model(
    recipe: TrainRecipe, out: Path, *, resume: bool = False, overwrite: bool = False, callbacks: Sequence[Callback] = ()
) -> Manifest:
    """Trains one model, in this process or, under a launcher such as torchrun, together with others.

    Args:
        recipe: what to train, on which encoded corpus.
        out: the run's folder, which all processes see.
        resume: continue from the newest checkpoint in `out`, or start where there is none.
        overwrite: begin anew even if `out` holds a run.
        callbacks: run besides those that the recipe names, on the first process only.

    Raises:
        UserError: where recipe, corpus and folder do not fit each other.
        TrainingDiverged: where loss or gradient is not finite; the weights before that step are saved.
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
        RemoteRankFailure: where another rank has failed.

    Example:
        >>> words = ["--data", "runs/encoded", "--train.epochs", "null", "--train.steps", "200"]
        >>> recipe = load_recipe(TrainRecipe, Path("recipes/train.yaml"), words)
        >>> train_model(recipe, Path("runs/first")).counts["steps"]
        200
    """
    with _joined(recipe) as world:
        corpus = world.together(lambda: EncodedCorpus.open(recipe.data))
        plan = world.first(lambda: train_plan(recipe, corpus))
        if resume and (finished := world.first(lambda: finished_run(out, *plan, format=FORMAT))) is not None:
            return finished
        world.first(lambda: check_out(out, resume=resume, overwrite=overwrite))
        run = world.together(lambda: _Run(recipe, corpus, out, world, plan, callbacks))
        world.first(lambda: open_folder(out, anew=not resume))  # now: a recipe that cannot run costs no run
        outcome: Outcome = "failed"
        try:
            run.start(resume=resume)
            with (
                Watchdog(out, world.rank, world.size, recipe.train.hang_minutes) as run.watchdog,
                collect_signals(patient=world.size > 1) as received,
            ):
                run.steps(received)
                manifest = run.finish()
            outcome = "finished"
        except Interrupted:
            outcome = "interrupted"
            raise
        finally:
            run.close(outcome)
        return manifest


def _joined(recipe: TrainRecipe) -> AbstractContextManager[World]:
    """Joins the processes of a run, which wait for each other longer than the watchdog does."""
    return processes(recipe.parallel, recipe.train.device, max(30.0, 2 * recipe.train.hang_minutes))


def train_stage(recipe: TrainRecipe, corpus: EncodedCorpus) -> TrainStage:
    """Returns the stage that trains one model, in this process or together with others, as `train_model` does."""
    data, parents = train_plan(recipe, corpus)
    return TrainStage(STAGE, data, parents, format=FORMAT, training=recipe)


@dataclass(frozen=True)
class TrainStage(Stage):
    """Training: a folder that grows while the run goes on, and is continued after an interruption."""

    training: TrainRecipe | None = None

    def make(self, out: Path, *, overwrite: bool = False) -> Manifest:
        """Trains in an empty folder, or in place of another run where `overwrite` says so."""
        assert self.training is not None
        return train_model(self.training, out, overwrite=overwrite)

    def ensure(self, out: Path) -> Manifest:
        """Trains unless the run is finished; continues its own checkpoints; moves any other run aside."""
        assert self.training is not None
        with _joined(self.training) as world:
            if (found := world.first(lambda: self.finished(out))) is not None:
                return found
            return train_model(self.training, out, resume=world.first(lambda: self._continues(out)))

    def _continues(self, out: Path) -> bool:
        """Says whether a folder holds checkpoints of this run; moves any other run aside."""
        saved = checkpoints(out)
        unfinished = read_manifest(out) is None
        if unfinished and saved and belongs_to(saved[-1], train_identity(self.recipe, self.parents)):
            return True
        reason = "an unfinished run" if unfinished else self.explain(out)
        if (kept := set_aside(out)) is not None:
            say(f"{out}: trained anew ({reason}); what stood there is kept in {kept}, remove it when it is not needed")
        return False


class _Run:
    """One run's moving parts in one process; exists for the duration of `train_model`."""

    watchdog: Watchdog

    def __init__(
        self, recipe: TrainRecipe, corpus: EncodedCorpus, out: Path, world: World,
        plan: tuple[dict[str, Any], dict[str, str]], callbacks: Sequence[Callback],
    ) -> None:  # fmt: skip
        self.recipe, self.out, self.world, self.plan = recipe, out, world, plan
        self.identity = train_identity(*plan)
        device = choose_device(recipe.train.device, world.local_rank if world.joined else None)
        dtype = choose_precision(recipe.train.precision, device)
        self.precision = str(dtype).removeprefix("torch.")
        if recipe.model.dropout and device.type == "cuda":
            raise UserError("model.dropout: the CUDA attention kernel has no dropout; set it to 0 or train on the CPU")
        self.tokenizer = load_tokenizer(corpus.tokenizer_folder)
        self.loader = build_loader(recipe, corpus, self.tokenizer, world)
        self.accumulate = accumulation(recipe, world)
        self.num_steps = -(-self.loader.num_batches() // self.accumulate)
        if recipe.schedule.warmup_steps > self.num_steps and world.rank == 0:
            print(
                f"schedule.warmup_steps {recipe.schedule.warmup_steps:,} is longer than the run of {self.num_steps:,} "
                "steps: the learning rate never reaches its peak",
                file=sys.stderr,
            )
        self.engine = Engine(recipe, self.tokenizer, self.loader, world, device, dtype)
        shown = {name: getattr(recipe.conditions, name) for name in ("dropout", "cooldown")}
        fields = list(recipe.conditions.fields)
        self.facts = {"fields": fields, **shown, "fingerprint": self.identity, "seed": recipe.seed}
        self.saver = Saver(out, world, self.identity, *plan, keep=recipe.train.keep_checkpoints, shape=self._shape)
        mine = [*build_callbacks(recipe.train.track, out), *callbacks] if world.rank == 0 else []
        self.callbacks = Callbacks(mine)
        self.log = TrainingLog(recipe, corpus, self.tokenizer, self.loader, self.engine, world, self.callbacks)
        self.sentinel = Sentinel(recipe.guard)
        self.done = 0
        self.counts = {"tokens": 0, "body_tokens": 0}
        self.groups = np.zeros(len(self.loader.groups), dtype=np.int64)

    def start(self, *, resume: bool) -> None:
        """Takes over a checkpoint where there is one, and opens the training log."""
        found = self.world.first(lambda: newest_intact(self.out)) if resume else None
        torch.manual_seed(self.recipe.seed + 1_000_003 * self.world.rank)
        if found is not None:
            model, optimizer = self.engine.model, self.engine.optimizer
            known = self.world.together(lambda: load_checkpoint(found, self.identity, model, optimizer, self.world))
            self.done, self.counts, self.groups = known["step"], known["counts"], np.array(known["groups"])
            self.sentinel = Sentinel(self.recipe.guard, known["guard"])
        self.log.open(self.out, self.done, self.num_steps, self.counts["tokens"], resumed=found is not None)
        self.callbacks.start(
            RunInfo(
                name=self.out.name, folder=self.out, recipe=self.recipe.model_dump(mode="json"),
                num_steps=self.num_steps, done=self.done, num_parameters=self.engine.num_parameters,
                world_size=self.world.size, device=self.engine.device.type,
            )
        )  # fmt: skip

    def steps(self, received: list[int]) -> None:
        """Takes the remaining steps."""
        training = self.recipe.train
        batches = self.loader.batches(self.done * self.accumulate)
        show = progress(f"train {self.out.name}", self.num_steps, "steps") if self.world.rank == 0 else nullcontext()
        with show as advance:
            if advance:
                advance(self.done)
            while self.done < self.num_steps:
                micro_batches, totals = self._next(batches, received)
                loss = self._take(micro_batches, totals)
                last = self.done == self.num_steps
                if training.validate_every and (self.done % training.validate_every == 0 or last):
                    self.watchdog.at(self.done, "validation")
                    found = self.log.validate(self.done, self.counts, self.groups, self.precision)
                    if found and self.world.rank == 0:
                        say(f"train {self.out.name}: step {self.done:,}: {found}")
                if training.checkpoint_every and self.done % training.checkpoint_every == 0 and not last:
                    self._checkpoint()
                self._report_checkpoints()
                if advance:
                    advance(1, f"loss {loss:.3f} {self.log.left(self.done)}")

    def _next(self, batches: Iterator[Batch], received: list[int]) -> tuple[list[Batch], Totals]:
        """Returns the next step's micro-batches and totals, once all processes have agreed to take it.

        Raises:
            Interrupted: where one of them has received a signal; what was done is saved.
            RemoteRankFailure: where another one cannot go on.
        """
        self.watchdog.at(self.done, "data")
        micro_batches: list[Batch] = []
        error: Exception | None = None
        try:
            micro_batches = list(islice(batches, self.accumulate))
        except Exception as caught:  # raised below, when the others know
            error = caught
        self.watchdog.at(self.done, "exchange")
        broken = error is not None or self.saver.has_failed()
        stop = bool(received) and self.done > 0
        totals = add_up(self.world, micro_batches, len(self.loader.groups), stop=stop, failed=broken)
        if error is not None:
            raise error
        if totals.failed:
            self.saver.wait()  # raises where it was this process's checkpoint
            raise RemoteRankFailure
        if totals.stop:
            path = self._checkpoint(wait=True)
            name = signal.Signals(received[0]).name if received else "stopped elsewhere"
            raise Interrupted(
                f"{name}: stopped after step {self.done} of {self.num_steps}; saved {path}; continue with --resume"
            )
        return micro_batches, totals

    def _take(self, micro_batches: list[Batch], totals: Totals) -> float:
        """Takes one optimizer step, or skips it where the guard says so; returns the loss in nats per label."""
        engine, step = self.engine, self.done + 1
        rate = self.recipe.optimizer.learning_rate * factor(self.recipe.schedule, self.done, self.num_steps)
        loss, norm = engine.gradients(micro_batches, totals.labels, lambda doing: self.watchdog.at(self.done, doing))
        verdict = self.sentinel.judge(loss, norm)
        if verdict.action == "stop":
            engine.discard()
            path = self._checkpoint(pruned=False, wait=True)  # weights that were good may be in an older one
            raise TrainingDiverged(
                f"{self.out}: {verdict.reason} at step {step}; the weights before it are in {path}; lower "
                "optimizer.learning_rate or raise schedule.warmup_steps and begin anew, or go on from them: 'dateline "
                f"export {self.out} --out DIR' makes a folder for init_from"
            )
        if verdict.action == "take":
            engine.apply(rate)
        else:
            engine.discard()
        self.done = step
        self.counts["tokens"] += totals.tokens
        self.counts["body_tokens"] += totals.body_tokens
        self.groups += totals.groups
        if verdict.action == "take":
            self.log.train(step, loss, norm, rate, self.counts, totals)
        else:
            self.log.skipped(step, loss, norm, verdict.reason, self.sentinel.skipped)
        return loss

    def _checkpoint(self, *, pruned: bool = True, wait: bool = False) -> Path:
        self.watchdog.at(self.done, "checkpoint")
        begun = time.perf_counter()
        memory = {"counts": self.counts, "groups": self.groups.tolist(), "guard": self.sentinel.state()}
        path = self.saver.save(self.done, self.engine.model, self.engine.optimizer, memory, pruned=pruned)
        if wait:
            self.saver.wait()
            self._report_checkpoints()
        self.log.pause(begun)
        return path

    def _report_checkpoints(self) -> None:
        for step, folder in self.saver.completed():
            self.callbacks.checkpoint(step, folder)

    def _shape(self, folder: Path, step: int) -> None:
        self.engine.model.config.save_pretrained(folder)
        describe(folder, self.tokenizer, self.facts, step)

    def finish(self) -> Manifest:
        """Writes the model and the manifest; the newest checkpoints stay beside them."""
        self.watchdog.at(self.done, "model")
        self.saver.wait()
        self._report_checkpoints()
        model, state = self.engine.model, whole_state(self.engine.model)
        return self.world.first(lambda: self._write_result(model, state))

    def _write_result(self, model: Any, state: dict[str, torch.Tensor] | None) -> Manifest:
        with new_folder(self.out / "model", overwrite=True) as folder:
            save_model(folder, model, self.tokenizer, self.facts, self.done, state)
        stream, prefixes = self.loader.plan.stream, self.loader.plan.prefixes
        manifest = Manifest.of(
            STAGE,
            *self.plan,
            format=FORMAT,
            counts={"steps": self.done, **self.counts, "skipped": self.sentinel.skipped},
            facts={
                "parameters": self.engine.num_parameters,
                "device": self.engine.device.type,
                "precision": self.precision,
                "processes": self.world.size,
                "repeats": stream.repeats(self.counts["body_tokens"]),
                "prefixes_capped": prefixes.num_capped,
                "execution": self.recipe.execution(),
            },
            packages=("torch", "transformers", "numpy"),
        )
        write_manifest(self.out, manifest)
        return manifest

    def close(self, outcome: Outcome) -> None:
        """Ends what goes on in the background, however the run ended, and calls the callbacks."""
        try:
            self.saver.close(failed=outcome == "failed")
        finally:
            self.callbacks.finish(outcome)
