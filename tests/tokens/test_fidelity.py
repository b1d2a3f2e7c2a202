"""Tokenizer folders of other tools: read as they are or refused, lossless by construction or checked text by text."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

from dateline.errors import UserError
from dateline.testing import byte_tokenizer
from dateline.tokens.fidelity import SAMPLE, RoundTrips, is_lossless
from dateline.tokens.tokenizer import load_tokenizer, train_tokenizer

BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)
PIECES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = WORDS + r"\p{N}{1,3}" + REST
QWEN2 = WORDS + r"\p{N}" + REST
any_text = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(SAMPLE)


def split(pattern, behavior="isolated"):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior), PIECES])


def refusal(folder):
    with pytest.raises(UserError) as caught:
        load_tokenizer(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_class_that_splits_otherwise_than_the_file_is_refused_with_an_example(tmp_path, save_tokenizer):
    blanks = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), PIECES])
    said = refusal(save_tokenizer(tmp_path, blanks, tokenizer_class="Qwen2Tokenizer", model_type="qwen2"))
    assert said.startswith(
        f"{tmp_path}: transformers' Qwen2Tokenizer does not tokenize as tokenizer.json says: ' ' becomes ['Ġ'] ("
    )
    assert ") instead of [] (); if tokenizer.json is what is meant, copy it and a tokenizer_config.json" in said


@pytest.mark.parametrize("model_type", ["qwen2", "qwen3", None])
def test_digits_are_enough_and_both_cures_work(tmp_path, save_tokenizer, model_type):
    folder = save_tokenizer(tmp_path / "a", split(LLAMA3), tokenizer_class="Qwen2Tokenizer", model_type=model_type)
    said = refusal(folder)
    assert "'02' becomes ['0', '2'] (" in said
    assert ") instead of ['02'] (" in said

    meant = shutil.copytree(folder, tmp_path / "file")
    if model_type == "qwen2":  # transformers ignores the class that a Qwen2 folder names
        assert "to a folder without config.json" in said
        (meant / "config.json").unlink()
    else:
        assert 'set "tokenizer_class": "PreTrainedTokenizerFast" in tokenizer_config.json;' in said
    config = json.loads((meant / "tokenizer_config.json").read_text())
    (meant / "tokenizer_config.json").write_text(json.dumps(config | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    assert load_tokenizer(meant).tokenize("2024") == ["202", "4"]

    other = shutil.copytree(folder, tmp_path / "class")
    AutoTokenizer.from_pretrained(folder).save_pretrained(other)
    assert load_tokenizer(other).tokenize("2024") == ["2", "0", "2", "4"]


def test_a_metaspace_tokenizer_under_a_byte_level_class_is_refused(tmp_path, save_tokenizer):
    said = refusal(save_tokenizer(
        tmp_path, pre_tokenizers.Metaspace(), decoders.Metaspace(), tokenizer_class="Qwen2Tokenizer", model_type="qwen2"
    ))  # fmt: skip
    assert "Qwen2Tokenizer does not tokenize as tokenizer.json says" in said


def test_a_class_that_only_gives_back_otherwise_is_refused(tmp_path, save_tokenizer):
    folder = save_tokenizer(
        tmp_path, split(QWEN2), decoders.Fuse(), normalizer=normalizers.NFC(), tokenizer_class="Qwen2Tokenizer",
        model=models.BPE(unk_token="<unk>"),
    )  # fmt: skip
    assert "when decoded instead of " in refusal(folder)


def test_a_class_that_rebuilds_the_same_is_taken_without_it(tmp_path, save_tokenizer):
    folder = save_tokenizer(
        tmp_path / "a", split(QWEN2), normalizer=normalizers.NFC(), tokenizer_class="Qwen2Tokenizer",
        model_type="qwen2", model=models.BPE(),
    )  # fmt: skip
    loaded = load_tokenizer(folder)
    loaded.save_pretrained(tmp_path / "b")
    stated, saved = (json.loads((tmp_path / name / "tokenizer.json").read_text()) for name in "ab")
    assert saved == stated
    assert (
        type(AutoTokenizer.from_pretrained(tmp_path / "b"))
        is type(loaded)
        is not type(AutoTokenizer.from_pretrained(folder))
    )
    assert (loaded.bos_token, loaded.eos_token) == ("<bos>", "<eos>")


def test_special_tokens_that_only_the_class_knows_are_kept(tmp_path, save_tokenizer):
    folder = save_tokenizer(
        tmp_path, split(QWEN2), normalizer=normalizers.NFC(), tokenizer_class="Qwen2Tokenizer",
        added=["<|endoftext|>"], model=models.BPE(),
    )  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Qwen2Tokenizer"}))
    loaded = load_tokenizer(folder)
    assert (loaded.bos_token, loaded.eos_token) == (None, "<|endoftext|>")


@pytest.mark.parametrize("name", ["PreTrainedTokenizerFast", "LlamaTokenizer", "TokenizersBackend"])
def test_a_faithful_tokenizer_in_the_manner_of_llama_3_is_taken_in_silence(tmp_path, save_tokenizer, capfd, name):
    folder = save_tokenizer(
        tmp_path, split(LLAMA3), model=models.BPE(ignore_merges=True), tokenizer_class=name, model_type="llama"
    )
    loaded = load_tokenizer(folder)
    assert is_lossless(loaded)
    assert loaded.tokenize("2024") == ["202", "4"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("model", [models.BPE(unk_token="<unk>"), models.Unigram()])
def test_metaspace_tokenizers_are_taken_as_they_are(tmp_path, save_tokenizer, model):
    loaded = load_tokenizer(save_tokenizer(tmp_path, pre_tokenizers.Metaspace(), decoders.Metaspace(), model=model))
    assert not is_lossless(loaded)
    trips = RoundTrips(loaded)
    texts = ["TITLE: the river\n", "the  Minister", "the river ₦"]
    tokens = loaded(texts, add_special_tokens=False)["input_ids"]
    assert trips.num_bytes(texts, tokens) == [17, 13, 0]
    assert (trips.lossy, trips.example) == (1, ("'the river ₦'", "'the river <unk>'"))


def test_a_text_that_the_tokenizer_cannot_read_at_all_is_refused_in_one_line(tmp_path, save_tokenizer):
    folder = save_tokenizer(tmp_path, pre_tokenizers.Whitespace(), None, model=models.WordLevel(unk_token="<none>"))
    assert "not a loadable tokenizer (WordLevel error: Missing [UNK] token" in refusal(folder)


@given(any_text)
@pytest.mark.parametrize("pattern", [LLAMA3, r"\d", "e"])
def test_what_is_lossless_by_construction_gives_every_text_back(tmp_path_factory, save_tokenizer, pattern, text):
    loaded = _cached(tmp_path_factory, save_tokenizer, pattern)
    assert is_lossless(loaded)
    ids = loaded(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert loaded.decode(ids, skip_special_tokens=False) == text


_LOADED = {}


def _cached(tmp_path_factory, save_tokenizer, pattern):
    if pattern not in _LOADED:
        added = ["river bed", AddedToken("URL", normalized=False)]
        _LOADED[pattern] = load_tokenizer(save_tokenizer(tmp_path_factory.mktemp("t"), split(pattern), added=added))
    return _LOADED[pattern]


def test_our_own_tokenizers_are_lossless_by_construction():
    assert is_lossless(byte_tokenizer())
    assert is_lossless(train_tokenizer(["the river"] * 3, 270))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"normalizer": normalizers.Lowercase()}, "The"),
        ({"normalizer": normalizers.NFC()}, "cafe\u0301"),
        ({"splitter": pre_tokenizers.ByteLevel(add_prefix_space=True)}, "the"),
        ({"splitter": split(r"\s+", "removed")}, "a b"),
        ({"decoder": decoders.Fuse()}, "a b"),
        ({"added": ["é"]}, "é"),
        ({"added": [AddedToken("URL", lstrip=True)]}, "a URL"),
    ],
)
def test_every_way_to_lose_text_is_seen(tmp_path, save_tokenizer, changes, text):
    assert is_lossless(load_tokenizer(save_tokenizer(tmp_path / "whole", BYTE_LEVEL)))
    loaded = load_tokenizer(save_tokenizer(tmp_path / "less", **({"splitter": BYTE_LEVEL} | changes)))
    assert not is_lossless(loaded)
    trips = RoundTrips(loaded)
    assert trips.num_bytes([text], loaded([text], add_special_tokens=False)["input_ids"]) == [0]
    assert trips.lossy == 1


def test_an_example_starts_a_little_before_the_loss(tmp_path, save_tokenizer):
    loaded = load_tokenizer(save_tokenizer(tmp_path, BYTE_LEVEL, normalizer=normalizers.Lowercase()))
    trips = RoundTrips(loaded)
    text = "the river rose " * 9 + "The End " + "of it " * 20
    trips.num_bytes([text, "A"], loaded([text, "A"], add_special_tokens=False)["input_ids"])
    before, after = trips.example
    assert before.startswith("' river rose The End of it ")
    assert after == before.lower()
    assert len(before) == 40 + 2
    assert trips.lossy == 2
