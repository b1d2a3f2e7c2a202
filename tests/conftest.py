"""What all tests share.

One thread for each test process: two processes share two cores, and small matrices gain nothing from more. SIGINT is
as Python sets it up: a shell that starts the tests in the background ignores it, which tests of Ctrl-C would inherit.
No deadline for single cases of a property: the first of them reads tables and libraries, on a machine that may be busy.
`pytest --hypothesis-profile thorough` tries many more cases of each property than the usual run.
"""

import signal

import hypothesis
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from dateline.corpus import CorpusRecipe, corpus_stage
from dateline.testing import byte_tokenizer
from dateline.train.export import save_model

hypothesis.settings.register_profile("dateline", deadline=None, max_examples=30)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=500)
hypothesis.settings.load_profile("dateline")

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def save_llama():
    """Saves a random Llama that reads bytes, with what `dateline.json` says of its training; returns the folder."""

    def save(folder, *, layers=2, **facts):
        tokenizer = byte_tokenizer()
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=layers,
            num_attention_heads=4, max_position_embeddings=256, initializer_range=0.3, bos_token_id=0, eos_token_id=1,
            pad_token_id=2,
        )  # fmt: skip
        known = {"fields": ["country", "continent"], "fingerprint": "f" * 16, **facts}
        save_model(folder / "model", LlamaForCausalLM(config), tokenizer, known, step=1)
        return folder

    return save


@pytest.fixture(scope="session")
def held_out_news(tmp_path_factory):
    """A corpus of newswire articles, most of which are held out. Read only."""
    recipe = CorpusRecipe(
        newswire={"articles": 1_400, "seed": 5}, splits={"train": 0.1, "validation": 0.1, "test": 0.8}
    )
    folder = tmp_path_factory.mktemp("news") / "corpus"
    corpus_stage(recipe).make(folder)
    return folder


LONGEST = (
    "experiment/test_jobs", "experiment/test_run", "train/test_loop", "end_to_end/test_by_hand", "train/test_parallel",
    "end_to_end/test_recipes", "experiment/test_study", "cli/test_launch", "cli/test_train", "report/test_sections",
    "corpus/test_executors", "train", "end_to_end", "report", "experiment", "corpus", "cli",
)  # fmt: skip
"""Files, then folders, by the time that they take."""


def pytest_collection_modifyitems(items):
    """Runs the longest files first, so that no process is left alone with one of them in the end."""

    def place(item):
        name = item.nodeid.removeprefix("tests/")
        return next((number for number, long in enumerate(LONGEST) if name.startswith(long)), len(LONGEST))

    items.sort(key=place)


def pytest_runtest_setup(item):
    """Skips tests marked `cuda` where there is no GPU; `pytest -m cuda` runs them alone."""
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
