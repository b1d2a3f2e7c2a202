import shutil

import numpy as np
import pytest
from tokenizers import normalizers

from dateline.conditions import Conditioner, parse_condition
from dateline.errors import UserError
from dateline.evaluate.documents import (
    check_tokens,
    count_unknown,
    encode_prefixes,
    scored_bytes,
    take_documents,
)
from dateline.evaluate.protocol import Protocol
from dateline.model.load import load_subject
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def own(llama):
    return load_subject(llama, device="cpu")


@pytest.fixture(scope="module")
def foreign(gpt2):
    return load_subject(gpt2, device="cpu")


def test_a_model_with_the_corpus_tokenizer_gets_the_stored_tokens(corpus, own):
    encoded = EncodedCorpus.open(corpus)
    documents = take_documents(encoded, Protocol(), own)
    assert not documents.retokenized
    assert documents.drops == {}
    assert documents.ids == encoded.ids[1:]
    for position, body in enumerate(documents.bodies):
        np.testing.assert_array_equal(body, encoded.tokens(position + 1))


def test_a_model_with_another_tokenizer_gets_the_same_bytes(corpus, foreign, articles):
    documents = take_documents(EncodedCorpus.open(corpus), Protocol(), foreign)
    assert documents.retokenized
    texts = [foreign.tokenizer.decode(body) for body in documents.bodies]
    assert texts == [article["body"] for article in articles[1:]]
    assert documents.num_bytes.tolist() == [len(text.encode()) for text in texts]


def test_a_corpus_tokenizer_that_loses_text_is_refused(write_corpus, tmp_path, articles, tokenizer, own, foreign):
    encoded = EncodedCorpus.open(write_corpus(tmp_path / "c", articles, tokenizer, wrong_bytes=1))
    with pytest.raises(UserError, match=r"document 0000000000000001 decodes to \d+ bytes instead of \d+"):
        take_documents(encoded, Protocol(), foreign)
    take_documents(encoded, Protocol(), own)


def test_a_document_that_the_corpus_tokenizer_lost_has_no_bytes_and_suits_no_other_model(
    write_corpus, tmp_path, articles, tokenizer, own, foreign
):
    folder = write_corpus(tmp_path / "c", articles, tokenizer, lost=[articles[3]["id"]])
    encoded = EncodedCorpus.open(folder)
    documents = take_documents(encoded, Protocol(), own)
    assert [name for name, size in zip(documents.ids, documents.num_bytes, strict=True) if not size] == [
        articles[3]["id"]
    ]
    cut = scored_bytes(own, documents, np.full(len(documents.ids), 10))
    assert cut[2] == 0 < min(np.delete(cut, 2))
    with pytest.raises(UserError, match="document 0000000000000003 does not decode to its text: its tokenizer loses"):
        take_documents(encoded, Protocol(), foreign)


def test_a_document_that_the_models_own_tokenizer_loses_has_no_bytes(corpus, articles, gpt2, tmp_path):
    folder = shutil.copytree(gpt2, tmp_path / "lower")
    tokenizer = load_tokenizer(gpt2)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("Flood", "flood")
    tokenizer.save_pretrained(folder)
    documents = take_documents(EncodedCorpus.open(corpus), Protocol(), load_subject(folder, device="cpu"))
    assert documents.retokenized
    sizes = [0 if "Flood" in article["body"] else len(article["body"].encode()) for article in articles[1:]]
    assert documents.num_bytes.tolist() == sizes
    assert 0 < sizes.count(0) < len(sizes)


def test_the_sample_is_the_same_for_every_model_and_is_counted(corpus, own, foreign):
    encoded = EncodedCorpus.open(corpus)
    one, other = (take_documents(encoded, Protocol(num_documents=5), subject) for subject in (own, foreign))
    assert one.ids == other.ids
    assert one.drops == {"not in the sample": 7}
    capped = take_documents(encoded, Protocol(per_group=2), own)
    assert sorted(metadata.continent for metadata in capped.metadata) == [
        "Africa", "Africa", "Asia", "Asia", "Europe", "Europe",
    ]  # fmt: skip


def test_empty_bodies_are_counted_and_an_empty_split_is_refused(write_corpus, tmp_path, articles, tokenizer, own):
    encoded = EncodedCorpus.open(write_corpus(tmp_path / "c", [{**articles[1], "body": ""}, articles[2]], tokenizer))
    assert take_documents(encoded, Protocol(), own).drops == {"empty body": 1}
    with pytest.raises(UserError, match=r"no documents in split 'train' \(there are: test\)"):
        take_documents(encoded, Protocol(split="train"), own)
    nothing = EncodedCorpus.open(write_corpus(tmp_path / "d", [{**articles[1], "body": ""}], tokenizer))
    with pytest.raises(UserError, match="all 1 documents of split 'test' are empty"):
        take_documents(nothing, Protocol(), own)


def test_prefixes_are_tokenized_apart_from_the_body(corpus, own):
    documents = take_documents(EncodedCorpus.open(corpus), Protocol(), own)
    gold = Conditioner(parse_condition("gold", ("country",)), seed=0, pool=documents.metadata)
    texts = [own.tokenizer.decode(prefix) for prefix in encode_prefixes(own, gold, documents)]
    assert texts[:3] == ["COUNTRY: pk\n", "COUNTRY: gb\n", "COUNTRY: ke\n"]
    earlier = Conditioner(parse_condition("gold", ("country",)), seed=0, pool=documents.metadata, prefix_format=1)
    assert own.tokenizer.decode(encode_prefixes(own, earlier, documents)[0]) == "COUNTRY: pk\n\n"
    none = Conditioner(parse_condition("none", ()), seed=0, pool=documents.metadata)
    assert all(len(prefix) == 0 for prefix in encode_prefixes(own, none, documents))


def test_prefixes_without_room_and_foreign_tokens_are_refused(corpus, own):
    documents = take_documents(EncodedCorpus.open(corpus), Protocol(), own)
    heads = [np.zeros(3, dtype=np.int32) for _ in documents.bodies]
    longer = [*heads[:-1], np.zeros(9, dtype=np.int32)]
    with pytest.raises(
        UserError, match=r"prefix of document 000000000000000c under 'b' has 9 tokens.*set protocol.prefix_room to 9"
    ):
        check_tokens(Protocol(prefix_room=8), own, documents, {"a": heads, "b": longer})
    check_tokens(Protocol(prefix_room=9), own, documents, {"a": heads, "b": longer})
    with pytest.raises(UserError, match="the tokenizer does not fit the model"):
        check_tokens(Protocol(), own, documents, {"a": [np.array([320], dtype=np.int32), *heads[1:]]})


def test_bytes_of_a_cut_document_are_those_of_its_scored_tokens(corpus, own):
    documents = take_documents(EncodedCorpus.open(corpus), Protocol(), own)
    lengths = np.array([len(body) for body in documents.bodies])
    np.testing.assert_array_equal(scored_bytes(own, documents, lengths), documents.num_bytes)
    cut = scored_bytes(own, documents, np.full(len(lengths), 10))
    for body, count in zip(documents.bodies, cut, strict=True):
        assert count == len(own.tokenizer.decode(body[:10]).rstrip("�").encode())
    assert (cut < documents.num_bytes).all()


def test_byte_level_tokenizers_know_everything(corpus, own):
    assert count_unknown(own, take_documents(EncodedCorpus.open(corpus), Protocol(), own)) == 0
