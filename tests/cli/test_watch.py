"""A run is followed from outside while it goes on, is stopped, resumed and finished."""

import json
import os

import pytest

from dateline.cli.watch import State, Watched, details, follow, headline, in_log, run, seconds_left
from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.train.callbacks import RunFile, RunInfo
from dateline.train.metrics import METRICS, MetricsFile

RUN = {"num_steps": 100, "done": 0, "num_parameters": 1_234_567, "world_size": 2, "device": "cpu", "outcome": None}


def begin(folder, *, done=0, steps=8):
    """A run's folder as the loop leaves it before its first step."""
    folder.mkdir(parents=True, exist_ok=True)
    keeper = RunFile(folder)
    keeper.start(RunInfo(folder.name, folder, {"seed": 0}, steps, done, 1_000, 1, "cpu"))
    return keeper, MetricsFile(folder, resume_at=done or None)


def write(metrics, step, *, gold=None):
    metrics.write(
        "train", step, loss=4.0 - step / 4, lr=1e-3, grad_norm=0.5, tokens=step * 100, body_tokens=step * 90,
        tokens_per_second=50.0, fill=0.99,
    )  # fmt: skip
    if gold is not None:
        metrics.write("validation", step, condition="gold", group="all", loss=gold)
        metrics.write("validation", step, condition="none", group="all", loss=3.0)
        metrics.write("gain", step, group="all", gain=3.0 - gold)


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
        return follow(Watched(folder), show, script)


def test_once_shows_the_present_and_ends(tmp_path, capsys):
    _, metrics = begin(tmp_path / "run")
    write(metrics, 4, gold=2.5)
    (tmp_path / "run" / "checkpoints" / "step-00000004").mkdir(parents=True)
    run([str(tmp_path / "run"), "--once"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path / 'run'}  1,000 parameters, 1 process on cpu"
    assert lines[1] == "  step 4 of 8  50%  8 s left"
    assert "  newest checkpoint after step 4" in lines
    assert lines[-1].split() == ["all", "2.5000", "3.0000", "+0.5000"]


def test_a_growing_run_is_followed_to_its_end(tmp_path, capsys):
    folder = tmp_path / "run"
    keeper, metrics = begin(folder)
    script = Script(
        lambda: write(metrics, 1),
        lambda: None,
        lambda: write(metrics, 4, gold=2.75),
        lambda: write(metrics, 8),
        lambda: (keeper.finish("finished"), complete(folder)),
    )
    watch(folder, script)
    said = [line.removeprefix(f"{folder}: ") for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "step 0/8  no step yet",
        "step 1/8  loss 3.7500  50 tokens/s  MFU not measured  14 s left",
        "step 4/8  loss 3.0000  gain +0.2500  50 tokens/s  MFU not measured  8 s left",
        "  validation at step 4                  gold      none      gain",
        "    all                               2.7500    3.0000   +0.2500",
        "step 8/8  loss 2.0000  gain +0.2500  50 tokens/s  MFU not measured  0 s left",
        "step 8/8  loss 2.0000  gain +0.2500  50 tokens/s  MFU not measured  finished",
    ]
    assert script.waited == [1.0] * 5


def test_a_run_that_is_stopped_and_resumed_stays_in_view(tmp_path, capsys):
    folder = tmp_path / "run"
    keeper, metrics = begin(folder)

    def resume():
        keeper, metrics = begin(folder, done=2)
        write(metrics, 3)
        keeper.finish("finished")

    watch(folder, Script(
        lambda: write(metrics, 2), lambda: (write(metrics, 5), keeper.finish("interrupted")), resume,
        lambda: complete(folder),
    ))  # fmt: skip
    said = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1].split("  ")[0] for line in said] == [
        "step 0/8", "step 2/8", "step 5/8", "step 3/8", "step 3/8",
    ]  # fmt: skip
    assert said[2].endswith("stopped, to be resumed")


def test_a_failed_run_ends_the_watch(tmp_path, capsys):
    keeper, _ = begin(tmp_path / "run")
    assert [state.failed for state in watch(tmp_path / "run", Script(lambda: keeper.finish("failed")))] == [True]
    assert capsys.readouterr().out.endswith("failed; its own output says why\n")


