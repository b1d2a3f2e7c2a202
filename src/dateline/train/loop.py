"""The training loop: rows in, steps taken, a model folder out.

Enters: a recipe and an encoded corpus. Leaves: `model/`, `checkpoints/`, `metrics.jsonl` and, last, `manifest.json`.
Deliberately not done: one process (see parallel.py), no state outside model and optimizer; everything else is a
function of the step.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dateline.config import fingerprint
from dateline.errors import Interrupted, TrainingDiverged, UserError
from dateline.manifest import Manifest, check_free, explain_change, new_folder, read_manifest, write_manifest
from dateline.model.attention import locate_documents
from dateline.model.build import build_model, llama_config
from dateline.model.loss import cross_entropy_sum
from dateline.model.sizes import flops_per_token, num_parameters
from dateline.progress import progress
from dateline.tokens.loader import Batch, Loader
from dateline.tokens.plan import Plan
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import bos_id, load_tokenizer
from dateline.train.checkpoint import checkpoints, load_checkpoint, save_checkpoint, save_model
from dateline.train.metrics import MetricsFile
from dateline.train.optim import build_optimizer
from dateline.train.parallel import autocast, choose_device, choose_precision
from dateline.train.recipe import TrainRecipe
from dateline.train.schedule import factor
from dateline.train.signals import collect_signals
from dateline.train.validation import Validation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def train_plan(recipe: TrainRecipe, corpus: EncodedCorpus) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the recipe and parents that decide whether a run is up to date; the corpus's path is not among them."""
    return recipe.model_dump(mode="json", exclude={"data"}), {"encoded": corpus.manifest.fingerprint}


def train_identity(data: Mapping[str, Any], parents: Mapping[str, str]) -> str:
    """Returns the fingerprint that a run's checkpoints carry, from what `train_plan` gives."""
    return fingerprint({"recipe": data, "parents": parents})


def build_loader(recipe: TrainRecipe, corpus: EncodedCorpus, tokenizer: PreTrainedTokenizerFast) -> Loader:
    """Returns the run's micro-batches; `num_batches` divided by the accumulation is its number of steps."""
    training = recipe.train
    plan = Plan(
        corpus,
        tokenizer,
        conditions=recipe.conditions,
        mix=recipe.mix,
        packing=recipe.packing,
        seed=recipe.seed,
        epochs=training.epochs,
        num_rows=None if training.steps is None else training.steps * training.batch_rows,
    )
    eos = int(tokenizer.eos_token_id)
    pad = int(tokenizer.pad_token_id) if tokenizer.pad_token_id is not None else eos
    return Loader(plan, bos=bos_id(tokenizer), eos=eos, pad=pad, rows_per_batch=training.micro_rows)


def train_model(recipe: TrainRecipe, out: Path, *, resume: bool = False, overwrite: bool = False) -> Manifest:
    """Trains one model.

    Args:
        recipe: what to train, on which encoded corpus.
        out: the run's folder.
        resume: continue from the newest checkpoint in `out`, or start where there is none.
        overwrite: begin anew even if `out` holds a run.

    Raises:
        UserError: where recipe, corpus and folder do not fit each other.
        TrainingDiverged: where loss or gradient is not finite; the weights before that step are saved.
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
    """
    corpus = EncodedCorpus.open(recipe.data)
    data, parents = train_plan(recipe, corpus)
    identity = train_identity(data, parents)
    finished = read_manifest(out)
    if resume and finished is not None:
        if change := explain_change(out, data, parents):
            raise UserError(f"{out}: is the finished run of another recipe ({change}); choose another --out")
        return finished
    check_free(out, overwrite=overwrite or resume, stage="train")
    run = _Run(recipe, corpus, out, identity)
    if not resume:  # only now: a recipe that cannot run must not cost the run that is there
        _clear(out)
    run.start(resume=resume)
    with collect_signals() as received:
        run.steps(received)
    return run.finish(data, parents)


