"""The runs of an experiment one by one, and which of them are compared.

Enters: an experiment recipe. Leaves: named training recipes, and pairs of (run, condition).
Deliberately not done: no search over settings; a run is written down before it is made.
"""

from __future__ import annotations

from typing import NamedTuple

from dateline.conditions import parse_condition
from dateline.experiment.recipe import ExperimentRecipe
from dateline.train.recipe import TrainRecipe


class Run(NamedTuple):
    """One model of the experiment."""

    name: str
    """`conditioned`, or `conditioned-seed1` where there are several seeds."""
    family: str
    """The name in the recipe."""
    recipe: TrainRecipe

    @property
    def is_plain(self) -> bool:
        """Whether the run never sees metadata."""
        return not self.recipe.conditions.fields


def named_conditions(run: Run, recipe: ExperimentRecipe) -> list[str]:
    """Returns the conditions of a run by the names that they have in its tables."""
    return [parse_condition(name, run.recipe.conditions.fields).name for name in conditions_of(run, recipe)]


class Comparison(NamedTuple):
    """Two scores on the same tokens: the first minus the second."""

    run: str
    condition: str
    versus_run: str
    versus_condition: str


def expand(recipe: ExperimentRecipe, data: str) -> list[Run]:
    """Returns every run under every seed, seeds together, in the order of the recipe."""
    several = len(recipe.seeds) > 1
    return [
        Run(f"{family}-seed{seed}" if several else family, family, recipe.run(family, seed, data=data))
        for seed in recipe.seeds
        for family in recipe.runs
    ]


def conditions_of(run: Run, recipe: ExperimentRecipe) -> tuple[str, ...]:
    """Returns the conditions under which a run is scored."""
    return ("none",) if run.is_plain else recipe.evaluate.conditions


def comparisons(recipe: ExperimentRecipe, runs: list[Run]) -> list[Comparison]:
    """Returns what is compared: each condition with a plain run of the same seed, and conditions with gold.

    `swap:all` is not among them: its countries are compared with one another. The plain run is the first with the same
    mix and model; where there is none, the first of all. Under the `paper` protocol nothing is compared in pairs: its
    conditions score different tokens.
    """
    result: list[Comparison] = []
    for run in runs if recipe.evaluate.protocol.name == "strict" else []:
        others = [other for other in runs if other.is_plain and other.recipe.seed == run.recipe.seed]
        alike = [o for o in others if o.recipe.mix == run.recipe.mix and o.recipe.model == run.recipe.model]
        plain = next(iter(alike or others), None)
        scored = [name for name in named_conditions(run, recipe) if name != "swap:all"]
        if plain is not None and plain.name != run.name:
            result += [Comparison(run.name, condition, plain.name, "none") for condition in scored]
        told = sorted((name for name in scored if name != "gold"), key=lambda name: name != "wrong")
        result += [Comparison(run.name, name, run.name, "gold") for name in told if "gold" in scored]
    return result
