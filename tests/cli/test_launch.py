"""A recipe becomes a job: what Slurm is asked for, what a job does with signals, and a job that is pre-empted."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
import yaml

from dateline.cli import launch
from dateline.cli.launch import VerbJob, run
from dateline.config import load_recipe
from dateline.errors import Interrupted, UserError
from dateline.jobs import jobs_folder, minutes, slurm_parameters
from dateline.manifest import read_manifest
from dateline.train.recipe import TrainRecipe

SLURM = "partition=gpu,nodes=2,gpus=8,time=24:00:00"
PATIENCE = 300.0
"""Seconds until a test gives a job up."""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Programs that stand for Slurm's; gives the script that `sbatch` was handed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", f'cp "$1" {folder}/script; echo "Submitted batch job 4711"'), ("srun", "exit 1")):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: (folder / "script").read_text().splitlines()


def says(words, message):
    with pytest.raises(UserError) as caught:
        run([str(word) for word in words])
    assert message in str(caught.value)


def test_slurm_is_asked_for_one_process_a_gpu(slurm, train_recipe, tmp_path, capsys):
    out = tmp_path / "runs" / "1b"
    run([str(train_recipe), "--out", str(out), "--slurm", f"{SLURM},account=news,cpus_per_task=8", "--seed", "7"])
    assert capsys.readouterr().out == (
        f"{out}: submitted as job 4711, 16 processes; logs in {out}.jobs; follow it with: dateline watch {out}\n"
    )
    script = slurm()
    wanted = {
        "partition=gpu", "nodes=2", "gpus-per-node=8", "ntasks-per-node=8", "time=1440", "account=news",
        "cpus-per-task=8", "requeue", "signal=USR2@90", "job-name=dateline-1b",
    }  # fmt: skip
    assert wanted <= {line.removeprefix("#SBATCH --") for line in script if line.startswith("#SBATCH --")}
    [command] = [line for line in script if line.startswith("srun ")]
    assert "--kill-on-bad-exit=1" in command
    assert sys.executable in command
    assert not out.exists()  # the run begins in an empty folder
    [copy] = jobs_folder(out).glob("recipe-*.yaml")
    assert load_recipe(TrainRecipe, copy) == load_recipe(TrainRecipe, train_recipe, ["--seed", "7"])


def test_processes_where_there_are_no_gpus():
    assert slurm_parameters({"partition": "cpu", "time": 90, "tasks": 4}) == {
        "partition": "cpu", "time": 90, "ntasks_per_node": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gpus": "many"}, "--slurm: gpus=many is no number of gpus"),
        ({"gpus": 8, "nodes": 0}, "--slurm: nodes=0 is no number of nodes"),
        ({}, "--slurm: say how many GPUs a node has (gpus=8), or without any how many processes (tasks=4)"),
        ({"gpus": 1, "time": "soon"}, "--slurm: time=soon: write minutes, HH:MM:SS or D-HH:MM:SS"),
        ({"gpus": 1, "time": 0}, "--slurm: time=0: leaves no time to run"),
    ],
)
def test_what_slurm_could_not_read_is_refused(options, message):
    with pytest.raises(UserError) as caught:
        slurm_parameters({"partition": "gpu", "time": "01:00:00", **options})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("time_limit", "expected"), [(90, 90), ("24:00:00", 1440), ("3-12:00:00", 5040), ("00:00:30", 1)]
)
def test_time_limits_are_minutes(time_limit, expected):
    assert minutes(time_limit) == expected


def test_an_unknown_option_is_named(slurm, train_recipe, tmp_path):
    says([train_recipe, "--out", tmp_path / "run", "--slurm", f"{SLURM},qeue=fast"], "--slurm: Unavailable parameter")


def test_a_machine_without_slurm_is_told_apart(train_recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    says([train_recipe, "--out", tmp_path / "run", "--slurm", SLURM], 'could not detect "srun"'.capitalize())


def test_mistakes_are_found_before_the_queue(train_recipe, experiment_recipe, tmp_path):
    out = ["--out", tmp_path / "run"]
    says([train_recipe, *out], "give either --slurm partition=NAME,nodes=N,gpus=N,time=HH:MM:SS or --local PROCESSES")
    says([train_recipe, *out, "--local", "1", "--slurm", SLURM], "give either")
    says([train_recipe, *out, "--local", "1", "--data", tmp_path / "gone"], "gone: no such folder; make it with")
    says([train_recipe, *out, "--local", "1", "--train.step", "3"], "--train.step: unknown key; did you mean 'steps'?")
    says([tmp_path / "gone.yaml", *out, "--local", "1"], "gone.yaml: no such recipe")
    says([experiment_recipe, *out, "--local", "2"], "launched as one job, an experiment takes one process")
    (tmp_path / "corpus.yaml").write_text("paths: [news]\n")
    says([tmp_path / "corpus.yaml", *out, "--local", "1"], "is the recipe of a corpus; dateline corpus")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("")
    says([train_recipe, *out, "--local", "1"], "run: already holds something; pass --resume to continue it")
    assert not jobs_folder(tmp_path / "run").exists()


class Requeued(BaseException):
    """Stands for the end of a process whose job was queued again."""


class Scheduler:
    """Stands for submitit inside one process of a job."""

    def __init__(self, rank=0, processes=1):
        self.rank, self.processes = rank, processes
        self.requeued = 0
        self.exported = []

    def requeue(self, number, frame):
        if self.rank == 0:
            self.requeued += 1
            raise Requeued

    def ignore(self, number, frame):
        pass

    def modules(self):
        task = types.SimpleNamespace(num_tasks=self.processes, global_rank=self.rank, USR_SIG="USR2")
        submitit = types.ModuleType("submitit")
        submitit.JobEnvironment = lambda: task
        submitit.helpers = types.ModuleType("submitit.helpers")
        submitit.helpers.TorchDistributedEnvironment = lambda: types.SimpleNamespace(
            export=lambda **options: self.exported.append(options)
        )
        submitit.helpers.DelayedSubmission = lambda function: ("again", function)
        return {"submitit": submitit, "submitit.helpers": submitit.helpers}


@pytest.fixture
def play(monkeypatch, tmp_path):
    """Runs a job whose verb is a function, as one process of a job, and gives the scheduler and the words back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGTERM)}
    here = Path.cwd()

    def run(act, **where):
        scheduler = Scheduler(**where)
        for name, found in scheduler.modules().items():
            monkeypatch.setitem(sys.modules, name, found)
        signal.signal(signal.SIGUSR2, scheduler.requeue)
        signal.signal(signal.SIGTERM, scheduler.ignore)
        monkeypatch.setattr(launch, "verb", lambda name: lambda words: act(name, words))
        return scheduler, VerbJob(str(tmp_path), "train", ("recipe.yaml", "--resume"))

    yield run
    os.chdir(here)
    for number, handler in before.items():
        signal.signal(number, handler)


