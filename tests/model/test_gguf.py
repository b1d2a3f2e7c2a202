"""A GGUF file holds the model and the tokenizer that were given, and a check notices where it does not."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from dateline.conditions import DEFAULT_FIELDS, Metadata, render
from dateline.errors import UserError
from dateline.records import body_text
from dateline.testing import byte_tokenizer
from dateline.tokens.tokenizer import BOS, EOS, PAD, RESERVED, train_tokenizer

gguf = pytest.importorskip("gguf")
from dateline.model.gguf import SPLITS, check_gguf, interleave, parity_texts, separate, write_gguf  # noqa: E402

TEXTS = parity_texts(DEFAULT_FIELDS) * 3
SHAPE = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 512, "initializer_range": 0.15, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
}  # fmt: skip


def llama(tokenizer, seed=0, **values):
    torch.manual_seed(seed)
    shape = {
        **SHAPE, "num_key_value_heads": 2, "vocab_size": len(tokenizer), "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}, **values,
    }  # fmt: skip
    return LlamaForCausalLM(LlamaConfig(**shape)).eval()


def byte_level(split="", normalizer=None, **values):
    """A byte-level BPE that splits text by a regular expression before its bytes."""
    tokenizer = Tokenizer(models.BPE(**values))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not split)
    if split:
        level = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(split), "isolated"), level])
    tokenizer.pre_tokenizer = level
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=[BOS, EOS, PAD], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    return wrap(tokenizer)


def wrap(tokenizer):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 500)


@pytest.fixture(scope="module")
def written(tmp_path_factory, tokenizer):
    """A file in float32, not to be changed."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    assert write_gguf(llama(tokenizer), tokenizer, path, dtype="f32") == []
    return path


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copy(written, tmp_path / "copy.gguf")


def values(path):
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


def verdicts(comparisons):
    return {reader: agrees for reader, agrees, _ in comparisons}


# what is written


@pytest.mark.parametrize("kv_heads", [2, 4])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", ["f32", "f16", "q8_0"])
def test_a_file_reads_back_as_the_model(tmp_path, tokenizer, dtype, tied, kv_heads):
    model = llama(tokenizer, tie_word_embeddings=tied, num_key_value_heads=kv_heads)
    path = tmp_path / "m.gguf"
    assert write_gguf(model, tokenizer, path, dtype=dtype) == []
    found = check_gguf(path, model=model, tokenizer=tokenizer)
    assert all(agrees is not False for agrees in verdicts(found).values()), found
    assert sum(agrees is True for agrees in verdicts(found).values()) >= 4
    tensors = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}
    assert ("output.weight" in tensors) is not tied
    assert tensors["blk.1.ffn_down.weight"] == tensors["token_embd.weight"] == dtype.upper()
    assert tensors["blk.0.attn_norm.weight"] == tensors["output_norm.weight"] == "F32"


def test_the_metadata_are_those_of_model_and_tokenizer(written, tokenizer):
    found = values(written)
    expected = {
        "general.architecture": "llama", "llama.block_count": 2, "llama.context_length": 512,
        "llama.embedding_length": 64, "llama.feed_forward_length": 96, "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2, "llama.rope.dimension_count": 16, "llama.rope.freq_base": 500_000.0,
        "llama.vocab_size": len(tokenizer), "general.file_type": 0, "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.padding_token_id": 2, "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False, "tokenizer.ggml.add_space_prefix": False,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert found["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    kinds = found["tokenizer.ggml.token_type"]
    assert kinds[:3] == [gguf.TokenType.CONTROL] * 3
    reserved = len(RESERVED)
    assert set(kinds[3 : 3 + reserved]) == {gguf.TokenType.CONTROL}
    assert set(kinds[3 + reserved :]) == {gguf.TokenType.NORMAL}
    assert found["tokenizer.ggml.tokens"] == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))


def test_the_rotary_base_is_read_from_the_old_form_too(tmp_path, tokenizer):
    model = llama(tokenizer)
    model.config.rope_parameters = None
    model.config.rope_theta = 20_000.0
    write_gguf(model, tokenizer, tmp_path / "m.gguf")
    assert values(tmp_path / "m.gguf")["llama.rope.freq_base"] == 20_000.0


