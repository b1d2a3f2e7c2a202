"""A run's folder: opened, set aside, found finished; its checkpoints are whole or absent, and damage is seen."""

import errno
import re
from pathlib import Path

import pytest
from torch.distributed.checkpoint.api import CheckpointException

from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.train.folder import (
    belongs_to,
    cause,
    checkpoint_path,
    checkpoints,
    damage,
    finished_run,
    newest_intact,
    open_folder,
    prune,
    remove_unfinished,
    seal,
    set_aside,
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


def test_a_folder_is_finished_by_its_manifest(tmp_path):
    assert finished_run(tmp_path, {"seed": 1}, {}, format=1) is None
    manifest = Manifest.of("train", {"seed": 1}, {}, format=1)
    write_manifest(tmp_path, manifest)
    assert finished_run(tmp_path, {"seed": 1}, {}, format=1) == manifest
    with pytest.raises(UserError, match=r"finished run of another recipe \(seed: 1 -> 2\); choose another --out"):
        finished_run(tmp_path, {"seed": 2}, {}, format=1)


@pytest.mark.parametrize("anew", [True, False])
def test_beginning_anew_removes_the_run_and_nothing_else(tmp_path, anew):
    run = tmp_path / "deep" / "run"
    open_folder(run, anew=anew)
    for name in ("checkpoints/step-00000001", "checkpoints/.step-00000002.partial", "model"):
        (run / name).mkdir(parents=True)
    for name in ("metrics.jsonl", "manifest.json", "notes.txt"):
        (run / name).write_text("")
    open_folder(run, anew=anew)
    assert not (run / "checkpoints" / ".step-00000002.partial").exists()
    assert (run / "checkpoints" / "step-00000001").exists() is not anew
    assert (run / "metrics.jsonl").exists() is not anew
    assert (run / "model").exists() is not anew
    assert (run / "notes.txt").exists()


def fill(run, note):
    for name in ("checkpoints/step-00000001/weights", "model/model.safetensors", "metrics.jsonl", "notes.txt"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(note)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_finished_run_is_set_aside_whole_under_its_fingerprint(tmp_path):
    run = tmp_path / "runs" / "plain"
    fill(run, "first")
    write_manifest(run, Manifest.of("train", {"seed": 1}, {}, format=1))
    before = contents(run)
    mark = Manifest.of("train", {"seed": 1}, {}, format=1).fingerprint
    moved = set_aside(run)
    assert moved == tmp_path / "runs" / ".previous" / f"plain-{mark}"
    assert contents(moved) == before
    assert not run.exists()


def test_what_was_set_aside_earlier_is_never_replaced(tmp_path):
    run = tmp_path / "plain"
    moved = []
    for note in ("first", "second", "third"):
        fill(run, note)
        write_manifest(run, Manifest.of("train", {"seed": 1}, {}, format=1))
        moved.append(set_aside(run))
    assert [path.name.removeprefix(moved[0].name) for path in moved] == ["", "-2", "-3"]
    assert [(path / "model" / "model.safetensors").read_text() for path in moved] == ["first", "second", "third"]


@pytest.mark.parametrize("manifest", [None, "{"])
def test_a_run_without_a_readable_manifest_is_set_aside_by_the_time(tmp_path, monkeypatch, manifest):
    monkeypatch.chdir(tmp_path)
    run = Path("plain")
    for note in ("first", "second"):
        fill(run, note)
        if manifest is not None:
            (run / "manifest.json").write_text(manifest)
        moved = set_aside(run)
        assert re.fullmatch(r"plain-\d{8}T\d{6}Z(-2)?", moved.name)
        assert (moved / "notes.txt").read_text() == note
    assert len(list(Path(".previous").iterdir())) == 2


def test_nothing_to_set_aside(tmp_path):
    assert set_aside(tmp_path / "gone") is None
    (tmp_path / "empty").mkdir()
    assert set_aside(tmp_path / "empty") is None
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_folder_that_cannot_be_moved_stays_where_it_is(tmp_path, monkeypatch):
    run = tmp_path / "plain"
    fill(run, "first")

    def fails(self, target):
        raise OSError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(PermissionError):
        set_aside(run)
    assert contents(run)["model/model.safetensors"] == "first"


def test_an_earlier_damaged_checkpoint_is_kept_too(tmp_path):
    make(tmp_path, 4)
    for size in (5, 6):
        path = make(tmp_path, 5)
        (path / "weights").write_bytes(b"x" * size)
        newest_intact(tmp_path)
    kept = sorted((tmp_path / "checkpoints").glob("damaged-*"))
    assert [(path.name, (path / "weights").stat().st_size) for path in kept] == [
        ("damaged-step-00000005", 5),
        ("damaged-step-00000005-2", 6),
    ]
