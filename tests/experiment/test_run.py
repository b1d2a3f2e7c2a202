"""An experiment leaves everything that the report needs, and does nothing twice."""

import hashlib
import json
import math
import os
import shutil
import signal

import pytest
from dateline.evaluate.table import read_scores

from dateline.errors import Interrupted, UserError
from dateline.experiment.run import run_experiment, write_summary
from dateline.manifest import Manifest, read_manifest, write_manifest
from dateline.train.folder import checkpoints
from dateline.train.metrics import MetricsFile

STAGES = {"corpus", "encoded", "runs/plain", "runs/conditioned", "evaluation/plain", "evaluation/conditioned"}


@pytest.fixture
def copy(finished, tmp_path):
    """The finished experiment, to be changed."""
    return shutil.copytree(finished, tmp_path / "tiny")


@pytest.fixture
def at_step(monkeypatch):
    """Does something once, as soon as the training loss of a step is written."""

    def arrange(step, action):
        write = MetricsFile.write
        actions = [action]

        def watched(self, kind, at, **values):
            write(self, kind, at, **values)
            if kind == "train" and at == step and actions:
                actions.pop()()

        monkeypatch.setattr(MetricsFile, "write", watched)

    return arrange


class Killed(BaseException):
    """Stands for `kill -9`: nobody catches it."""


def kill():
    raise Killed


