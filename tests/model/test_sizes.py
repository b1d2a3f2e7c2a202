"""Counts from the table of sizes are those of the models that transformers builds."""

import pytest
import torch
from transformers import LlamaForCausalLM

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.model.load import llama_config
from dateline.model.sizes import SIZES, ModelRecipe, flops_per_token, num_parameters

LLAMA3_VOCABULARY = 128_256


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_num_parameters_is_the_real_count(size, tied):
    recipe = ModelRecipe(size=size, tie_embeddings=tied)
    with torch.device("meta"):
        model = LlamaForCausalLM(llama_config(recipe, 1000, bos=0, eos=1, pad=2))
    assert all(parameter.is_meta for parameter in model.parameters())
    assert num_parameters(recipe, 1000) == sum(parameter.numel() for parameter in model.parameters())


def test_num_parameters_counts_grouped_heads(monkeypatch):
    monkeypatch.setitem(SIZES, "pico", SIZES["pico"]._replace(num_key_value_heads=2))
    with torch.device("meta"):
        model = LlamaForCausalLM(llama_config(ModelRecipe(size="pico"), 100, bos=0, eos=1, pad=2))
    assert num_parameters(ModelRecipe(size="pico"), 100) == sum(p.numel() for p in model.parameters())


def test_published_shapes():
    assert tuple(SIZES["0.5b"]) == (24, 1024, 16, 16, 4096)
    assert tuple(SIZES["1b"]) == (16, 2048, 16, 16, 5632)


@pytest.mark.parametrize(("size", "billions"), [("0.5b", 0.53), ("1b", 1.09)])
def test_published_sizes_with_the_published_vocabulary(size, billions):
    assert num_parameters(ModelRecipe(size=size), LLAMA3_VOCABULARY) / 1e9 == pytest.approx(billions, abs=0.007)


def test_sizes_grow_in_the_order_in_which_they_are_named():
    counts = [num_parameters(ModelRecipe(size=size), 32_768) for size in SIZES]
    assert counts == sorted(counts)
    assert len(set(counts)) == len(counts)


def test_every_size_has_an_even_head():
    for shape in SIZES.values():
        assert shape.hidden_size % shape.num_heads == 0
        assert shape.num_heads % shape.num_key_value_heads == 0
        assert shape.hidden_size // shape.num_heads % 2 == 0  # rotary embeddings turn pairs


def test_flops_golden():
    # pico, by hand. One layer: 4 * 128 * 128 in attention, 3 * 128 * 256 in the feed-forward; four layers.
    # Output embedding: 1000 * 128. Attention scores: 12 * 4 * 128 for each position attended.
    assert flops_per_token(ModelRecipe(size="pico"), 1000, 0) == 6 * (4 * (65_536 + 98_304) + 128_000) == 4_700_160
    assert flops_per_token(ModelRecipe(size="pico"), 1000, 100) - 4_700_160 == 614_400


def test_flops_count_the_output_embedding_once_whether_tied_or_not():
    tied, free = (flops_per_token(ModelRecipe(tie_embeddings=tied), 1000, 7) for tied in (True, False))
    assert tied == free


def test_flops_of_the_published_run_are_about_six_per_parameter():
    recipe = ModelRecipe(size="1b")
    assert flops_per_token(recipe, LLAMA3_VOCABULARY, 0) == pytest.approx(
        6 * num_parameters(recipe, LLAMA3_VOCABULARY), rel=1e-3
    )


def test_unknown_size_is_refused_by_name():
    with pytest.raises(UserError, match=r"size: .*'pico'.*given: 'giga'"):
        validate_recipe(ModelRecipe, {"size": "giga"})
