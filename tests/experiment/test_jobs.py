"""Runs side by side: the same result as one after another, failures named, and nothing lost by kills."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml

from dateline.errors import Interrupted, RunsFailed, UserError
from dateline.experiment.jobs import carry_out, held
from dateline.experiment.run import run_experiment
from dateline.jobs import Workers
from dateline.manifest import read_manifest
from dateline.scores import read_runs, read_scores

PATIENCE = 240.0
"""Seconds until a test gives an experiment up."""
GRID = {
    "axes": {
        "trained-on": {"global": {}, "africa": {"mix": {"include": ["Africa"]}}},
        "metadata": {"without": {"conditions": {"fields": []}}, "with": {"conditions": {"dropout": 0.5}}},
    },
    "blocks": [{"trained-on": "global", "metadata": "all"}, {"trained-on": "africa", "metadata": "without"}],
}
RUNS = ["africa-without-seed0", "global-with-seed0", "global-without-seed0"]


@pytest.fixture
def small(make):
    """A grid of three runs, and changes of it."""

    def recipe(**values):
        evaluate = {"conditions": ["gold", "none"], "resamples": 100}
        return make(
            **{"runs": {}, "seeds": [0], "measures": {"efficiency": {}}, "grid": GRID, "evaluate": evaluate, **values}
        )

    return recipe


def table(folder):
    """The scores, and the models that they are of."""
    return sorted(map(repr, read_scores(folder))), sorted((run.run, run.model) for run in read_runs(folder))


def test_side_by_side_is_one_after_another_and_a_failure_does_not_stop_the_others(small, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    blocks = [*GRID["blocks"], {"trained-on": "atlantis", "metadata": "without"}]
    axes = {
        **GRID["axes"],
        "trained-on": {**GRID["axes"]["trained-on"], "atlantis": {"mix": {"include": ["Atlantis"]}}},
    }
    broken = small(grid={"axes": axes, "blocks": blocks})
    with pytest.raises(
        RunsFailed, match=r"^1 of 4 runs failed \(atlantis-without-seed0: mix: 'Atlantis' is no continent"
    ):
        run_experiment(broken, tmp_path / "side", Workers(workers=2))
    said = capfd.readouterr().err
    assert "4 runs, 2 at a time, " in said
    assert "train global-with-seed0: " in said  # what the processes write is shown
    assert "atlantis-without-seed0: failed: mix: 'Atlantis'" in said
    assert "submitit" not in said
    assert sorted(run.run for run in read_runs(tmp_path / "side")) == RUNS
    assert read_manifest(tmp_path / "side") is None

    # the recipe is mended: what was finished is not repeated
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "side").glob("*/*/manifest.json")}
    run_experiment(small(), tmp_path / "side", Workers(workers=2))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "side").glob("*/*/manifest.json")} == before
    assert "3 of 3 runs: unchanged, skipped" in capfd.readouterr().err
    assert read_manifest(tmp_path / "side") is not None


def test_where_every_run_fails_the_reason_is_the_error(small, tmp_path):
    with pytest.raises(UserError, match=r"^mix: 'Atlantis' is no continent or country"):
        run_experiment(small(defaults={"mix": {"exclude": ["Atlantis"]}}), tmp_path / "out")


def work(recipe, out, run, second):
    """What stands for a run: it dies, or tells where it ran."""
    if run.startswith("africa"):
        print("about to die", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    (out / run).write_text(f"{os.environ['OMP_NUM_THREADS']} {os.getpid()}")


def test_a_worker_that_dies_is_named_with_its_last_line(small, tmp_path, capfd):
    with held(tmp_path):
        failures = carry_out(small(), tmp_path, RUNS[:2], work, second=False, workers=Workers(workers=2))
    [failure] = failures
    assert failure.run == "africa-without-seed0"
    assert "its process ended without a result; its last line: about to die (log: " in str(failure.error)
    threads, process = (tmp_path / RUNS[1]).read_text().split()
    assert int(threads) == max(1, len(os.sched_getaffinity(0)) // 2)
    assert int(process) != os.getpid()


def wait_for(condition, process=None):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited too long"
        assert process is None or process.poll() is None, "the experiment ended early"
        time.sleep(0.05)


def workers_of(folder):
    """Processes that train a run of the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "submitit.core._submit" in words and str(folder) in words:
            found.append(int(path.parent.name))
    return found


def test_a_folder_is_one_process_s_at_a_time(small, tmp_path):
    with held(tmp_path), pytest.raises(UserError, match="another process runs this experiment; wait for it to end"):
        run_experiment(small(), tmp_path)


def wait(recipe, out, run, second):
    """What stands for a run that goes on until it is told to stop."""
    (out / run).write_text("begun")
    while True:
        signal.pause()


def test_told_to_stop_every_run_is_told_to(small, tmp_path):
    def stop():
        wait_for(lambda: all((tmp_path / run).exists() for run in RUNS[:2]))
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=stop)
    watcher.start()
    with (
        held(tmp_path),
        pytest.raises(Interrupted, match="SIGTERM: stopped; 1 runs were not begun; the same command continues"),
    ):
        carry_out(small(), tmp_path, RUNS, wait, second=False, workers=Workers(workers=2))
    watcher.join()
    assert not workers_of(tmp_path)
    assert not (tmp_path / RUNS[2]).exists()


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the workers in /proc")
def test_killed_it_goes_on_and_ends_with_the_same_scores(small, tmp_path, one_thread):
    longer = small(defaults={"train": {"steps": 60, "checkpoint_every": 10, "keep_checkpoints": 20}}, measures={})
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(longer.model_dump(mode="json", exclude_unset=True), sort_keys=False))
    run_experiment(longer, tmp_path / "whole")
    broken = tmp_path / "broken"

    # the main process is killed: its workers save and stop by themselves
    words = [sys.executable, "-m", "dateline", "experiment", str(recipe), "--out", str(broken), "--workers", "2"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: list(broken.glob("runs/*/checkpoints/step-*/manifest.json")), process)
    process.kill()
    process.wait()
    wait_for(lambda: not workers_of(broken))
    assert not list(broken.glob("runs/*/manifest.json"))

    def kill_a_worker():
        wait_for(lambda: workers_of(broken))
        os.kill(workers_of(broken)[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    with pytest.raises(RunsFailed, match=r"1 of 3 runs failed .*its process ended without a result"):
        run_experiment(longer, broken, Workers(workers=2))
    killer.join()
    run_experiment(longer, broken)
    assert table(broken) == table(tmp_path / "whole")
