"""The runs of an experiment one by one: what each is, and which of them are compared."""

from __future__ import annotations

from typing import NamedTuple

from dateline.conditions import parse_condition
from dateline.corpus import CorpusRecipe
from dateline.experiment.recipe import ExperimentRecipe
from dateline.manifest import Manifest
from dateline.scores import Run
from dateline.train.recipe import TrainRecipe


class PlannedRun(NamedTuple):
    """One model of the experiment."""

    name: str
    """`conditioned`, or `conditioned-seed1` where there are several seeds."""
    family: str
    """The name in the recipe."""
    recipe: TrainRecipe

    def identity(self, corpus: CorpusRecipe, trained: Manifest | None = None, model: str = "") -> Run:
        """Returns the run's row in the table of runs.

        Args:
            corpus: what its corpus was restricted to.
            trained: the manifest of its training; None while it is only planned, at step 0.
            model: fingerprint of the trained model.
        """
        recipe = self.recipe
        counts = {"steps": 0, "body_tokens": 0} if trained is None else trained.counts
        mix = recipe.mix.weights if isinstance(recipe.mix.weights, str) else "weighted"
        return Run(
            run=self.name,
            family=self.family,
            size=recipe.model.size if recipe.init_from is None else "",
            trained_on="+".join(recipe.mix.include or corpus.countries) or "all",
            left_out="+".join(dict.fromkeys((*recipe.mix.exclude, *corpus.held_out))),
            fields="+".join(recipe.conditions.fields),
            dropout=1.0 if self.is_plain else recipe.conditions.dropout,
            cooldown=recipe.conditions.cooldown,
            mix=mix if mix == "natural" else f"{mix} by {recipe.mix.by}",
            budget=recipe.train.budget,
            seed=recipe.seed,
            step=counts["steps"],
            body_tokens=counts["body_tokens"],
            model=model,
        )

    @property
    def is_plain(self) -> bool:
        """Whether the run never sees metadata."""
        return not self.recipe.conditions.fields


def named_conditions(run: PlannedRun, recipe: ExperimentRecipe) -> list[str]:
    """Returns the conditions of a run by the names that they have in its tables."""
    return [parse_condition(name, run.recipe.conditions.fields).name for name in conditions_of(run, recipe)]


class Comparison(NamedTuple):
    """Two scores on the same tokens: the first minus the second."""

    run: str
    condition: str
    versus_run: str
    versus_condition: str


def expand(recipe: ExperimentRecipe, data: str) -> list[PlannedRun]:
    """Returns every run under every seed, seeds together, in the order of the recipe."""
    return [PlannedRun(run, family, recipe.run(family, seed, data=data)) for run, family, seed in recipe.planned()]


def conditions_of(run: PlannedRun, recipe: ExperimentRecipe) -> tuple[str, ...]:
    """Returns the conditions under which a run is scored."""
    return recipe.evaluate.conditions_for(run.recipe.conditions.fields)


def plan_comparisons(recipe: ExperimentRecipe, runs: list[PlannedRun]) -> list[Comparison]:
    """Returns what is compared: each condition with a plain run of the same seed, and conditions with gold.

    `swap:all` is not among them: its countries are compared with one another. The plain run is the first with the same
    mix and model; where there is none, the first of all. Under the `paper` protocol nothing is compared in pairs: its
    conditions score different tokens.
    """
    result: list[Comparison] = []
    for run in runs if recipe.evaluate.protocol.name == "strict" else []:
        plain = plain_run(run, runs)
        scored = [name for name in named_conditions(run, recipe) if name != "swap:all"]
        if plain is not None and plain.name != run.name:
            result += [Comparison(run.name, condition, plain.name, "none") for condition in scored]
        others = sorted((name for name in scored if name != "gold"), key=lambda name: name != "wrong")
        result += [Comparison(run.name, name, run.name, "gold") for name in others if "gold" in scored]
    return result


def plain_run(run: PlannedRun, runs: list[PlannedRun]) -> PlannedRun | None:
    """Returns the plain run of the same seed that a run is compared with: the first with the same mix and model.

    Where there is none of the same mix and model, the first plain run of the seed.
    """
    others = [other for other in runs if other.is_plain and other.recipe.seed == run.recipe.seed]
    alike = [other for other in others if other.recipe.mix == run.recipe.mix and other.recipe.model == run.recipe.model]
    return next(iter(alike or others), None)
