import shutil
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, normalizers, pre_tokenizers

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.manifest import is_current, read_manifest
from dateline.records import Article, body_text
from dateline.testing import byte_tokenizer, write_corpus
from dateline.tokens import encode
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.tokens.store import TEXT_COLUMNS, EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer, tokenizer_fingerprint

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(["<eos>", "a<bos>b", "<pad>"])


def make(number, title="T", body="x", split="train"):
    return Article(f"{number:016x}", "u", "d", "ng", "Africa", "", title, body, "hand", split)


def test_the_manifest_counts_what_was_encoded(encoded_folder, bodies, tokenizer):
    manifest = read_manifest(encoded_folder)
    num_bytes = sum(len(body.encode()) for body in bodies.values())
    assert manifest.counts == {"in": 52, "kept": 52, "tokens": num_bytes, "bytes": num_bytes}
    assert manifest.drops == {}
    assert manifest.facts == {
        "vocab_size": 259,
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "bytes_per_token": 1.0,
        "longest": max(len(body.encode()) for body in bodies.values()),
        "lossy_documents": 0,
    }
    assert {"tokenizers", "transformers", "pyarrow"} <= manifest.versions.keys()


def test_every_article_is_there_with_its_metadata_and_its_bytes(encoded, articles, bodies, tokenizer):
    by_split = [a for split in ("train", "validation", "test") for a in articles if a.split == split]
    for index, article in enumerate(by_split):
        assert [encoded.column(name)[index] for name in TEXT_COLUMNS] == [getattr(article, n) for n in TEXT_COLUMNS]
        assert tokenizer.decode(encoded.tokens(index)) == bodies[article.id]
        assert encoded.num_bytes[index] == len(bodies[article.id].encode())
        assert not {0, 1, 2} & set(encoded.tokens(index).tolist()), "no special token in a body"
    assert any("<eos>" in body and "<bos>" in body for body in bodies.values())


