"""A run's folder is opened and found finished; nothing else in it is touched."""

import pytest

from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.train.folders.run import finished_run, open_folder


def test_a_folder_is_finished_by_its_manifest(tmp_path):
    assert finished_run(tmp_path, {"seed": 1}, {}) is None
    manifest = Manifest.of("train", {"seed": 1}, {})
    write_manifest(tmp_path, manifest)
    assert finished_run(tmp_path, {"seed": 1}, {}) == manifest
    with pytest.raises(UserError, match=r"finished run of another recipe \(seed: 1 -> 2\); choose another --out"):
        finished_run(tmp_path, {"seed": 2}, {})


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
