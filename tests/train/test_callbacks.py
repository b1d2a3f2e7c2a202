"""Callbacks see a run, and leave its numbers alone."""

import json
import re
from pathlib import Path

import pytest
import torch

from dateline.train.callbacks import RUN, Callback, Callbacks, RunFile, RunInfo
from dateline.train.loop import train_model


@pytest.fixture
def info(tmp_path):
    return RunInfo(
        name="first", folder=tmp_path, recipe={"seed": 3}, num_steps=8, done=0, num_parameters=12, world_size=2,
        device="cpu",
    )  # fmt: skip


class Recorder(Callback):
    """Writes down its calls."""

    def __init__(self):
        self.calls = []

    def start(self, run):
        self.calls.append(("start", run.name))

    def record(self, kind, step, values):
        self.calls.append((kind, step, dict(values)))

    def checkpoint(self, step, folder):
        self.calls.append(("checkpoint", step, folder.name))

    def finish(self, outcome):
        self.calls.append(outcome)


class Meddler(Callback):
    """Does all that a callback must not."""

    def record(self, kind, step, values):
        values["loss"] = 0.0
        torch.manual_seed(99)
        torch.rand(3)


class Fails(Callback):
    def __init__(self, message):
        self.message = message

    def finish(self, outcome):
        raise OSError(self.message)


def test_a_callback_that_overrides_nothing_does_nothing(info, tmp_path):
    plain = Callback()
    plain.start(info)
    plain.record("train", 1, {"loss": 1.0})
    plain.checkpoint(1, tmp_path)
    plain.finish("finished")
    assert list(tmp_path.iterdir()) == []


def test_all_are_called_with_everything_in_order(info, tmp_path):
    first, second = Recorder(), Recorder()
    both = Callbacks([first, second])
    both.start(info)
    both.record("train", 1, {"loss": 2.5})
    both.checkpoint(4, tmp_path / "step-00000004")
    both.finish("interrupted")
    assert first.calls == second.calls
    assert first.calls == [
        ("start", "first"), ("train", 1, {"loss": 2.5}), ("checkpoint", 4, "step-00000004"), "interrupted",
    ]  # fmt: skip


def test_numbers_stay_what_they_were(info):
    recorder = Recorder()
    values = {"loss": 2.5, "groups": {"Africa": 1}}
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    Callbacks([Meddler(), recorder]).record("train", 1, values)
    assert torch.equal(torch.rand(4), expected)
    assert values == {"loss": 2.5, "groups": {"Africa": 1}}
    assert recorder.calls == [("train", 1, values)]
    assert recorder.calls[0][2]["groups"] is not values["groups"]


def test_a_run_with_callbacks_and_trackers_has_the_same_weights(make_recipe, losses, tmp_path):
    """Dropout draws from the random state that the meddler disturbs."""
    pytest.importorskip("tensorboard")
    changes = {"model": {"dropout": 0.1}, "checkpoint_every": 4}
    recorder = Recorder()
    train_model(make_recipe(**changes), tmp_path / "alone")
    recipe = make_recipe(**changes, track=["tensorboard"])
    train_model(recipe, tmp_path / "watched", callbacks=[Meddler(), recorder])
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("alone", "watched")]
    assert weights[0] == weights[1]
    assert losses(tmp_path / "alone") == losses(tmp_path / "watched")
    records = [json.loads(line) for line in (tmp_path / "watched" / "metrics.jsonl").read_text().splitlines()]
    told = [entry for entry in recorder.calls if len(entry) == 3 and entry[0] not in ("start", "checkpoint")]
    assert [{"kind": kind, "step": step, **values} for kind, step, values in told] == records
    assert (recorder.calls[0], recorder.calls[-1]) == (("start", "watched"), "finished")
    assert ("checkpoint", 4, "step-00000004") in recorder.calls
    said = json.loads((tmp_path / "watched" / RUN).read_text())
    assert (said["num_steps"], said["world_size"], said["outcome"]) == (8, 1, "finished")
    assert list((tmp_path / "watched" / "tensorboard").iterdir())


def test_the_callback_of_the_guide_says_when_the_gain_passes_its_threshold(info, capsys):
    page = (Path(__file__).parents[2] / "docs" / "guide" / "training.md").read_text(encoding="utf-8")
    shown = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "(Callback)" in block)
    names = {}
    exec(shown, names)
    watched = Callbacks([names["FirstGain"](0.01)])
    watched.start(info)
    for step, group, gain in ((4, "all", 0.005), (8, "Africa", 0.5), (8, "all", 0.02), (12, "all", 0.03)):
        watched.record("gain", step, {"group": group, "gain": gain})
    assert capsys.readouterr().out == "step 8: gain from metadata 0.020 nats per token\n"


def test_one_that_fails_ends_the_run_but_does_not_keep_others_from_closing(info):
    recorder = Recorder()
    with pytest.raises(OSError, match=r"^no room$"):
        Callbacks([Fails("no room"), recorder]).finish("finished")
    assert recorder.calls == ["finished"]
    with pytest.raises(ExceptionGroup, match="callbacks failed") as caught:
        Callbacks([Fails("one"), Fails("two")]).finish("failed")
    assert [str(error) for error in caught.value.exceptions] == ["one", "two"]


def test_run_json_says_what_the_run_is_and_how_it_ended(info, tmp_path):
    keeper = RunFile(tmp_path)
    keeper.start(info)
    said = json.loads((tmp_path / RUN).read_text())
    assert said == {
        "name": "first", "folder": str(tmp_path), "recipe": {"seed": 3}, "num_steps": 8, "done": 0,
        "num_parameters": 12, "world_size": 2, "device": "cpu", "outcome": None,
    }  # fmt: skip
    keeper.finish("failed")
    assert json.loads((tmp_path / RUN).read_text()) == {**said, "outcome": "failed"}


def test_a_run_that_never_started_leaves_no_run_json(tmp_path):
    RunFile(tmp_path).finish("failed")
    assert list(tmp_path.iterdir()) == []