def training_loop(warn):
    """Listens to SIGTERM while `warn` happens, and stops after the step as the loop does."""
    received = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        warn()
    finally:
        signal.signal(signal.SIGTERM, previous)
    if received:
        raise Interrupted("SIGTERM: stopped after step 3 of 8")


def test_a_job_runs_its_verb_where_the_words_were_written(play, tmp_path):
    seen = []
    _, job = play(lambda name, words: seen.append((name, words, Path.cwd())))
    assert job() is None
    assert seen == [("train", ["recipe.yaml", "--resume"], tmp_path)]
    assert job.checkpoint() == ("again", job)


def test_several_processes_find_each_other_and_share_the_gpus_of_a_node(play):
    alone, job = play(lambda name, words: None)
    job()
    assert alone.exported == []
    many, job = play(lambda name, words: None, processes=4, rank=3)
    job()
    assert many.exported == [{"set_cuda_visible_devices": False, "overwrite": True}]


def test_a_warning_while_training_saves_first_and_queues_again_then(play):
    order = []

    def act(name, words):
        try:
            training_loop(lambda: signal.raise_signal(signal.SIGUSR2))
        finally:
            order.append(scheduler.requeued)

    scheduler, job = play(act)
    with pytest.raises(Requeued):
        job()
    assert (order, scheduler.requeued) == ([0], 1)


def test_a_second_warning_changes_nothing(play):
    def twice():
        signal.raise_signal(signal.SIGUSR2)
        signal.raise_signal(signal.SIGUSR2)

    scheduler, job = play(lambda name, words: training_loop(twice))
    with pytest.raises(Requeued):
        job()
    assert scheduler.requeued == 1


