"""Models are a function of recipe and seed, and plain transformers models."""

import json
import math

import pytest
import torch
from transformers import LlamaForCausalLM

from dateline.errors import UserError
from dateline.model.attention import ATTENTION
from dateline.model.load import build_model, llama_config, model_folder
from dateline.model.sizes import SIZES, ModelRecipe

PICO = ModelRecipe(size="pico")


def config(recipe=PICO, vocab_size=300):
    return llama_config(recipe, vocab_size, bos=3, eos=4, pad=5)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_config_says_what_the_recipe_says():
    recipe = ModelRecipe(size="micro", tie_embeddings=False, dropout=0.1, rope_theta=5e5, max_positions=777)
    made = config(recipe)
    assert (made.num_hidden_layers, made.hidden_size, made.num_attention_heads, made.num_key_value_heads) == (
        SIZES["micro"][:4]
    )
    assert (made.intermediate_size, made.vocab_size, made.max_position_embeddings) == (768, 300, 777)
    assert (made.bos_token_id, made.eos_token_id, made.pad_token_id) == (3, 4, 5)
    assert (made.tie_word_embeddings, made.attention_dropout) == (False, 0.1)
    assert made.rope_parameters["rope_theta"] == 5e5


def test_rope_theta_reaches_the_network():
    slow = build_model(config(ModelRecipe(size="pico", rope_theta=5e5)), 0).model.rotary_emb.inv_freq
    assert slow[-1] == pytest.approx(5e5 ** -(30 / 32), rel=1e-5)


def test_weights_depend_on_the_seed_and_on_nothing_else():
    torch.manual_seed(1)
    first = build_model(config(), 7)
    torch.manual_seed(2)
    torch.rand(5)
    assert same(first, build_model(config(), 7))
    assert not same(first, build_model(config(), 8))


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    build_model(config(), 7)
    assert torch.equal(before, torch.get_rng_state())


def test_weights_are_float32_and_start_small():
    recipe = ModelRecipe(size="micro")
    model = build_model(config(recipe), 0)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    layer = model.model.layers[3]
    assert float(layer.self_attn.q_proj.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    narrow = 0.02 / math.sqrt(2 * 8)
    assert float(layer.self_attn.o_proj.weight.detach().std()) == pytest.approx(narrow, rel=0.05)
    assert float(layer.mlp.down_proj.weight.detach().std()) == pytest.approx(narrow, rel=0.05)
    assert torch.equal(layer.input_layernorm.weight, torch.ones(256))


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_are_tied_as_told(tied):
    model = build_model(config(ModelRecipe(size="pico", tie_embeddings=tied)), 0)
    assert (model.lm_head.weight is model.model.embed_tokens.weight) is tied


def test_first_loss_is_that_of_a_uniform_guess():
    model = build_model(config(), 0)
    model.set_attn_implementation("sdpa")
    ids = torch.randint(0, 300, (2, 50), generator=torch.Generator().manual_seed(0))
    assert float(model(input_ids=ids, labels=ids).loss.detach()) == pytest.approx(math.log(300), abs=0.1)


def test_saved_model_is_a_plain_transformers_model(tmp_path):
    model = build_model(config(), 0)
    assert model.config._attn_implementation == ATTENTION
    model.save_pretrained(tmp_path)
    assert ATTENTION not in (tmp_path / "config.json").read_text()
    loaded = LlamaForCausalLM.from_pretrained(tmp_path, local_files_only=True)
    assert loaded.config._attn_implementation == "sdpa"
    assert same(model, loaded)


def test_saved_model_generates_with_a_cache(tmp_path):
    build_model(config(), 0).save_pretrained(tmp_path)
    for name in ("config.json", "generation_config.json"):
        assert json.loads((tmp_path / name).read_text()).get("use_cache", True) is True


def test_model_folder_finds_the_model_in_the_output_of_a_run(tmp_path):
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "config.json").write_text("{}")
    assert model_folder(tmp_path / "run") == tmp_path / "run" / "model"
    assert model_folder(str(tmp_path / "run" / "model")) == tmp_path / "run" / "model"


def test_model_folder_says_what_is_missing(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json in it; name the output of 'dateline train'"):
        model_folder(tmp_path)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        model_folder(tmp_path / "nowhere")
