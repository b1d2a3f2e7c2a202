"""Checkpoint folders are whole or absent, and damage is seen."""

import errno
import re

import pytest
from torch.distributed.checkpoint.api import CheckpointException

from dateline.errors import UserError
from dateline.train.folders.integrity import (
    belongs_to,
    cause,
    checkpoint_path,
    checkpoints,
    damage,
    newest_intact,
    prune,
    remove_unfinished,
    seal,
    unfinished,
)


def make(run, step, identity="one"):
    final = checkpoint_path(run, step)
    folder = unfinished(final)
    (folder / "inner").mkdir(parents=True)
    (folder / "weights").write_bytes(bytes(range(256)) * 40)
    (folder / "inner" / "config").write_text("{}")
    assert final not in checkpoints(run)
    seal(final, {"seed": step}, {"encoded": "e"}, {"run": identity})
    return final


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "cut": (cut, "weights", r"weights has 10,239 bytes instead of 10,240"),
    "flipped": (flip, "weights", r"weights is not what was written \(checksum\)"),
    "missing": (lambda path: path.unlink(), "inner/config", r"inner/config is missing"),
    "no manifest": (lambda path: path.unlink(), "manifest.json", r"no manifest\.json in it"),
    "no JSON": (lambda path: path.write_text("{"), "manifest.json", r"not a Dateline manifest"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_seen_and_the_one_before_is_used(tmp_path, capsys, kind):
    spoil, name, message = DAMAGES[kind]
    old, new = make(tmp_path, 4), make(tmp_path, 5)
    assert damage(new) == ""
    spoil(new / name)
    assert newest_intact(tmp_path) == old
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"{new}: damaged (")
    assert re.search(message, said[0])
    assert said[0].endswith("set aside as damaged-step-00000005")
    assert said[1] == f"{old}: is used in its place"
    assert checkpoints(tmp_path) == [old]
    assert (tmp_path / "checkpoints" / "latest").read_text() == "step-00000004\n"
    assert (tmp_path / "checkpoints" / "damaged-step-00000005").is_dir()


def test_where_all_are_damaged_nothing_is_made_up(tmp_path):
    flip(make(tmp_path, 1) / "weights")
    with pytest.raises(UserError, match="every checkpoint is damaged, and none is left to resume from"):
        newest_intact(tmp_path)


def test_what_is_half_written_is_no_checkpoint_and_is_removed(tmp_path):
    make(tmp_path, 1)
    half = unfinished(checkpoint_path(tmp_path, 2))
    half.mkdir()
    assert len(checkpoints(tmp_path)) == 1
    remove_unfinished(tmp_path)
    assert not half.exists()
    assert newest_intact(tmp_path) == checkpoint_path(tmp_path, 1)


def test_the_newest_stay(tmp_path):
    for step in range(1, 5):
        make(tmp_path, step)
    prune(tmp_path, 2)
    assert checkpoints(tmp_path) == [checkpoint_path(tmp_path, 3), checkpoint_path(tmp_path, 4)]


def test_whose_checkpoint_it_is(tmp_path):
    path = make(tmp_path, 1)
    assert belongs_to(path, "one")
    assert not belongs_to(path, "two")
    (path / "manifest.json").write_text("{")
    assert not belongs_to(path, "one")
    assert not belongs_to(tmp_path / "nowhere", "one")


def test_the_cause_is_what_the_machine_says():
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped = RuntimeError("write failed")
    wrapped.__cause__ = full
    assert cause(CheckpointException("failed", {0: (ValueError("x"), None), 1: (wrapped, None)})) is full
    other = ValueError("x")
    assert cause(CheckpointException("failed", {0: (other, None)})) is other
