"""A run that stands still is ended, and says who is behind."""

import json
import threading

import pytest

from dateline.train.guard import FOLDER, Watchdog


def test_who_stands_still_is_ended_with_a_report(tmp_path, capfd):
    ended = threading.Event()
    codes = []

    def end(code):
        codes.append(code)
        ended.set()

    with Watchdog(tmp_path, 0, 1, 0.002, end) as watchdog:
        watchdog.at(7, "data")
        assert ended.wait(20)
    assert codes == [1]
    said = capfd.readouterr().err
    assert "rank 0 is at step 7 (data); the run is ended" in said
    assert "continue from the last checkpoint with --resume" in said
    assert "Thread 0x" in said
    assert not (tmp_path / FOLDER).exists()


def test_whoever_moves_is_left_alone(tmp_path):
    with Watchdog(tmp_path, 0, 1, 60, lambda code: pytest.fail("ended")) as watchdog:
        watchdog.at(1, "forward")
        assert json.loads((tmp_path / FOLDER / "00000.json").read_text())["rank"] == 0
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ([(5, "exchange"), (4, "checkpoint")], "rank 1 is at step 4 (checkpoint), the others at step 5"),
        ([(5, "exchange"), (5, "data")], "rank 1 is at step 5 (data), the others at step 5"),
        ([(5, "exchange"), None], "rank 1 is at step -1 (nothing: no sign of it), the others at step 5"),
        ([(5, "exchange"), (5, "exchange")], "rank 0 is at step 5 (exchange); rank 1 is at step 5 (exchange); the run"),
    ],
)
def test_who_is_behind(tmp_path, places, told):
    (tmp_path / FOLDER).mkdir()
    for rank, place in enumerate(places):
        if place is not None:
            fact = {"rank": rank, "step": place[0], "doing": place[1], "still": 3}
            (tmp_path / FOLDER / f"{rank:05d}.json").write_text(json.dumps(fact))
    assert told in Watchdog(tmp_path, 0, len(places), 1).explain()


def test_a_damaged_note_does_not_keep_the_report_back(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "00000.json").write_text("{")
    assert "00000.json is damaged" in Watchdog(tmp_path, 0, 1, 1).explain()


def test_notes_of_a_larger_run_that_was_killed_are_removed(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "00003.json").write_text("{}")
    with Watchdog(tmp_path, 0, 2, 60):
        assert [path.name for path in (tmp_path / FOLDER).glob("*.json")] == ["00000.json"]
