from hypothesis import given
from hypothesis import strategies as st

from dateline.testing import byte_tokenizer
from dateline.tokens.tokenizer import load_tokenizer, tokenizer_fingerprint

TOKENIZER = byte_tokenizer()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_byte_is_one_token_and_decoding_gives_the_text_back(text):
    ids = TOKENIZER(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert len(ids) == len(text.encode())
    assert not {0, 1, 2} & set(ids)
    assert TOKENIZER.backend_tokenizer.decode(ids, skip_special_tokens=False) == text


def test_special_tokens_are_the_first_three():
    assert (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id) == (0, 1, 2)
    assert len(TOKENIZER) == 259


def test_it_is_a_tokenizer_folder_like_any_other(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    assert tokenizer_fingerprint(load_tokenizer(tmp_path)) == tokenizer_fingerprint(TOKENIZER)
