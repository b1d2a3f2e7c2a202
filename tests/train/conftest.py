"""A small encoded newswire, and the recipe of the smallest run on it."""

import json
import multiprocessing
import random
import socket

import pytest
import torch

from dateline.config import validate_recipe
from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer
from dateline.train.recipe import TrainRecipe


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    """Tiny tensors wait longer for a second thread than they gain from it, above all beside other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def encoded(tmp_path_factory):
    """The folder; 300 articles, so that every continent has validation documents."""
    folder = tmp_path_factory.mktemp("newswire")
    build_corpus(CorpusRecipe(newswire=NewswireSource(articles=300), language=None), folder / "corpus")
    encode_stage(EncodeRecipe(vocab_size=512), folder / "corpus").make(folder / "encoded")
    return folder / "encoded"


@pytest.fixture(scope="session")
def corpus(encoded):
    return EncodedCorpus.open(encoded)


@pytest.fixture(scope="session")
def tokenizer(corpus):
    return load_tokenizer(corpus.tokenizer_folder)


@pytest.fixture(scope="session")
def make_recipe(encoded):
    """Eight steps of four rows on the CPU; sections are given as dicts, other values of `train` as keywords."""

    def make(*, seed=0, conditions=None, mix=None, model=None, optimizer=None, schedule=None, packing=None, **train):
        length = {} if "epochs" in train else {"steps": 8}
        data = {
            "data": str(encoded),
            "seed": seed,
            "conditions": conditions or {},
            "mix": mix or {},
            "packing": packing or {"sequence_length": 128},
            "model": {"size": "pico", **(model or {})},
            "optimizer": {"learning_rate": 1e-3, **(optimizer or {})},
            "schedule": {"warmup_steps": 2, **(schedule or {})},
            "train": {
                "batch_rows": 4, "precision": "float32", "device": "cpu", "log_every": 1, "validate_every": 4,
                "validation_documents": 8, "checkpoint_every": 0, "hang_minutes": 0.5, **length, **train,
            },
        }  # fmt: skip
        return validate_recipe(TrainRecipe, data)

    return make


@pytest.fixture(scope="session")
def losses():
    """All records of a run but its speed, which no two runs share."""

    def read(run):
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        speed = ("tokens_per_second", "flops_per_second", "mfu")
        return [{key: value for key, value in record.items() if key not in speed} for record in records]

    return read


@pytest.fixture(autouse=True)
def _restore_generator():
    """Training seeds torch's global generator; other tests shall not notice."""
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


PROGRAM = """
import os, sys
sys.stdout = sys.stderr = open({said!r}, "w", buffering=1)
os.environ.update({environment!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
from dateline.train.loop import train_model
from dateline.train.recipe import TrainRecipe
recipe = TrainRecipe.model_validate_json({recipe!r})
out, resume = Path({out!r}), {resume!r}
{before}
train_model(recipe, out, resume=resume)
"""


def free_port():
    """Returns a port outside the range of outgoing connections, one of which might take it in the meantime."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


@pytest.fixture
def start(tmp_path):
    """Starts a run in one process or several, forked from one that has imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dateline.train.loop"])
    started = []

    def begin(recipe, out, size=1, *, resume=False, before=""):
        port = free_port()
        processes = []
        for rank in range(size):
            environment = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
            if size > 1:
                environment |= {
                    "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(port),
                }  # fmt: skip
            program = PROGRAM.format(
                said=str(tmp_path / f"said{rank}.txt"), environment=environment, recipe=recipe.model_dump_json(),
                out=str(out), resume=resume, before=before,
            )  # fmt: skip
            process = context.Process(target=exec, args=(program, {}))
            process.start()
            processes.append(process)
        started.extend(processes)
        return processes

    yield begin
    for process in started:
        if process.is_alive():
            process.kill()
        process.join()


@pytest.fixture
def train_on(start, tmp_path):
    """Runs to the end, and fails with what the processes have said where one of them fails."""

    def run(recipe, out, size=1, **rest):
        for process in start(recipe, out, size, **rest):
            process.join(120)
            said = [(tmp_path / f"said{rank}.txt") for rank in range(size)]
            assert process.exitcode == 0, "\n".join(path.read_text()[-2000:] for path in said if path.exists())
        return out

    return run
