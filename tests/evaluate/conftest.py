"""A tiny encoded corpus and two tiny models: one with the corpus's tokenizer, one with another."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from dateline.manifest import Manifest, write_manifest
from dateline.records import body_text
from dateline.tokens.store import SCHEMA, TEXT_COLUMNS, ShardWriter
from dateline.tokens.tokenizer import train_tokenizer
from dateline.train.export import save_model

PLACES = [
    ("punchng.com", "ng", "Africa"),
    ("dawn.com", "pk", "Asia"),
    ("bbc.co.uk", "gb", "Europe"),
    ("nation.africa", "ke", "Africa"),
]
TITLES = ["Le café rouvre", "Flood in the valley", "Ministers meet", "Cup final tonight", "Rates rise – again"]


def article(number):
    domain, country, continent = PLACES[number % len(PLACES)]
    rng = np.random.default_rng(number)
    words = ["river", "court", "naïve", "vote", "team", "said", "₦500", "the", "city", "of"]
    text = " ".join(rng.choice(words, size=8 + 11 * number))
    return {
        "id": f"{number:016x}", "url": f"https://{domain}/{number}", "domain": domain, "country": country,
        "continent": continent, "date": "2024-01-02", "split": "validation" if number == 0 else "test",
        "body": body_text(TITLES[number % len(TITLES)], text),
    }  # fmt: skip


def write_corpus(folder: Path, articles, tokenizer, wrong_bytes=0, lost=()) -> Path:
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder / "tokenizer")
    bodies = [a["body"] for a in articles]
    tokens = [tokenizer(body, add_special_tokens=False)["input_ids"] for body in bodies]
    columns = [pa.array(tokens, type=pa.large_list(pa.int32()))]
    columns += [pa.array([a[name] for a in articles], type=pa.string()) for name in TEXT_COLUMNS]
    sizes = [0 if a["id"] in lost else len(a["body"].encode()) + wrong_bytes for a in articles]
    columns.append(pa.array(sizes, type=pa.int32()))
    with ShardWriter(folder) as writer:
        writer.write(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
    write_manifest(folder, Manifest.of("encode", {"wrong_bytes": wrong_bytes}, {"corpus": "test"}))
    return folder


@pytest.fixture(scope="session", name="write_corpus")
def _write_corpus():
    return write_corpus


@pytest.fixture(scope="session")
def articles():
    return [article(number) for number in range(13)]


@pytest.fixture(scope="session")
def tokenizer(articles):
    return train_tokenizer([a["body"] for a in articles] * 3 + ["URL: COUNTRY: CONTINENT: Africa"] * 9, 320)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, articles, tokenizer):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "encoded", articles, tokenizer)


@pytest.fixture(scope="session")
def llama(tmp_path_factory, tokenizer):
    """The output of a training stage: `model/` with `dateline.json` inside."""
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.3, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    facts = {"fields": ["domain", "country"], "fingerprint": "f" * 16}
    save_model(folder / "model", LlamaForCausalLM(config), tokenizer, facts, step=1)
    return folder


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    """Any Hugging Face folder: another family, another tokenizer, no dateline.json, EOS in place of BOS."""
    folder = tmp_path_factory.mktemp("gpt2")
    other = train_tokenizer(["some other text about rivers and the valley of cities"] * 4, 280)
    other.bos_token = None
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=300, n_embd=32, n_layer=1, n_head=2, n_positions=256, initializer_range=0.2,
        bos_token_id=other.eos_token_id, eos_token_id=other.eos_token_id,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    other.save_pretrained(folder)
    return folder
