"""`dateline train`: one model.

Enters: a training recipe. Leaves: a run's folder with the model in `model/`.
Deliberately not done: one process; several come with a later version.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dateline.config import load_recipe


@dataclass(frozen=True)
class Train:
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


def run(words: list[str]) -> None:
    """Runs the verb."""
    args, overrides = tyro.cli(Train, prog="dateline train", args=words, return_unknown_args=True)
    from dateline.train.recipe import TrainRecipe

    recipe = load_recipe(TrainRecipe, args.recipe, overrides)
    from dateline.train.checkpoint import checkpoints
    from dateline.train.loop import train_model

    if args.resume and not checkpoints(args.out):
        print(f"{args.out}: no checkpoint to resume from; starting at the first step", file=sys.stderr)
    manifest = train_model(recipe, args.out, resume=args.resume, overwrite=args.overwrite)
    counts = manifest.counts
    print(
        f"{args.out / 'model'}: {manifest.facts['parameters']:,} parameters after {counts['steps']:,} steps, "
        f"{counts['body_tokens']:,} body tokens of {counts['tokens']:,}"
    )
