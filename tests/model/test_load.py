"""The one loader: models are functions of recipe and seed, or what a folder holds; the rest is refused in one line."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from dateline.conditions import DEFAULT_FIELDS
from dateline.errors import UserError
from dateline.model.attention import ATTENTION
from dateline.model.load import (
    build_model,
    known_fields,
    llama_config,
    load_pretrained,
    load_subject,
    model_fingerprint,
    model_folder,
    trained_fields,
)
from dateline.model.sizes import SIZES, ModelRecipe
from dateline.testing import byte_tokenizer
from dateline.tokens.tokenizer import load_tokenizer, tokenizer_fingerprint, train_tokenizer
from dateline.train.export import save_model

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
def test_embeddings_are_tied_as_the_recipe_says(tied):
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


def pico(vocab, **values):
    recipe = ModelRecipe(**{"size": "pico", "max_positions": 128, **values})
    return build_model(llama_config(recipe, vocab, bos=0, eos=1, pad=2), 3)


def test_the_weights_are_the_folders(save, load, tokenizer):
    base = pico(len(tokenizer))
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
    folder = save(pico(len(tokenizer)))
    message = "num_hidden_layers is 4, the recipe's model section says 6; remove the section"
    with pytest.raises(UserError, match=message.replace("num_hidden_layers is 4", "intermediate_size is 256").replace(
        "says 6", "says 384")):  # fmt: skip
        load(folder, ModelRecipe(size="nano"))
    with pytest.raises(UserError, match="tie_word_embeddings is True, the recipe's model section says False"):
        load(folder, RECIPE.model_copy(update={"tie_embeddings": False}))


def test_vocabularies_that_do_not_fit_are_refused(save, load, tokenizer):
    small = save(pico(len(tokenizer) - 1))
    with pytest.raises(UserError, match=r"knows 258 tokens, the corpus's tokenizer has 259; encode the corpus"):
        load(small)
    other = byte_tokenizer()
    other.add_tokens(["zz"])
    other.save_pretrained(save(pico(len(tokenizer) + 5)))
    with pytest.raises(UserError, match=r"its tokenizer is not the one that encoded the corpus; .*--tokenizer"):
        load(small)


def test_another_end_of_text_is_refused(save, load, tokenizer):
    base = pico(len(tokenizer))
    base.config.eos_token_id = 7
    with pytest.raises(UserError, match="ends a text with token 7, the corpus's tokenizer with 1"):
        load(save(base))


def test_rows_longer_than_the_model_knows_are_refused(save, load, tokenizer):
    with pytest.raises(UserError, match=r"sequence_length 256 is longer than the 128 positions that the model knows"):
        load(save(pico(len(tokenizer))), length=256)


def test_folders_that_hold_no_model_are_refused(tmp_path, load):
    with pytest.raises(UserError, match="no such folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="not a loadable causal language model") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def trained():
    """A tokenizer with BOS and EOS."""
    return train_tokenizer(["the river and the valley of the city", "URL: COUNTRY: CONTINENT: Africa"] * 9, 320)


@pytest.fixture(scope="module")
def run(tmp_path_factory, trained):
    """The output of a training stage: `model/` with `dateline.json` inside."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=trained.bos_token_id,
        eos_token_id=trained.eos_token_id, pad_token_id=trained.pad_token_id,
    )  # fmt: skip
    facts = {"fields": ["domain", "country"], "fingerprint": "f" * 16}
    save_model(folder / "model", LlamaForCausalLM(config), trained, facts, step=1)
    return folder


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory, trained):
    """Any Hugging Face folder: another family, no dateline.json, EOS in place of BOS."""
    folder = tmp_path_factory.mktemp("gpt2")
    trained.save_pretrained(folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.bos_token = None
    tokenizer.save_pretrained(folder)
    config = GPT2Config(
        vocab_size=330, n_embd=32, n_layer=1, n_head=2, n_positions=256, bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def copy(tmp_path, run):
    return shutil.copytree(run / "model", tmp_path / "copy")


def test_a_train_output_is_found_with_its_fields(run, trained):
    subject = load_subject(run, device="cpu")
    assert subject.folder == run / "model"
    assert subject.prefix_format == 2
    assert subject.fields == ("domain", "country")
    assert subject.positions == 256
    assert subject.bos == subject.tokenizer.bos_token_id
    assert subject.model.dtype == torch.float32
    assert not subject.model.training
    assert tokenizer_fingerprint(subject.tokenizer) == tokenizer_fingerprint(trained)


def test_any_folder_is_found_with_the_defaults(gpt2, tmp_path):
    assert (
        load_subject(gpt2, device="cpu", precision="bfloat16").model.dtype == torch.float32
    )  # as it lies in the folder
    low = shutil.copytree(gpt2, tmp_path / "low")
    GPT2LMHeadModel.from_pretrained(gpt2, dtype=torch.bfloat16).save_pretrained(low)
    subject = load_subject(low, device="cpu", precision="bfloat16")
    assert subject.fields == DEFAULT_FIELDS
    assert subject.bos == subject.tokenizer.eos_token_id
    assert subject.positions == 256
    assert subject.vocabulary == 330
    assert subject.model.dtype == torch.bfloat16


def test_a_plain_model_is_asked_with_the_default_fields(copy):
    (copy / "dateline.json").write_text(json.dumps({"fields": []}))
    assert trained_fields(copy) == DEFAULT_FIELDS
    assert known_fields(copy) == ()
    (copy / "dateline.json").unlink()
    assert trained_fields(copy) == DEFAULT_FIELDS
    assert known_fields(copy) is None


def test_a_model_of_the_earlier_prefix_format_keeps_it_and_says_so(copy, capsys):
    path = copy / "dateline.json"
    about = json.loads(path.read_text())
    assert load_subject(copy, device="cpu").prefix_format == 2
    assert capsys.readouterr().err == ""
    path.write_text(json.dumps({key: value for key, value in about.items() if key != "prefix_format"}))
    assert load_subject(copy, device="cpu").prefix_format == 1
    assert "its prefixes end in an empty line (prefix format 1), as in its training" in capsys.readouterr().err
    path.write_text(json.dumps({"fields": []}))  # a plain model saw no prefix of either format
    assert load_subject(copy, device="cpu").prefix_format == 2
    path.write_text(json.dumps(about | {"prefix_format": 3}))
    with pytest.raises(UserError, match=r"dateline\.json: prefix_format 3 is not known; made by a newer Dateline\?"):
        load_subject(copy, device="cpu")


def test_the_fingerprint_is_that_of_the_folder_wherever_it_lies(run, copy):
    assert model_fingerprint(run) == model_fingerprint(run / "model") == model_fingerprint(str(copy))
    assert len(model_fingerprint(run)) == 16


@pytest.mark.parametrize("content", [None, "{", json.dumps({"fields": ["country"], "fingerprint": "stale"})])
def test_the_fingerprint_does_not_trust_what_dateline_json_says(copy, content):
    before = model_fingerprint(copy)
    (copy / "README.md").write_text("a model")
    (copy / "dateline.json").unlink()
    if content is not None:
        (copy / "dateline.json").write_text(content)
    assert model_fingerprint(copy) == before


def test_other_weights_are_another_model_though_dateline_json_came_along(copy):
    """Another tool tunes the weights and copies every other file."""
    before = model_fingerprint(copy)
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * 1.001
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert model_fingerprint(copy) != before


@pytest.mark.parametrize(
    "name",
    [
        "config.json", "model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json",
        "pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "tokenizer.json", "tokenizer_config.json",
        "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt", "spiece.model", "tiktoken.model",
        "special_tokens_map.json", "added_tokens.json",
    ],
)  # fmt: skip
def test_every_file_that_decides_a_score_is_in_the_fingerprint(copy, name):
    before = model_fingerprint(copy)
    with (copy / name).open("ab") as file:
        file.write(b"\n")
    assert model_fingerprint(copy) != before


def test_special_tokens_in_a_text_are_text(run):
    subject = load_subject(run, device="cpu")
    (tokens,) = subject.encode(["the <eos> token"])
    assert tokens.dtype == np.int32
    assert subject.tokenizer.eos_token_id not in tokens
    assert subject.tokenizer.decode(tokens) == "the <eos> token"
    assert subject.encode([]) == []


def test_missing_weights_are_refused_instead_of_made_up(copy):
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"1 weights are not in the checkpoint, such as model\.layers\.1\.mlp\.up_proj"):
        load_subject(copy, device="cpu")


def test_damage_is_reported_in_one_line(copy, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        load_subject(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no config\.json"):
        load_subject(tmp_path)
    with pytest.raises(UserError, match="device 'fast' is not known"):
        load_subject(copy, device="fast")
    with pytest.raises(UserError, match="precision 'float8' is not known; use float32 or bfloat16"):
        load_subject(copy, device="cpu", precision="float8")
    (copy / "dateline.json").write_text("{")
    with pytest.raises(UserError, match=r"dateline\.json: not valid JSON"):
        load_subject(copy, device="cpu")
    (copy / "dateline.json").write_text(json.dumps({"fields": ["mood"]}))
    with pytest.raises(UserError, match="unknown field 'mood'"):
        load_subject(copy, device="cpu")
    (copy / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="not a loadable causal language model"):
        load_subject(copy, device="cpu")


def test_a_model_without_tokenizer_or_without_bos_is_refused(copy):
    (copy / "dateline.json").unlink()
    tokenizer = load_tokenizer(copy)
    tokenizer.bos_token = tokenizer.eos_token = None
    tokenizer.save_pretrained(copy)
    with pytest.raises(UserError, match="neither BOS nor EOS"):
        load_subject(copy, device="cpu")
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer_config.json").unlink()
    with pytest.raises(UserError, match="no tokenizer in it; save the model's tokenizer there"):
        load_subject(copy, device="cpu")


def test_a_tokenizer_that_does_not_fit_is_refused(run):
    subject = load_subject(run, device="cpu")
    subject.check_fits(subject.vocabulary - 1)
    with pytest.raises(
        UserError, match="the tokenizer does not fit the model: it gives token 320, the model knows 320"
    ):
        subject.check_fits(subject.vocabulary)


def test_a_tokenizer_that_transformers_reads_otherwise_than_its_file_says_is_refused(copy):
    path = copy / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"tokenizer_class": "Qwen2Tokenizer"}))
    with pytest.raises(UserError, match=r"Qwen2Tokenizer does not tokenize as tokenizer\.json says: ") as caught:
        load_subject(copy, device="cpu")
    assert "\n" not in str(caught.value)
    assert 'set "tokenizer_class": "PreTrainedTokenizerFast" in tokenizer_config.json' in str(caught.value)
    path.write_text(json.dumps(config | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    load_subject(copy, device="cpu")


def test_code_that_comes_with_a_model_is_never_run(copy, tmp_path):
    folder = copy
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match="not a loadable"):
        load_subject(folder, device="cpu")
    assert not (tmp_path / "ran").exists()
