"""Corpora and tokenizers for tests: what comes back is what was given."""

from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus import read_articles
from dateline.manifest import require_manifest
from dateline.records import Article
from dateline.testing import byte_tokenizer, write_corpus
from dateline.tokens.tokenizer import load_tokenizer, tokenizer_fingerprint

TOKENIZER = byte_tokenizer()


def article(number: int, split: str = "") -> Article:
    return Article(f"{number:016x}", f"https://a.ng/{number}", "a.ng", "ng", "Africa", "", "T", "x\n\ny", "hand", split)


def test_articles_come_back_as_they_were_given_in_split_order(tmp_path):
    articles = [article(1, "test"), article(2), article(3, "train")]
    folder = write_corpus(tmp_path / "c", articles)
    assert list(read_articles(folder)) == [article(2, "train"), article(3, "train"), article(1, "test")]
    counts = require_manifest(folder, "corpus", "").counts
    assert counts == {"in": 3, "kept": 3, "train": 2, "validation": 0, "test": 1}


def test_the_fingerprint_depends_on_the_articles_alone(tmp_path):
    folders = [
        write_corpus(tmp_path / name, [article(n) for n in ids]) for name, ids in {"a": [1], "b": [1], "c": [2]}.items()
    ]
    prints = [require_manifest(folder, "corpus", "").fingerprint for folder in folders]
    assert prints[0] == prints[1] != prints[2]


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
