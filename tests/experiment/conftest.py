"""A tiny experiment on the newswire: recipes of it, and its finished folder."""

import pytest

from dateline.config import validate_recipe
from dateline.experiment import ExperimentRecipe
from dateline.experiment.recipe import overlay
from dateline.experiment.run import run_experiment

TINY = {
    "name": "Tiny",
    "corpus": {"newswire": {"articles": 400, "seed": 1}},
    "encode": {"vocab_size": 600},
    "defaults": {
        "mix": {"weights": "natural"},
        "packing": {"sequence_length": 128},
        "model": {"size": "pico", "max_positions": 128},
        "optimizer": {"learning_rate": 5.0e-3},
        "schedule": {"warmup_steps": 2},
        "train": {
            "steps": 6, "batch_rows": 4, "validate_every": 3, "validation_documents": 8, "checkpoint_every": 0,
            "log_every": 1, "device": "cpu", "precision": "float32",
        },
    },
    "runs": {"plain": {"conditions": {"fields": []}}, "conditioned": {"conditions": {"dropout": 0.5}}},
    "evaluate": {"protocol": {"window": 128}, "resamples": 200},
    "samples": {"headlines": 1, "places": 2, "num_tokens": 4},
}  # fmt: skip


@pytest.fixture(scope="session")
def make():
    """Recipes: the tiny one with other values laid over it; `runs` replaces all runs."""

    def recipe(runs=None, **values):
        data = overlay(TINY, values)
        return validate_recipe(ExperimentRecipe, data if runs is None else {**data, "runs": runs})

    return recipe


@pytest.fixture(scope="session")
def finished(tmp_path_factory, make):
    """The folder of the tiny experiment. Read only."""
    out = tmp_path_factory.mktemp("experiment") / "tiny"
    run_experiment(make(), out)
    return out
