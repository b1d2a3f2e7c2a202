from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.corpus.readers import Record
from dateline.corpus.steps.decide import Decide
from dateline.corpus.work import STATUSES
from dateline.records import SPLITS

from ..helpers import recipe
from .helpers import decide, near, record, rows, unlike

KEPT, DUPLICATE, NEAR = range(len(STATUSES))
TRAIN_ALL = {"train": 1, "validation": 0, "test": 0}


def statuses(found: list[Any]) -> list[list[int]]:
    return [decisions["status"].tolist() for decisions in found]


def copies(work: Path, piece: int) -> dict[str, list[str]]:
    path = work / "decisions" / f"{piece:05d}.json"
    found: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def test_of_copies_the_earliest_dated_stays_and_of_one_day_the_first(tmp_path: Path) -> None:
    late = record(1, date="2021-03-09", url="https://late.co.ke/")
    undated = record(1, date="", url="https://undated.co.ke/")
    early = record(1, date="2021-03-02", url="https://early.co.ke/", text=near(unlike(1)))
    again = record(1, date="2021-03-02", url="https://again.co.ke/", text=near(unlike(1)).upper())
    found = decide(tmp_path, recipe("x"), [late, record(2)], [undated, early, again])
    assert statuses(found) == [[NEAR, KEPT], [NEAR, KEPT, DUPLICATE]]
    stays = int(rows(tmp_path / "pieces" / "00001")[1]["id"], 16)
    assert {int(found[0]["kept"][0]), *map(int, found[1]["kept"])} == {stays}
    assert copies(tmp_path, 1) == {"1": ["https://late.co.ke/", "https://undated.co.ke/", "https://again.co.ke/"]}
    assert copies(tmp_path, 0) == {}


def test_chains_of_near_copies_are_one_cluster(tmp_path: Path) -> None:
    chain = [unlike(1)]
    for word in range(3):
        words = chain[-1].split()
        words[20 * word + 10] = "otherwise"
        chain.append(" ".join(words))
    found = decide(tmp_path, recipe("x"), [record(n, text=text) for n, text in enumerate(chain)])
    assert statuses(found) == [[KEPT, NEAR, NEAR, NEAR]]


def test_without_a_threshold_only_exact_copies_are_found(tmp_path: Path) -> None:
    given = [record(1), record(2, text=near(unlike(1))), record(3, text=unlike(1).title())]
    off = {"threshold": None}
    assert statuses(decide(tmp_path, recipe("x", near_duplicates=off), given)) == [[KEPT, KEPT, DUPLICATE]]


def test_kept_near_copies_share_a_split_and_exact_ones_go_to_the_copy_that_they_are(tmp_path: Path) -> None:
    given = [record(n) for n in range(40)]
    given += [record(40 + n, text=near(unlike(n)), url=f"https://near{n}.ke/") for n in range(40)]
    given += [record(80 + n, text=near(unlike(n)), url=f"https://exact{n}.ke/") for n in range(40)]
    thirds = {"train": 0.4, "validation": 0.3, "test": 0.3}
    asked = recipe("x", near_duplicates={"keep": True}, splits=thirds)
    [found] = decide(tmp_path, asked, given)
    assert found["status"].tolist() == [KEPT] * 80 + [DUPLICATE] * 40
    assert found["split"][:40].tolist() == found["split"][40:80].tolist()
    assert set(found["split"][:80].tolist()) == {0, 1, 2}
    assert found["kept"][80:].tolist() == found["kept"][40:80].tolist()
    assert copies(tmp_path, 0) == {f"{40 + n}": [f"https://exact{n}.ke/"] for n in range(40)}


def test_removed_copies_do_not_count_towards_a_split(tmp_path: Path) -> None:
    given = [record(n % 19, url=f"https://p{n}.ke/") for n in range(60)]
    [found] = decide(tmp_path, recipe("x", splits={"enough": 20}), given)
    assert (found["status"] == KEPT).sum() == 19
    assert set(found["split"].tolist()) == {SPLITS.index("train")}


def test_decisions_that_are_there_stay(tmp_path: Path) -> None:
    decide(tmp_path, recipe("x"), [record(1)])
    before = (tmp_path / "decisions" / "00000.npy").stat().st_mtime_ns
    Decide(recipe("x", held_out=["ke"]), tmp_path, 1).run()
    assert (tmp_path / "decisions" / "00000.npy").stat().st_mtime_ns == before


@pytest.mark.parametrize("pieces", [(), ([],), ([], [])])
def test_nothing_to_decide_is_decided(tmp_path: Path, pieces: tuple[list[Record], ...]) -> None:
    assert statuses(decide(tmp_path, recipe("x"), *pieces)) == [[] for _ in pieces]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from(["", "2021-03-04", "2020-01-01"]))),
    st.integers(0, 20),
    st.booleans(),
)
def test_decisions_do_not_depend_on_how_the_input_is_cut(
    tmp_path_factory: pytest.TempPathFactory, stories: list[tuple[int, int, str]], cut: int, keep: bool
) -> None:
    forms = (str, near, str.upper)
    given = [record(n, text=forms[form](unlike(number)), date=day) for n, (number, form, day) in enumerate(stories)]
    asked = recipe("x", near_duplicates={"keep": keep}, splits=TRAIN_ALL)
    [whole] = decide(tmp_path_factory.mktemp("whole"), asked, given)
    parts = decide(tmp_path_factory.mktemp("parts"), asked, given[:cut], given[cut:])
    assert [row for part in parts for row in part.tolist()] == whole.tolist()
    kept = [number for number, status in enumerate(whole["status"].tolist()) if status == KEPT]
    told = {(stories[number][0], keep and stories[number][1] == 1) for number in kept}
    assert len(kept) == len(told), "two copies of one story are kept"
    assert {number for number, _ in told} == {number for number, _, _ in stories}