def test_the_exit_code_says_that_a_run_has_failed(dateline, tmp_path):
    keeper, _ = begin(tmp_path / "run")
    keeper.finish("failed")
    assert dateline("watch", tmp_path / "run").code == 1
    assert dateline("watch", tmp_path / "run", "--once").code == 0
    complete(tmp_path / "run")
    assert dateline("watch", tmp_path / "run").code == 0


def test_an_experiment_is_followed_from_stage_to_stage(tmp_path, capsys):
    folder = tmp_path / "study"
    for room in ("corpus", "encoded", "runs"):
        (folder / room).mkdir(parents=True)
    complete(folder / "corpus", "corpus")

    def first():
        complete(folder / "encoded", "encode")
        keeper, metrics = begin(folder / "runs" / "plain")
        write(metrics, 8)
        keeper.finish("finished")
        complete(folder / "runs" / "plain")

    def second():
        _, metrics = begin(folder / "runs" / "conditioned")
        write(metrics, 4, gold=2.0)

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
    assert said[6:10] == [*said[:3], "conditioned  1,000 parameters, 1 process on cpu"]


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
    _, metrics = begin(tmp_path / "run")
    write(metrics, 4, gold=2.5)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    run([str(tmp_path / "run"), "--once"])
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert json.loads((tmp_path / "run" / "run.json").read_text())["outcome"] is None


def train(step, **values):
    return {
        "kind": "train", "step": step, "loss": 3.25, "lr": 1e-3, "grad_norm": 0.5, "tokens": step * 1000,
        "body_tokens": step * 900, "tokens_per_second": 500.0, "fill": 0.995, **values,
    }  # fmt: skip


def validation(step, condition, group, loss):
    return {"kind": "validation", "step": step, "condition": condition, "group": group, "loss": loss}


def validated(step, none, gold, group="all"):
    gain = {"kind": "gain", "step": step, "group": group, "gain": none - gold}
    return [validation(step, "gold", group, gold), validation(step, "none", group, none), gain]


def state(*records, run=RUN, complete=False, quiet=0.0, checkpoint=None):
    return State("first", run, records, checkpoint, complete, quiet)


def test_the_line_of_a_run_under_way():
    assert headline(state(train(1), train(20, mfu=0.541), *validated(20, 3.0, 2.75))) == (
        "first: step 20/100  loss 3.2500  gain +0.2500  500 tokens/s  MFU 54.1%  2 min 40 s left"
    )


def test_the_details_of_a_run_under_way():
    records = [
        train(10), *validated(10, 3.0, 3.0), *validated(10, 3.0, 2.9, "Africa"),
        train(20), *validated(20, 3.0, 2.75), *validated(20, 3.5, 3.6, "Africa"),
        {"kind": "skipped", "step": 12, "reason": "spike"},
    ]  # fmt: skip
    assert "\n".join(details(state(*records, checkpoint=16))) == (
        "first  1,234,567 parameters, 2 processes on cpu\n"
        "  step 20 of 100  20%  2 min 40 s left\n"
        "  loss 3.2500  learning rate 1.00e-03  gradient norm 0.500\n"
        "  500 tokens/s  MFU not measured  fill 99.5%  20,000 tokens, 18,000 of them body\n"
        "  newest checkpoint after step 16\n"
        "  1 step skipped\n"
        "\n"
        "  validation at step 20                 gold      none      gain\n"
        "    all                               2.7500    3.0000   +0.2500\n"
        "    Africa                            3.6000    3.5000   -0.1000"
    )


def test_a_model_without_metadata_has_no_gain():
    plain = state(train(4), validation(4, "none", "all", 3.0))
    assert "gain" not in headline(plain)
    assert details(plain)[-2:] == [
        "  validation at step 4                  none",
        "    all                               3.0000",
    ]