def test_a_warning_outside_of_the_loop_queues_again_at_once(play):
    done = []

    def act(name, words):
        signal.raise_signal(signal.SIGUSR2)
        done.append("too much")

    scheduler, job = play(act)
    with pytest.raises(Requeued):
        job()
    assert (done, scheduler.requeued) == ([], 1)


def test_cancelling_saves_and_queues_nothing(play):
    scheduler, job = play(lambda name, words: training_loop(lambda: signal.raise_signal(signal.SIGTERM)))
    with pytest.raises(Interrupted, match="stopped after step 3"):
        job()
    assert scheduler.requeued == 0


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_other_processes_leave_the_decision_to_the_first(play, number):
    scheduler, job = play(lambda name, words: training_loop(lambda: signal.raise_signal(number)), rank=1, processes=2)
    with pytest.raises(SystemExit) as left:
        job()
    assert (left.value.code, scheduler.requeued) == (0, 0)


def test_other_processes_end_quietly_outside_of_the_loop(play):
    _, job = play(lambda name, words: signal.raise_signal(signal.SIGUSR2), rank=1, processes=2)
    with pytest.raises(SystemExit) as left:
        job()
    assert left.value.code == 0


def test_a_mistake_in_the_recipe_is_the_jobs_result(play):
    def act(name, words):
        raise ValueError("no such folder")

    scheduler, job = play(act)
    with pytest.raises(ValueError, match="no such folder"):
        job()
    assert signal.getsignal(signal.SIGUSR2) == scheduler.requeue


class Local:
    """A job on this machine, seen from outside by its number."""

    def __init__(self, recipe, out, processes, *words):
        from submitit import LocalJob

        run([str(recipe), "--out", str(out), "--local", str(processes), *words])
        [pickle] = jobs_folder(out).glob("*_submitted.pkl")
        self.number = pickle.name.split("_")[0]
        self.out, self.processes = out, processes
        self.job = LocalJob(jobs_folder(out), self.number, tasks=list(range(processes)))

    def tasks(self):
        """Process numbers of the job's processes, of which there is one for each rank."""
        children = Path(f"/proc/{self.number}/task/{self.number}/children")
        return [int(number) for number in children.read_text().split()]

    def wait_for(self, what, reached):
        """Looks until something has happened."""
        started = time.monotonic()
        while not reached():
            if time.monotonic() - started > PATIENCE:
                raise AssertionError(f"waited in vain for {what}:\n{self.log()}")
            time.sleep(0.02)

    def steps(self):
        try:
            lines = (self.out / "metrics.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return 0
        return max((json.loads(line)["step"] for line in lines if line.endswith("}")), default=0)

    def ended(self):
        return len(list(jobs_folder(self.out).glob("*_result.pkl"))) == self.processes

    def log(self):
        return "\n".join(path.read_text() for path in sorted(jobs_folder(self.out).glob("*_log.*")))


@pytest.fixture
def long_recipe(train_recipe, tmp_path, monkeypatch):
    """Long enough to be stopped in the middle, and the same numbers in every process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    recipe = yaml.safe_load(train_recipe.read_text())
    recipe["train"] |= {"steps": 40, "log_every": 1, "precision": "float32"}
    path = tmp_path / "long.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def test_a_preempted_job_is_queued_again_and_ends_with_the_same_weights(long_recipe, tmp_path):
    """Beside two processes of `dateline train` that are left alone, of which one speaks."""
    processes = 2
    calm, out = tmp_path / "calm", tmp_path / "run"
    words = [sys.executable, "-m", "dateline", "train", str(long_recipe), "--out", str(calm), "--nproc", str(processes)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as alone:
        job = Local(long_recipe, out, processes)
        job.wait_for("the third step", lambda: job.steps() >= 3)
        first = job.tasks()
        assert len(first) == processes
        for number in first:
            os.kill(number, signal.SIGUSR2)
        job.wait_for("the end", job.ended)
        said, complaints = alone.communicate(timeout=PATIENCE)
    assert alone.returncode == 0, complaints
    assert said.startswith(f"{calm / 'model'}: ")
    assert [line.startswith("undertrained: ") for line in said.splitlines()] == [False, True]
    assert read_manifest(calm).facts["processes"] == processes
    assert job.job.results() == [None] * processes
    assert job.log().count("Requeued job") == 1
    weights = [(run / "model" / "model.safetensors").read_bytes() for run in (calm, out)]
    assert weights[0] == weights[1]
    kept = [
        [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (calm, out)
    ]
    assert kept[0] == kept[1]
