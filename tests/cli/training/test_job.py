"""What a job does with the scheduler's signals; the scheduler is played by hand."""

import os
import signal
import sys
import types
from pathlib import Path

import pytest

from dateline.cli.training import job as module
from dateline.cli.training.job import VerbJob
from dateline.errors import Interrupted


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
        monkeypatch.setattr(module, "verb", lambda name: lambda words: act(name, words))
        return scheduler, VerbJob("train", ("recipe.yaml", "--resume"), str(tmp_path))

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
