from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus import CorpusRecipe, build
from dateline.corpus.build import Plan, plan_corpus, work_folder
from dateline.corpus.readers import Unit
from dateline.errors import UserError

from .helpers import recipe, row, write_jsonl


def files_of(found: Plan) -> list[list[str]]:
    return [[file for unit in task for file in unit.files] for task in found.tasks]


def write(folder: Path, sizes: list[int]) -> list[str]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number:03d}.jsonl" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(b"\n" * size)
    return list(map(str, paths))


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=30), wanted=st.integers(1, 60), shard=st.integers(1, 90))
def test_every_file_is_in_one_task_and_every_task_in_one_shard_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], wanted: int, shard: int
) -> None:
    paths = write(tmp_path_factory.mktemp("plan") / "in", sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PIECE_BYTES", wanted)
        patch.setattr(build, "SHARD_BYTES", shard)
        found = plan_corpus(recipe(*paths))
    tasks = files_of(found)
    assert [file for task in tasks for file in task] == paths
    assert [task for group in found.groups for task in group] == list(range(len(tasks)))
    assert all(tasks)
    assert all(found.groups)
    size = dict(zip(paths, sizes, strict=True))
    for task in tasks[:-1]:
        # a task ends when it has its size, before an empty file or after one
        ended = sum(size[file] for file in task) >= wanted or not size[task[-1]]
        assert ended or not size[tasks[tasks.index(task) + 1][0]]
        assert sum(size[file] for file in task[:-1]) < wanted


def test_there_are_never_more_tasks_than_the_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write(tmp_path / "in", [10] * 100)
    monkeypatch.setattr(build, "PIECE_BYTES", 1)
    monkeypatch.setattr(build, "MOST_PIECES", 10)
    found = plan_corpus(recipe(*paths))
    assert len(found.tasks) == 10
    monkeypatch.setattr(build, "MOST_PIECES", 4096)
    assert len(plan_corpus(recipe(*paths)).tasks) == 100


def test_the_newswire_is_one_task_without_files() -> None:
    found = plan_corpus(CorpusRecipe.model_validate({"newswire": {"articles": 10}}))
    assert found.tasks == [[Unit("newswire", ())]]
    assert (found.groups, found.parents) == ([[0]], {})


def test_another_recipe_or_other_bytes_have_another_work_folder(tmp_path: Path) -> None:
    files = write_jsonl(tmp_path / "in.jsonl", [row(1)])
    out = tmp_path / "out"

    def folder(**values: int) -> Path:
        return work_folder(out, plan_corpus(recipe(files, **values)))

    first, other = folder(), folder(min_characters=100)
    assert first == folder() != other
    assert first.parent == other.parent == tmp_path / ".out.work"
    write_jsonl(files, [row(2)])
    assert folder() not in (first, other)
    write_jsonl(files, [row(1)])
    assert folder() == first


def test_the_pieces_do_not_belong_to_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_jsonl(tmp_path / "in.jsonl", [row(1)])
    first = plan_corpus(recipe(files)).fingerprint
    assert len(first) >= 8
    monkeypatch.setattr(build, "PIECE_BYTES", 1)
    assert plan_corpus(recipe(files)).fingerprint == first


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"^gone\.jsonl: no such file or folder$"):
        plan_corpus(recipe("gone.jsonl"))