@given(st.lists(st.tuples(text, text), min_size=1, max_size=6))
@settings(deadline=None, max_examples=15)
def test_a_trained_tokenizer_gives_back_every_byte_of_any_article(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("any")
    corpus = write_corpus(folder / "corpus", [make(n, *pair) for n, pair in enumerate(pairs)])
    encode_stage(EncodeRecipe(vocab_size=280), corpus).make(folder / "out")
    encoded = EncodedCorpus.open(folder / "out")
    tokenizer = load_tokenizer(encoded.tokenizer_folder)
    for index, pair in enumerate(pairs):
        assert tokenizer.decode(encoded.tokens(index), skip_special_tokens=False) == body_text(*pair)
        assert not set(tokenizer.all_special_ids) & set(encoded.tokens(index).tolist())
        assert encoded.num_bytes[index] == len(body_text(*pair).encode())


def test_batches_and_shards_do_not_show(tmp_path, monkeypatch, corpus_folder, tokenizer_folder, encoded):
    monkeypatch.setattr(encode, "BATCH_DOCUMENTS", 7)
    encode_stage(EncodeRecipe(tokenizer=str(tokenizer_folder)), corpus_folder).make(tmp_path / "out")
    other = EncodedCorpus.open(tmp_path / "out")
    assert other.ids == encoded.ids
    assert [other.tokens(n).tolist() for n in range(52)] == [encoded.tokens(n).tolist() for n in range(52)]
    assert other.manifest.fingerprint == encoded.manifest.fingerprint


def test_a_tokenizer_is_trained_on_the_training_split_alone(tmp_path):
    train = [make(n, body="river river") for n in range(9)]
    test = [make(n + 9, body="zebra zebra", split="test") for n in range(9)]
    prints = []
    for name, articles in {"a": train, "b": [*train, *test]}.items():
        corpus = write_corpus(tmp_path / name, articles)
        encode_stage(EncodeRecipe(vocab_size=290), corpus).make(tmp_path / f"{name}-out")
        prints.append(tokenizer_fingerprint(load_tokenizer(tmp_path / f"{name}-out" / "tokenizer")))
    assert prints[0] == prints[1]


def test_training_articles_are_a_limit(tmp_path):
    corpus = write_corpus(tmp_path / "c", [make(0, body="river"), *[make(n, body="zebra zebra") for n in range(1, 9)]])
    encode_stage(EncodeRecipe(vocab_size=290, training_articles=1), corpus).make(tmp_path / "out")
    tokens = load_tokenizer(tmp_path / "out" / "tokenizer").get_vocab()
    assert not any("zeb" in token for token in tokens)


def test_prefixes_are_short_because_they_are_trained_on(tmp_path):
    articles = [replace(make(n), domain="nation.africa", country="ke") for n in range(40)]
    corpus = write_corpus(tmp_path / "c", articles)
    encode_stage(EncodeRecipe(vocab_size=400), corpus).make(tmp_path / "out")
    tokenizer = load_tokenizer(tmp_path / "out" / "tokenizer")
    assert len(tokenizer("URL: nation.africa\nCOUNTRY: ke\nCONTINENT: Africa\n\n")["input_ids"]) < 20


def test_habits_of_a_given_tokenizer_do_not_reach_the_bodies(tmp_path, corpus_folder, encoded):
    from tokenizers.processors import TemplateProcessing

    habits = byte_tokenizer()
    backend = habits.backend_tokenizer
    backend.enable_truncation(8)
    backend.enable_padding(length=16)
    backend.post_processor = TemplateProcessing(single="<bos> $A <eos>", special_tokens=[("<bos>", 0), ("<eos>", 1)])
    habits.save_pretrained(tmp_path / "habits")
    encode_stage(EncodeRecipe(tokenizer=str(tmp_path / "habits")), corpus_folder).make(tmp_path / "out")
    other = EncodedCorpus.open(tmp_path / "out")
    assert [other.tokens(n).tolist() for n in range(52)] == [encoded.tokens(n).tolist() for n in range(52)]


def test_the_plan_says_what_decides_the_result(tmp_path, corpus_folder, tokenizer_folder, encoded_folder, tokenizer):
    given = EncodeRecipe(tokenizer=str(tokenizer_folder))
    stage = encode_stage(given, corpus_folder)
    assert stage.parents == {
        "corpus": read_manifest(corpus_folder).fingerprint,
        "tokenizer": tokenizer_fingerprint(tokenizer),
    }
    assert is_current(encoded_folder, stage.fingerprint)
    other = encode_stage(EncodeRecipe(tokenizer=str(tokenizer_folder), vocab_size=999), corpus_folder)
    assert other.fingerprint == stage.fingerprint
    trained = [encode_stage(EncodeRecipe(**given), corpus_folder) for given in ({"vocab_size": 999}, {})]
    assert trained[0].fingerprint != trained[1].fingerprint
    assert trained[1].parents.keys() == {"corpus"}


def refused(recipe, corpus, out, match):
    with pytest.raises(UserError, match=match) as caught:
        encode_stage(EncodeRecipe(**recipe), corpus).make(out)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    assert not list(out.parent.glob(".*partial"))


def test_what_cannot_be_encoded_is_refused_and_leaves_nothing(tmp_path, corpus_folder):
    out = tmp_path / "out"
    refused({}, tmp_path / "none", out, r"none: no such folder; make it with: dateline corpus PATH\.\.\. --out DIR$")
    refused({"tokenizer": str(tmp_path)}, corpus_folder, out, r"no tokenizer\.json; --tokenizer names a folder")
    refused({"vocab_size": 100}, corpus_folder, out, "vocab_size 100 is too small; a byte-level BPE needs at least 267")
    held_out = write_corpus(tmp_path / "held-out", [make(1, split="test")])
    refused({}, held_out, out, r"no article in the train split, so no tokenizer can be trained; pass --tokenizer$")
    empty = write_corpus(tmp_path / "empty", [])
    byte_tokenizer().save_pretrained(tmp_path / "bytes")
    refused({"tokenizer": str(tmp_path / "bytes")}, empty, out, "empty: holds no article; build the corpus again")


def test_a_tokenizer_that_cannot_write_an_article_at_all_is_refused(tmp_path):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    mute = Tokenizer(models.BPE(vocab={"<eos>": 0, "q": 1}, merges=[]))
    PreTrainedTokenizerFast(tokenizer_object=mute, eos_token="<eos>").save_pretrained(tmp_path / "mute")
    corpus = write_corpus(tmp_path / "corpus", [make(1, body="q"), make(2)])
    refused({"tokenizer": str(tmp_path / "mute")}, corpus, tmp_path / "out", "gives no token at all for article 0+2;")


def encode_with(settings, save_tokenizer, tmp_path, articles):
    save_tokenizer(tmp_path / "tokenizer", **settings)
    corpus = write_corpus(tmp_path / "corpus", articles)
    manifest = encode_stage(EncodeRecipe(tokenizer=str(tmp_path / "tokenizer")), corpus).make(tmp_path / "out")
    return manifest, EncodedCorpus.open(tmp_path / "out").num_bytes.tolist()


def test_documents_that_do_not_come_back_have_no_bytes_and_are_counted(tmp_path, save_tokenizer, capsys):
    lower = {"splitter": pre_tokenizers.ByteLevel(add_prefix_space=False), "normalizer": normalizers.Lowercase()}
    loud, quiet = make(1, title="Flood", body="The river"), make(2)
    body = body_text("Flood", "The river")
    manifest, num_bytes = encode_with(lower, save_tokenizer, tmp_path, [loud, quiet])
    assert num_bytes == [0, 0]
    assert manifest.facts["lossy_documents"] == 2
    assert (manifest.facts["bytes_per_token"], manifest.counts["bytes"]) == (None, 0)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert line == (
        f"dateline: warning: {tmp_path / 'corpus'}: the tokenizer does not give back 2 of 2 documents "
        f"({body[:40]!r} comes back as {body[:40].lower()!r}); evaluations will print no bits per byte for them"
    )


def test_documents_that_come_back_keep_their_bytes(tmp_path, save_tokenizer, capsys):
    composed = {"splitter": pre_tokenizers.ByteLevel(add_prefix_space=False), "normalizer": normalizers.NFC()}
    manifest, num_bytes = encode_with(
        composed, save_tokenizer, tmp_path, [make(1, body="caf\u00e9"), make(2, body="cafe\u0301")]
    )
    kept = len(body_text("T", "caf\u00e9").encode())
    assert num_bytes == [kept, 0]
    assert (manifest.facts["lossy_documents"], manifest.counts["bytes"]) == (1, kept)
    tokens = len(EncodedCorpus.open(tmp_path / "out").tokens(0))
    assert manifest.facts["bytes_per_token"] == round(kept / tokens, 3)
    example = r"('CONTENT: cafe\u0301' comes back as 'CONTENT: caf\xe9')"
    assert f"does not give back 1 of 2 documents {example};" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "back"),
    [
        ({"splitter": pre_tokenizers.Whitespace(), "decoder": None}, "'TITLE : T CONTENT : x'"),
        ({"splitter": pre_tokenizers.Metaspace(), "decoder": decoders.Replace("▁", "")}, "'TITLE:T\\n\\nCONTENT:x'"),
        ({"splitter": pre_tokenizers.WhitespaceSplit(), "decoder": decoders.Fuse()}, "'TITLE:TCONTENT:x'"),
    ],
)
def test_a_tokenizer_that_loses_blanks_and_line_ends_shows_it(tmp_path, save_tokenizer, capsys, settings, back):
    manifest, num_bytes = encode_with(settings, save_tokenizer, tmp_path, [make(1)])
    assert num_bytes == [0]
    assert manifest.facts["lossy_documents"] == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert "'TITLE: T\\n\\nCONTENT: x' comes back as" in line
    assert back in line.partition("comes back as")[2]


