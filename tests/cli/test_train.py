"""One model from one recipe, stopped and continued."""

import os
import signal
import subprocess
import sys

import pytest

from dateline.manifest import read_manifest
from dateline.train.metrics import MetricsFile


def test_values_reach_the_run(dateline, train_recipe, tmp_path):
    said = dateline("train", train_recipe, "--out", tmp_path / "run", "--train.steps", "2", "--seed=3")
    assert said.code == 0, said.err
    manifest = read_manifest(tmp_path / "run")
    assert (manifest.counts["steps"], manifest.recipe["seed"]) == (2, 3)
    assert said.out.startswith(
        f"{tmp_path / 'run' / 'model'}: {manifest.facts['parameters']:,} parameters after 2 steps"
    )


def test_stopped_and_resumed(dateline, train_recipe, tmp_path, monkeypatch):
    write = MetricsFile.write

    def watched(self, kind, step, **values):
        write(self, kind, step, **values)
        monkeypatch.setattr(MetricsFile, "write", write)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(MetricsFile, "write", watched)
    said = dateline("train", train_recipe, "--out", tmp_path / "run")
    assert said.code == 130
    assert "dateline: SIGINT: stopped after step 1 of 4; saved" in said.err
    assert said.err.endswith("continue with --resume\n")
    said = dateline("train", train_recipe, "--out", tmp_path / "run")
    assert said.code == 2
    assert said.err == (
        f"dateline: {tmp_path / 'run'}: holds an unfinished run (its newest checkpoint is step-00000001); pass "
        "--resume to continue it, --overwrite to delete it and begin anew, or choose another --out\n"
    )
    said = dateline("train", train_recipe, "--out", tmp_path / "run", "--resume")
    assert said.code == 0, said.err
    assert "after 4 steps" in said.out


def test_data_that_is_not_there(dateline, train_recipe, tmp_path):
    said = dateline("train", train_recipe, "--out", tmp_path / "run", "--data", tmp_path / "nowhere")
    assert said.code == 2
    assert (
        said.err
        == f"dateline: {tmp_path / 'nowhere'}: no such folder; make it with: dateline encode CORPUS --out DIR\n"
    )
    assert not (tmp_path / "run").exists()


def test_an_unknown_key_is_named_with_the_nearest(dateline, train_recipe, tmp_path):
    said = dateline("train", train_recipe, "--out", tmp_path / "run", "--train.step", "3")
    assert said.code == 2
    assert "--train.step: unknown key; did you mean 'steps'?" in said.err


# Several processes


def speak(*words, cwd):
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(
        command, cwd=cwd, env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120
    )


def test_torchrun_says_what_is_wrong_once(train_recipe, tmp_path):
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "dateline"]
    words = ["train", train_recipe, "--out", tmp_path / "run", "--train.batch_rows", "3"]
    done = speak(*launcher, *words, cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("dateline: train.batch_rows 3 cannot be shared by 2 processes; take a multiple of 2") == 1
    assert not (tmp_path / "run").exists()


def test_stopped_processes_save_once_and_go_on(train_recipe, tmp_path):
    out = tmp_path / "run"
    words = ["-m", "dateline", "train", train_recipe, "--out", out, "--nproc=2", "--train.steps", "2000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, words), "--train.log_every", "1"]
    running = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    metrics = out / "metrics.jsonl"
    while running.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        try:
            running.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    running.send_signal(signal.SIGTERM)
    said = running.communicate(timeout=90)[1]
    assert running.returncode == 130, said
    assert said.count("of 2000; saved") == 1
    assert len(list((out / "checkpoints").glob("step-*"))) == 1


@pytest.mark.parametrize(
    ("number", "launched", "message"),
    [
        ("0", False, "--nproc: must be greater than or equal to 1 (given: 0)"),
        ("2", True, "--nproc: a launcher has started this"),
    ],
)
def test_numbers_that_make_no_sense(dateline, train_recipe, tmp_path, monkeypatch, number, launched, message):
    if launched:
        monkeypatch.setenv("WORLD_SIZE", "2")
    said = dateline("train", train_recipe, "--out", tmp_path / "run", "--nproc", number)
    assert said.code == 2
    assert message in said.err
