from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from dateline.corpus.audit import Tally
from dateline.corpus.readers import Record, Unreadable
from dateline.corpus.shards import SCHEMA

from ..helpers import recipe
from .helpers import decide, lines, near, record, shard, tree, unlike

FIRST: list[Record | Unreadable] = [
    *(record(n) for n in range(30)),
    record(1, url="https://copy.co.ke/1", title="Copy"),
    record(31, text="short"),
    Unreadable("f:9", "not JSON", "{"),
]
SECOND: list[Record | Unreadable] = [
    record(32, country="gb"),
    record(33, text=near(unlike(2)), url="https://near.co.ke/2"),
    record(34, text="shorter"),
    record(3),
]


def texts(folder: Path) -> dict[str, list[str]]:
    """Split -> texts, of one shard."""
    paths = sorted((folder / "data").glob("*.parquet"))
    return {path.stem.split("-")[0]: [row["text"] for row in pq.read_table(path).to_pylist()] for path in paths}


def built(work: Path, *groups: list[int]) -> list[Path]:
    asked = recipe("x", splits={"train": 0.6, "validation": 0.2, "test": 0.2})
    decide(work, asked, FIRST, SECOND)
    return shard(work, groups)


def test_every_kept_article_is_in_one_file_of_its_split_in_reading_order(tmp_path: Path) -> None:
    [folder] = built(tmp_path, [0, 1])
    found = texts(folder)
    assert set(found) == {"train", "validation", "test"}
    order = [unlike(n) for n in range(30)] + [unlike(32)]
    assert sorted(text for part in found.values() for text in part) == sorted(order)
    assert all(part == sorted(part, key=order.index) for part in found.values())
    for path in (folder / "data").iterdir():
        assert path.name.endswith("-00000.parquet")
        table = pq.read_table(path)
        assert table.schema.equals(SCHEMA)
        assert set(table.column("split").to_pylist()) == {path.stem.split("-")[0]}


def test_copies_are_dropped_whole_with_the_one_that_stays_and_their_addresses_kept(tmp_path: Path) -> None:
    [folder] = built(tmp_path, [0, 1])
    rows = {row["text"]: row for path in (folder / "data").iterdir() for row in pq.read_table(path).to_pylist()}
    assert rows[unlike(1)]["also_at"] == ["https://copy.co.ke/1"]
    assert rows[unlike(2)]["also_at"] == ["https://near.co.ke/2"]
    assert rows[unlike(3)]["also_at"] == [], "the second copy stood at the same address"
    exact = lines(folder / "dropped" / "duplicate" / "00000.jsonl.gz")
    assert [(row["title"], row["detail"]) for row in exact] == [
        ("Copy", f"of {rows[unlike(1)]['id']}"),
        ("Road 3", f"of {rows[unlike(3)]['id']}"),
    ]
    assert (exact[0]["text"], exact[0]["source"], exact[0]["declared"]) == (unlike(1), "f.jsonl:2", "ke")
    [close] = lines(folder / "dropped" / "near-duplicate" / "00000.jsonl.gz")
    assert (close["reason"], close["text"]) == ("near duplicate", near(unlike(2)))


def test_what_the_pieces_dropped_lies_beside_it(tmp_path: Path) -> None:
    [folder] = built(tmp_path, [0, 1])
    assert [row["text"] for row in lines(folder / "dropped" / "too-short" / "00000.jsonl.gz")] == ["short", "shorter"]
    assert [row["raw"] for row in lines(folder / "dropped" / "unreadable" / "00000.jsonl.gz")] == ["{"]
    assert sorted(path.name for path in (folder / "dropped").iterdir()) == [
        *("duplicate", "near-duplicate", "too-short", "unreadable")
    ]


def test_conflicts_of_place_are_listed_with_their_evidence(tmp_path: Path) -> None:
    [folder] = built(tmp_path, [0, 1])
    [found] = lines(folder / "review.jsonl")
    assert (found["title"], found["country"], found["decided_by"]) == ("Road 32", "gb", "declared")
    assert [piece["country"] for piece in found["evidence"]] == ["gb", "ke"]


def test_the_counts_of_all_shards_are_those_of_one(tmp_path: Path) -> None:
    [whole] = built(tmp_path / "one", [0, 1])
    parts = built(tmp_path / "two", [0], [1])
    tallies = [Tally.from_json((folder / "tally.json").read_text(encoding="utf-8")) for folder in (*parts, whole)]
    tallies[0].add(tallies[1])
    assert tallies[0].to_json() == tallies[2].to_json()
    kept = sum(count for _, count in tallies[2].table("documents"))
    lost = sum(count for _, count in tallies[2].table("dropped"))
    assert (kept, lost) == (31, 6)
    assert kept + lost == len(FIRST) + len(SECOND)
    joined = {split: texts(parts[0]).get(split, []) + texts(parts[1]).get(split, []) for split in texts(whole)}
    assert joined == texts(whole)


def test_the_same_work_makes_the_same_bytes_and_a_finished_shard_stays(tmp_path: Path) -> None:
    [first] = built(tmp_path / "a", [0, 1])
    [second] = built(tmp_path / "b", [0, 1])
    assert tree(first) == tree(second)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    shard(tmp_path / "a", [[1]])
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before


def test_a_shard_of_which_nothing_is_kept_has_no_data(tmp_path: Path) -> None:
    decide(tmp_path, recipe("x"), [record(1)], [record(1), record(2, text="short")])
    folder = shard(tmp_path, [[0], [1]])[1]
    assert list((folder / "data").iterdir()) == []
    assert (folder / "review.jsonl").stat().st_size == 0
    assert len(lines(folder / "dropped" / "duplicate" / "00001.jsonl.gz")) == 1
