from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dateline.corpus import work
from dateline.corpus.audit import Tally
from dateline.corpus.duplicates.shingles import Bands
from dateline.corpus.readers import Record, Unreadable
from dateline.corpus.split import UNDATED, draw_of, outlet_hash
from dateline.corpus.steps import store as module
from dateline.corpus.steps.store import Store
from dateline.corpus.text.words import text_key
from dateline.corpus.work import Signatures, beats, read_index
from dateline.records import article_id

from ..helpers import recipe
from .helpers import documents, lines, record, rows, store, tree, unlike

PLAIN = recipe("x")


def test_kept_articles_are_rows_with_what_later_stages_ask(tmp_path: Path) -> None:
    given = record(1, title=" A  <b>road</b>", date="4 March 2021")
    [row] = rows(store(tmp_path, 0, PLAIN, [given]))
    assert row == {
        "id": article_id(given.url, "A road", unlike(1)),
        "url": "https://www.paper1.co.ke/news/1",
        "domain": "paper1.co.ke",
        "country": "ke",
        "continent": "Africa",
        "date": "2021-03-04",
        "title": "A road",
        "text": unlike(1),
        "source": "f.jsonl:2",
        "declared": "ke",
        "verified": "agree",
        "signals": "declared:ke,suffix:ke",
        "review": "",
    }


def test_each_article_has_an_entry_and_its_hashes_can_be_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (work, module):
        monkeypatch.setattr(place, "CHUNK", 3)
    given = [record(n, date="" if n % 2 else "2021-03-04", url=f"https://p{n}.ke/" if n else "") for n in range(11)]
    for piece, part in enumerate((given[:7], [], given[7:])):
        store(tmp_path, piece, PLAIN, part)
    index = read_index(tmp_path, 3)
    assert index["piece"].tolist() == [0] * 7 + [2] * 4
    assert index["key"].tolist() == [text_key(unlike(n)) for n in range(11)]
    assert index["draw"].tolist() == [draw_of(text_key(unlike(n))) for n in range(11)]
    assert index["outlet"].tolist() == [0, *(outlet_hash(f"p{n}.ke") for n in range(1, 11))]
    day = date(2021, 3, 4).toordinal()
    assert index["day"].tolist() == [UNDATED if n % 2 else day for n in range(11)]
    assert index["country"].tolist() == [b"ke"] * 11
    assert [f"{number:016x}" for number in index["id"]] == [
        row["id"] for piece in (0, 2) for row in rows(tmp_path / "pieces" / f"{piece:05d}")
    ]
    bands = Bands(0.8)
    signatures = Signatures(tmp_path, index, 3)
    shingles = [signatures.shingles(n) for n in range(11)]
    assert [len(found) for found in shingles] == index["shingles"].tolist()
    assert all(len(found) > 40 and np.all(np.diff(found.astype(np.int64)) > 0) for found in shingles)
    table = bands.band_hashes(shingles)
    for number in range(bands.count):
        assert np.array_equal(signatures.band(number, bands.count), table[:, number])


def test_dropped_documents_lie_whole_under_their_reason_and_are_counted(tmp_path: Path) -> None:
    given: list[Record | Unreadable] = [
        record(1, text="short"),
        Unreadable("f:2", "not JSON", '{"text": "\udcff'),
        record(3),
        Unreadable("g.gz", "g.gz:90: is cut off", "", "unreadable file"),
        record(4, text=" tiny\n", country="Kenya", url=""),
    ]
    piece = store(tmp_path, 3, PLAIN, given)
    assert lines(piece / "dropped" / "too-short" / "00003.jsonl.gz") == [
        {
            **{
                "reason": "too short",
                "detail": "5 characters",
                "country": "ke",
                "url": "https://www.paper1.co.ke/news/1",
            },
            **{"title": "Road 1", "text": "short", "date": "2021-03-04", "source": "f.jsonl:2", "language": ""},
            "declared": "ke",
        },
        {
            **{"reason": "too short", "detail": "4 characters", "country": "ke", "url": "", "title": "Road 4"},
            **{"text": " tiny\n", "date": "2021-03-04", "source": "f.jsonl:5", "language": "", "declared": "Kenya"},
        },
    ]
    assert lines(piece / "dropped" / "unreadable" / "00003.jsonl.gz") == [
        {"reason": "unreadable", "detail": "not JSON", "country": "", "source": "f:2", "raw": '{"text": "\udcff'}
    ]
    tally = Tally.from_json((piece / "tally.json").read_text(encoding="utf-8"))
    assert dict(tally.table("dropped")) == {
        ("too short", "ke"): 2,
        ("unreadable", ""): 1,
        ("unreadable file", ""): 1,
    }
    assert tally.files == [{"file": "g.gz", "problem": "g.gz:90: is cut off"}]
    assert len(rows(piece)) == 1


