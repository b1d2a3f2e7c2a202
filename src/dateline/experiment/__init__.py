"""Many runs as one: a recipe in, a folder with corpus, runs, evaluations and one score table out.

Enters: an experiment recipe. Leaves: a result folder from which the report is drawn.
Deliberately not done: no scheduling over machines; stages run one after another in this process.
"""

from dateline.experiment.recipe import ExperimentRecipe

__all__ = ["ExperimentRecipe"]
