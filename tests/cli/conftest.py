"""The command inside this process, and folders for it to work on."""

from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from dateline.cli import main

EXPERIMENT = """
name: Tiny
corpus:
  newswire: {articles: 300, seed: 1}
encode: {vocab_size: 600}
defaults:
  mix: {weights: natural}
  packing: {sequence_length: 128}
  model: {size: pico, max_positions: 128}
  optimizer: {learning_rate: 5.0e-3}
  schedule: {warmup_steps: 2}
  train: {steps: 4, batch_rows: 4, validate_every: 0, checkpoint_every: 0, device: cpu}
runs:
  plain: {conditions: {fields: []}}
  conditioned: {conditions: {dropout: 0.5}}
evaluate: {protocol: {window: 128}, resamples: 200}
samples: {headlines: 1, places: 2, num_tokens: 4}
"""


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def dateline(capsys, monkeypatch):
    """Runs a command line and gives back exit code and output."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*words):
        capsys.readouterr()
        try:
            main([str(word) for word in words])
            code = 0
        except SystemExit as left:
            code = left.code
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def experiment_recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipes") / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="session")
def finished(tmp_path_factory, experiment_recipe):
    """The folder of a finished experiment, which holds one of everything. Read only."""
    out = tmp_path_factory.mktemp("finished") / "tiny"
    main(["experiment", str(experiment_recipe), "--out", str(out), "--workers", "1"])
    return out


@pytest.fixture(scope="session")
def train_recipe(tmp_path_factory, finished):
    path = tmp_path_factory.mktemp("recipes") / "train.yaml"
    data = yaml.safe_load(EXPERIMENT)["defaults"]
    path.write_text(yaml.safe_dump({"data": str(finished / "encoded"), **data}))
    return path


@pytest.fixture(scope="session")
def untouched():
    """Everything below a folder with the time of its last change."""

    def look(folder):
        return {str(path): path.stat().st_mtime_ns for path in Path(folder).rglob("*")}

    return look
