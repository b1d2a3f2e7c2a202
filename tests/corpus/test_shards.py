from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dateline.corpus.shards import ARTICLE_COLUMNS, ShardWriter, read_articles, shard_paths
from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.records import SPLITS, Article


def article(number: int, split: str) -> Article:
    return Article(f"{number:016x}", f"u{number}", "d.ke", "ke", "Africa", "", "Ttl", f"text {number} é", "f:1", split)


def write(folder: Path, articles: Iterable[Article], **settings: int) -> Path:
    with ShardWriter(folder, **settings) as writer:
        for item in articles:
            writer.write(item)
    write_manifest(folder, Manifest.of("corpus", {}, {}))
    return folder


def test_articles_come_back_by_split_in_reading_order(tmp_path: Path) -> None:
    given = [article(n, SPLITS[n % 3]) for n in range(50)]
    folder = write(tmp_path, given, row_group=4)
    assert list(read_articles(folder)) == [item for split in SPLITS for item in given if item.split == split]
    assert list(read_articles(folder, split="test")) == [item for item in given if item.split == "test"]
    first = pq.ParquetFile(shard_paths(folder, "train")[0]).metadata
    assert (first.num_rows, first.num_row_groups) == (17, 5)
    assert first.row_group(0).column(0).compression == "ZSTD"


def test_shards_of_several_tasks_are_read_in_their_order(tmp_path: Path) -> None:
    given = [article(n, "train") for n in range(9)]
    for number in (2, 0, 1):
        part = write(tmp_path / f"part{number}", given[3 * number : 3 * number + 3], number=number)
        (tmp_path / "data").mkdir(exist_ok=True)
        for path in shard_paths(part, "train"):
            path.rename(tmp_path / "data" / path.name)
    write_manifest(tmp_path, Manifest.of("corpus", {}, {}))
    assert [path.name for path in shard_paths(tmp_path, "train")] == [f"train-0000{n}.parquet" for n in range(3)]
    assert list(read_articles(tmp_path)) == given


def test_the_addresses_of_copies_come_back(tmp_path: Path) -> None:
    given = [replace(article(1, "train"), also_at=("https://b.ke/1", "https://c.ke/1")), article(2, "train")]
    assert list(read_articles(write(tmp_path, given))) == given
    assert [item.also_at for item in read_articles(tmp_path, columns=["id"])] == [(), ()]


def test_an_error_on_the_way_leaves_no_half_written_file_open(tmp_path: Path) -> None:
    def fail() -> None:
        with ShardWriter(tmp_path, row_group=1) as writer:
            writer.write(article(1, "train"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert pq.read_table(shard_paths(tmp_path, "train")[0]).num_rows == 1


def test_columns_left_out_are_empty(tmp_path: Path) -> None:
    folder = write(tmp_path, [article(1, "train")])
    [found] = read_articles(folder, columns=["id", "country"])
    assert (found.id, found.country, found.text, found.url) == (f"{1:016x}", "ke", "", "")


def test_a_split_without_articles_has_no_shard(tmp_path: Path) -> None:
    folder = write(tmp_path, [article(1, "train")])
    assert [path.name for path in (folder / "data").iterdir()] == ["train-00000.parquet"]
    assert list(read_articles(folder, split="test")) == []


def test_datasets_reads_the_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    folder = write(tmp_path / "corpus", [article(n, SPLITS[n % 3]) for n in range(9)])
    files = {split: str(folder / "data" / f"{split}-*.parquet") for split in SPLITS}
    found = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert found["train"].column_names == list(ARTICLE_COLUMNS)
    assert found["validation"]["text"][:] == ["text 1 é", "text 4 é", "text 7 é"]


def test_wrong_questions_are_refused_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "c", [article(1, "train")])
    with pytest.raises(UserError, match=r"^an article has no column body; it has id, url, domain"):
        read_articles(folder, columns=["body"])
    with pytest.raises(UserError, match=r"^there is no split 'dev'; there are train, validation, test$"):
        read_articles(folder, split="dev")
    with pytest.raises(UserError, match=r"nowhere: no such folder; make it with: dateline corpus RECIPE --out"):
        read_articles(tmp_path / "nowhere")
