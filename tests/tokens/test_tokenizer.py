import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.tokens.tokenizer import bos_id, load_tokenizer, tokenizer_fingerprint, train_tokenizer

TEXTS = [
    "TITLE: Flood in the valley\n\nCONTENT: the river rose, the minister said.\n",
    "URL: a.ng\nCOUNTRY: ng\n",
] * 5


@pytest.fixture(scope="module")
def trained():
    return train_tokenizer(TEXTS, 300)


def encode(tokenizer, text):
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["<eos>", " a\r\n\u2028 ", "e\u0301", "  "]))
def test_any_text_comes_back_byte_for_byte(trained, text):
    assert trained.decode(encode(trained, text), skip_special_tokens=False) == text
    assert not set(trained.all_special_ids) & set(encode(trained, text))


def test_training_learns_merges_and_keeps_all_bytes(trained):
    assert len(trained) == 300
    assert len(encode(trained, TEXTS[0])) < len(TEXTS[0]) * 0.6
    assert (trained.bos_token, trained.eos_token, trained.pad_token) == ("<bos>", "<eos>", "<pad>")
    assert [trained.bos_token_id, trained.eos_token_id, trained.pad_token_id] == [0, 1, 2]


def test_training_gives_the_same_tokenizer_every_time(trained):
    assert tokenizer_fingerprint(train_tokenizer(iter(TEXTS), 300)) == tokenizer_fingerprint(trained)


def test_a_vocabulary_must_hold_every_byte():
    with pytest.raises(UserError, match=r"^vocab_size 266 is too small; a byte-level BPE needs at least 267$"):
        train_tokenizer(TEXTS, 266)
    assert len(train_tokenizer(TEXTS, 267)) == 267


def test_a_saved_tokenizer_is_the_same_when_it_is_loaded(trained, tmp_path):
    trained.save_pretrained(tmp_path / "one")
    once = load_tokenizer(tmp_path / "one")
    once.save_pretrained(tmp_path / "two")
    twice = load_tokenizer(str(tmp_path / "two"))
    assert tokenizer_fingerprint(trained) == tokenizer_fingerprint(once) == tokenizer_fingerprint(twice)
    assert encode(twice, "the river 🙂") == encode(trained, "the river 🙂")
    assert twice.model_max_length > 10**9


def test_the_fingerprint_sees_vocabulary_and_special_tokens(trained):
    other = train_tokenizer(TEXTS, 290)
    third = train_tokenizer(TEXTS, 300)
    third.bos_token = None
    prints = {tokenizer_fingerprint(tokenizer) for tokenizer in (trained, other, third)}
    assert len(prints) == 3
    assert all(len(print_) == 16 for print_ in prints)


def test_families_without_bos_start_with_eos(trained):
    assert bos_id(trained) == 0
    other = train_tokenizer(TEXTS, 267)
    other.bos_token = None
    assert bos_id(other) == 1


def test_a_folder_without_a_fast_tokenizer_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none: no tokenizer\.json; --tokenizer names a folder saved by save_pretrai"):
        load_tokenizer(tmp_path / "none")


@pytest.mark.parametrize("content", ["", "{broken", "{}", '{"version": "1.0", "model": {"type": "Unheard"}}'])
def test_a_damaged_tokenizer_is_refused_in_one_line(trained, tmp_path, content):
    trained.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match="not a loadable tokenizer") as caught:
        load_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_an_end_of_text_token_is_refused(trained, tmp_path):
    trained.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["eos_token"]
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"has no end-of-text token; set eos_token in tokenizer_config\.json$"):
        load_tokenizer(tmp_path)


def test_the_fingerprint_does_not_see_what_changes_no_token(trained, tmp_path):
    from tokenizers.processors import TemplateProcessing

    trained.save_pretrained(tmp_path)
    habits = load_tokenizer(tmp_path)
    habits.backend_tokenizer.enable_truncation(8)
    habits.backend_tokenizer.enable_padding(length=16)
    habits.backend_tokenizer.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 0)])
    assert tokenizer_fingerprint(habits) == tokenizer_fingerprint(trained)
    from tokenizers.normalizers import NFC

    habits.backend_tokenizer.normalizer = NFC()
    assert tokenizer_fingerprint(habits) != tokenizer_fingerprint(trained)