class _Run:
    """One run's moving parts; exists for the duration of `train_model`."""

    def __init__(self, recipe: TrainRecipe, corpus: EncodedCorpus, out: Path, identity: str) -> None:
        self.recipe, self.corpus, self.out = recipe, corpus, out
        self.device = choose_device(recipe.train.device)
        self.dtype = choose_precision(recipe.train.precision, self.device)
        if recipe.model.dropout and self.device.type == "cuda":
            raise UserError("model.dropout: the CUDA attention kernel has no dropout; set it to 0 or train on the CPU")
        self.tokenizer = load_tokenizer(corpus.tokenizer_folder)
        self.loader = build_loader(recipe, corpus, self.tokenizer)
        self.accumulate = recipe.train.batch_rows // recipe.train.micro_rows
        self.num_steps = -(-self.loader.num_batches() // self.accumulate)
        config = llama_config(
            recipe.model, len(self.tokenizer), bos=self.loader.bos, eos=self.loader.eos, pad=self.loader.pad
        )
        self.model = build_model(config, recipe.seed, self.device)
        self.optimizer = build_optimizer(recipe.optimizer, self.model)
        compiled = recipe.train.compile == "on" or (recipe.train.compile == "auto" and self.device.type == "cuda")
        self.decoder: Any = torch.compile(self.model.model) if compiled else self.model.model
        self.validation = Validation(
            corpus,
            self.tokenizer,
            recipe.conditions,
            bos=self.loader.bos,
            sequence_length=recipe.packing.sequence_length,
            num_documents=recipe.train.validation_documents,
        )
        self.identity = identity
        self.facts: dict[str, Any] = {
            "fields": list(recipe.conditions.fields),
            "fingerprint": identity,
            "seed": recipe.seed,
        }
        self.done = 0
        self.counts = {"tokens": 0, "body_tokens": 0}

    def start(self, *, resume: bool) -> None:
        """Opens the folder, and takes over a checkpoint where there is one."""
        self.out.mkdir(parents=True, exist_ok=True)
        found = checkpoints(self.out) if resume else []
        torch.manual_seed(self.recipe.seed)
        if found:
            self.done, self.counts = load_checkpoint(found[-1], self.identity, self.model, self.optimizer)
        self.metrics = MetricsFile(self.out, resume_at=self.done if found else None)

    def steps(self, received: list[int]) -> None:
        """Takes the remaining steps."""
        training = self.recipe.train
        batches = self.loader.batches(self.done * self.accumulate)
        seconds, since, waited = time.perf_counter(), dict(self.counts), 0.0
        with progress(f"train {self.out.name}", self.num_steps, "steps") as advance:
            advance(self.done)
            while micro_batches := list(islice(batches, self.accumulate)):
                loss, norm = self._step(micro_batches)
                self.done += 1
                self.counts["tokens"] += sum(batch.num_tokens for batch in micro_batches)
                self.counts["body_tokens"] += sum(batch.num_body_tokens for batch in micro_batches)
                last = self.done == self.num_steps
                if self.done % training.log_every == 0 or last or self.done == 1:
                    elapsed = time.perf_counter() - seconds - waited
                    self._log(micro_batches, loss, norm, (self.counts["tokens"] - since["tokens"]) / elapsed)
                    seconds, since, waited = time.perf_counter(), dict(self.counts), 0.0
                pause = time.perf_counter()
                if training.validate_every and (self.done % training.validate_every == 0 or last):
                    self._validate()
                if training.checkpoint_every and self.done % training.checkpoint_every == 0 and not last:
                    self._checkpoint()
                waited += time.perf_counter() - pause
                advance(1, f"loss {loss:.3f}")
                if received and not last:
                    path = self._checkpoint()
                    name = signal.Signals(received[0]).name
                    raise Interrupted(
                        f"{name}: stopped after step {self.done} of {self.num_steps}; saved {path}; "
                        "continue with --resume"
                    )

    def _step(self, micro_batches: list[Batch]) -> tuple[float, float]:
        """Takes one optimizer step; returns loss in nats per label and the gradient's norm."""
        rate = self.recipe.optimizer.learning_rate * factor(self.recipe.schedule, self.done, self.num_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        num_labels = sum(int((batch.labels >= 0).sum()) for batch in micro_batches)
        self.model.train()
        total = torch.zeros((), device=self.device)
        for batch in micro_batches:
            with autocast(self.device, self.dtype):
                hidden = self.decoder(
                    input_ids=self._move(batch.input_ids),
                    position_ids=self._move(batch.position_ids),
                    documents=locate_documents(batch.segment_lengths, self.device),
                    use_cache=False,
                ).last_hidden_state
                loss = cross_entropy_sum(hidden, self.model.lm_head.weight, self._move(batch.labels)) / num_labels
            torch.autograd.backward(loss)
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.clip_norm)
        if not (torch.isfinite(total) and torch.isfinite(norm)):
            self.optimizer.zero_grad(set_to_none=True)
            path = self._checkpoint(prune=False)  # the weights that were good last may be in an older one
            raise TrainingDiverged(
                f"{self.out}: loss {total.item()} and gradient norm {norm.item()} at step {self.done + 1}; the weights "
                f"before it are in {path}; lower optimizer.learning_rate or raise schedule.warmup_steps"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total.item(), norm.item()

    def _move(self, array: Any) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

    def _log(self, micro_batches: list[Batch], loss: float, norm: float, tokens_per_second: float) -> None:
        lengths = torch.cat([torch.from_numpy(batch.segment_lengths) for batch in micro_batches]).double()
        attended = float((lengths * (lengths + 1) / 2).sum() / lengths.sum())
        flops = flops_per_token(self.recipe.model, len(self.tokenizer), attended)
        self.metrics.write(
            "train",
            self.done,
            loss=loss,
            lr=self.optimizer.param_groups[0]["lr"],
            grad_norm=norm,
            **self.counts,
            tokens_per_second=round(tokens_per_second, 1),
            fill=sum(b.num_tokens for b in micro_batches) / sum(b.input_ids.size for b in micro_batches),
            flops_per_second=flops * tokens_per_second,
        )

    def _validate(self) -> None:
        precision = str(self.dtype).removeprefix("torch.")
        for record in self.validation.measure(self.model, dtype=precision) if self.validation.groups else []:
            self.metrics.write("validation", self.done, **self.counts, **record)

    def _checkpoint(self, *, prune: bool = True) -> Path:
        return save_checkpoint(
            self.out,
            self.done,
            self.model,
            self.optimizer,
            self.tokenizer,
            self.facts,
            progress=self.counts,
            keep=self.recipe.train.keep_checkpoints if prune else None,
        )

    def finish(self, data: dict[str, Any], parents: dict[str, str]) -> Manifest:
        """Writes the model and the manifest; the newest checkpoints stay beside them."""
        with new_folder(self.out / "model", overwrite=True) as folder:
            save_model(folder, self.model, self.tokenizer, self.facts, self.done)
        manifest = Manifest.of(
            "train",
            data,
            parents,
            counts={"steps": self.done, **self.counts},
            facts={
                "parameters": num_parameters(self.recipe.model, len(self.tokenizer)),
                "device": self.device.type,
                "precision": str(self.dtype).removeprefix("torch."),
                "repeats": self.loader.plan.stream.repeats(self.counts["body_tokens"]),
                "prefixes_capped": self.loader.plan.prefixes.num_capped,
            },
            packages=("torch", "transformers", "numpy"),
        )
        write_manifest(self.out, manifest)
        return manifest


def _clear(out: Path) -> None:
    """Removes an earlier run from the folder before a new one begins; `check_free` has allowed it."""
    for name in ("manifest.json", "metrics.jsonl"):
        (out / name).unlink(missing_ok=True)
    for name in ("checkpoints", "model"):
        shutil.rmtree(out / name, ignore_errors=True)
