import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.conditions import Metadata
from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.tokens import store
from dateline.tokens.store import SCHEMA, TEXT_COLUMNS, EncodedCorpus, ShardWriter

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
documents = st.fixed_dictionaries(
    {
        "tokens": st.lists(st.integers(0, 2**31 - 1), max_size=9),
        "id": st.integers(0, 2**64 - 1).map("{:016x}".format),
        **dict.fromkeys(TEXT_COLUMNS[1:], text),
        "num_bytes": st.integers(0, 2**31 - 1),
    }
)


def batch(rows):
    columns = [pa.array([row[field.name] for row in rows], type=field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def document(number, **changes):
    row = {"tokens": [number, number + 1], "id": f"{number:016x}", "num_bytes": number}
    return {**row, **{name: f"{name} {number}" for name in TEXT_COLUMNS[1:]}, **changes}


def write(folder, batches, **counts):
    folder.mkdir(exist_ok=True)
    with ShardWriter(folder) as writer:
        for rows in batches:
            writer.write(batch(rows))
    write_manifest(folder, Manifest.of("encode", {}, {}, counts=counts))
    return writer


@given(st.lists(st.lists(documents, max_size=4), min_size=1, max_size=6), st.integers(1, 5))
def test_documents_come_back_as_they_were_written_whatever_the_shards(tmp_path_factory, batches, shard_documents):
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SHARD_DOCUMENTS", shard_documents)
        writer = write(folder, batches)
    rows = [row for rows in batches for row in rows]
    corpus = EncodedCorpus.open(folder)
    assert writer.num_documents == corpus.num_documents == len(rows)
    for index, row in enumerate(rows):
        assert corpus.tokens(index).dtype == np.int32
        assert corpus.tokens(index).tolist() == row["tokens"]
        assert corpus.num_bytes[index] == row["num_bytes"]
        assert corpus.metadata(index) == Metadata(*(row[name] for name in Metadata._fields))
    for name in TEXT_COLUMNS:
        assert corpus.column(name).tolist() == [row[name] for row in rows]
    assert corpus.lengths.tolist() == [len(row["tokens"]) for row in rows]
    assert corpus.num_bytes.tolist() == [row["num_bytes"] for row in rows]
    assert corpus.keys.tolist() == [int(row["id"], 16) for row in rows]
    assert [*map(list, (corpus.countries, corpus.continents, corpus.domains))] == [
        [row[name] for row in rows] for name in ("country", "continent", "domain")
    ]


def test_a_shard_is_closed_once_it_is_full_and_the_next_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHARD_DOCUMENTS", 4)
    write(tmp_path, [[document(n) for n in range(a, a + 3)] for a in (0, 3, 6)])
    assert sorted(path.name for path in tmp_path.glob("*.arrow")) == ["data-00000.arrow", "data-00001.arrow"]
    with pa.ipc.open_file(str(tmp_path / "data-00000.arrow")) as reader:
        assert reader.schema == SCHEMA
        assert reader.num_record_batches == 2


def test_documents_are_selected_by_split(tmp_path):
    write(tmp_path, [[document(n, split=["train", "test"][n % 2]) for n in range(5)]])
    corpus = EncodedCorpus.open(tmp_path)
    assert corpus.select("train").tolist() == [0, 2, 4]
    assert corpus.select("test").tolist() == [1, 3]
    assert corpus.select("validation").tolist() == []


def test_tokens_are_a_view_of_the_file(tmp_path):
    write(tmp_path, [[document(1)]])
    tokens = EncodedCorpus.open(tmp_path).tokens(0)
    assert not tokens.flags.owndata
    assert not tokens.flags.writeable


def test_a_folder_that_is_no_encoded_corpus_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such folder; make it with: dateline encode CORPUS --out DIR"):
        EncodedCorpus.open(tmp_path / "none")
    with pytest.raises(UserError, match=r"no manifest\.json in it"):
        EncodedCorpus.open(str(tmp_path))
    write_manifest(tmp_path, Manifest.of("corpus", {}, {}))
    with pytest.raises(UserError, match="holds the result of 'corpus', not 'encode'"):
        EncodedCorpus.open(tmp_path)
    write_manifest(tmp_path, Manifest.of("encode", {}, {}))
    with pytest.raises(UserError, match=r"no data-\*\.arrow in it; encode the corpus again$"):
        EncodedCorpus.open(tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:100], lambda b: b[:-5], lambda b: b"x" * 500])
def test_a_damaged_shard_is_named(tmp_path, damage):
    write(tmp_path, [[document(n) for n in range(50)]])
    path = tmp_path / "data-00000.arrow"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"data-00000\.arrow: not a readable Arrow file .*; encode the corpus again$"):
        EncodedCorpus.open(tmp_path)


def test_a_missing_shard_is_noticed_by_the_number_of_documents(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHARD_DOCUMENTS", 2)
    write(tmp_path, [[document(n), document(n + 1)] for n in (0, 2, 4)], kept=6)
    assert EncodedCorpus.open(tmp_path).num_documents == 6
    (tmp_path / "data-00001.arrow").unlink()
    with pytest.raises(UserError, match=r"2 shards hold 4 documents instead of 6; a shard is missing or foreign"):
        EncodedCorpus.open(tmp_path)


def test_a_failure_while_writing_closes_the_shard(tmp_path):
    writer = ShardWriter(tmp_path)
    with pytest.raises(pa.ArrowInvalid), writer:
        writer.write(batch([document(1)]).select(["id"]))
    with pytest.raises(ValueError, match="closed"):
        writer._writer.write_batch(batch([document(1)]))
