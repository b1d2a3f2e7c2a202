"""Training speed of Dateline's loop against other pre-training loops: same model, rows and batch, in one run.

Enters: nothing; a newswire corpus is made in a temporary folder. Leaves: a Markdown table of tokens per
second and ratios.
Deliberately not done: no tuning of the peers beyond what their defaults are, except where --peer-bf16 says so.

    python benchmarks/training.py [--sizes nano micro] [--steps 40] [--repeats 3] [--precision float32] [--peer-bf16]

Peers:
- `trainer`: the Hugging Face Trainer on transformers' SDPA attention, causal over the whole row, as is usual.
- `trainer-documents`: the same, told the positions of every document. transformers then keeps documents apart with a
  mask over the row, so that this peer does what Dateline does.
- `litgpt`: `litgpt.pretrain`, which compiles the model (a C++ compiler is needed on a CPU); causal over the whole row,
  loss on all tokens. It is left out where it cannot be imported. Its pins conflict with transformers 5, so it goes into
  a folder of its own:
      pip install --no-deps --target litgpt-site litgpt lightning lightning-utilities torchmetrics \
          'jsonargparse<=4.41' docstring-parser typeshed-client pytorch-lightning
      PYTHONPATH=litgpt-site python benchmarks/training.py

All are timed in one process, in turns, from the end of the second optimizer step to the end of the last (compilation
and start-up come before), without saving or evaluation. A ratio is the median over the rounds; brackets hold the
smallest and the largest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
from dateline.model.load import build_model, llama_config
from dateline.model.sizes import SIZES
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.tokens.loader import Loader
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer
from dateline.train.loop import train_model
from dateline.train.recipe import TrainRecipe, build_loader

PEERS = ("trainer", "trainer-documents", "litgpt")
WARM_UP = 2
"""Steps before the clock starts."""


class Rows(torch.utils.data.Dataset[Any]):
    """The loader's rows as a peer wants them; `times` holds the moment at which each was asked for."""

    def __init__(self, loader: Loader, number: int, make: Callable[[Any], Any]) -> None:
        self.rows = [make(loader.row(index)) for index in range(number)]
        self.times: list[float] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        self.times.append(time.perf_counter())
        return self.rows[index]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["nano", "micro"], choices=tuple(SIZES))
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--sequence-length", type=int, default=512)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--articles", type=int, default=6000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--peer-bf16", action="store_true", help="give the peers mixed precision in bfloat16 as well")
    args = parser.parse_args(words)
    if args.steps <= WARM_UP:
        parser.error(f"--steps: more than {WARM_UP}, which are the warm-up")
    peers = available(args.peers)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        build_corpus(CorpusRecipe(newswire=NewswireSource(articles=args.articles)), root / "corpus")
        encode_stage(EncodeRecipe(vocab_size=args.vocab_size), root / "corpus").make(root / "encoded")
        precisions = f"dateline {args.precision}, peers {'bfloat16' if args.peer_bf16 else 'float32'}"
        print(f"{args.rows} rows of {args.sequence_length}, {args.steps} steps, {precisions}\n", flush=True)
        print("| Size | Loop | tokens/s | Dateline is faster by |\n|---|---|--:|--:|", flush=True)
        for size in args.sizes:
            recipe = make_recipe(args, root, size)
            speeds = measure(recipe, root / size, peers, args)
            for peer, found in speeds.items():
                ratios = [ours / theirs for ours, theirs in zip(speeds["dateline"], found, strict=True)]
                ratio = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
                print(f"| {size} | {peer} | {statistics.median(found):,.0f} | {ratio} |", flush=True)


def available(names: Sequence[str]) -> list[str]:
    """Returns the peers that can run here, and says which cannot."""
    found = []
    for name in names:
        try:
            if name == "litgpt":
                import litgpt.pretrain  # noqa: F401
            else:
                import accelerate  # noqa: F401
        except ImportError as error:
            print(f"{name}: left out, not installed ({error}); --help says how to install it", flush=True)
            continue
        found.append(name)
    return found


def make_recipe(args: argparse.Namespace, root: Path, size: str) -> TrainRecipe:
    """Returns what Dateline runs; the peers take model, rows and batch from it."""
    return TrainRecipe.model_validate(
        {
            "data": str(root / "encoded"),
            "mix": {"weights": "natural"},
            "packing": {"sequence_length": args.sequence_length},
            "model": {"size": size},
            "schedule": {"warmup_steps": 1},
            "train": {
                "steps": args.steps, "batch_rows": args.rows, "precision": args.precision,
                "validate_every": 0, "checkpoint_every": 0, "log_every": WARM_UP,
            },
        }
    )  # fmt: skip