def test_a_metaspace_tokenizer_that_gives_everything_back_is_no_warning(tmp_path, save_tokenizer, capsys):
    metaspace = {"splitter": pre_tokenizers.Metaspace(), "decoder": decoders.Metaspace()}
    manifest, num_bytes = encode_with(metaspace, save_tokenizer, tmp_path, [make(1), make(2, body="x\n  x")])
    assert num_bytes == [len(body_text("T", "x").encode()), len(body_text("T", "x\n  x").encode())]
    assert manifest.facts["lossy_documents"] == 0
    assert "warning" not in capsys.readouterr().err


def test_a_finished_folder_is_kept_unless_told_otherwise(tmp_path, corpus_folder, tokenizer_folder):
    out = tmp_path / "out"
    recipe = EncodeRecipe(tokenizer=str(tokenizer_folder))
    encode_stage(recipe, corpus_folder).make(out)
    (out / "note.txt").touch()
    with pytest.raises(UserError, match="already holds something"):
        encode_stage(recipe, corpus_folder).make(out)
    assert (out / "note.txt").exists()
    encode_stage(recipe, corpus_folder).make(out, overwrite=True)
    assert not (out / "note.txt").exists()


def test_a_lost_shard_of_the_result_is_noticed(tmp_path, encoded_folder):
    copy = shutil.copytree(encoded_folder, tmp_path / "copy")
    (copy / "data-00000.arrow").unlink()
    with pytest.raises(UserError, match=r"no data-\*\.arrow in it"):
        EncodedCorpus.open(copy)


def test_a_wrong_section_is_refused():
    with pytest.raises(UserError, match=r"^recipe: unknown key 'vocabsize'; did you mean 'vocab_size'\?$"):
        validate_recipe(EncodeRecipe, {"vocabsize": 1})