def state(folder):
    """Time and content of every file of the stages."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for stage in STAGES
        for path in (folder / stage).rglob("*")
        if path.is_file()
    }


def scores(folder):
    """The score table as text, because an interval that is not there is no number, and not equal to itself."""
    return [repr(score) for score in read_scores(folder)]


def made_again(before, after):
    """The stages of which any file is new, gone or rewritten."""
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return {stage for stage in STAGES if any(path.startswith(stage + "/") for path in changed)}


def forget(out, name):
    """Takes a run and everything after it back."""
    shutil.rmtree(out / "runs" / name)
    shutil.rmtree(out / "evaluation" / name)
    for file in ("manifest.json", "scores.parquet", "summary.json", "samples.json"):
        (out / file).unlink()


# What is there in the end


def test_what_an_experiment_leaves(finished):
    assert {path.name for path in finished.iterdir()} == {
        "corpus", "encoded", "runs", "evaluation", "scores.parquet", "samples.json", "summary.json", "manifest.json",
    }  # fmt: skip
    assert {path.name for path in (finished / "runs").iterdir()} == {"plain", "conditioned"}
    assert {path.name for path in (finished / "evaluation").iterdir()} == {"plain", "conditioned"}


def test_the_manifest_names_its_parents(finished, make):
    manifest = read_manifest(finished)
    assert manifest.stage == "experiment"
    assert manifest.parents == {stage: read_manifest(finished / stage).fingerprint for stage in STAGES}
    assert manifest.recipe == make().model_dump(mode="json")


def test_the_stages_are_each_others_parents(finished):
    of = {stage: read_manifest(finished / stage) for stage in STAGES}
    assert of["encoded"].parents["corpus"] == of["corpus"].fingerprint
    for run in ("plain", "conditioned"):
        assert of[f"runs/{run}"].parents["encoded"] == of["encoded"].fingerprint
        assert of[f"evaluation/{run}"].parents["corpus"] == of["encoded"].fingerprint


def test_the_summary(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert {name: set(inner) for name, inner in summary["ppl"].items()} == {
        "plain": {"none"}, "conditioned": {"gold", "none", "wrong"},
    }  # fmt: skip
    for run, inner in summary["ppl"].items():
        for condition, value in inner.items():
            low, high = summary["ppl_ci"][run][condition]
            assert 1 < low < value < high
    low, high = summary["recovered_gain_ci"]
    assert low < summary["recovered_gain"] < high
    assert summary["seconds"] > 0
    assert summary["num_documents"] == read_manifest(finished / "corpus").counts["test"]


def test_a_summary_is_replaced(tmp_path):
    write_summary(tmp_path, {"a": 1})
    write_summary(tmp_path, {"b": 2})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"b": 2}


def test_what_is_no_number_is_null(tmp_path):
    write_summary(tmp_path, {"ci": [math.nan, 1.5], "gain": {"low": math.inf}, "p": None, "name": "nan"})
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written == {"ci": [None, 1.5], "gain": {"low": None}, "p": None, "name": "nan"}


# Nothing is done twice


def test_a_second_call_skips_every_stage(copy, make, capsys):
    before, said = state(copy), scores(copy)
    run_experiment(make(), copy)
    assert state(copy) == before
    assert scores(copy) == said
    skipped = [line for line in capsys.readouterr().err.splitlines() if line.endswith(": unchanged, skipped")]
    assert {line.removesuffix(": unchanged, skipped") for line in skipped} == {str(copy / stage) for stage in STAGES}
    assert read_manifest(copy) is not None


@pytest.mark.parametrize(
    ("values", "again", "why"),
    [
        (
            {"evaluate": {"resamples": 201}},
            {"evaluation/plain", "evaluation/conditioned"},
            "resamples: 200 -> 201",
        ),
        (
            {"evaluate": {"protocol": {"split": "validation"}}},
            {"evaluation/plain", "evaluation/conditioned"},
            "protocol.split: test -> validation",
        ),
        (
            {"runs": {"plain": {"conditions": {"fields": []}}, "conditioned": {"conditions": {"dropout": 0.25}}}},
            {"runs/conditioned", "evaluation/conditioned"},
            "conditions.dropout: 0.5 -> 0.25",
        ),
        ({"corpus": {"newswire": {"seed": 2}}}, STAGES, "newswire.seed: 1 -> 2"),
    ],
    ids=["evaluation", "split", "run", "corpus"],
)
def test_a_change_costs_what_depends_on_it(copy, make, capsys, values, again, why):
    before = state(copy)
    run_experiment(make(**values), copy)
    assert made_again(before, state(copy)) == again
    assert why in capsys.readouterr().err
    assert "recovered_gain" in json.loads((copy / "summary.json").read_text())


def test_a_run_that_the_recipe_no_longer_names_disappears(copy, make):
    note = copy / "runs" / "notes"
    note.mkdir()
    (note / "mine.txt").write_text("not a run")
    run_experiment(make(runs={"plain": {"conditions": {"fields": []}}}), copy)
    assert {path.name for path in (copy / "runs").iterdir()} == {"plain", "notes"}
    assert {path.name for path in (copy / "evaluation").iterdir()} == {"plain"}
    assert {score.run for score in read_scores(copy)} == {"plain"}


def test_a_stopped_run_disappears_too(copy, make):
    (copy / "runs" / "conditioned" / "manifest.json").unlink()
    run_experiment(make(runs={"plain": {"conditions": {"fields": []}}}), copy)
    assert not (copy / "runs" / "conditioned").exists()


# Stopped and continued


def test_a_signal_in_training_and_the_same_command_again(copy, make, finished, at_step, capsys):
    forget(copy, "conditioned")
    at_step(3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match=r"stopped after step 3 of 6; saved .*; the same command continues"):
        run_experiment(make(), copy)
    assert not (copy / "manifest.json").exists()
    assert [path.name for path in checkpoints(copy / "runs/conditioned")] == ["step-00000003"]
    saved = (copy / "runs/conditioned/checkpoints/step-00000003/state.json").stat().st_mtime_ns
    run_experiment(make(), copy)
    assert (copy / "runs/conditioned/checkpoints/step-00000003/state.json").stat().st_mtime_ns == saved
    assert scores(copy) == scores(finished)


def test_a_killed_process_and_the_same_command_again(copy, make, finished, at_step):
    forget(copy, "conditioned")
    at_step(3, kill)
    with pytest.raises(Killed):
        run_experiment(make(), copy)
    assert not (copy / "evaluation" / "conditioned").exists()
    run_experiment(make(), copy)
    assert scores(copy) == scores(finished)


def test_a_stopped_run_of_another_recipe_is_not_continued(copy, make, finished, at_step):
    forget(copy, "conditioned")
    at_step(3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    other = {"plain": {"conditions": {"fields": []}}, "conditioned": {"conditions": {"dropout": 0.25}}}
    with pytest.raises(Interrupted):
        run_experiment(make(runs=other), copy)
    run_experiment(make(), copy)
    assert scores(copy) == scores(finished)


# Folders that are not ours


def test_a_file_in_the_way_is_refused(tmp_path, make):
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(UserError, match="out: is a file; --out names a folder"):
        run_experiment(make(), out)
    assert out.read_text() == "mine"


def test_another_stages_folder_is_refused_and_left_alone(tmp_path, make):
    write_manifest(tmp_path, Manifest.of("encode", {}, {}))
    with pytest.raises(UserError, match="holds the result of 'encode', not an experiment; choose another --out"):
        run_experiment(make(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