def test_conflicts_of_place_are_stored_for_review_unless_the_declared_country_is_trusted(tmp_path: Path) -> None:
    given = [record(1, country="gb"), record(2)]
    conflict, plain = rows(store(tmp_path, 0, PLAIN, given))
    found = json.loads(conflict["review"])
    assert (found["country"], found["continent"], found["decided_by"]) == ("gb", "Europe", "declared")
    assert {(piece["kind"], piece["country"]) for piece in found["evidence"]} == {("declared", "gb"), ("suffix", "ke")}
    assert plain["review"] == ""
    trusted = recipe("x", on_conflict="trust_declared")
    assert [row["review"] for row in rows(store(tmp_path, 1, trusted, given))] == ["", ""]


def test_without_near_duplicates_there_are_no_hashes(tmp_path: Path) -> None:
    piece = store(tmp_path, 0, recipe("x", near_duplicates={"threshold": None}), [record(1), record(2)])
    assert (piece / "bands.bin").stat().st_size == (piece / "shingles.bin").stat().st_size == 0
    assert read_index(tmp_path, 1)["shingles"].tolist() == [0, 0]


def test_a_record_batch_ends_by_rows_and_by_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [record(n) for n in range(10)]
    whole = rows(store(tmp_path, 0, PLAIN, given))
    monkeypatch.setattr(module, "BATCH_ROWS", 3)
    assert rows(store(tmp_path, 1, PLAIN, given)) == whole
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 1)
    assert rows(store(tmp_path, 2, PLAIN, given)) == whole


def test_a_piece_without_documents_is_a_piece(tmp_path: Path) -> None:
    piece = store(tmp_path, 0, PLAIN, [])
    assert rows(piece) == []
    assert len(read_index(tmp_path, 1)) == 0
    assert not (piece / "dropped").exists()


def test_the_same_records_make_the_same_bytes_and_a_finished_piece_stays(tmp_path: Path) -> None:
    given: list[Record | Unreadable] = [
        *(record(n) for n in range(5)),
        record(9, text="short"),
        Unreadable("f:2", "x", "{"),
    ]
    first, second = (store(tmp_path / name, 0, PLAIN, given) for name in "ab")
    assert tree(first) == tree(second)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    store(tmp_path / "a", 0, PLAIN, [record(77)])
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before
    assert beats(tmp_path / "b", "pieces") == len(given)


def test_a_task_that_fails_leaves_no_piece(tmp_path: Path) -> None:
    def failing() -> object:
        yield from documents([Unreadable("f:1", "x", "{")])
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        Store(PLAIN, tmp_path).run(failing())
    assert list((tmp_path / "pieces").iterdir()) == []


ODD = st.text(st.characters(exclude_categories=()), max_size=30)
"""Halves of surrogate pairs among them, which no file can hold."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.builds(Record, ODD, ODD, ODD, ODD, ODD, st.just("f:1"), ODD),
            st.builds(Unreadable, st.just("f:1"), ODD, ODD, st.sampled_from(["unreadable", "no such id"])),
        ),
        max_size=8,
    )
)
def test_whatever_comes_in_equals_kept_plus_dropped(
    tmp_path_factory: pytest.TempPathFactory, given: list[Record | Unreadable]
) -> None:
    piece = store(tmp_path_factory.mktemp("work"), 0, recipe("x", min_characters=1), given)
    dropped = [row for path in piece.rglob("*.jsonl.gz") for row in lines(path)]
    tally = Tally.from_json((piece / "tally.json").read_text(encoding="utf-8"))
    assert len(rows(piece)) + len(dropped) == len(given)
    assert sum(count for _, count in tally.table("dropped")) == len(dropped)
    texts = [item.text if isinstance(item, Record) else item.raw for item in given]
    assert all((row["raw"] if "raw" in row else row["text"]) in texts for row in dropped)
