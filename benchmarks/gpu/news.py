"""The runs of news.yaml within a time budget: body tokens a run by the rate that this device reaches.

    python benchmarks/gpu/news.py prepare --out DIR           (corpus and encoding: needs no GPU)
    python benchmarks/gpu/news.py run --out DIR --seconds 225 --workers 6 [--dry-run]

Six runs share one GPU, because a model of 34 million parameters leaves it idle between kernels. The four global runs
are trained and evaluated first; where the time is up before the rest is finished, tables are made of what is.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dateline.config import load_recipe
from dateline.corpus import corpus_stage
from dateline.experiment import ExperimentRecipe
from dateline.manifest import read_manifest
from dateline.tokens.encode import encode_stage
from dateline.train.callbacks import Callback
from dateline.train.loop import train_model
from dateline.train.recipe import TrainRecipe

RECIPE = Path(__file__).parent / "news.yaml"
TINY = (
    "--defaults.model.size",
    "pico",
    "--defaults.train.batch_rows",
    "4",
    "--evaluate.protocol.num_documents",
    "8",
    "--evaluate.resamples",
    "200",
)
"""What a dry run lays over the recipe."""
START_SECONDS = 12.0
"""Until a new process takes its first step."""
TABLES_SECONDS = 30.0
"""For tables, findings and report of all runs; the four global ones alone take less than half of it."""
CAUTION = 0.8
"""Share of the measured rate that is counted on."""
PROBE_SECONDS = 8.0
SAMPLED = 100
"""Articles of a country in a dry run."""
DRY_TOKENS = 12_000
LEAST_TOKENS, MOST_TOKENS = 200_000, 30_000_000


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prepare", "run"))
    parser.add_argument("--out", type=Path, required=True, help="folder of the experiment")
    parser.add_argument("--seconds", type=float, default=225, help="for all of it")
    parser.add_argument("--workers", type=int, default=6, help="runs that share the GPU")
    parser.add_argument("--dry-run", action="store_true", help="tiny models, some steps each")
    args = parser.parse_args(words)
    deadline = time.monotonic() + args.seconds
    overrides = [*TINY, "--corpus.paths", json.dumps([str(sample(args.out))])] if args.dry_run else []
    recipe = load_recipe(ExperimentRecipe, RECIPE, overrides)
    prepare(recipe, args.out)
    if args.what == "prepare":
        return
    runs = recipe.planned()
    rate = measure_rate(recipe, args.out, args.workers)
    left = deadline - time.monotonic()
    print(f"{args.workers} runs side by side: {rate:,.0f} tokens/s; {left:.0f} s left", flush=True)
    tokens = DRY_TOKENS if args.dry_run else tokens_of_a_run(rate, left, len(runs), args.workers)
    print(f"{len(runs)} runs of {tokens:,} body tokens", flush=True)
    overrides += ["--defaults.train.body_tokens", str(tokens)]
    assert recipe.grid is not None
    blocks = recipe.grid.blocks
    for chosen in (blocks[:1], blocks):
        seconds = deadline - time.monotonic() - TABLES_SECONDS
        words = [*overrides, "--grid.blocks", json.dumps(list(chosen))]
        code = experiment(args.out, words, args.workers, seconds)
        if code is None:
            break
    else:
        raise SystemExit(code)
    finished = [run for run in runs if is_finished(args.out, run[0])]
    print(f"the time is up: tables of {len(finished)} of {len(runs)} runs", flush=True)
    if finished:
        alone = json.dumps(blocks_of(finished))
        experiment(args.out, [*overrides, "--grid.blocks", alone], 1, TABLES_SECONDS)
    raise SystemExit(1)


def sample(out: Path) -> Path:
    """Writes some articles of each country that has a hundred, beside the folder of a dry run; returns the file."""
    path = out.with_name("sample.parquet")
    if not path.is_file():
        news = pq.read_table(load_recipe(ExperimentRecipe, RECIPE, []).corpus.paths[0])
        countries = news.column("country").to_pylist()
        rows: dict[str, list[int]] = {}
        for number, country in enumerate(countries):
            rows.setdefault(country, []).append(number)
        chosen = [number for numbers in rows.values() if len(numbers) >= 100 for number in numbers[:SAMPLED]]
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(news.take(chosen), path)
    return path


def prepare(recipe: ExperimentRecipe, out: Path) -> None:
    """Builds and encodes the corpus, where that is not done."""
    corpus_stage(recipe.corpus).ensure(out / "corpus")
    encode_stage(recipe.encode, out / "corpus").ensure(out / "encoded")


class _Clock(Callback):
    """Ends a run after some seconds, and knows its speed."""

    def __init__(self) -> None:
        self.first = 0.0
        self.speeds: list[float] = []

    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        if kind != "train":
            return
        self.first = self.first or time.monotonic()
        self.speeds.append(float(values["tokens_per_second"]))
        if time.monotonic() > self.first + PROBE_SECONDS:
            raise TimeoutError


def measure_speed(recipe: TrainRecipe, out: str) -> float:
    """Trains for some seconds; returns the median of tokens per second, without the first record."""
    clock = _Clock()
    with suppress(TimeoutError):
        train_model(recipe, Path(out), callbacks=[clock])
    return statistics.median(clock.speeds[1:] or clock.speeds)


def measure_rate(recipe: ExperimentRecipe, out: Path, workers: int) -> float:
    """Returns the tokens per second of several runs side by side, all together."""
    one = recipe.run("global-with", 0, data=str(out / "encoded"))
    training = one.train.model_copy(update={"log_every": 2})
    one = one.model_copy(update={"train": training})
    with (
        tempfile.TemporaryDirectory() as root,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        folders = [str(Path(root) / str(number)) for number in range(workers)]
        return sum(pool.map(partial(measure_speed, one), folders))


def tokens_of_a_run(rate: float, seconds: float, runs: int, workers: int) -> int:
    """Returns the body tokens of a run, so that all runs and their tables take no longer than `seconds`.

    Args:
        rate: tokens per second of all workers together.
        seconds: that are left.
        runs: how many.
        workers: that share them.
    """
    rounds = 1 + -(-(runs - 4) // workers)  # the four global runs, then the others
    training = seconds - rounds * START_SECONDS - 1.5 * TABLES_SECONDS
    fits = int(CAUTION * rate * max(0.0, training) / runs)
    return min(MOST_TOKENS, max(LEAST_TOKENS, fits // 100_000 * 100_000))


def experiment(out: Path, overrides: Sequence[str], workers: int, seconds: float) -> int | None:
    """Runs `dateline experiment` for so many seconds at most; returns its exit code, None where it was stopped."""
    if seconds <= 0:
        return None
    words = [sys.executable, "-m", "dateline", "experiment", str(RECIPE), "--out", str(out), "--workers", str(workers)]
    process = subprocess.Popen([*words, *overrides])
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # it tells its workers, and ends
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return None


def blocks_of(runs: Sequence[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Returns the blocks of a grid of these runs alone, from the name, the family and the seed of each."""
    seeds: dict[str, list[int]] = {}
    for _, family, seed in runs:
        seeds.setdefault(family, []).append(seed)
    names = {family: family.rpartition("-") for family in seeds}
    return [{"trained_on": names[one][0], "metadata": names[one][2], "seeds": seeds[one]} for one in seeds]


def is_finished(out: Path, run: str) -> bool:
    """Says whether a run is trained and evaluated."""
    return all(read_manifest(out / stage / run) is not None for stage in ("runs", "perplexity"))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")  # of each of the processes that share the machine
    main()
