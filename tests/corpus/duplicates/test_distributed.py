from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dateline.corpus.duplicates.distributed import FOLDER, BlankTokenizer, ReadWords, minhash_stages, read_clusters
from dateline.corpus.duplicates.shingles import Bands
from dateline.corpus.executors import Stage, run_local
from dateline.corpus.readers import Record
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.text.words import plain_words
from dateline.corpus.work import ENTRY, STATUSES, read_index

from ..helpers import recipe
from ..steps.helpers import decide, near, record, store, unlike

DISTRIBUTED = recipe("x", near_duplicates={"index": "distributed", "threshold": 0.6})
PIECES = [
    [record(0), record(1), record(2, url="https://b.co.ke/2")],
    [],
    [record(3), record(1, text=near(unlike(1)), url="https://a.co.ke/1"), record(4, text="x" * 300)],
    [record(1, text=near(unlike(1)).replace("minister", "governor")), record(2, date="2020-01-01")],
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder in which all stages before `decide` are done."""
    folder = tmp_path_factory.mktemp("work")
    for number, records in enumerate(PIECES):
        store(folder, number, DISTRIBUTED, records)
    run_local([Stage(*stage) for stage in minhash_stages(folder, 0.6, len(PIECES))], folder, 1)
    return folder


def test_the_clusters_are_the_planted_copies_across_pieces(work: Path) -> None:
    pairs = read_clusters(work, read_index(work, len(PIECES)), len(PIECES))
    joined = {(one, other) for one, other in pairs.tolist() if one != other}
    assert joined == {(1, 4), (1, 6), (2, 7)}


def test_decisions_are_those_of_the_index_in_memory(work: Path, tmp_path: Path) -> None:
    found = decide(work, DISTRIBUTED, *PIECES)
    asked = recipe("x", near_duplicates={"threshold": 0.6})
    memory = decide(tmp_path, asked, *PIECES)
    assert [part.tolist() for part in found] == [part.tolist() for part in memory]
    assert [[STATUSES[status] for status in part["status"].tolist()] for part in found] == [
        ["kept", "kept", "duplicate"],
        [],
        ["kept", "near duplicate", "kept"],
        ["near duplicate", "kept"],
    ]


def test_the_stages_ask_datatrove_for_the_bands_that_the_threshold_needs(tmp_path: Path) -> None:
    bands = Bands(0.8)
    names = [(name, tasks) for name, _, tasks in minhash_stages(tmp_path, 0.8, 7)]
    assert names == [("signatures", 7), ("buckets", bands.count), ("clusters", 1)]
    signature = minhash_stages(tmp_path, 0.8, 7)[0][1][1]
    assert (signature.config.num_buckets, signature.config.hashes_per_bucket) == (bands.count, bands.rows)
    assert signature.config.n_grams == 5


def test_words_are_read_in_the_order_of_the_index(tmp_path: Path) -> None:
    given: list[Record] = [record(n, text=f"The “{n}th” one,\n" * 20) for n in range(5)]
    store(tmp_path, 0, recipe("x", max_repeated_share=1), given)
    found = [document.text for document in ReadWords(tmp_path).run()]
    assert found == [plain_words(item.text) for item in given]


def test_words_stand_between_blanks() -> None:
    words = BlankTokenizer()
    assert words.word_tokenize("a bc 中文") == ["a", "bc", "中文"]
    assert words.sent_tokenize("a b") == ["a b"]
    assert words.span_tokenize("a b") == [(0, 3)]


def test_without_a_copy_there_are_no_pairs(tmp_path: Path) -> None:
    assert read_clusters(tmp_path, np.empty(0, ENTRY), 3).shape == (0, 2)


def test_members_of_one_cluster_are_joined_to_its_first_wherever_they_lie(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER / "clusters"
    folder.mkdir(parents=True)
    np.array([[1, 7], [2, 9]], "<u4").tofile(folder / "000000.clusters")
    np.array([[0, 9], [1, 7], [2, 7]], "<u4").tofile(folder / "000002.clusters")
    index = np.zeros(6, ENTRY)
    index["piece"] = [0, 0, 0, 2, 2, 2]
    assert read_clusters(tmp_path, index, 3).tolist() == [[1, 1], [2, 2], [2, 3], [1, 4], [1, 5]]


def test_the_distributed_index_needs_no_hashes_in_the_pieces(work: Path) -> None:
    assert isinstance(DISTRIBUTED, CorpusRecipe)
    assert all(path.stat().st_size == 0 for path in work.glob("pieces/*/bands.bin"))