def measure(recipe: TrainRecipe, out: Path, peers: Sequence[str], args: argparse.Namespace) -> dict[str, list[float]]:
    """Returns tokens per second of every loop in every round; they take turns, each round in another order."""
    steps, bf16 = args.steps, args.peer_bf16
    loops: dict[str, Callable[[Path], float]] = {
        "dateline": lambda folder: time_dateline(recipe, folder),
        "trainer": lambda folder: time_trainer(recipe, folder, steps, bf16=bf16, documents=False),
        "trainer-documents": lambda folder: time_trainer(recipe, folder, steps, bf16=bf16, documents=True),
        "litgpt": lambda folder: time_litgpt(recipe, folder, steps, bf16=bf16),
    }
    names = ["dateline", *peers]
    tokens = (steps - WARM_UP) * args.rows * args.sequence_length
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(args.repeats):
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            speeds[name].append(tokens / loops[name](out / f"{name}{repeat}"))
    return speeds


def time_dateline(recipe: TrainRecipe, out: Path) -> float:
    """Returns the seconds of all steps after the warm-up."""
    train_model(recipe, out)
    lines = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if record["kind"] == "train"]
    before = next(record for record in records if record["step"] == WARM_UP)
    seconds, tokens = 0.0, before["tokens"]
    for record in records[records.index(before) + 1 :]:
        seconds += (record["tokens"] - tokens) / record["tokens_per_second"]
        tokens = record["tokens"]
    return seconds


def prepare(recipe: TrainRecipe) -> tuple[Loader, Any]:
    """Returns the rows of a recipe, and the configuration of its model."""
    corpus = EncodedCorpus.open(recipe.data)
    tokenizer = load_tokenizer(corpus.tokenizer_folder)
    loader = build_loader(recipe, corpus, tokenizer)
    return loader, llama_config(recipe.model, len(tokenizer), bos=loader.bos, eos=loader.eos, pad=loader.pad)


def time_trainer(recipe: TrainRecipe, out: Path, steps: int, *, bf16: bool, documents: bool) -> float:
    """Returns the seconds of all steps after the warm-up."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    loader, config = prepare(recipe)
    model = build_model(config, recipe.seed)
    model.set_attn_implementation("sdpa")
    times = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    def make(row: Any) -> dict[str, Any]:
        labels = torch.full((len(row.labels),), -100)
        labels[1:] = torch.from_numpy(row.labels[:-1])  # the model shifts them itself
        inputs = {"input_ids": torch.from_numpy(row.input_ids), "labels": labels}
        return {**inputs, "position_ids": torch.from_numpy(row.position_ids)} if documents else inputs

    arguments = TrainingArguments(
        output_dir=str(out), max_steps=steps, per_device_train_batch_size=recipe.train.batch_rows, bf16=bf16,
        use_cpu=not torch.cuda.is_available(), report_to="none", save_strategy="no", logging_strategy="no",
        disable_tqdm=True, learning_rate=3e-3, adam_beta2=0.95, weight_decay=0.033, max_grad_norm=0.1,
    )  # fmt: skip
    data = Rows(loader, steps * recipe.train.batch_rows, make)
    with redirect_stdout(StringIO()):
        Trainer(model=model, args=arguments, train_dataset=data, callbacks=[Clock()]).train()
    return times[-1] - times[WARM_UP - 1]


def time_litgpt(recipe: TrainRecipe, out: Path, steps: int, *, bf16: bool) -> float:
    """Returns the seconds of all steps after the warm-up, from the moments at which the next batch is asked for."""
    import lightning
    from litgpt import pretrain
    from litgpt.args import EvalArgs, TrainArgs
    from litgpt.config import Config
    from litgpt.data import DataModule

    loader, llama = prepare(recipe)
    length, batch = recipe.packing.sequence_length, recipe.train.batch_rows
    config = Config(
        name="peer", block_size=length, padded_vocab_size=llama.vocab_size, n_layer=llama.num_hidden_layers,
        n_head=llama.num_attention_heads, n_query_groups=llama.num_key_value_heads, n_embd=llama.hidden_size,
        rotary_percentage=1.0, parallel_residual=False, bias=False, norm_class_name="RMSNorm", norm_eps=1e-5,
        mlp_class_name="LLaMAMLP", intermediate_size=llama.intermediate_size,
    )  # fmt: skip
    rows = Rows(
        loader, (steps + 1) * batch, lambda row: torch.nn.functional.pad(torch.from_numpy(row.input_ids), (0, 1))
    )

    class Data(DataModule):  # type: ignore[misc]
        def connect(self, **_: Any) -> None: ...

        def train_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(rows, batch_size=batch)

        def val_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(rows.rows[:batch], batch_size=batch)

    fabric = lightning.Fabric(devices=1, precision="bf16-mixed" if bf16 else "32-true")
    training = TrainArgs(
        save_interval=None, log_interval=1, global_batch_size=batch, micro_batch_size=batch,
        max_tokens=steps * batch * length, max_norm=0.1, min_lr=4e-5, lr_warmup_steps=1, tie_embeddings=True,
    )  # fmt: skip
    saving = patch.object(pretrain, "save_checkpoint")  # after the last step; it would parse this script's own words
    with saving, redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pretrain.main(
            fabric, 1, recipe.seed, None, False, config, Data(), out, None, None, training,
            EvalArgs(interval=steps + 1, max_iters=1, final_validation=False), "AdamW",
        )  # fmt: skip
    asked = rows.times[::batch]
    return asked[steps] - asked[WARM_UP]


if __name__ == "__main__":
    main()
