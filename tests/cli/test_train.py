"""One model from one recipe, stopped and continued."""

import os
import signal

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
    assert dateline("train", train_recipe, "--out", tmp_path / "run").code == 2
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
    assert "unknown key 'train.step'; did you mean 'steps'?" in said.err
