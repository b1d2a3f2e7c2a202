"""A corpus into tokens, with a tokenizer of its own or one that is given."""

from dateline.manifest import read_manifest


def test_a_vocabulary_is_trained(dateline, finished, tmp_path):
    said = dateline("encode", finished / "corpus", "--out", tmp_path / "e", "--vocab-size", "300")
    assert said.code == 0, said.err
    manifest = read_manifest(tmp_path / "e")
    assert manifest.facts["vocab_size"] == 300
    assert said.out.startswith(f"{tmp_path / 'e'}: {manifest.counts['tokens']:,} tokens in 300 documents, ")
    assert said.out.endswith("vocabulary 300\n")


def test_a_tokenizer_is_taken(dateline, finished, tmp_path):
    said = dateline(
        "encode", finished / "corpus", "--out", tmp_path / "e", "--tokenizer", finished / "encoded" / "tokenizer"
    )
    assert said.code == 0, said.err
    facts = read_manifest(finished / "encoded").facts
    assert read_manifest(tmp_path / "e").facts["tokenizer"] == facts["tokenizer"]


def test_both_are_a_mistake(dateline, finished, tmp_path):
    said = dateline("encode", finished / "corpus", "--out", tmp_path / "e", "--tokenizer", "x", "--vocab-size", "300")
    assert said.code == 2
    assert "drop one" in said.err


def test_a_folder_that_is_no_corpus(dateline, finished, tmp_path):
    said = dateline("encode", finished / "encoded", "--out", tmp_path / "e")
    assert said.code == 2
    assert "holds the result of 'encode', not 'corpus'" in said.err
    assert not (tmp_path / "e").exists()
