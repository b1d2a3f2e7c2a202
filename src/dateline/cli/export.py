"""`dateline export`: a checkpoint of a run as a Hugging Face model folder, while the run goes on or after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Export:
    """Writes a checkpoint of a run as a Hugging Face folder: config, safetensors, tokenizer.

    The run may still be going on. A finished run has such a folder already, in `model/`.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    out: Path
    """Folder to make."""
    step: int | None = None
    """Steps that the checkpoint has done; without it, the newest."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = tyro.cli(Export, prog="dateline export", args=words)
    from dateline.train.export import export_model

    folder = export_model(args.run, args.out, step=args.step, overwrite=args.overwrite)
    print(
        f"{folder}: a Hugging Face model; score it with: dateline eval perplexity {folder} --corpus ENCODED --out DIR"
    )
