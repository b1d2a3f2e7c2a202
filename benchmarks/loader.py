"""The loader alone: tokens per second and memory, against what the fastest model on this machine asks for.

Enters: nothing; random documents with lengths like news are written to a temporary folder. Leaves: a Markdown table.
Deliberately not done: no network, no tokenizing: what is timed begins with an encoded corpus on disk.

    python benchmarks/loader.py [--documents 50000] [--repeats 3] [--sizes pico nano] [--needed 120000]

Bodies are log-normal with a median of 500 tokens and a mean of about 700 (as in planning.py), tokens follow Zipf's law
over a vocabulary of 128,256, prefixes name domain, country and continent. "Asked for" is the speed of `dateline train`
on this machine with each of `--sizes` (12 steps, fastest record); `--needed` adds a speed measured elsewhere, say on a
GPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dateline.conditions import DEFAULT_FIELDS, Metadata, render
from dateline.manifest import Manifest, write_manifest
from dateline.model.sizes import SIZES
from dateline.places import PAPER_COUNTRIES
from dateline.places.countries import continent_of
from dateline.tokens.encode import FORMAT
from dateline.tokens.store import SCHEMA, EncodedCorpus, ShardWriter
from dateline.tokens.tokenizer import load_tokenizer, train_tokenizer
from dateline.train.loop import train_model
from dateline.train.recipe import TrainRecipe, build_loader

PAPER_VOCABULARY = 128_256
OUTLETS = 200


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--rows", type=int, default=8, help="rows in a batch")
    parser.add_argument("--sequence-lengths", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--vocab-size", type=int, default=PAPER_VOCABULARY)
    parser.add_argument("--batches", type=int, default=2000, help="batches that are timed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", nargs="*", default=["pico", "nano"], choices=tuple(SIZES))
    parser.add_argument("--needed", type=float, help="tokens per second of the fastest model measured elsewhere")
    args = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "encoded"
        started = time.perf_counter()
        corpus = write_encoded(folder, documents=args.documents, vocab_size=args.vocab_size)
        tokens = corpus.manifest.counts["tokens"]
        seconds = time.perf_counter() - started
        print(f"{args.documents:,} documents, {tokens:,} tokens, written in {seconds:.0f} s\n", flush=True)
        print(
            "| Sequence | Loader, tokens/s | Fill | First batch, s | Memory, MiB |\n|--:|--:|--:|--:|--:|", flush=True
        )
        slowest = float("inf")
        for length in args.sequence_lengths:
            recipe = make_recipe(folder, "nano", length, args.rows, steps=args.batches)
            found = [time_loader(recipe) for _ in range(args.repeats)]
            speeds = [one["tokens_per_second"] for one in found]
            slowest = min(slowest, statistics.median(speeds))
            first = statistics.median(one["first_seconds"] for one in found)
            print(
                f"| {length} | {statistics.median(speeds):,.0f} [{min(speeds):,.0f}, {max(speeds):,.0f}] | "
                f"{100 * found[0]['fill']:.2f}% | {first:.2f} | {peak_mebibytes():,.0f} |",
                flush=True,
            )
        needs = dict([("given", args.needed)] if args.needed else [])
        small = write_encoded(Path(name) / "small", documents=2000, vocab_size=min(4096, args.vocab_size))
        for size in args.sizes:
            recipe = make_recipe(small.folder, size, min(args.sequence_lengths), args.rows, steps=12)
            needs[size] = time_model(recipe, Path(name) / size)
        if needs:
            print("\n| Model | Asked for, tokens/s | Loader is faster by |\n|---|--:|--:|")
        for model, needed in needs.items():
            print(f"| {model} | {needed:,.0f} | {slowest / needed:.0f} |", flush=True)


def write_encoded(
    folder: Path, *, documents: int, vocab_size: int, median_tokens: float = 500, seed: int = 0
) -> EncodedCorpus:
    """Writes an encoded corpus of random tokens, as `dateline encode` would leave it.

    Args:
        folder: to make.
        documents: how many; one in fifty goes to the validation split.
        vocab_size: of the tokenizer, which is filled up with entries that no text produces.
        median_tokens: of a body; lengths are log-normal and at most 30,000.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    outlets = [make_outlet(number) for number in range(OUTLETS)]
    folder.mkdir(parents=True)
    tokenizer = train_tokenizer((render(outlet, DEFAULT_FIELDS) for outlet in outlets), min(2000, vocab_size))
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    entries = state["model"]["vocab"]
    entries.update({f"filler {number}": number for number in range(len(entries), vocab_size)})
    tokenizer._tokenizer = type(tokenizer.backend_tokenizer).from_str(json.dumps(state))
    tokenizer.save_pretrained(folder / "tokenizer")
    ranks = 1 / (np.arange(vocab_size - 3) + 2.7)
    odds = np.cumsum(ranks / ranks.sum())
    total = 0
    with ShardWriter(folder) as writer:
        for start in range(0, documents, 1000):
            lengths = rng.lognormal(np.log(median_tokens), 0.82, min(1000, documents - start))
            lengths = np.clip(lengths, 5, 30_000).astype(np.int64)
            values = (3 + np.searchsorted(odds[:-1], rng.random(lengths.sum()))).astype(np.int32)
            writer.write(
                make_batch(start, lengths, values, [outlets[n] for n in rng.integers(0, OUTLETS, len(lengths))])
            )
            total += int(lengths.sum())
    counts = {"in": documents, "kept": documents, "tokens": total, "bytes": 4 * total}
    recipe = {"documents": documents, "vocab_size": vocab_size, "median_tokens": median_tokens, "seed": seed}
    write_manifest(
        folder, Manifest.of("encode", recipe, {}, format=FORMAT, counts=counts, facts={"vocab_size": vocab_size})
    )
    return EncodedCorpus.open(folder)