def test_rotating_neighbours_of_interleaved_rows_scores_as_rotating_halves():
    """llama.cpp turns rows 2i and 2i + 1 of a head by one angle, transformers rows i and i + d/2."""
    generator = np.random.default_rng(0)
    heads, dim = 3, 8
    query, key = generator.normal(size=(2, heads * dim, 5)).astype(np.float32)
    at_query, at_key = generator.normal(size=(2, 5))
    angles = 100.0 ** -(np.arange(dim // 2) / (dim // 2))

    def turned(x, position, first, second):
        x, out = x.reshape(heads, dim), np.empty((heads, dim))
        cos, sin = np.cos(position * angles), np.sin(position * angles)
        out[:, first] = x[:, first] * cos - x[:, second] * sin
        out[:, second] = x[:, second] * cos + x[:, first] * sin
        return out

    def scores(q, k, first, second):
        return (turned(q @ at_query, 11, first, second) * turned(k @ at_key, 4, first, second)).sum(-1)

    halves = scores(query, key, np.arange(4), np.arange(4, 8))
    neighbours = scores(interleave(query, heads), interleave(key, heads), np.arange(0, 8, 2), np.arange(1, 8, 2))
    assert np.allclose(halves, neighbours)
    assert not np.allclose(halves, scores(query, key, np.arange(0, 8, 2), np.arange(1, 8, 2)))
    assert np.array_equal(separate(interleave(query, heads), heads), query)


def test_rows_that_do_not_divide_into_blocks_stay_f16(tmp_path, tokenizer):
    model = llama(tokenizer, intermediate_size=80)
    remarks = write_gguf(model, tokenizer, tmp_path / "m.gguf", dtype="q8_0")
    assert remarks == ["2 of 20 tensors stay f16: their rows are no multiple of 32"]
    tensors = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    assert tensors["blk.0.ffn_down.weight"] == "F16"
    assert tensors["blk.0.ffn_up.weight"] == "Q8_0"
    assert False not in verdicts(check_gguf(tmp_path / "m.gguf")).values()


def test_tokens_without_a_name_and_added_ones_keep_their_ids(tmp_path):
    tokenizer = byte_level()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|end|>"]})
    tokenizer.add_tokens(["Dateline"])
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    rows = len(tokenizer) + 5
    write_gguf(llama(tokenizer, vocab_size=rows), tokenizer, tmp_path / "m.gguf")
    found = values(tmp_path / "m.gguf")
    first = tokenizer.convert_tokens_to_ids("<|user|>")
    kinds = [gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.USER_DEFINED] + [gguf.TokenType.UNUSED] * 5
    assert found["tokenizer.ggml.token_type"][first:] == kinds
    assert found["tokenizer.ggml.tokens"][first : first + 3] == ["<|user|>", "<|end|>", "Dateline"]
    assert len(found["tokenizer.ggml.tokens"]) == rows
    assert found["tokenizer.chat_template"] == tokenizer.chat_template
    assert False not in verdicts(check_gguf(tmp_path / "m.gguf")).values()


def test_parity_texts_show_the_fields_of_the_model(tmp_path, tokenizer):
    facts = {"fields": ["country"], "seed": 3}
    write_gguf(llama(tokenizer), tokenizer, tmp_path / "m.gguf", facts=facts)
    found = values(tmp_path / "m.gguf")
    assert json.loads(found["dateline.facts"]) == facts
    assert found["dateline.fields"] == ["country"]
    texts = found["dateline.parity.texts"]
    assert texts[0].startswith(render(Metadata(country="ng"), ["country"]) + "TITLE: ")
    assert not any("URL: " in text for text in texts)


def test_a_model_without_a_bos_token_begins_with_eos(tmp_path, tokenizer):
    plain = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, eos_token=EOS)
    write_gguf(llama(tokenizer), plain, tmp_path / "m.gguf")
    found = values(tmp_path / "m.gguf")
    assert found["tokenizer.ggml.bos_token_id"] == 1
    assert found["dateline.parity.ids"][0] == 1
    assert "tokenizer.ggml.padding_token_id" not in found
    assert False not in verdicts(check_gguf(tmp_path / "m.gguf")).values()


@pytest.mark.parametrize("pre", sorted(SPLITS))
def test_the_splitting_rule_is_read_from_the_tokenizer(tmp_path, pre):
    tokenizer = byte_level(SPLITS[pre], ignore_merges=pre == "llama-bpe")
    write_gguf(llama(tokenizer), tokenizer, tmp_path / "m.gguf")
    assert values(tmp_path / "m.gguf")["tokenizer.ggml.pre"] == pre
    assert False not in verdicts(check_gguf(tmp_path / "m.gguf")).values()


def test_composing_accents_is_remarked_upon(tmp_path):
    tokenizer = byte_level(SPLITS["qwen2"], normalizers.NFC())
    remarks = write_gguf(llama(tokenizer), tokenizer, tmp_path / "m.gguf")
    assert len(remarks) == 1
    assert "NFC" in remarks[0]
    assert False not in verdicts(check_gguf(tmp_path / "m.gguf")).values()


# the Modelfile


def through_ollama(modelfile, system, prompt):
    """What Ollama sends for this template: a condition on the system message, and two values."""
    template = modelfile.split('TEMPLATE """')[1].split('"""')[0]
    if "{{ if .System }}" in template:
        shown, rest = template.removeprefix("{{ if .System }}").split("{{ end }}")
        template = (shown if system else "") + rest
    return template.replace("{{ .System }}", system).replace("{{ .Prompt }}", prompt)


def test_ollamas_prompt_is_how_a_training_document_begins(tmp_path, tokenizer):
    write_gguf(llama(tokenizer), tokenizer, tmp_path / "m.gguf", facts={"fields": list(DEFAULT_FIELDS)})
    modelfile = (tmp_path / "m.Modelfile").read_text()
    assert "FROM ./m.gguf\n" in modelfile
    assert 'PARAMETER stop "<eos>"\n' in modelfile
    prefix = render(Metadata(domain="iol.co.za", country="za", continent="Africa"), DEFAULT_FIELDS)
    body = body_text("Rain", "It rained.")
    for system, start in (("URL: iol.co.za\nCOUNTRY: za\nCONTINENT: Africa", prefix), ("", "")):
        sent = through_ollama(modelfile, system, "Rain")
        assert (start + body).startswith(sent + " It")
        ids = tokenizer(sent, add_special_tokens=False)["input_ids"]
        assert tokenizer(start + body, add_special_tokens=False)["input_ids"][: len(ids)] == ids


def test_a_plain_models_template_has_no_place(tmp_path, tokenizer):
    write_gguf(llama(tokenizer), tokenizer, tmp_path / "m.gguf", facts={"fields": []})
    modelfile = (tmp_path / "m.Modelfile").read_text()
    assert ".System" not in modelfile
    assert through_ollama(modelfile, "COUNTRY: za", "Rain") == body_text("Rain", "").rstrip()


# what a check notices


def test_without_llama_cpp_a_check_says_so(monkeypatch, written):
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    assert check_gguf(written)[-1] == ("llama.cpp", None, "llama-cpp-python is not installed here")


def test_a_replaced_merge_is_noticed(copy):
    reader = gguf.GGUFReader(copy, mode="r+")
    field = reader.get_field("tokenizer.ggml.merges")
    parts = [field.parts[index] for index in field.data]
    late = next(part for part in reversed(parts[len(parts) // 2 :]) if len(part) == len(parts[0]))
    parts[0][:] = late
    reader.data.flush()
    tokens, weights = check_gguf(copy)[:2]
    assert tokens.agrees is False
    assert "of 14 texts" in tokens.detail
    assert weights.agrees is True


def test_another_splitting_rule_is_noticed(copy):
    reader = gguf.GGUFReader(copy, mode="r+")
    field = reader.get_field("tokenizer.ggml.pre")
    field.parts[field.data[0]][:] = np.frombuffer(b"qwen2", dtype=np.uint8)
    reader.data.flush()
    assert check_gguf(copy)[0].agrees is False


@pytest.mark.parametrize("name", ["blk.1.attn_k.weight", "token_embd.weight", "output_norm.weight"])
def test_changed_weights_are_noticed(copy, name):
    reader = gguf.GGUFReader(copy, mode="r+")
    next(tensor for tensor in reader.tensors if tensor.name == name).data[:] *= 1.05
    reader.data.flush()
    tokens, weights = check_gguf(copy)[:2]
    assert tokens.agrees is True
    assert weights.agrees is False


def test_weights_that_are_no_numbers_are_noticed(copy):
    reader = gguf.GGUFReader(copy, mode="r+")
    reader.tensors[0].data[:] = np.nan
    reader.data.flush()
    assert check_gguf(copy)[1].agrees is False


def test_another_model_is_noticed(written, tokenizer):
    found = check_gguf(written, model=llama(tokenizer, seed=1), tokenizer=tokenizer)
    assert verdicts(found)["the model compared with"] is False
    assert verdicts(found)["tokenizer of the model compared with"] is True
    found = check_gguf(written, model=llama(byte_tokenizer()), tokenizer=byte_tokenizer())
    assert verdicts(found)["the model compared with"] is False


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.1, 0.3, 0.9])
def test_a_damaged_file_is_refused(copy, share):
    content = copy.read_bytes()
    copy.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"copy\.gguf: (damaged|is not)"):
        check_gguf(copy)


def test_what_is_no_file_of_ours_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        check_gguf(tmp_path / "none.gguf")
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "llama")
    writer.add_file_type(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(UserError, match=r"has no dateline\.parity\.texts"):
        check_gguf(tmp_path / "other.gguf")


# what is refused


def refused(model, tokenizer, path, match, **options):
    with pytest.raises(UserError, match=match):
        write_gguf(model, tokenizer, path / "m.gguf", **options)
    assert list(path.iterdir()) == []


def test_other_architectures_are_refused(tmp_path, tokenizer):
    config = Qwen2Config(**SHAPE, num_key_value_heads=2, vocab_size=len(tokenizer))
    refused(Qwen2ForCausalLM(config), tokenizer, tmp_path, "Llama models only, this is 'qwen2'")
    scaled = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0}
    refused(llama(tokenizer, rope_parameters=scaled), tokenizer, tmp_path, r"no rotary scaling \(linear\)")
    refused(llama(tokenizer, attention_bias=True), tokenizer, tmp_path, "no biases")


