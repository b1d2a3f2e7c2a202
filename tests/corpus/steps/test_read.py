from __future__ import annotations

import gzip
from pathlib import Path

from dateline.corpus.readers import Record, Unit, Unreadable, work_units
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps.read import UNREADABLE_FILE, Read, candidate_of

from ..helpers import recipe, row, write_jsonl


def read(asked: CorpusRecipe, tasks: list[list[Unit]], rank: int = 0) -> list[Record | Unreadable]:
    return [candidate_of(document).record for document in Read(asked, tasks).run(rank=rank)]


def titles(found: list[Record | Unreadable]) -> list[str]:
    return [item.title if isinstance(item, Record) else item.reason for item in found]


def test_a_task_reads_its_own_units_in_order(tmp_path: Path) -> None:
    files = [write_jsonl(tmp_path / f"{n}.jsonl", [row(n), row(10 + n)]) for n in range(3)]
    units = work_units(list(map(str, files)))
    tasks = [units[:2], units[2:]]
    assert titles(read(recipe(*files), tasks)) == [f"Road {n} opens" for n in (0, 10, 1, 11)]
    assert titles(read(recipe(*files), tasks, 1)) == ["Road 2 opens", "Road 12 opens"]


def test_columns_of_the_recipe_are_used(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", [{"t": "x", "text": "y"}])
    [found] = read(recipe(file, columns={"text": "t"}), [work_units([str(file)])])
    assert isinstance(found, Record)
    assert found.text == "x"


def test_a_file_that_breaks_off_is_one_dropped_document_after_what_was_readable(tmp_path: Path) -> None:
    whole = write_jsonl(tmp_path / "whole.jsonl", (row(n, noise=n * 2654435761 % 2**32) for n in range(2_000)))
    broken = tmp_path / "a.jsonl.gz"
    broken.write_bytes(gzip.compress(whole.read_bytes())[:-2_000])
    later = write_jsonl(tmp_path / "later.jsonl", [row(7)])
    found = read(recipe("x"), [work_units([str(broken), str(later)])])
    readable = [item for item in found[:-2] if isinstance(item, Record)]
    assert len(readable) > 1_000
    assert [item.title for item in readable] == [f"Road {n} opens" for n in range(len(readable))]
    bad = found[-2]
    assert isinstance(bad, Unreadable)
    assert (bad.source, bad.reason, bad.raw) == (str(broken), UNREADABLE_FILE, "")
    assert bad.problem.startswith(f"{broken}:")
    assert "cut off" in bad.problem
    assert titles(found[-1:]) == ["Road 7 opens"]


def test_a_file_that_is_missing_or_does_not_fit_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    gone, other = tmp_path / "gone.jsonl", tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    good = write_jsonl(tmp_path / "good.jsonl", [row(1)])
    found = read(recipe("x"), [work_units([str(gone), str(other), str(good)])])
    assert titles(found) == [UNREADABLE_FILE, UNREADABLE_FILE, "Road 1 opens"]
    assert [item.problem for item in found if isinstance(item, Unreadable)] == [
        f"{gone}: no such file",
        f"{other}: no column looks like the text of an article; columns there: a, b; "
        "write `columns: {text: NAME}` with one of them",
    ]


def test_the_newswire_is_read_without_files() -> None:
    asked = CorpusRecipe.model_validate({"newswire": {"articles": 5, "seed": 3}})
    once = read(asked, [[Unit("newswire", ())]])
    assert len(once) == 5
    assert once == read(asked, [[Unit("newswire", ())]])
    assert all(isinstance(item, Record) and item.country and item.text for item in once)


def test_time_is_counted_for_the_reading_alone(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", [row(1)])
    step = Read(recipe(file), [work_units([str(file)])])
    assert len(list(step.run())) == 1
    assert step.stats.time_stats.total > 0
