"""Many runs as one: a recipe becomes a folder with corpus, runs, measures and the long tables."""

from dateline.experiment.recipe import ExperimentRecipe

__all__ = ["ExperimentRecipe"]