def make_outlet(number: int) -> Metadata:
    """Returns a made-up outlet in one of the paper's countries."""
    country = PAPER_COUNTRIES[number % len(PAPER_COUNTRIES)]
    domain = f"outlet{number}.example"
    return Metadata(f"https://{domain}/", domain, country, continent_of(country), "")


def make_batch(start: int, lengths: Any, values: Any, outlets: Sequence[Metadata]) -> pa.RecordBatch:
    """Returns documents `start`, `start + 1`, ... as a record batch of the store."""
    numbers = range(start, start + len(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    texts = {
        "id": [f"{number:016x}" for number in numbers],
        "split": ["validation" if number % 50 == 0 else "train" for number in numbers],
        **{name: [getattr(outlet, name) for outlet in outlets] for name in Metadata._fields},
    }
    columns = [
        pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values, type=pa.int32())),
        *(pa.array(texts[name], type=pa.string()) for name in SCHEMA.names[1:-1]),
        pa.array(4 * lengths, type=pa.int32()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def make_recipe(data: Path, size: str, length: int, rows: int, *, steps: int) -> TrainRecipe:
    """Returns the recipe of a run on such a corpus."""
    return TrainRecipe.model_validate(
        {
            "data": str(data),
            "mix": {"weights": "natural"},
            "conditions": {"dropout": 0.1},
            "packing": {"sequence_length": length},
            "model": {"size": size},
            "schedule": {"warmup_steps": 1},
            "train": {
                "steps": steps, "batch_rows": rows, "log_every": 1, "validate_every": 0, "checkpoint_every": 0,
            },
        }
    )  # fmt: skip


def time_loader(recipe: TrainRecipe) -> dict[str, float]:
    """Returns the tokens per second of all batches after the first, which waits for the plan of a window."""
    corpus = EncodedCorpus.open(recipe.data)
    loader = build_loader(recipe, corpus, load_tokenizer(corpus.tokenizer_folder))
    started = time.perf_counter()
    batches = loader.batches()
    first = next(batches)
    begun = time.perf_counter()
    tokens = size = 0
    for batch in batches:
        tokens += batch.num_tokens
        size += batch.input_ids.size
    seconds = time.perf_counter() - begun
    fill = (tokens + first.num_tokens) / (size + first.input_ids.size)
    return {"tokens_per_second": tokens / seconds, "fill": fill, "first_seconds": begun - started}


def time_model(recipe: TrainRecipe, out: Path) -> float:
    """Returns the tokens per second of the fastest step of a run."""
    train_model(recipe, out)
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return max(float(record["tokens_per_second"]) for record in records if record["kind"] == "train")


def peak_mebibytes() -> float:
    """Returns the largest resident memory of this process so far, memory-mapped tokens included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
