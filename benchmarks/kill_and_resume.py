"""A run that is killed again and again ends as one that never was: the same weights, bit by bit, and the same metrics.

Enters: nothing; a newswire corpus is made in a temporary folder. Leaves: a table of kills and of what was compared.
Deliberately not done: no graceful stop; every end is SIGKILL at a random moment, steps, validations and checkpoints
included.

    python benchmarks/kill_and_resume.py [--kills 20] [--steps 120] [--size pico] [--processes 1 2]

Two modes: one process, and two that share the run (DDP over gloo); of two, one at random is killed, and the other right
after it, as a launcher does. Everything in `metrics.jsonl` is compared but the measured speed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SPEED = ("tokens_per_second", "flops_per_second", "mfu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--size", default="pico")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    multiprocessing.get_context("forkserver").set_forkserver_preload(["dateline.train.loop"])
    draw = random.Random(args.seed)
    print("| processes | kills | steps taken by then | steps again | weights | metrics | seconds |", flush=True)
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        recipe = make_recipe(root, args.steps, args.size)
        good = [compare(recipe, root / str(size), size, args.kills, args.steps, draw) for size in args.processes]
    if not all(good):
        sys.exit(1)


def make_recipe(root: Path, steps: int, size: str) -> str:
    """Makes a corpus, and returns the recipe as JSON: dropout is on, so that random generators count too."""
    from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
    from dateline.tokens.encode import EncodeRecipe, encode_stage
    from dateline.train.recipe import TrainRecipe

    build_corpus(CorpusRecipe(newswire=NewswireSource(articles=600), language=None), root / "corpus")
    encode_stage(EncodeRecipe(vocab_size=512), root / "corpus").make(root / "encoded")
    recipe = TrainRecipe.model_validate(
        {
            "data": str(root / "encoded"),
            "conditions": {"dropout": 0.1},
            "packing": {"sequence_length": 128},
            "model": {"size": size, "dropout": 0.1},
            "schedule": {"warmup_steps": 10},
            "optimizer": {"learning_rate": 1.0e-3, "clip_norm": 1.0},
            "guard": {"spike_factor": 200.0, "window": 20},
            "train": {
                "steps": steps, "batch_rows": 4, "precision": "float32", "device": "cpu", "log_every": 1,
                "validate_every": 25, "validation_documents": 16, "checkpoint_every": 4,
            },
        }
    )  # fmt: skip
    return recipe.model_dump_json()


def compare(recipe: str, root: Path, size: int, kills: int, steps: int, draw: random.Random) -> bool:
    """Trains once undisturbed and once killed, prints a line, and says whether both ended the same."""
    import torch
    from safetensors.torch import load_file

    whole, out = root / "whole", root / "killed"
    running = start(recipe, whole, size, root / "whole.log")
    wait_for(running, whole, 1)
    began = time.perf_counter()
    for process in running:
        process.join()
        if process.exitcode:
            sys.exit(f"the undisturbed run has failed: {(root / 'whole.log').read_text()[-2000:]}")
    seconds = time.perf_counter() - began
    seen: list[int] = []
    again = 0
    began = time.perf_counter()
    while not (out / "manifest.json").exists():
        reached, stamp = records(out), changed(out)
        processes = start(recipe, out, size, root / "killed.log")
        if len(seen) < kills:
            if draw.random() < 0.9:  # the others are killed while they start
                while changed(out) == stamp and any(process.is_alive() for process in processes):
                    processes[0].join(0.002)
                done = begun_at(out)
                again += max(0, reached - done)
                wait_for(processes, out, done + 1)
            at = time.perf_counter() + draw.uniform(0, 1.2 * seconds / kills)
            while time.perf_counter() < at and any(process.is_alive() for process in processes):
                processes[0].join(0.002)
            draw.shuffle(processes)
            for process in processes:
                process.kill()
            seen.append(records(out))
        for process in processes:
            process.join()
        failed = [process.exitcode for process in processes if process.exitcode not in (0, -9)]
        if failed and len(seen) == kills:
            sys.exit(f"a process has failed: {(root / 'killed.log').read_text()[-2000:]}")
    one, other = (load_file(folder / "model" / "model.safetensors") for folder in (whole, out))
    weights = one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    metrics = diary(whole) == diary(out)
    shown = ", ".join(map(str, seen))
    verdicts = ["the same" if same else "DIFFERENT" for same in (weights, metrics)]
    print(
        f"| {size} | {len(seen)} | {shown} | {again} | {verdicts[0]} | {verdicts[1]} ({len(diary(out))} records) | "
        f"{time.perf_counter() - began:.0f} |",
        flush=True,
    )
    return weights and metrics


def start(recipe: str, out: Path, size: int, log: Path) -> list[Any]:
    """Starts the processes of a run, forked from one that has imported everything already."""
    log.parent.mkdir(parents=True, exist_ok=True)
    port = random.randrange(20_000, 32_000)  # outside the range of outgoing connections, one of which might take it
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=train, args=(recipe, out, rank, size, port, log)) for rank in range(size)]
    for process in processes:
        process.start()
    return processes


def train(recipe: str, out: Path, rank: int, size: int, port: int, log: Path) -> None:
    """Runs in a process of its own: one rank of one attempt."""
    sys.stdout = sys.stderr = log.open("a", encoding="utf-8", buffering=1)
    if size > 1:
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
        os.environ.update({"MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in places.items()}})
    import torch

    from dateline.train.loop import train_model
    from dateline.train.recipe import TrainRecipe

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    train_model(TrainRecipe.model_validate_json(recipe), out, resume=True)


def records(out: Path) -> int:
    """Returns the steps that the diary knows of."""
    return max((record["step"] for record in diary(out)), default=0)


def begun_at(out: Path) -> int:
    """Returns the steps that the newest attempt found done, from `run.json`."""
    done: int = json.loads((out / "run.json").read_text(encoding="utf-8"))["done"]
    return done


def changed(out: Path) -> int:
    """Returns when `run.json` was written, 0 before; an attempt writes it when it has taken over its checkpoint."""
    try:
        return (out / "run.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def wait_for(processes: list[Any], out: Path, step: int) -> None:
    """Returns when the diary knows of a step, or all processes have ended."""
    while records(out) < step and any(process.is_alive() for process in processes):
        processes[0].join(0.002)


def diary(out: Path) -> list[dict[str, Any]]:
    """Returns all records without their speed."""
    from dateline.train.metrics import read_metrics

    return [{key: value for key, value in record.items() if key not in SPEED} for record in read_metrics(out)]


if __name__ == "__main__":
    main()
