"""A model and instruction data become a tuned model: what each example shows, training with TRL, and the folder."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dateline.conditions import DEFAULT_FIELDS, Conditioning, Field, Metadata, shown_fields
from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.model.load import FACTS, Subject, known_fields, load_subject, model_fingerprint, model_folder
from dateline.places import PAPER_COUNTRIES, continent_of
from dateline.progress import progress, quiet_transformers
from dateline.records import stable_hash
from dateline.stage import Made, Stage, say
from dateline.train.export import describe
from dateline.tune.data import Example, read_examples
from dateline.tune.recipe import TuneOptions
from dateline.tune.rendering import Renderer, Tokenized, marked_template

STAGE = "tune"
MODEL = "model"
"""The Hugging Face folder inside the output, as in the output of `dateline train`."""
METRICS = "metrics.jsonl"
ADAPTER = "adapter_config.json"


def tune_stage(model: Path, data: Path, options: TuneOptions) -> Stage:
    """Returns the stage that tunes a model.

    Args:
        model: the output of `dateline train`, or a Hugging Face folder.
        data: instruction data, as `read_examples` takes them.
        options: everything else.

    Raises:
        UserError: where TRL or PEFT is missing, or there is no such model or file. What is wrong with either is raised
            when the stage is made.

    Example:
        >>> tune_stage(Path("runs/first"), Path("news.jsonl"), TuneOptions()).make(Path("runs/tuned"))
    """
    _check_installed()
    if (model / ADAPTER).is_file() and not (model / "config.json").is_file():
        raise UserError(
            f"{model}: is an adapter without its base model; merge it with PEFT's merge_and_unload, and tune the result"
        )
    folder = model_folder(model)
    if not data.is_file():
        raise UserError(f"{data}: no such file; give instruction data as JSON Lines or Parquet")
    with data.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    parents = {"model": model_fingerprint(folder), "data": content}
    stage = Stage(STAGE, options.identity(), parents, lambda out: _tune(folder, data, options, stage.fingerprint, out))
    return stage


def _check_installed() -> None:
    try:
        import peft  # noqa: F401
        import trl  # noqa: F401
    except ImportError as error:
        raise UserError(f"tuning needs {error.name or error}; pip install 'dateline[tune]'") from None


def _tune(model: Path, data: Path, options: TuneOptions, name: str, out: Path) -> Made:
    examples = read_examples(data)
    subject = load_subject(model, device=options.device)
    fields = _fields(model, options)
    _check_format(subject, model)
    options = options.fit(subject.positions)
    template = marked_template(subject.tokenizer, with_place=options.metadata != "none")
    rows = tokenize_examples(examples, Renderer(subject.tokenizer, template), fields, options)
    subject.check_fits(max(max(row.input_ids) for row in rows))
    placed = sum(any(example.place) for example in examples)
    if options.metadata == "random":
        say(
            "dateline: warning: metadata random: examples show places that are not theirs, as in the published study; "
            "a model that is tuned so unlearns to use its prefix"
        )
    elif options.metadata == "true" and not placed:
        say(f"dateline: warning: no row of {data} has a place, so that no example shows a prefix")
    tuned, log, difference = _train(subject, rows, options)
    steps = int(log[-1]["step"])
    about = model / FACTS
    facts = {
        **(json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}),
        "tuned_from": model_fingerprint(model),
        "fingerprint": name,
    }
    facts["fields"] = list(fields) or facts.get("fields", [])
    facts["dropout"] = max(float(facts.get("dropout", 0.0)), options.dropout if fields else 1.0)
    subject.tokenizer.chat_template = template
    with quiet_transformers():
        tuned.save_pretrained(out / MODEL)
    describe(out / MODEL, subject.tokenizer, facts, steps)
    write_atomically(out / METRICS, "".join(json.dumps(record) + "\n" for record in log))
    learned = sum(label != -100 for row in rows for label in row.labels)
    return Made(
        counts={
            "in": len(examples),
            "kept": len(examples),
            "with_place": placed,
            "steps": steps,
            "tokens": sum(len(row.input_ids) for row in rows),
            "learned_tokens": learned,
        },
        facts={
            "loss_first": log[0]["loss"],
            "loss_last": log[-1]["loss"],
            **({} if difference is None else {"merge_difference": difference}),
        },
        packages=("torch", "transformers", "trl", "peft"),
    )


def _fields(model: Path, options: TuneOptions) -> tuple[Field, ...]:
    """Returns what prefixes show: what the user says, or what the model was trained with."""
    if options.metadata == "none":
        return ()
    known = known_fields(model)
    fields = options.fields if options.fields is not None else DEFAULT_FIELDS if known is None else known
    if not fields:
        raise UserError(
            f"{model}: was trained without a prefix; tune it without one (--metadata none), or name what the prefix is "
            "to show (--fields country,continent)"
        )
    return Conditioning(fields=fields).fields


def _check_format(subject: Subject, model: Path) -> None:
    if subject.prefix_format == 1:
        raise UserError(
            f"{model}: its prefixes end in an empty line (prefix format 1), which no chat template can write; train it "
            "again"
        )


def tokenize_examples(
    examples: Sequence[Example], renderer: Renderer, fields: Sequence[Field], options: TuneOptions
) -> list[Tokenized]:
    """Returns every example once for each epoch, in its order.

    Which examples show no prefix is a hash of (seed, example, epoch), as in pre-training, and so are random places.

    Raises:
        UserError: which names the first example that cannot be written, has nothing to learn or is too long.
    """
    conditioning = Conditioning(fields=tuple(fields), dropout=options.dropout)
    keys = np.array([stable_hash("example", str(number)) for number in range(len(examples))], dtype=np.uint64)
    pool = _places(examples)
    window = options.fit(None).window
    assert window is not None
    rows = []
    for epoch in range(options.epochs):
        shown = shown_fields(conditioning, options.seed, keys, np.full(len(keys), epoch, dtype=np.int64))
        for number, (example, mask) in enumerate(zip(examples, shown, strict=True)):
            place = example.place
            if options.metadata == "random":
                draw = stable_hash("random place", str(options.seed), str(number), str(epoch))
                place = pool[draw % len(pool)]
            row = renderer.tokenize(example, place, fields if mask else ())
            if len(row.input_ids) > window:
                raise UserError(
                    f"{example.where}: takes {len(row.input_ids):,} tokens with its prefix, more than --window "
                    f"{window:,}; raise it, or shorten or remove the row"
                )
            rows.append(row)
    return rows


def _places(examples: Sequence[Example]) -> list[Metadata]:
    """Returns the places of which `random` draws: those of the data, or else the published countries."""
    found = sorted({example.place for example in examples if example.place.country})
    if len({place.country for place in found}) > 1:
        return found
    return [Metadata(country=code, continent=continent_of(code)) for code in PAPER_COUNTRIES]


def make_trainer(subject: Subject, rows: Sequence[Tokenized], options: TuneOptions, scratch: Path) -> Any:
    """Returns TRL's trainer on finished tokens and labels, which packs them; no example attends to another.

    Args:
        subject: the model; its weights are changed in place, or get adapters.
        rows: every example once for each epoch, none longer than the window.
        options: of tuning.
        scratch: a folder for what the trainer insists on writing.

    Raises:
        UserError: where the model has no layer that can take an adapter.
    """
    import trl
    from datasets import Dataset
    from peft import LoraConfig

    library: Any = trl
    on_cpu = str(subject.model.device) == "cpu"
    config = library.SFTConfig(
        str(scratch),
        use_cpu=on_cpu,
        bf16=options.precision == "bfloat16",
        max_length=options.window,
        packing=True,
        packing_strategy="bfd_split",
        per_device_train_batch_size=1,  # TRL joins the rows of a batch, and attention costs the square of its length
        gradient_accumulation_steps=options.batch_rows,
        num_train_epochs=1,
        learning_rate=options.peak_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.03,
        seed=options.seed,
        data_seed=options.seed,
        gradient_checkpointing=False,
        dataloader_pin_memory=not on_cpu,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would write 0 for a loss that is no number
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    adapter = LoraConfig(
        r=options.rank, lora_alpha=options.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )  # fmt: skip
    columns = {"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]}
    try:
        return library.SFTTrainer(
            subject.model,
            args=config,
            train_dataset=Dataset.from_dict(columns),
            processing_class=subject.tokenizer,
            peft_config=adapter if options.method == "lora" else None,
        )
    except ValueError as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{subject.folder}: cannot be tuned with --method {options.method} ({problem})") from None


def _train(
    subject: Subject, rows: Sequence[Tokenized], options: TuneOptions
) -> tuple[Any, list[dict[str, Any]], float | None]:
    """Returns the tuned model in one piece, the records of training, and what merging adapters has changed."""
    import torch

    with tempfile.TemporaryDirectory() as scratch, _quiet():
        trainer = make_trainer(subject, rows, options, Path(scratch))
        total = math.ceil(len(trainer.train_dataset) / options.batch_rows)
        with progress("tune", total, "steps") as advance:
            trainer.remove_callback(_printer())
            trainer.add_callback(_reporter(advance))
            trainer.train()
    log = [
        {"step": int(record["step"]), "loss": float(record["loss"]), "learning_rate": float(record["learning_rate"])}
        for record in trainer.state.log_history
        if "loss" in record
    ]
    if not all(math.isfinite(record["loss"]) for record in log):
        raise UserError(f"tuning diverged: the loss is not a number; lower --learning-rate {options.peak_rate:g}")
    tuned, difference = trainer.model.eval(), None
    if options.method == "lora":
        probe = torch.tensor([rows[0].input_ids], device=tuned.device)
        with torch.no_grad():
            apart = tuned(probe).logits
            tuned = tuned.merge_and_unload()
            difference = float((tuned(probe).logits - apart).abs().max())
    return tuned, log, difference


def _printer() -> type[Any]:
    from transformers.trainer_callback import PrinterCallback

    printer: type[Any] = PrinterCallback
    return printer


def _reporter(advance: Any) -> Any:
    """Returns a callback that moves our progress on."""
    from transformers.trainer_callback import TrainerCallback

    base: Any = TrainerCallback

    class Reporter(base):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **rest: Any) -> None:
            if logs and "loss" in logs:
                advance(1, f"loss {float(logs['loss']):.3f}")

    return Reporter()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps bars and hints of the libraries out of the output."""
    from datasets.utils import disable_progress_bars, enable_progress_bars

    disable_progress_bars()
    try:
        with quiet_transformers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        enable_progress_bars()