def test_a_run_of_which_little_is_known():
    assert headline(state(run={})) == "first: step 0  no step yet"
    assert details(state(train(4), run={}))[1] == "  step 4  time left not known"
    assert headline(state(run={**RUN, "done": 40})) == "first: step 40/100  no step yet"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("failed", "failed; its own output says why"),
        ("interrupted", "stopped, to be resumed"),
        ("finished", "writing the model"),
    ],
)
def test_how_the_last_call_ended(outcome, said):
    ended = state(train(20), run={**RUN, "outcome": outcome})
    assert headline(ended).endswith(f"  {said}")
    assert ended.ended == (outcome == "failed")
    assert headline(state(train(100), run={**RUN, "outcome": outcome}, complete=True)).endswith("  finished")


def test_a_silent_run_says_how_long_it_has_been_silent():
    assert "silent" not in headline(state(train(20), quiet=100.0))
    assert headline(state(train(20), quiet=7500.0)).endswith("2 min 40 s left (silent for 2 h 5 min)")


def test_the_gain_is_that_of_the_newest_validation():
    records = [*validated(4, 3.0, 2.5), *validated(4, 3.0, 3.5, "Asia"), *validated(8, 3.0, 2.0)]
    assert state(*records).gain == {"all": 1.0}
    assert state(*records[:6]).gain == {"all": 0.5, "Asia": -0.5}


def test_the_time_left_needs_a_length_and_a_speed():
    assert seconds_left(state(train(20))) == 160.0
    assert seconds_left(state(train(20), run={})) is None
    assert seconds_left(state()) is None
    assert seconds_left(state(train(20, tokens_per_second=0.0))) is None


def seen(watched):
    _, [state] = watched.look()
    return [(record["step"], record["loss"]) for record in state.records]


def test_half_a_line_waits_for_its_other_half(tmp_path):
    line = json.dumps({"kind": "train", "step": 1, "loss": 2.0}).encode() + b"\n"
    watched = Watched(tmp_path)
    with (tmp_path / METRICS).open("wb", buffering=0) as file:
        for byte in range(len(line) - 2):
            file.write(line[byte : byte + 1])
            assert seen(watched) == []
        file.write(line[-2:])
    assert seen(watched) == [(1, 2.0)]


@pytest.mark.parametrize("more", [1, 2, 3, 4])
def test_a_resumed_run_is_noticed_even_if_its_file_is_as_long_as_before(tmp_path, more):
    metrics = MetricsFile(tmp_path)
    for step in (1, 2, 3, 4):
        metrics.write("train", step, loss=1.0)
    watched = Watched(tmp_path)
    assert len(seen(watched)) == 4
    metrics = MetricsFile(tmp_path, resume_at=2)
    MetricsFile(tmp_path, resume_at=2)  # stopped and resumed twice between two looks
    for step in range(3, 3 + more):
        metrics.write("train", step, loss=9.0)
    assert seen(watched) == [(1, 1.0), (2, 1.0), *((step, 9.0) for step in range(3, 3 + more))]


def test_a_file_that_is_gone_is_forgotten(tmp_path):
    MetricsFile(tmp_path).write("train", 1, loss=1.0)
    watched = Watched(tmp_path)
    assert seen(watched) == [(1, 1.0)]
    (tmp_path / METRICS).unlink()
    assert seen(watched) == []


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / METRICS).write_text('{"kind": "train", "step": 1}\nnonsense\n{"kind": "train", "step": 2}\n')
    with pytest.raises(UserError, match=rf"{METRICS}:2: not a JSON object; restore the file"):
        Watched(tmp_path).look()
    (tmp_path / METRICS).unlink()
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run.json: not a JSON object; resume the run"):
        Watched(tmp_path).look()


def test_how_long_a_run_has_been_silent(tmp_path):
    watched = Watched(tmp_path, clock=lambda: 1_090.0)
    assert watched.look()[1][0].quiet == 0.0
    MetricsFile(tmp_path)
    os.utime(tmp_path / METRICS, (1_000.0, 1_000.0))
    assert watched.look()[1][0].quiet == 90.0


def test_only_complete_checkpoints_count(tmp_path):
    for name in ("step-00000002", "step-00000010", ".step-00000012.partial", "damaged-step-00000014"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    (tmp_path / "checkpoints" / "latest").write_text("step-00000010\n")
    assert Watched(tmp_path).look()[1][0].checkpoint == 10
