"""A tiny Llama with grouped heads and weights large enough for attention to matter."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import dateline.model.attention  # noqa: F401  (registers the attention)


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    """Tiny tensors wait longer for a second thread than they gain from it, above all beside other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def llama():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.3, bos_token_id=0, eos_token_id=1,
        pad_token_id=2, attn_implementation="sdpa",
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()