def test_a_tokenizer_that_does_not_fit_the_model_is_refused(tmp_path, tokenizer):
    refused(llama(tokenizer, vocab_size=400), tokenizer, tmp_path, "the tokenizer has token 499")


def test_values_beyond_float16_are_refused(tmp_path, tokenizer):
    model = llama(tokenizer)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] = 1e5
    refused(model, tokenizer, tmp_path, "up_proj.weight: has values that float16 cannot hold", dtype="f16")


def metaspace():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def unigram():
    return Tokenizer(models.Unigram([("a", -1.0), (BOS, 0.0), (EOS, 0.0), (PAD, 0.0)], 0))


def leading_blank():
    tokenizer = byte_level().backend_tokenizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


REFUSED = {
    "Metaspace": lambda: wrap(metaspace()),
    "a Unigram model": lambda: wrap(unigram()),
    "adds a blank": lambda: wrap(leading_blank()),
    "which llama.cpp does not know": lambda: byte_level(r"\d{2}|\D+"),
    "ignore_merges is True": lambda: byte_level(ignore_merges=True),
    r"changes texts first \(Lowercase\)": lambda: byte_level(normalizer=normalizers.Lowercase()),
    "has no merges": byte_tokenizer,
    "no end-of-text token": lambda: PreTrainedTokenizerFast(
        tokenizer_object=byte_level().backend_tokenizer, bos_token=BOS
    ),
}


@pytest.mark.parametrize("match", REFUSED)
def test_other_tokenizers_are_refused(tmp_path, match):
    tokenizer = REFUSED[match]()
    refused(llama(tokenizer, vocab_size=600), tokenizer, tmp_path, match)


def test_files_are_replaced_only_if_asked(tmp_path, tokenizer):
    path = tmp_path / "m.gguf"
    write_gguf(llama(tokenizer), tokenizer, path)
    with pytest.raises(UserError, match="exists already"):
        write_gguf(llama(tokenizer), tokenizer, path)
    write_gguf(llama(tokenizer), tokenizer, path, dtype="f32", overwrite=True)
    assert values(path)["general.file_type"] == 0
    with pytest.raises(UserError, match=r"name the file to make \*\.gguf"):
        write_gguf(llama(tokenizer), tokenizer, tmp_path / "m")
    with pytest.raises(UserError, match="make it first"):
        write_gguf(llama(tokenizer), tokenizer, tmp_path / "none" / "m.gguf")
