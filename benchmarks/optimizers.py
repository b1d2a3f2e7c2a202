"""AdamW against Muon at equal tokens: the newswire and, where a file is given, real news; three seeds each.

Enters: nothing, or a file of news that `dateline corpus` reads. Leaves: Markdown tables, row by row.
Deliberately not done: no settings but the learning rate are searched; one model size, one length.

    python benchmarks/optimizers.py [--articles news.parquet] [--tokens 400000] [--size nano] [--seeds 0 1 2]

Both optimizers have the paper's settings (betas 0.9 and 0.95, weight decay 0.033, clipping at 0.1) and, at the same
seed, the same model, rows, order and prefixes; they differ in name and learning rate. The rates are chosen by one run
each at another seed (`--sweep-seed`) with as many tokens, by the lower validation loss under gold; a best rate at the
edge of its list is marked, since a better one may lie beyond. Then every seed is trained with both. What is compared is
the validation loss in nats per body token at the end of the run, with metadata (gold) and without (none), on the same
documents. Differences are paired by seed; the interval is Student's t over the seeds: with three seeds it has two
degrees of freedom, is 2.2 times as wide as a normal one, and speaks of seeds only, not of other sizes, lengths or data.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.stats import t

from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
from dateline.model.sizes import SIZES
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.train.loop import train_model
from dateline.train.recipe import TrainRecipe

OPTIMIZERS = ("adamw", "muon")
CONDITIONS = ("gold", "none")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", help="real news: a Parquet, JSON Lines or CSV file")
    parser.add_argument("--newswire", type=int, default=12_000, help="articles of the newswire; 0 leaves it out")
    parser.add_argument("--size", default="nano", choices=tuple(SIZES))
    parser.add_argument("--tokens", type=int, default=400_000, help="tokens of a run, prefixes included")
    parser.add_argument("--batch-rows", type=int, default=4)
    parser.add_argument("--sequence-length", type=int, default=512)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--validation-documents", type=int, default=256)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sweep-seed", type=int, default=100)
    parser.add_argument("--adamw-rates", type=float, nargs="+", default=[3e-3, 6e-3, 1.2e-2])
    parser.add_argument("--muon-rates", type=float, nargs="+", default=[6e-3, 1.2e-2, 2.4e-2])
    args = parser.parse_args(words)
    if args.sweep_seed in args.seeds:
        parser.error("--sweep-seed: is among --seeds; rates chosen on a seed must not be judged on it")
    if len(args.seeds) < 2 or not (args.newswire or args.articles):
        parser.error("two seeds at least, and --newswire or --articles")
    sources = {"newswire": CorpusRecipe(newswire=NewswireSource(articles=args.newswire))} if args.newswire else {}
    if args.articles:
        sources["real news"] = CorpusRecipe(paths=(args.articles,), require_place=True)
    with tempfile.TemporaryDirectory() as name:
        for number, (source, recipe) in enumerate(sources.items()):
            folder = Path(name) / str(number)
            build_corpus(recipe, folder / "corpus")
            encode_stage(EncodeRecipe(vocab_size=args.vocab_size), folder / "corpus").make(folder / "encoded")
            compare(source, folder, args)


def compare(source: str, folder: Path, args: argparse.Namespace) -> None:
    """Chooses learning rates, trains every seed with both optimizers, and prints what came out."""
    started = time.monotonic()
    steps = -(-args.tokens // (args.batch_rows * args.sequence_length))
    print(f"## {source}: {args.size}, {steps} steps of {args.batch_rows} rows of {args.sequence_length}\n")
    print(f"Learning rates, seed {args.sweep_seed}: validation loss under gold.\n")
    print("| Optimizer | Rate | Loss |\n|---|--:|--:|", flush=True)
    best = {}
    for optimizer in OPTIMIZERS:
        rates = sorted(getattr(args, f"{optimizer}_rates"))
        losses = {}
        for rate in rates:
            losses[rate] = run(folder, optimizer, rate, args.sweep_seed, steps, args)["gold"]
            print(f"| {optimizer} | {rate:g} | {losses[rate]:.4f} |", flush=True)
        best[optimizer] = min(rates, key=lambda rate: losses[rate])
        if len(rates) > 1 and best[optimizer] in (rates[0], rates[-1]):
            print(f"| {optimizer} | {best[optimizer]:g} | at the edge of the list: a better one may lie beyond |")
    print("\n| Seed | Optimizer | Rate | gold | none | tokens/s |\n|--:|---|--:|--:|--:|--:|", flush=True)
    found: dict[str, list[dict[str, float]]] = {optimizer: [] for optimizer in OPTIMIZERS}
    for seed in args.seeds:
        for optimizer in OPTIMIZERS:
            one = run(folder, optimizer, best[optimizer], seed, steps, args)
            found[optimizer].append(one)
            losses_text = " | ".join(f"{one[condition]:.4f}" for condition in CONDITIONS)
            speed = f"{one['tokens_per_second']:,.0f}"
            print(f"| {seed} | {optimizer} | {best[optimizer]:g} | {losses_text} | {speed} |", flush=True)
    print("\n| Condition | AdamW, mean | Muon, mean | Muon - AdamW | 95% interval |\n|---|--:|--:|--:|--:|")
    for condition in CONDITIONS:
        adamw, muon = ([one[condition] for one in found[optimizer]] for optimizer in OPTIMIZERS)
        mean, low, high = paired(muon, adamw)
        means = f"{statistics.mean(adamw):.4f} | {statistics.mean(muon):.4f}"
        print(f"| {condition} | {means} | {mean:+.4f} | [{low:+.4f}, {high:+.4f}] |")
    print(f"\n{len(args.seeds)} seeds, {time.monotonic() - started:.0f} s.\n", flush=True)


def paired(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Returns the mean of first - second and its 95% interval by Student's t."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean = statistics.mean(differences)
    half = t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    return mean, mean - half, mean + half


def run(folder: Path, optimizer: str, rate: float, seed: int, steps: int, args: argparse.Namespace) -> dict[str, float]:
    """Trains one model; returns its last validation loss by condition, and its speed."""
    settings: dict[str, Any] = {
        "data": str(folder / "encoded"),
        "seed": seed,
        "conditions": {"dropout": 0.1},
        "mix": {"weights": "natural"},
        "packing": {"sequence_length": args.sequence_length, "window_rows": 1024},
        "model": {"size": args.size},
        "optimizer": {"name": optimizer, "learning_rate": rate},
        "schedule": {"warmup_steps": max(1, steps // 10)},
        "train": {
            "steps": steps, "batch_rows": args.batch_rows, "log_every": max(1, steps // 5), "validate_every": steps,
            "validation_documents": args.validation_documents, "checkpoint_every": 0,
        },
    }  # fmt: skip
    out = folder / f"{optimizer}-{rate:g}-{seed}"
    train_model(TrainRecipe.model_validate(settings), out)
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = {
        record["condition"]: float(record["loss"])
        for record in records
        if record["kind"] == "validation" and record["group"] == "all" and record["step"] == steps
    }
    if set(losses) != set(CONDITIONS):
        raise SystemExit(
            f"{out}: no validation loss; with so few articles no document was left for the split: give more"
        )
    speeds = [float(record["tokens_per_second"]) for record in records if record["kind"] == "train"]
    return {**losses, "tokens_per_second": statistics.median(speeds[1:])}


if __name__ == "__main__":
    main()
