"""A run may start from any folder that is what it seems; the rest is refused in one line."""

import json

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from dateline.errors import UserError
from dateline.model.load import build_model, llama_config, load_pretrained, model_fingerprint
from dateline.model.sizes import ModelRecipe
from dateline.testing import byte_tokenizer

RECIPE = ModelRecipe(size="pico", max_positions=128)
TINY = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "eos_token_id": 1, "bos_token_id": 0, "pad_token_id": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture
def save(tmp_path, tokenizer):
    def write(model, with_tokenizer=True):
        folder = tmp_path / "base"
        model.save_pretrained(folder)
        if with_tokenizer:
            tokenizer.save_pretrained(folder)
        return folder

    return write


@pytest.fixture
def load(tokenizer):
    def read(folder, recipe=None, length=64, tokenizer=tokenizer):
        return load_pretrained(folder, recipe, tokenizer, length=length, bos=0, eos=1, pad=2)

    return read


def llama(vocab, **values):
    recipe = ModelRecipe(**{"size": "pico", "max_positions": 128, **values})
    return build_model(llama_config(recipe, vocab, bos=0, eos=1, pad=2), 3)


def test_the_weights_are_the_folders(save, load, tokenizer):
    base = llama(len(tokenizer))
    folder = save(base)
    model = load(folder, RECIPE.model_copy(update={"dropout": 0.25}))
    assert all(torch.equal(a, b) for a, b in zip(base.parameters(), model.parameters(), strict=True))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config._attn_implementation == "dateline_documents"
    assert {layer.self_attn.attention_dropout for layer in model.model.layers} == {0.25}


FAMILIES = {
    "qwen2": lambda v: Qwen2ForCausalLM(Qwen2Config(vocab_size=v, **TINY)),
    "mistral": lambda v: MistralForCausalLM(MistralConfig(vocab_size=v, sliding_window=None, **TINY)),
    "gpt2": lambda v: GPT2LMHeadModel(
        GPT2Config(vocab_size=v, n_positions=128, n_embd=32, n_layer=1, n_head=2, eos_token_id=1, bos_token_id=0)
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_that_compute_alike_are_taken(save, load, tokenizer, family):
    model = load(save(FAMILIES[family](len(tokenizer))))
    assert model.get_output_embeddings().weight.shape == (len(tokenizer), 32)
    assert model.config._attn_implementation == "dateline_documents"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda v: MistralForCausalLM(MistralConfig(vocab_size=v, **TINY)), "'mistral' attends to a window"),
        (lambda v: Gemma2ForCausalLM(Gemma2Config(vocab_size=v, head_dim=8, **TINY)), "'gemma2' attends to a window"),
        (
            lambda v: GraniteForCausalLM(GraniteConfig(vocab_size=v, logits_scaling=8.0, **TINY)),
            r"'granite' computes its logits in a way of its own \(scaled, capped or biased\)",
        ),
        (
            lambda v: MambaForCausalLM(MambaConfig(vocab_size=v, hidden_size=16, num_hidden_layers=1, eos_token_id=1)),
            "'mamba' has no attention",
        ),
    ],
    ids=["window", "gemma2", "granite", "mamba"],
)
def test_families_that_compute_otherwise_are_refused(save, load, tokenizer, make, message):
    with pytest.raises(UserError, match=message) as caught:
        load(save(make(len(tokenizer))))
    assert "\n" not in str(caught.value)


def test_a_recipe_that_disagrees_is_refused(save, load, tokenizer):
    folder = save(llama(len(tokenizer)))
    message = "num_hidden_layers is 4, the recipe's model section says 6; remove the section"
    with pytest.raises(UserError, match=message.replace("num_hidden_layers is 4", "intermediate_size is 256").replace(
        "says 6", "says 384")):  # fmt: skip
        load(folder, ModelRecipe(size="nano"))
    with pytest.raises(UserError, match="tie_word_embeddings is True, the recipe's model section says False"):
        load(folder, RECIPE.model_copy(update={"tie_embeddings": False}))


def test_vocabularies_that_do_not_fit_are_refused(save, load, tokenizer):
    small = save(llama(len(tokenizer) - 1))
    with pytest.raises(UserError, match=r"knows 258 tokens, the corpus's tokenizer has 259; encode the corpus"):
        load(small)
    other = byte_tokenizer()
    other.add_tokens(["zz"])
    other.save_pretrained(save(llama(len(tokenizer) + 5)))
    with pytest.raises(UserError, match=r"its tokenizer is not the one that encoded the corpus; .*--tokenizer"):
        load(small)


def test_another_end_of_text_is_refused(save, load, tokenizer):
    base = llama(len(tokenizer))
    base.config.eos_token_id = 7
    with pytest.raises(UserError, match="ends a text with token 7, the corpus's tokenizer with 1"):
        load(save(base))


def test_rows_longer_than_the_model_knows_are_refused(save, load, tokenizer):
    with pytest.raises(UserError, match=r"sequence_length 256 is longer than the 128 positions that the model knows"):
        load(save(llama(len(tokenizer))), length=256)


def test_folders_that_hold_no_model_are_refused(tmp_path, load):
    with pytest.raises(UserError, match="no such folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="not a loadable causal language model") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_fingerprint_is_of_the_weights(save, tokenizer):
    folder = save(llama(len(tokenizer)), with_tokenizer=False)
    first = model_fingerprint(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    model.save_pretrained(folder)
    assert model_fingerprint(folder) != first
    (folder / "dateline.json").write_text(json.dumps({"fingerprint": "known"}))
    assert model_fingerprint(folder) == "known"
    (folder / "dateline.json").write_text("{")
    with pytest.raises(UserError, match=r"dateline\.json: damaged"):
        model_fingerprint(folder)
