"""Runs side by side and on a cluster: the same findings as one after another, failures named, nothing lost by kills."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml

from dateline.cli import main
from dateline.errors import Interrupted, TrainingDiverged, UserError
from dateline.experiment.jobs import carry_out, held
from dateline.experiment.run import run_experiment
from dateline.jobs import Workers, jobs_folder
from dateline.manifest import read_manifest
from dateline.scores import FINDINGS, read_findings, read_runs

PATIENCE = 240.0
"""Seconds until a test gives an experiment up."""
STEPS = 40
GRID = {
    "axes": {
        "trained-on": {"global": {}, "africa": {"mix": {"include": ["Africa"]}}},
        "metadata": {"without": {"conditions": {"fields": []}}, "with": {}},
    },
    "blocks": [{"trained-on": "global", "metadata": "all"}, {"trained-on": "africa", "metadata": "with"}],
}
WITHOUT, WITH, AFRICA = "global-without-seed0", "global-with-seed0", "africa-with-seed0"
DIVERGES = ["--grid.axes.trained-on.africa.optimizer.learning_rate", "1.0e+18"]


@pytest.fixture
def small(make):
    """A grid of three runs with a study, and changes of it."""

    def recipe(**values):
        return make(
            **{
                "runs": {}, "seeds": [0], "measures": {}, "grid": GRID, "study": {},
                "defaults": {"train": {"steps": STEPS, "checkpoint_every": 10}},
                "evaluate": {"conditions": ["gold", "none"], "resamples": 100}, "samples": {"headlines": 0}, **values,
            }
        )  # fmt: skip

    return recipe


@pytest.fixture
def command(small, encoded, tmp_path):
    """The words of a command that runs it, or what is changed, in a folder where the corpus is there already."""

    def words(name, **values):
        recipe, out = tmp_path / f"{name}.yaml", tmp_path / name
        recipe.write_text(yaml.safe_dump(small(**values).model_dump(mode="json", exclude_unset=True), sort_keys=False))
        shutil.copytree(encoded, out)
        return ["experiment", str(recipe), "--out", str(out)], out

    return words


def ends(words, code):
    """Runs a command in this process, which ends with an exit code."""
    if code == 0:
        main(words)
        return
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == code


def wait_for(condition, process=None):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited too long"
        assert process is None or process.poll() is None, "the experiment ended early"
        time.sleep(0.02)


def workers_of(folder):
    """Processes that train a run of the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "submitit.core._submit" in words and f"{folder}.jobs" in words:
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the workers in /proc")
def test_killed_and_failed_it_goes_on_and_ends_with_the_same_findings(command, one_thread, capfd):
    words, whole = command("whole")
    ends([*words, "--workers", "1"], 3)  # models of so few steps have learned nothing of what is known
    words, broken = command("broken")

    # the main process is killed: its workers save and stop by themselves
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", "dateline", *words, "--workers", "2"], **silent)
    wait_for(lambda: list(broken.glob("runs/*/checkpoints/step-*/manifest.json")), process)
    process.kill()
    process.wait()
    wait_for(lambda: not workers_of(broken))
    assert not list(broken.glob("runs/*/manifest.json"))

    # the same command, of which one run diverges and the worker of another is killed
    def kill_a_worker():
        wait_for(lambda: workers_of(broken))
        os.kill(workers_of(broken)[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    capfd.readouterr()
    ends([*words, "--workers", "2", *DIVERGES], 1)
    killer.join()
    said = capfd.readouterr()
    assert "3 runs, 2 at a time, " in said.err
    assert "submitit" not in said.err
    last = said.err.splitlines()[-1]
    assert last.startswith("dateline: 2 of 3 runs failed (")
    assert "its process ended without a result" in last
    assert f"{AFRICA}: " in last
    assert " and gradient norm " in last
    assert read_manifest(broken) is None
    [finished] = read_runs(broken)
    assert finished.run in (WITHOUT, WITH)
    assert f"train {finished.run}: " in said.err  # what the processes write is shown

    # findings have been written, with holes
    holes = read_findings(broken)
    assert [(hole.claim, hole.region) for hole in holes] == [(one.claim, one.region) for one in read_findings(whole)]
    assert {hole.verdict for hole in holes} == {"missing"}
    assert {hole.missing for hole in holes if hole.region == "all"} == {({WITHOUT, WITH} - {finished.run}).pop()}
    assert all(AFRICA in hole.missing for hole in holes if hole.region == "Africa")
    assert "missing: global_local_with pico Africa" in " ".join(said.out.split())

    # the recipe is mended: what was finished is not repeated
    kept = {path: path.stat().st_mtime_ns for path in broken.glob(f"*/{finished.run}/manifest.json")}
    ends([*words, "--workers", "1"], 3)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(kept) == 2
    assert (broken / FINDINGS).read_bytes() == (whole / FINDINGS).read_bytes()
    assert {run.run: run.model for run in read_runs(broken)} == {run.run: run.model for run in read_runs(whole)}
    assert read_manifest(broken).parents == read_manifest(whole).parents


def test_where_every_run_fails_the_reason_is_the_error(small, encoded, tmp_path):
    out = shutil.copytree(encoded, tmp_path / "out")
    with pytest.raises(TrainingDiverged, match=r"global-without-seed0: loss .* at step 2; the weights before it are"):
        run_experiment(small(defaults={"optimizer": {"learning_rate": 1e18}, "train": {"steps": 3}}), out)


def live(recipe, out, run, second):
    """What stands for a run: it dies, or goes on until it is told to stop."""
    if run == "dies":
        print("about to die", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    (out / run).write_text(f"{os.environ.get('OMP_NUM_THREADS')} {os.getpid()}")
    while True:
        signal.pause()


def test_a_worker_that_dies_is_named_and_a_stop_reaches_all_others(small, tmp_path, capfd):
    def stop():
        wait_for(lambda: all((tmp_path / run).exists() for run in ("first", "second")))
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=stop)
    watcher.start()
    runs = ["dies", "first", "second", "third"]
    with (
        held(tmp_path),
        pytest.raises(Interrupted, match="SIGTERM: stopped; 1 runs were not begun; the same command continues"),
    ):
        carry_out(small(), tmp_path, runs, live, second=False, workers=Workers(workers=2))
    watcher.join()
    said = capfd.readouterr().err
    assert "dies: failed: its process ended without a result; its last line: about to die (log: " in said
    assert not workers_of(tmp_path)
    assert not (tmp_path / "third").exists()
    threads, process = (tmp_path / "first").read_text().split()
    assert int(threads) == max(1, len(os.sched_getaffinity(0)) // 2)
    assert int(process) != os.getpid()


def test_a_folder_is_one_process_s_at_a_time(small, tmp_path):
    with held(tmp_path), pytest.raises(UserError, match="another process runs this experiment; wait for it to end"):
        run_experiment(small(), tmp_path)


# On a cluster, which local processes stand for


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Slurm's programs on the path; gives the folder of their state, see fake_slurm.py."""
    programs, state = tmp_path / "bin", tmp_path / "slurm"
    programs.mkdir()
    state.mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel", "scontrol"):
        script = f'#!/bin/sh\nexec {sys.executable} -S {Path(__file__).with_name("fake_slurm.py")} {name} "$@"\n'
        (programs / name).write_text(script)
        (programs / name).chmod(0o700)
    monkeypatch.setenv("FAKE_SLURM", str(state))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return state


def test_an_array_of_jobs_is_queued_again_from_its_checkpoint_and_names_what_failed(slurm, command, one_thread, capfd):
    """Two runs of two processes each: the time of one is up once it has a checkpoint, the other one diverges."""
    axis = {
        "without": {"conditions": {"fields": []}, "train": {"steps": 80, "checkpoint_every": 10}},
        "with": {"optimizer": {"learning_rate": 1e18}},
    }
    words, out = command("cluster", grid={"axes": {"metadata": axis}, "blocks": [{"metadata": "all"}]})
    run = out / "runs" / "without-seed0"
    (slurm / "warn.json").write_text(json.dumps({"0": str(run / "checkpoints" / "step-00000010" / "manifest.json")}))
    asked = "partition=gpu,gpus=2,time=00:05:00,account=news"
    ends([*words, "--executor", "slurm", "--slurm", asked, "--workers", "2"], 1)
    said = capfd.readouterr().err
    assert "2 runs, 2 at a time: submitted as job 4000; logs in " in said
    last = said.splitlines()[-1]
    assert last.startswith("dateline: 1 of 2 runs failed (with-seed0: ")
    assert " and gradient norm " in last

    wanted = {
        "partition=gpu", "gpus-per-node=2", "ntasks-per-node=2", "nodes=1", "time=5", "account=news", "array=0-1%2",
        "requeue", "signal=USR2@90", "job-name=dateline-cluster",
    }  # fmt: skip
    script = (slurm / "4000.sh").read_text().splitlines()
    assert wanted <= {line.removeprefix("#SBATCH --") for line in script if line.startswith("#SBATCH --")}
    assert [path.name for path in slurm.glob("*.sh")] == ["4000.sh"]

    tasks = ("0_0", "0_1", "1_0", "1_1")
    logs = {name: (jobs_folder(out) / f"4000_{name}_log.out").read_text() for name in tasks}
    assert logs["0_0"].count("this job is timed-out") == 1
    assert logs["0_0"].count("Calling checkpoint method") == 1
    assert logs["0_0"].count("Requeued job 4000_0") == 1
    assert "Requeued" not in logs["0_1"] + logs["1_0"] + logs["1_1"]
    assert [run.run for run in read_runs(out)] == ["without-seed0"]
    manifest = read_manifest(run)
    assert (manifest.counts["steps"], manifest.facts["processes"]) == (80, 2)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "train"] == list(range(1, 81))  # none taken twice
    assert {finding.missing for finding in read_findings(out)} == {"with-seed0"}


def test_jobs_on_a_cluster_are_cancelled_with_the_experiment(slurm, small, tmp_path):
    def stop():
        wait_for((tmp_path / "first").exists)
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=stop)
    watcher.start()
    on = {"workers": Workers(executor="slurm", workers=1), "slurm": {"partition": "cpu", "ntasks_per_node": 1}}
    with pytest.raises(Interrupted, match="SIGTERM: 2 jobs cancelled; the same command continues"):
        carry_out(small(), tmp_path, ["first", "second"], live, second=False, **on)
    watcher.join()
    wait_for(lambda: all((slurm / f"4000_{task}.state").read_text() == "CANCELLED by 0" for task in (0, 1)))
    wait_for(lambda: not workers_of(tmp_path))
    assert not (tmp_path / "second").exists()
