"""`dateline train`: one model, on one process or several; torchrun and `dateline launch` call it too."""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Annotated

import pydantic
import tyro

from dateline.cli.options import read_words
from dateline.config import Section, load_recipe
from dateline.errors import Interrupted, TrainingDiverged, UserError

GRACE = 2.0
"""Seconds that a silent process leaves to the one that speaks."""


class Train(Section):
    """Trains one model on an encoded corpus.

    Any value of the recipe can be given as --section.key VALUE, for example --train.steps 200 or --data runs/encoded.
    """

    recipe: Annotated[Path, tyro.conf.Positional]
    """Training recipe (.yaml)."""
    out: Path
    """Folder of the run."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue from the newest checkpoint in --out, with the same loss curve as if nothing had happened."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the run that stands there."""
    nproc: Annotated[int, pydantic.Field(ge=1)] = 1
    """Processes on this machine that share the run, one a GPU; the same as torchrun --nproc-per-node."""


def run(words: list[str]) -> None:
    """Runs the verb; of several processes, the first speaks for all."""
    args, overrides = read_words("dateline train", Train, words)
    rank = int(os.environ.get("RANK", "0"))
    if args.nproc > 1:
        if "WORLD_SIZE" in os.environ:
            raise UserError("--nproc: a launcher has started this process already; leave --nproc out")
        _start(args.nproc, _without_nproc(words))
        return
    from dateline.train.recipe import TrainRecipe

    try:
        recipe = load_recipe(TrainRecipe, args.recipe, overrides)
    except UserError:
        _hush(rank)  # each process reads the same words
        raise
    from dateline.model.sizes import is_undertrained, undertrained
    from dateline.train.folder import checkpoints
    from dateline.train.loop import train_model
    from dateline.train.parallel import RemoteRankFailure

    if args.resume and rank == 0 and not checkpoints(args.out):
        print(f"{args.out}: no checkpoint to resume from; starting at the first step", file=sys.stderr)
    try:
        manifest = train_model(recipe, args.out, resume=args.resume, overwrite=args.overwrite)
    except (Interrupted, TrainingDiverged):  # decided by all
        _hush(rank)
        raise
    except RemoteRankFailure:
        _hush(rank or 1)
        sys.exit(1)
    if rank == 0:
        counts = manifest.counts
        print(
            f"{args.out / 'model'}: {manifest.facts['parameters']:,} parameters after {counts['steps']:,} steps, "
            f"{counts['body_tokens']:,} body tokens of {counts['tokens']:,}"
        )
        if recipe.init_from is None and is_undertrained(counts["body_tokens"], manifest.facts["parameters"]):
            print(undertrained([args.out.name]))


def _hush(rank: int) -> None:
    """Lets a process end silently, after the one that reports the error.

    A launcher ends all processes as soon as one has ended.
    """
    if rank:
        time.sleep(GRACE)
        sys.stderr = io.StringIO()


def _without_nproc(words: list[str]) -> list[str]:
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--nproc":
            next(rest)
        elif not word.startswith("--nproc="):
            kept.append(word)
    return kept


def _start(nproc: int, words: list[str]) -> None:
    """Runs the same words in several processes through PyTorch's own launcher, and ends with their exit code."""
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // nproc)))
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the first process has said why
    try:
        with tempfile.TemporaryDirectory() as logs:  # the launcher wants a folder, and would leave one behind
            config = LaunchConfig(
                min_nodes=1, max_nodes=1, nproc_per_node=nproc, run_id=uuid.uuid4().hex, rdzv_backend="c10d",
                rdzv_endpoint="localhost:0", max_restarts=0, logs_specs=DefaultLogsSpecs(log_dir=logs),
            )  # fmt: skip
            elastic_launch(config, sys.executable)("-m", "dateline", "train", *words)
    except ChildFailedError as error:
        rank, first = error.get_first_failure()
        if first.exitcode < 0:
            raise UserError(
                f"process {rank} of {nproc} was killed by signal {-first.exitcode} (out of memory?); "
                "continue with --resume"
            ) from None
        sys.exit(first.exitcode)
    except SignalException:  # sent on to the processes, which have saved and said so
        sys.exit(130)
