"""A file that somebody else writes is read as it grows, is cut, and is replaced."""

import json
import os

import pytest

from dateline.cli.training.follow import RecordFile, newest_checkpoint, read_run
from dateline.errors import UserError
from dateline.train.metrics import METRICS, MetricsFile


def steps(file):
    return [record["step"] for record in file.records]


def test_records_are_seen_as_they_come(tmp_path):
    seen = RecordFile(tmp_path / "run")
    assert not seen.poll()
    (tmp_path / "run").mkdir()
    diary = MetricsFile(tmp_path / "run")
    diary.write("train", 1, loss=2.0)
    assert seen.poll()
    assert steps(seen) == [1]
    assert not seen.poll()
    diary.write("train", 2, loss=1.0)
    assert seen.poll()
    assert seen.records == [{"kind": "train", "step": 1, "loss": 2.0}, {"kind": "train", "step": 2, "loss": 1.0}]


def test_half_a_line_waits_for_its_other_half(tmp_path):
    line = json.dumps({"kind": "train", "step": 1, "group": "Côte d’Ivoire"}, ensure_ascii=False).encode() + b"\n"
    seen = RecordFile(tmp_path)
    with (tmp_path / METRICS).open("wb", buffering=0) as file:
        for byte in range(len(line) - 1):
            file.write(line[byte : byte + 1])
            assert not seen.poll()
        file.write(line[-1:])
        assert seen.poll()
    assert seen.records[0]["group"] == "Côte d’Ivoire"


@pytest.mark.parametrize("more", [1, 2, 3, 4])
def test_a_resumed_run_is_noticed_even_if_its_file_is_as_long_as_before(tmp_path, more):
    diary = MetricsFile(tmp_path)
    for step in (1, 2, 3, 4):
        diary.write("train", step, loss=1.0)
    seen = RecordFile(tmp_path)
    seen.poll()
    diary = MetricsFile(tmp_path, resume_at=2)
    MetricsFile(tmp_path, resume_at=2)  # stopped and resumed twice between two looks
    for step in range(3, 3 + more):
        diary.write("train", step, loss=9.0)
    assert seen.poll()
    assert steps(seen) == [1, 2, *range(3, 3 + more)]
    assert [record["loss"] for record in seen.records[2:]] == [9.0] * more


def test_a_file_that_is_gone_is_forgotten(tmp_path):
    MetricsFile(tmp_path).write("train", 1, loss=1.0)
    seen = RecordFile(tmp_path)
    seen.poll()
    (tmp_path / METRICS).unlink()
    assert seen.poll()
    assert seen.records == []
    assert not seen.poll()


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / METRICS).write_text('{"kind": "train", "step": 1}\nnonsense\n')
    with pytest.raises(UserError, match=rf"{METRICS}:2: not a JSON object; restore the file"):
        RecordFile(tmp_path).poll()


def test_how_long_nothing_has_come(tmp_path):
    seen = RecordFile(tmp_path)
    assert seen.seconds_since_change(5_000.0) == 0.0
    MetricsFile(tmp_path)
    os.utime(tmp_path / METRICS, (1_000.0, 1_000.0))
    assert seen.seconds_since_change(1_090.0) == 90.0


def test_what_the_run_says_of_itself(tmp_path):
    assert read_run(tmp_path) == {}
    (tmp_path / "run.json").write_text('{"num_steps": 8}')
    assert read_run(tmp_path) == {"num_steps": 8}
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run.json: not a JSON object; resume the run"):
        read_run(tmp_path)


def test_the_newest_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    for name in ("step-00000002", "step-00000010", ".step-00000012.partial", "latest"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert newest_checkpoint(tmp_path) == 10
