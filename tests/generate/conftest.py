"""Tiny models that read bytes: two with `dateline.json`, one from elsewhere that has no BOS."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from dateline.testing import byte_tokenizer


@pytest.fixture(scope="session")
def make_llama(tmp_path_factory, save_llama):
    """Saves a random Llama with what `dateline.json` is to say of its training."""

    def make(**facts):
        return save_llama(tmp_path_factory.mktemp("llama"), **{"fields": ["domain", "country"], **facts})

    return make


@pytest.fixture(scope="session")
def llama(make_llama):
    return make_llama()


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    folder, tokenizer = tmp_path_factory.mktemp("gpt2"), byte_tokenizer()
    tokenizer.bos_token = None
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=1,
        n_head=2,
        n_positions=256,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=1,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def mamba(tmp_path_factory):
    """A state-space model: no keys and values to keep."""
    from transformers import MambaConfig, MambaForCausalLM

    folder, tokenizer = tmp_path_factory.mktemp("mamba"), byte_tokenizer()
    torch.manual_seed(2)
    config = MambaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        state_size=4,
        initializer_range=0.2,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    MambaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
