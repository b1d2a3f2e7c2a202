"""One tiny experiment that the real stages made, and copies of it to damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dateline.config import validate_recipe
from dateline.experiment import ExperimentRecipe
from dateline.experiment.run import run_experiment
from dateline.report import write_report

CAPITALS = {"gh": "Accra", "ie": "Dublin", "us": "Washington", "in": "Delhi", "ng": "Abuja", "ph": "Manila"}
PAIRS = (("gh", "ie"), ("ie", "gh"), ("us", "in"), ("in", "us"), ("ng", "ph"), ("ph", "ng"))
QUESTIONS = [
    {
        "id": f"capital-{country}",
        "question": "Which city is the capital?",
        "options": sorted({CAPITALS[country], CAPITALS[other], "Lima", "Oslo"}),
        "answer": CAPITALS[country],
        "country": country,
        "contrast_country": other,
        "contrast_answer": CAPITALS[other],
    }
    for country, other in PAIRS
]
RECIPE = {
    "name": "Tiny experiment",
    "corpus": {"newswire": {"articles": 400, "seed": 0}},
    "encode": {"vocab_size": 600},
    "seeds": [0, 1],
    "defaults": {
        "packing": {"sequence_length": 256},
        "model": {"size": "pico", "max_positions": 256},
        "schedule": {"warmup_steps": 2},
        "train": {
            "steps": 8,
            "batch_rows": 2,
            "validate_every": 4,
            "validation_documents": 6,
            "checkpoint_every": 4,
            "keep_checkpoints": 10,
            "log_every": 2,
            "device": "cpu",
            "precision": "float32",
        },
    },
    "runs": {"plain": {"conditions": {"fields": []}}, "conditioned": {"conditions": {"dropout": 0.5}}},
    "evaluate": {
        "conditions": ["gold", "none", "wrong", "swap:ie", "swap:sg", "swap:in"],
        "resamples": 100,
        "protocol": {"window": 128, "num_documents": 14},
        "measures": {"locate": {}, "efficiency": {}},
    },
    "samples": {"headlines": 1, "places": 2, "num_tokens": 6},
}


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the finished experiment. Read only."""
    place = tmp_path_factory.mktemp("report")
    questions = place / "questions.jsonl"
    questions.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS), encoding="utf-8")
    recipe = json.loads(json.dumps(RECIPE))
    recipe["evaluate"]["measures"]["mcq"] = {"questions": str(questions)}
    run_experiment(validate_recipe(ExperimentRecipe, recipe), place / "tiny")
    return place / "tiny"


@pytest.fixture
def folder(experiment: Path, tmp_path: Path) -> Path:
    """A copy of the experiment to damage, without weights and documents."""
    heavy = shutil.ignore_patterns("checkpoints", "*.safetensors", "*.arrow", "losses.parquet")
    return Path(shutil.copytree(experiment, tmp_path / "experiment", ignore=heavy))


@pytest.fixture(scope="session")
def page(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the whole experiment."""
    copy = Path(shutil.copytree(experiment, tmp_path_factory.mktemp("page") / "experiment"))
    return write_report(copy).read_text(encoding="utf-8")
