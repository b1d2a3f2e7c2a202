"""`metrics.jsonl` has no gaps and no repeats, whatever happened to the run."""

import json

import pytest

from dateline.errors import UserError
from dateline.train.metrics import METRICS, MetricsFile, read_metrics


def fill(folder, steps):
    file = MetricsFile(folder)
    for step in steps:
        file.write("train", step, loss=step / 4)
    return file


def steps_of(folder):
    return [record["step"] for record in read_metrics(folder)]


def test_records_come_back_as_written(tmp_path):
    file = MetricsFile(tmp_path)
    file.write("train", 1, loss=0.1 + 0.2, lr=1e-3)
    file.write("validation", 1, group="Côte d’Ivoire", loss=2.5)
    assert read_metrics(tmp_path) == [
        {"kind": "train", "step": 1, "loss": 0.1 + 0.2, "lr": 1e-3},
        {"kind": "validation", "step": 1, "group": "Côte d’Ivoire", "loss": 2.5},
    ]


def test_every_record_is_one_line_and_there_at_once(tmp_path):
    file = MetricsFile(tmp_path)
    file.write("train", 1, note="two\nlines\u2028three")
    assert len((tmp_path / METRICS).read_text().splitlines()) == 1


def test_a_new_run_starts_a_new_file(tmp_path):
    fill(tmp_path, [1, 2])
    MetricsFile(tmp_path)
    assert read_metrics(tmp_path) == []
    assert (tmp_path / METRICS).exists()


def test_resuming_drops_what_lies_beyond_the_checkpoint(tmp_path):
    fill(tmp_path, [1, 2, 3, 4, 5])
    file = MetricsFile(tmp_path, resume_at=3)
    assert steps_of(tmp_path) == [1, 2, 3]
    file.write("train", 4, loss=9.0)
    assert steps_of(tmp_path) == [1, 2, 3, 4]


def test_resuming_keeps_every_record_of_the_checkpoints_step(tmp_path):
    file = fill(tmp_path, [2])
    file.write("validation", 2, loss=1.0)
    MetricsFile(tmp_path, resume_at=2)
    assert [record["kind"] for record in read_metrics(tmp_path)] == ["train", "validation"]


def test_resuming_at_zero_drops_everything(tmp_path):
    fill(tmp_path, [1, 2])
    MetricsFile(tmp_path, resume_at=0)
    assert read_metrics(tmp_path) == []


def test_kept_lines_are_not_rewritten(tmp_path):
    fill(tmp_path, [1, 2, 3])
    before = (tmp_path / METRICS).read_text()
    MetricsFile(tmp_path, resume_at=3)
    assert (tmp_path / METRICS).read_text() == before


@pytest.mark.parametrize("half", ["{", '{"kind": "train", "st', '{"kind": "train", "step": 4, "loss": 1.0'])
def test_half_a_last_line_is_left_out(tmp_path, half):
    fill(tmp_path, [1, 2, 3])
    with (tmp_path / METRICS).open("a") as file:
        file.write(half)
    assert steps_of(tmp_path) == [1, 2, 3]
    MetricsFile(tmp_path, resume_at=3).write("train", 4, loss=0.0)
    assert steps_of(tmp_path) == [1, 2, 3, 4]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    fill(tmp_path, [1, 2, 3])
    lines = (tmp_path / METRICS).read_text().splitlines()
    (tmp_path / METRICS).write_text("\n".join([lines[0], lines[1][:10], lines[2]]) + "\n")
    with pytest.raises(UserError, match=rf"{METRICS}:2: not a JSON object; restore the file"):
        read_metrics(tmp_path)
    with pytest.raises(UserError, match=rf"{METRICS}:2"):
        MetricsFile(tmp_path, resume_at=3)
    assert len((tmp_path / METRICS).read_text().splitlines()) == 3  # nothing was lost by looking


def test_no_file_no_records(tmp_path):
    assert read_metrics(tmp_path) == []


def test_records_are_plain_json(tmp_path):
    fill(tmp_path, [1])
    assert json.loads((tmp_path / METRICS).read_text()) == {"kind": "train", "step": 1, "loss": 0.25}
