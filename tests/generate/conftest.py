"""Two tiny models that read bytes: one with `dateline.json`, one from elsewhere that has no BOS."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from dateline.testing import byte_tokenizer
from dateline.train.export import save_model


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    folder, tokenizer = tmp_path_factory.mktemp("llama"), byte_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=256, initializer_range=0.3, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    facts = {"fields": ["domain", "country"], "fingerprint": "f" * 16}
    save_model(folder / "model", LlamaForCausalLM(config), tokenizer, facts, step=1)
    return folder


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    folder, tokenizer = tmp_path_factory.mktemp("gpt2"), byte_tokenizer()
    tokenizer.bos_token = None
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=256, initializer_range=0.2,
        bos_token_id=1, eos_token_id=1,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
