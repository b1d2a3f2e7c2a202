"""Training speed of Dateline's loop against the plain Hugging Face Trainer: same model, rows and batch.

Enters: nothing; a newswire corpus is made in a temporary folder. Leaves: tokens per second of both, and their ratio.
Deliberately not done: no tuning of the peer beyond what its defaults are, except where --peer-bf16 says so.

    python benchmarks/training.py [--size nano] [--steps 40] [--repeats 3] [--precision float32] [--peer-bf16]

The Trainer gets the very rows that Dateline's loader makes (input ids, labels, positions) and computes causal attention
over the whole row, as it does by default; Dateline keeps documents apart. Both are timed in one process, in turns, from
the first optimizer step to the last, without start-up, logging, saving or evaluation.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
from dateline.model.build import build_model, llama_config
from dateline.tokens.encode import EncodeRecipe, encode_corpus
from dateline.tokens.loader import Loader
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer
from dateline.train.loop import build_loader, train_model
from dateline.train.metrics import read_metrics
from dateline.train.recipe import TrainRecipe


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """The loader's rows as the Trainer wants them: labels not shifted."""

    def __init__(self, loader: Loader, number: int) -> None:
        self.rows = []
        for index in range(number):
            row = loader.row(index)
            labels = torch.full((len(row.labels),), -100)
            labels[1:] = torch.from_numpy(row.labels[:-1])
            ids, positions = torch.from_numpy(row.input_ids), torch.from_numpy(row.position_ids)
            self.rows.append({"input_ids": ids, "position_ids": positions, "labels": labels})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="nano")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--sequence-length", type=int, default=512)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--peer-bf16", action="store_true", help="give the Trainer bf16=True as well")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        build_corpus(CorpusRecipe(newswire=NewswireSource(articles=6000)), root / "corpus")
        encode_corpus(EncodeRecipe(vocab_size=args.vocab_size), root / "corpus", root / "encoded")
        recipe = TrainRecipe.model_validate(
            {
                "data": str(root / "encoded"),
                "mix": {"weights": "natural"},
                "packing": {"sequence_length": args.sequence_length},
                "model": {"size": args.size},
                "train": {
                    "steps": args.steps, "batch_rows": args.rows, "precision": args.precision,
                    "validate_every": 0, "checkpoint_every": 0, "log_every": args.steps,
                },
            }
        )  # fmt: skip
        tokens = args.steps * args.rows * args.sequence_length
        ours, peer = [], []
        for repeat in range(args.repeats):
            ours.append(tokens / time_dateline(recipe, root / f"run{repeat}"))
            peer.append(tokens / time_trainer(recipe, root / f"peer{repeat}", args.steps, bf16=args.peer_bf16))
            print(f"run {repeat}: dateline {ours[-1]:,.0f} tokens/s, Trainer {peer[-1]:,.0f} tokens/s", flush=True)
    ratios = [a / b for a, b in zip(ours, peer, strict=True)]
    precisions = f"dateline {args.precision}, Trainer {'bfloat16' if args.peer_bf16 else 'float32'}"
    print(
        f"{args.size}, {args.rows} rows of {args.sequence_length}, {precisions}: medians "
        f"{statistics.median(ours):,.0f} and {statistics.median(peer):,.0f} tokens/s; "
        f"ratio {statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
    )


def time_dateline(recipe: TrainRecipe, out: Path) -> float:
    """Returns the seconds of all steps after the first, scaled to all steps."""
    train_model(recipe, out)
    _, last = (record for record in read_metrics(out) if record["kind"] == "train")
    speed: float = last["tokens_per_second"]
    rows = recipe.train.steps * recipe.train.batch_rows if recipe.train.steps else 0
    fill = last["tokens"] / (rows * recipe.packing.sequence_length)
    return rows * recipe.packing.sequence_length * fill / speed


def time_trainer(recipe: TrainRecipe, out: Path, steps: int, *, bf16: bool) -> float:
    """Returns the seconds of all steps after the first, scaled to all steps."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    corpus = EncodedCorpus.open(recipe.data)
    tokenizer = load_tokenizer(corpus.tokenizer_folder)
    loader = build_loader(recipe, corpus, tokenizer)
    config = llama_config(recipe.model, len(tokenizer), bos=loader.bos, eos=loader.eos, pad=loader.pad)
    model = build_model(config, recipe.seed)
    model.set_attn_implementation("sdpa")
    times = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    arguments = TrainingArguments(
        output_dir=str(out), max_steps=steps, per_device_train_batch_size=recipe.train.batch_rows, bf16=bf16,
        use_cpu=not torch.cuda.is_available(), report_to="none", save_strategy="no", logging_strategy="no",
        disable_tqdm=True, learning_rate=3e-3, adam_beta2=0.95, weight_decay=0.033, max_grad_norm=0.1,
    )  # fmt: skip
    data = Rows(loader, steps * recipe.train.batch_rows)
    Trainer(model=model, args=arguments, train_dataset=data, callbacks=[Clock()]).train()
    return (times[-1] - times[0]) * steps / (steps - 1)


if __name__ == "__main__":
    main()
