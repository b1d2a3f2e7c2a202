"""What it costs to locate a text among 18 places, in scorings of the same text under one place.

    python benchmarks/locate.py [--sizes pico nano micro] [--lengths 80 700] [--repeats 15] [--threads 2]

Models have random weights. Prints a table: milliseconds of one scoring (a batch of one), the ratio of locating to it,
and the same for other ways to run the 18 places, without loading and tokenizing. All ways take turns in one process; a
ratio is the median over turns, with the middle half of the turns behind it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dateline.conditions import PREFIX_FORMAT, Field, render
from dateline.corpus.newswire import newswire
from dateline.evaluate.locate import Locator, open_locator
from dateline.evaluate.locate.locator import country_prompts
from dateline.model.load import build_model, llama_config
from dateline.model.scoring import score_segments
from dateline.model.sizes import ModelRecipe
from dateline.places import PAPER_COUNTRIES
from dateline.records import body_text
from dateline.tokens.tokenizer import train_tokenizer

FIELDS: tuple[Field, ...] = ("country", "continent")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["pico", "nano", "micro"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[80, 700])
    parser.add_argument("--tokens", nargs="+", type=int, default=[128, 256])
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(words)
    torch.set_num_threads(args.threads)
    print(f"{len(PAPER_COUNTRIES)} places, {args.threads} threads, float32 on the CPU, torch {torch.__version__}")
    print("| Size | Tokens | Way | One scoring, ms | Ratio | Middle half |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for size in args.sizes:
            locator = make_locator(Path(name) / size, size, args.vocab_size)
            for length in args.lengths:
                measure(locator, size, length, args.tokens, args.repeats)


def make_locator(folder: Path, size: str, vocab_size: int) -> Locator:
    texts = [body_text(article.title, article.text) for article in newswire(2_000, seed=0)]
    prompts = country_prompts(FIELDS, PAPER_COUNTRIES)
    prefixes = [render(place, prompts.fields) for place in prompts.places]
    tokenizer = train_tokenizer([*texts, *prefixes * 100], vocab_size)
    config = llama_config(ModelRecipe(size=size, max_positions=2048), len(tokenizer), bos=0, eos=1, pad=2)
    build_model(config, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "dateline.json").write_text(json.dumps({"fields": list(FIELDS), "prefix_format": PREFIX_FORMAT}))
    return open_locator(folder, PAPER_COUNTRIES, num_tokens=None, device="cpu")


def measure(locator: Locator, size: str, length: int, tokens: list[int], repeats: int) -> None:
    subject = locator.subject
    body = np.random.default_rng(0).integers(3, subject.vocabulary, length).astype(np.int32)
    one = locator.protocol.segments(subject.bos, locator.prefixes[0], body)

    def locate(way: Locator) -> Callable[[], object]:
        return lambda: way.nll([body], ["text"])

    ways = {
        f"batches of {locator.batch_tokens:,} tokens (default)": locate(locator),
        "batches of 8,192 tokens": locate(replace(locator, batch_tokens=8192)),
        "a place at a time": locate(replace(locator, batch_tokens=1)),
        **{f"first {n} tokens": locate(replace(locator, num_tokens=n)) for n in tokens if n < length},
    }
    alone: list[float] = []
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(repeats + 1):
        before = seconds(lambda: score_segments(subject.model, one))
        for way, call in ways.items():
            taken[way].append(seconds(call))
        after = seconds(lambda: score_segments(subject.model, one))
        alone.append((before + after) / 2)
        if not turn:  # the first turn warms up
            alone.clear()
            for times in taken.values():
                times.clear()
    for way, times in taken.items():
        ratios = np.array(times) / np.array(alone)
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        print(
            f"| {size} | {length} | {way} | {1000 * np.median(alone):.1f} | {middle:.2f} | {low:.2f} to {high:.2f} |",
            flush=True,
        )


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
