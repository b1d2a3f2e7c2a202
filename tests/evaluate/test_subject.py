import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

from dateline.conditions import DEFAULT_FIELDS
from dateline.errors import UserError
from dateline.evaluate.subject import load_subject, subject_fingerprint, trained_fields
from dateline.tokens.tokenizer import load_tokenizer, tokenizer_fingerprint


@pytest.fixture
def copy(tmp_path, llama):
    return shutil.copytree(llama / "model", tmp_path / "copy")


def test_a_train_output_is_found_with_its_fields_and_fingerprint(llama, corpus):
    subject = load_subject(llama, device="cpu")
    assert subject.folder == llama / "model"
    assert subject_fingerprint(llama) == json.loads((llama / "model" / "dateline.json").read_text())["fingerprint"]
    assert subject.fields == ("domain", "country")
    assert subject.positions == 256
    assert subject.bos == subject.tokenizer.bos_token_id
    assert subject.model.dtype == torch.float32
    assert not subject.model.training
    stored = load_tokenizer(corpus / "tokenizer")
    assert tokenizer_fingerprint(subject.tokenizer) == tokenizer_fingerprint(stored)


def test_any_folder_is_found_with_the_defaults(gpt2, tmp_path):
    assert load_subject(gpt2, device="cpu", dtype="bfloat16").model.dtype == torch.float32  # as it lies in the folder
    low = shutil.copytree(gpt2, tmp_path / "low")
    GPT2LMHeadModel.from_pretrained(gpt2, dtype=torch.bfloat16).save_pretrained(low)
    subject = load_subject(low, device="cpu", dtype="bfloat16")
    assert subject.fields == DEFAULT_FIELDS
    assert subject.bos == subject.tokenizer.eos_token_id
    assert subject.positions == 256
    assert subject.vocabulary == 300
    assert subject.model.dtype == torch.bfloat16
    assert len(subject_fingerprint(gpt2)) == 16


def test_a_plain_model_is_asked_with_the_default_fields(copy):
    (copy / "dateline.json").write_text(json.dumps({"fields": []}))
    assert trained_fields(copy) == DEFAULT_FIELDS


def test_the_fingerprint_of_a_foreign_model_follows_its_weights_and_tokenizer_only(copy):
    (copy / "dateline.json").unlink()
    before = subject_fingerprint(copy)
    (copy / "README.md").write_text("a model")
    assert subject_fingerprint(copy) == before
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * 1.001
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    changed = subject_fingerprint(copy)
    assert changed != before
    (copy / "tokenizer.json").write_text((copy / "tokenizer.json").read_text() + "\n")
    assert subject_fingerprint(copy) not in (before, changed)


def test_special_tokens_in_a_text_are_text(llama):
    subject = load_subject(llama, device="cpu")
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
    with pytest.raises(UserError, match="dtype 'float8' is not known"):
        load_subject(copy, device="cpu", dtype="float8")
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


def test_a_tokenizer_that_does_not_fit_is_refused(llama):
    subject = load_subject(llama, device="cpu")
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
