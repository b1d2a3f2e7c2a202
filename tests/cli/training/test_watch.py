"""A run is followed from outside while it goes on, is stopped, resumed and finished."""

import json

import pytest

from dateline.cli.training.watch import Watched, follow, in_log, run
from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.train.callbacks import RunFile, RunInfo
from dateline.train.metrics import MetricsFile


def begin(folder, *, done=0, steps=8):
    """A run's folder as the loop leaves it before its first step."""
    folder.mkdir(parents=True, exist_ok=True)
    keeper = RunFile(folder)
    keeper.start(RunInfo(folder.name, folder, {"seed": 0}, steps, done, 1_000, 1, "cpu"))
    return keeper, MetricsFile(folder, resume_at=done or None)


def write(diary, step, *, gold=None):
    diary.write(
        "train", step, loss=4.0 - step / 4, lr=1e-3, grad_norm=0.5, tokens=step * 100, body_tokens=step * 90,
        tokens_per_second=50.0, fill=0.99,
    )  # fmt: skip
    if gold is not None:
        diary.write("validation", step, condition="gold", group="all", loss=gold)
        diary.write("validation", step, condition="none", group="all", loss=3.0)


def complete(folder, stage="train"):
    write_manifest(folder, Manifest.of(stage, {}, {}))


class Script:
    """Stands for time: each time the watcher waits, the next thing happens."""

    def __init__(self, *acts):
        self.acts = list(acts)
        self.waited = []

    def __call__(self, seconds):
        self.waited.append(seconds)
        self.acts.pop(0)()


def watch(folder, script):
    with in_log() as show:
        follow(Watched(folder), show, script)


def test_once_shows_the_present_and_ends(tmp_path, capsys):
    _, diary = begin(tmp_path / "run")
    write(diary, 4, gold=2.5)
    (tmp_path / "run" / "checkpoints" / "step-00000004").mkdir(parents=True)
    run([str(tmp_path / "run"), "--once"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path / 'run'}  1,000 parameters, 1 process on cpu"
    assert lines[1] == "  step 4 of 8  50%  8 s left"
    assert "  newest checkpoint after step 4" in lines
    assert lines[-1].split() == ["all", "2.5000", "3.0000", "+0.5000", "▁"]


def test_a_growing_run_is_followed_to_its_end(tmp_path, capsys):
    folder = tmp_path / "run"
    keeper, diary = begin(folder)
    script = Script(
        lambda: write(diary, 1),
        lambda: None,
        lambda: write(diary, 4, gold=2.75),
        lambda: write(diary, 8),
        lambda: (keeper.finish("finished"), complete(folder)),
    )
    watch(folder, script)
    said = [line.removeprefix(f"{folder}: ") for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "step 0/8  no step yet",
        "step 1/8  loss 3.7500  50 tokens/s  MFU not measured  14 s left",
        "step 4/8  loss 3.0000  gain +0.2500  50 tokens/s  MFU not measured  8 s left",
        "  validation at step 4                  gold      none      gain",
        "    all                               2.7500    3.0000   +0.2500  ▁",
        "step 8/8  loss 2.0000  gain +0.2500  50 tokens/s  MFU not measured  0 s left",
        "step 8/8  loss 2.0000  gain +0.2500  50 tokens/s  MFU not measured  finished",
    ]
    assert script.waited == [1.0] * 5


def test_a_run_that_is_stopped_and_resumed_stays_in_view(tmp_path, capsys):
    folder = tmp_path / "run"
    keeper, diary = begin(folder)

    def resume():
        keeper, diary = begin(folder, done=2)
        write(diary, 3)
        keeper.finish("finished")

    watch(folder, Script(
        lambda: write(diary, 2), lambda: (write(diary, 5), keeper.finish("interrupted")), resume,
        lambda: complete(folder),
    ))  # fmt: skip
    said = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1].split("  ")[0] for line in said] == [
        "step 0/8", "step 2/8", "step 5/8", "step 3/8", "step 3/8",
    ]  # fmt: skip
    assert said[2].endswith("stopped, to be resumed")


def test_a_failed_run_ends_the_watch(tmp_path, capsys):
    keeper, _ = begin(tmp_path / "run")
    watch(tmp_path / "run", Script(lambda: keeper.finish("failed")))
    assert capsys.readouterr().out.endswith("failed; its own output says why\n")


def test_an_experiment_is_followed_from_stage_to_stage(tmp_path, capsys):
    folder = tmp_path / "study"
    for room in ("corpus", "encoded", "runs"):
        (folder / room).mkdir(parents=True)
    complete(folder / "corpus", "corpus")

    def first():
        complete(folder / "encoded", "encode")
        keeper, diary = begin(folder / "runs" / "plain")
        write(diary, 8)
        keeper.finish("finished")
        complete(folder / "runs" / "plain")

    def second():
        _, diary = begin(folder / "runs" / "conditioned")
        write(diary, 4, gold=2.0)

    def look():
        run([str(folder), "--once"])

    watch(folder, Script(first, second, look, lambda: complete(folder, "experiment")))
    said = capsys.readouterr().out.splitlines()
    assert said[:4] == [
        "corpus: done",
        "encoded: done",
        "plain: step 8/8  loss 2.0000  50 tokens/s  MFU not measured  finished",
        "conditioned: step 4/8  loss 3.0000  gain +1.0000  50 tokens/s  MFU not measured  8 s left",
    ]
    board = said[6:]
    assert board[:4] == [*said[:3], "conditioned  1,000 parameters, 1 process on cpu"]


def test_an_experiment_that_has_only_begun(tmp_path, capsys):
    (tmp_path / "corpus").mkdir()
    run([str(tmp_path), "--once"])
    assert capsys.readouterr().out == "no run has begun\n"


def test_an_empty_folder_is_a_run_that_has_not_begun(tmp_path, capsys):
    run([str(tmp_path), "--once"])
    assert capsys.readouterr().out == f"{tmp_path}\n  step 0  no step yet\n"


def test_what_cannot_be_watched_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "corpus").mkdir()
    complete(tmp_path / "corpus", "corpus")
    cases = {
        "gone": "no such folder; dateline watch follows",
        "file": "is a file; dateline watch follows",
        "corpus": "neither a run nor an experiment; give",
        "": "neither a run nor an experiment; give",
    }
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "corpus").rename(tmp_path / "built")
    cases["built"] = cases.pop("corpus")
    for name, message in cases.items():
        with pytest.raises(UserError) as caught:
            Watched(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: {message}")


def test_watching_changes_nothing(tmp_path):
    _, diary = begin(tmp_path / "run")
    write(diary, 4, gold=2.5)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    run([str(tmp_path / "run"), "--once"])
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert json.loads((tmp_path / "run" / "run.json").read_text())["outcome"] is None
