"""A tiny experiment on the newswire, two families with two seeds and every measure; and recipes that differ from it."""

import json
import shutil

import pytest

from dateline.config import validate_recipe
from dateline.corpus import corpus_stage
from dateline.experiment import ExperimentRecipe
from dateline.experiment.recipe import overlay
from dateline.experiment.run import run_experiment
from dateline.tokens.encode import encode_stage

RUNS = {"noseed1": {"conditions": {"fields": []}}, "reseed2": {"conditions": {"dropout": 0.5}}}
"""The plain family and the conditioned one, under names that read like seeds."""
TINY = {
    "name": "Tiny",
    "corpus": {"newswire": {"articles": 400, "seed": 1}},
    "encode": {"vocab_size": 600},
    "seeds": [0, 1],
    "defaults": {
        "mix": {"weights": "natural"},
        "packing": {"sequence_length": 128},
        "model": {"size": "pico", "max_positions": 128},
        "optimizer": {"learning_rate": 5.0e-3},
        "schedule": {"warmup_steps": 2},
        "train": {
            "steps": 4,
            "batch_rows": 4,
            "validate_every": 0,
            "validation_documents": 8,
            "checkpoint_every": 2,
            "keep_checkpoints": 4,
            "log_every": 1,
            "device": "cpu",
            "precision": "float32",
        },
    },
    "runs": RUNS,
    "evaluate": {
        "conditions": ["gold", "none", "wrong", "swap:gb", "swap:ie"],
        "protocol": {"window": 128, "num_documents": 20},
        "resamples": 200,
    },
    "samples": {"headlines": 1, "places": 2, "num_tokens": 4},
}
QUESTIONS = [
    {"question": "What is the capital?", "options": ["Accra", "Dublin"], "answer": "Accra", "country": "Ghana"},
    {"question": "Which is the capital?", "options": ["Cork", "Dublin"], "answer": "Dublin", "country": "Ireland"},
]


@pytest.fixture(scope="session")
def questions(tmp_path_factory):
    """A file of two questions."""
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    path.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    return str(path)


@pytest.fixture(scope="session")
def make(questions):
    """Recipes: the tiny one with other values laid over it; `runs` and `measures` replace all of theirs."""
    everything = {"locate": {"countries": ["gb", "ie", "ng"]}, "mcq": {"questions": questions}, "efficiency": {}}

    def recipe(runs=None, measures=None, **values):
        data = overlay(TINY, values)
        data["runs"] = data["runs"] if runs is None else runs
        data["evaluate"] = {**data["evaluate"], "measures": everything if measures is None else measures}
        return validate_recipe(ExperimentRecipe, data)

    return recipe


@pytest.fixture(scope="session")
def encoded(tmp_path_factory, make):
    """A folder with the tiny experiment's corpus, encoded, and no run. Read only."""
    out = tmp_path_factory.mktemp("encoded") / "tiny"
    corpus_stage(make().corpus).make(out / "corpus")
    encode_stage(make().encode, out / "corpus").make(out / "encoded")
    return out


@pytest.fixture(scope="session")
def finished(tmp_path_factory, make, encoded):
    """The folder of the tiny experiment. Read only."""
    out = shutil.copytree(encoded, tmp_path_factory.mktemp("experiment") / "tiny")
    run_experiment(make(), out)
    return out


@pytest.fixture
def copy(finished, tmp_path):
    """The finished experiment, to be changed."""
    return shutil.copytree(finished, tmp_path / "tiny")
