"""The runs of an experiment one by one, and what each is."""

from __future__ import annotations

from typing import NamedTuple

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


def expand(recipe: ExperimentRecipe, data: str) -> list[PlannedRun]:
    """Returns every run under every seed, seeds together, in the order of the recipe."""
    return [PlannedRun(run, family, recipe.run(family, seed, data=data)) for run, family, seed in recipe.planned()]
