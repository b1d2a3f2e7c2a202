from pathlib import Path

import pytest

from dateline.corpus.work import EVERY, Heartbeat, beats


def test_the_beats_of_all_tasks_of_a_stage_add_up(tmp_path: Path) -> None:
    assert beats(tmp_path, "pieces") == 0
    with Heartbeat(tmp_path, "pieces", 0) as first, Heartbeat(tmp_path, "pieces", 1) as second:
        for _ in range(EVERY + 3):
            first.count()
        second.count()
        assert beats(tmp_path, "pieces") == EVERY  # written every so often only
    with Heartbeat(tmp_path, "shards", 0) as other:
        other.count()
    assert (beats(tmp_path, "pieces"), beats(tmp_path, "shards")) == (EVERY + 4, 1)


def test_a_task_that_is_done_again_counts_once(tmp_path: Path) -> None:
    for _ in range(2):
        with Heartbeat(tmp_path, "pieces", 7) as beat:
            beat.count()
    assert beats(tmp_path, "pieces") == 1


def test_a_failing_task_leaves_its_count(tmp_path: Path) -> None:
    def fail() -> None:
        with Heartbeat(tmp_path, "pieces", 0) as beat:
            beat.count()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert beats(tmp_path, "pieces") == 1


def test_a_file_that_was_just_opened_counts_as_nothing(tmp_path: Path) -> None:
    with Heartbeat(tmp_path, "pieces", 0):
        assert beats(tmp_path, "pieces") == 0
