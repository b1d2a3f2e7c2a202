"""Trackers show the records of metrics.jsonl, and no other numbers."""

import importlib
import types

import pytest

from dateline.errors import UserError
from dateline.train.callbacks import RunFile, RunInfo
from dateline.train.trackers import build_callbacks, scalars


class Recorder:
    """Stands for a tracker's package: any call is written down and gives the recorder back."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self

        return call

    def named(self, name):
        return [(args, kwargs) for called, args, kwargs in self.calls if called == name]


def info(folder, done=0):
    return RunInfo(
        name="first", folder=folder, recipe={"seed": 3}, num_steps=8, done=done, num_parameters=12, world_size=1,
        device="cpu",
    )  # fmt: skip


def run_through(track, folder, *, done=0, outcome="finished"):
    """Drives a tracker as the loop does; returns what its package was asked for."""
    package = Recorder()
    _, tracker = build_callbacks([track], folder, load=lambda name: package)
    tracker.start(info(folder, done))
    tracker.record("train", done + 1, {"loss": 2.5, "tokens": 100})
    tracker.record("validation", done + 1, {"condition": "gold", "group": "Africa", "loss": 1.5, "tokens": 100})
    tracker.checkpoint(done + 1, folder)
    tracker.finish(outcome)
    return package


def test_every_run_has_a_run_json_and_no_tracker_unless_asked(tmp_path):
    def load(name):
        raise AssertionError("nothing is loaded")

    [only] = build_callbacks([], tmp_path, load=load)
    assert isinstance(only, RunFile)


@pytest.mark.parametrize("name", ["tensorboard", "trackio", "wandb"])
def test_a_missing_package_names_the_extra_before_anything_begins(tmp_path, name):
    def load(package):
        raise ModuleNotFoundError(f"No module named '{package}'")

    with pytest.raises(UserError, match=r"install it with: pip install 'dateline\[track\]', or take \w+ out") as caught:
        build_callbacks([name], tmp_path, load=load)
    assert str(caught.value).startswith(f"train.track: {name} cannot be loaded (No module named ")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracker_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no tracker 'mlflow'; known are tensorboard, trackio, wandb$"):
        build_callbacks(["mlflow"], tmp_path)


def test_a_tracker_named_twice_is_made_once(tmp_path):
    assert len(build_callbacks(["wandb", "wandb"], tmp_path, load=lambda name: Recorder())) == 2


def test_records_become_named_numbers():
    assert scalars("train", {"loss": 2.5, "tokens": 7, "mfu": None}) == {"train/loss": 2.5, "train/tokens": 7.0}
    validation = {"tokens": 7, "body_tokens": 5, "condition": "gold", "group": "Africa", "loss": 1.5}
    assert scalars("validation", validation) == {"validation/gold/Africa/loss": 1.5}
    groups = {"tokens": 7, "Asia": {"body_tokens": 3, "repeats": 0.5}, "Africa": 2}
    assert scalars("groups", groups) == {"groups/Asia/repeats": 0.5, "groups/Africa": 2.0}


def test_tensorboard_hides_what_lies_beyond_the_checkpoint(tmp_path):
    assert run_through("tensorboard", tmp_path).calls[0] == (
        "SummaryWriter", (str(tmp_path / "tensorboard"),), {"purge_step": None},
    )  # fmt: skip
    package = run_through("tensorboard", tmp_path, done=4)
    assert package.calls[0][2] == {"purge_step": 5}
    assert [args for args, _ in package.named("add_scalar")] == [
        ("train/loss", 2.5, 5), ("train/tokens", 100.0, 5), ("validation/gold/Africa/loss", 1.5, 5),
    ]  # fmt: skip
    assert len(package.named("close")) == 1


def test_trackio_goes_on_with_a_resumed_run(tmp_path):
    assert run_through("trackio", tmp_path / "first").named("init") == [
        ((), {"project": "dateline", "name": f"{tmp_path.name}/first", "config": {"seed": 3}, "resume": "never"})
    ]
    package = run_through("trackio", tmp_path / "first", done=4)
    assert package.named("init")[0][1]["resume"] == "allow"
    assert package.named("log")[1] == (({"validation/gold/Africa/loss": 1.5},), {"step": 5})
    assert len(package.named("finish")) == 1


def test_wandb_stays_offline_and_keeps_its_identity(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    package = run_through("wandb", tmp_path, outcome="interrupted")
    [(_, first)] = package.named("init")
    assert (first["mode"], first["project"], first["dir"]) == ("offline", "dateline", str(tmp_path))
    assert package.named("log")[0] == (({"train/loss": 2.5, "train/tokens": 100.0, "step": 1},), {})
    assert package.named("finish") == [((), {"exit_code": 1})]
    monkeypatch.setenv("WANDB_MODE", "online")
    [(_, resumed)] = run_through("wandb", tmp_path, done=4).named("init")
    assert (resumed["id"], resumed["mode"]) == (first["id"], "online")
    [(_, anew)] = run_through("wandb", tmp_path).named("init")
    assert anew["id"] != first["id"]


@pytest.mark.parametrize("name", ["tensorboard", "trackio", "wandb"])
def test_a_run_that_fails_before_its_start_can_be_closed(tmp_path, name):
    _, tracker = build_callbacks([name], tmp_path, load=lambda package: types.SimpleNamespace())
    tracker.finish("failed")
    assert list(tmp_path.iterdir()) == []


def test_real_event_files_are_read_back(tmp_path):
    pytest.importorskip("tensorboard")
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    for done in (0, 2):  # stopped after step 4, resumed from the checkpoint of step 2
        _, tracker = build_callbacks(["tensorboard"], tmp_path)
        tracker.start(info(tmp_path, done))
        for step in range(done + 1, done + 5):
            tracker.record("train", step, {"loss": step + done / 10})
        tracker.finish("finished")
    found = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    events = {event.step: pytest.approx(event.value) for event in found.Scalars("train/loss")}
    assert events == {1: 1.0, 2: 2.0, 3: 3.2, 4: 4.2, 5: 5.2, 6: 6.2}
