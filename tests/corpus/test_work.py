from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dateline.corpus.work import (
    ARTICLE_FIELDS,
    CHUNK,
    ENTRY,
    WORK_FIELDS,
    WORK_SCHEMA,
    Signatures,
    article_of,
    piece_folder,
    read_index,
    read_rows,
    whole_folder,
)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    final = tmp_path / "pieces" / "00000"
    with whole_folder(final) as folder:
        (folder / "a").write_text("1")
        assert not final.exists()
    assert (final / "a").read_text() == "1"
    assert [path.name for path in final.parent.iterdir()] == ["00000"]


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    final = tmp_path / "pieces" / "00000"

    def fail() -> None:
        with whole_folder(final) as folder:
            (folder / "a").write_text("1")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list(final.parent.iterdir()) == []


def test_of_two_processes_at_the_same_task_the_first_to_end_wins_and_the_other_does_no_harm(tmp_path: Path) -> None:
    final = tmp_path / "00000"
    with whole_folder(final) as slow:
        (slow / "a").write_text("same")
        with whole_folder(final) as fast:
            (fast / "a").write_text("same")
        inode = (final / "a").stat().st_ino
    assert (final / "a").stat().st_ino == inode
    assert [path.name for path in tmp_path.iterdir()] == ["00000"]


def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path: Path) -> None:
    left = tmp_path / ".00000-1-abcdef01"
    left.mkdir()
    (left / "index.bin").write_bytes(b"half")
    with whole_folder(tmp_path / "00000") as folder:
        (folder / "a").write_text("1")
    assert (tmp_path / "00000" / "a").is_file()


def test_a_name_that_is_taken_by_a_file_is_an_error_and_not_silence(tmp_path: Path) -> None:
    (tmp_path / "00000").write_text("")
    with pytest.raises(OSError, match="00000"), whole_folder(tmp_path / "00000"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["00000"]


def write_piece(work: Path, piece: int, articles: int, bands: int) -> list[list[int]]:
    """Writes index, shingles and bands as `steps/store.py` does; article n has the shingles [n, n + 1, ...]."""
    folder = piece_folder(work, piece)
    folder.mkdir(parents=True)
    entries = np.zeros(articles, ENTRY)
    shingles = [list(range(1000 * piece + n, 1000 * piece + n + n % 4)) for n in range(articles)]
    entries["piece"] = piece
    entries["shingles"] = [len(own) for own in shingles]
    entries["start"] = np.concatenate([[0], np.cumsum(entries["shingles"])[:-1]]) if articles else []
    (folder / "index.bin").write_bytes(entries.tobytes())
    (folder / "shingles.bin").write_bytes(np.array([value for own in shingles for value in own], "<u4").tobytes())
    with (folder / "bands.bin").open("wb") as file:
        for first in range(0, articles, CHUNK):
            rows = [[10_000 * piece + 10 * n + band for band in range(bands)] for n in range(articles)][
                first : first + CHUNK
            ]
            file.write(np.ascontiguousarray(np.array(rows, "<u8").T).tobytes())
    return shingles


def test_signatures_are_those_of_each_article_over_pieces_and_chunks(tmp_path: Path) -> None:
    counts = [3, 0, CHUNK + 2]
    shingles = [own for piece, count in enumerate(counts) for own in write_piece(tmp_path, piece, count, bands=3)]
    index = read_index(tmp_path, 3)
    assert index["piece"].tolist() == [0] * 3 + [2] * (CHUNK + 2)
    found = Signatures(tmp_path, index, 3)
    for band in range(3):
        expected = [10_000 * piece + 10 * n + band for piece, count in enumerate(counts) for n in range(count)]
        assert found.band(band, 3).tolist() == expected
    for article in (0, 1, 2, 3, CHUNK, CHUNK + 4):
        assert found.shingles(article).tolist() == shingles[article]


def test_an_index_without_an_article_is_empty(tmp_path: Path) -> None:
    write_piece(tmp_path, 0, 0, bands=2)
    index = read_index(tmp_path, 1)
    assert len(index) == 0
    assert Signatures(tmp_path, index, 1).band(0, 2).tolist() == []


def test_an_entry_is_as_small_as_the_documentation_says() -> None:
    assert f"{ENTRY.itemsize} bytes each" in str(read_index.__doc__)


def test_rows_come_back_batch_by_batch_as_articles(tmp_path: Path) -> None:
    rows = [{name: f"{name} {n}" for name in WORK_FIELDS} for n in range(5)]
    path = tmp_path / "articles.arrow"
    with pa.ipc.new_file(str(path), WORK_SCHEMA) as writer:
        for part in (rows[:3], rows[3:]):
            writer.write_batch(pa.RecordBatch.from_pylist(part, schema=WORK_SCHEMA))
    assert list(read_rows(path)) == rows
    article = article_of(rows[4], "test", ("https://a.ke",))
    assert (article.split, article.also_at) == ("test", ("https://a.ke",))
    assert {name: getattr(article, name) for name in ARTICLE_FIELDS} == {name: f"{name} 4" for name in ARTICLE_FIELDS}
