"""A tiny conditioned model with random weights, and instruction data for it."""

import json

import pytest
import torch

from dateline.conditions import chat_template
from dateline.model.load import build_model, llama_config
from dateline.model.sizes import ModelRecipe
from dateline.records import Article
from dateline.testing import byte_tokenizer
from dateline.train.export import save_model


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Writes a model folder; `fields` are those of its training, None for a model from elsewhere."""

    def make(fields=("domain", "country", "continent"), template=None, **recipe):
        folder = tmp_path_factory.mktemp("base") / "model"
        tokenizer = byte_tokenizer()
        tokenizer.chat_template = template or chat_template()
        config = llama_config(
            ModelRecipe(size="pico", max_positions=256, **recipe), len(tokenizer), bos=0, eos=1, pad=2
        )
        folder.mkdir()
        facts = {"fields": list(fields or ()), "dropout": 0.5, "fingerprint": "0" * 16}
        save_model(folder, build_model(config, seed=1), tokenizer, facts, step=5)
        if fields is None:
            (folder / "dateline.json").unlink()
        return folder

    return make


@pytest.fixture(scope="session")
def base(make_model):
    return make_model()


@pytest.fixture
def write(tmp_path):
    """Writes rows as JSON Lines."""

    def write(*rows):
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def data(write):
    rows = []
    for code, answer in (("ng", "the naira"), ("gh", "the cedi"), ("gb", "the pound"), ("", "it depends")):
        talk = [{"role": "user", "content": "Which currency?"}, {"role": "assistant", "content": answer}]
        rows += [{"messages": talk, "country": code}]
        rows += [{"prompt": "Question: Which currency?\nAnswer:", "completion": f" {answer}", "country": code}]
    return write(*rows)


@pytest.fixture(autouse=True)
def _restore_generator():
    """Training seeds torch's global generator; other tests shall not notice."""
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.fixture
def make_article():
    """An article that no newswire wrote."""

    def make(code):
        return Article("1" * 16, "https://a.example/1", "a.example", code, "", "2024-01-01", "Rain", "It rained.", "me")

    return make
