"""`dateline quickstart`: the whole path on the embedded newswire.

Enters: nothing but a folder. Leaves: an experiment's folder with `report.html` and `summary.json`.
Deliberately not done: no recipe of its own; it is `dateline experiment` with the recipe inside the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from dateline.config import load_recipe

RECIPE = Path(__file__).parent / "quickstart.yaml"


@dataclass(frozen=True)
class Quickstart:
    """Trains a plain and a conditioned model on the embedded newswire and shows what knowing the place is worth.

    Takes three to six minutes on two CPU cores. Any value of recipes/quickstart.yaml can be given as --section.key
    VALUE.
    """

    out: Path = Path("runs/quickstart")
    """Folder of the experiment."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args, overrides = tyro.cli(Quickstart, prog="dateline quickstart", args=words, return_unknown_args=True)
    from dateline.cli.experiment import execute
    from dateline.experiment import ExperimentRecipe

    execute(load_recipe(ExperimentRecipe, RECIPE, overrides), args.out)
