import json
import re

import pytest

from dateline.errors import UserError
from dateline.manifest import (
    MANIFEST,
    Manifest,
    check_free,
    check_outside,
    explain_change,
    is_current,
    new_folder,
    read_manifest,
    require_manifest,
    stage_fingerprint,
    write_atomically,
    write_manifest,
)


@pytest.fixture
def finished(tmp_path):
    def finished(recipe=None, parents=None, stage="corpus"):
        folder = tmp_path / "done"
        folder.mkdir(exist_ok=True)
        counts = {"in": 3, "kept": 2}
        recipe, parents = {"seed": 1} if recipe is None else recipe, {"raw": "ab"} if parents is None else parents
        write_manifest(folder, Manifest.of(stage, recipe, parents, counts=counts, drops={"language": 1}))
        return folder

    return finished


def fill(folder, text="x"):
    (folder / "data.txt").write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    facts = {"nested": {"list": [1, 2.5, None]}, "text": "₦"}
    manifest = Manifest.of("encode", {"a": {"b": [1]}}, {"corpus": "ff"}, counts={"in": 1}, drops={"x": 0}, facts=facts,
                           packages=("numpy",))  # fmt: skip
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert names(tmp_path) == [MANIFEST]
    assert manifest.versions.keys() == {"dateline", "python", "numpy"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", manifest.created)


def test_the_fingerprint_sees_stage_recipe_and_parents_and_not_what_came_of_them():
    base = stage_fingerprint("corpus", {"a": 1}, {"p": "x"})
    assert base == Manifest.of("corpus", {"a": 1}, {"p": "x"}, counts={"in": 9}, facts={"f": 1}).fingerprint
    others = [
        stage_fingerprint("encode", {"a": 1}, {"p": "x"}),
        stage_fingerprint("corpus", {"a": 2}, {"p": "x"}),
        stage_fingerprint("corpus", {"a": 1}, {"p": "y"}),
        stage_fingerprint("corpus", {"a": 1}, {}),
        stage_fingerprint("corpus", {"a": 1}, {"p": "x"}, format=2),
    ]
    assert len({base, *others}) == 6


def test_a_folder_without_a_manifest_is_not_finished(tmp_path):
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "none") is None
    (tmp_path / "file").touch()
    assert read_manifest(tmp_path / "file") is None
    assert not is_current(tmp_path, "")
    assert explain_change(tmp_path, {}, {}) == "not finished"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"stage": "corpus"}', b"\xff\xfe", b'{"surprise": 1}'])
def test_a_damaged_manifest_is_an_error_and_not_a_missing_one(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(UserError, match=r"manifest\.json: not a Dateline manifest \(.+\); delete the folder") as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_stage_says_what_it_needs_and_how_to_make_it(tmp_path, finished):
    make = "dateline corpus PATH --out DIR"
    with pytest.raises(UserError, match=r"none: no such folder; make it with: dateline corpus PATH --out DIR$"):
        require_manifest(tmp_path / "none", "corpus", make)
    with pytest.raises(UserError, match=r"no manifest\.json in it \(not finished\?\); make it with: dateline corpus"):
        require_manifest(tmp_path, "corpus", make)
    folder = finished(stage="encode")
    with pytest.raises(UserError, match=r"done: holds the result of 'encode', not 'corpus'; make one with: dateline"):
        require_manifest(folder, "corpus", make)
    assert require_manifest(folder, "encode", make).counts == {"in": 3, "kept": 2}


def test_a_new_folder_appears_whole(tmp_path):
    final = tmp_path / "deep" / "out"
    with new_folder(final) as folder:
        fill(folder)
        assert not final.exists()
        assert folder.parent == final.parent
    assert names(final) == ["data.txt"]
    assert names(final.parent) == ["out"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("there", [False, True])
def test_a_failure_leaves_everything_as_it_was(tmp_path, error, there):
    final = tmp_path / "out"
    if there:
        final.mkdir()
        fill(final, "old")

    def fail(folder):
        fill(folder, "new")
        raise error

    with pytest.raises(error), new_folder(final, overwrite=True) as folder:
        fail(folder)
    assert names(tmp_path) == (["out"] if there else [])
    assert not there or (final / "data.txt").read_text() == "old"


def test_overwriting_replaces_and_does_not_mix(tmp_path):
    final = tmp_path / "out"
    final.mkdir()
    (final / "left-over.txt").touch()
    with new_folder(final, overwrite=True) as folder:
        fill(folder, "new")
        assert names(final) == ["left-over.txt"]
    assert names(final) == ["data.txt"]
    assert names(tmp_path) == ["out"]


def test_what_an_interrupted_run_left_behind_is_swept_away(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "half.txt").touch()
    with new_folder(tmp_path / "out") as folder:
        assert names(folder) == []
    assert names(tmp_path) == ["out"]


def test_a_folder_that_holds_something_is_refused_before_any_work(tmp_path):
    final = tmp_path / "out"
    final.mkdir()
    with new_folder(final) as folder:  # an empty one is free
        fill(folder)
    refusal = "out: already holds something; choose another --out or pass --overwrite$"
    with pytest.raises(UserError, match=refusal), new_folder(final):
        pytest.fail("the block has run")
    with pytest.raises(UserError, match=refusal):
        check_free(final)
    check_free(final, overwrite=True)


def test_a_file_and_a_path_without_a_name_are_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file: is a file; --out names a folder$"):
        check_free(tmp_path / "file", overwrite=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"\.: has no name of its own; --out names a folder such as runs/first$"):
        check_free(tmp_path.__class__("."), overwrite=True)


def test_a_text_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "note.txt"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["note.txt"]


def test_a_folder_is_current_for_its_own_fingerprint_only(finished):
    folder = finished()
    assert is_current(folder, stage_fingerprint("corpus", {"seed": 1}, {"raw": "ab"}))
    assert not is_current(folder, stage_fingerprint("corpus", {"seed": 2}, {"raw": "ab"}))


def test_changes_are_explained_in_one_line(finished):
    folder = finished({"seed": 1, "fields": ["a"]}, {"raw": "ab"})
    assert explain_change(folder, {"seed": 1, "fields": ("a",)}, {"raw": "ab"}) == ""
    assert explain_change(folder, {"seed": 2, "fields": ["a"]}, {"raw": "ab"}) == "seed: 1 -> 2"
    assert explain_change(folder, {"seed": 1, "fields": ["a"]}, {"raw": "cd"}) == "raw: ab -> cd"
    assert explain_change(folder, {"seed": 1, "fields": ["a"]}, {}) == "raw: ab -> (absent)"
    many = {"seed": 1, "fields": ["a"], "w": 1, "x": 1, "y": 1, "z": 1}
    assert explain_change(folder, many, {"raw": "ab"}) == (
        "w: (absent) -> 1; x: (absent) -> 1; y: (absent) -> 1; and 1 more"
    )


def test_another_format_is_a_change_and_another_version_of_dateline_is_none(finished):
    folder = finished()
    path = folder / MANIFEST
    data = json.loads(path.read_text())
    data["versions"]["dateline"] = "0.0.1"
    path.write_text(json.dumps(data))
    assert explain_change(folder, {"seed": 1}, {"raw": "ab"}) == ""
    assert explain_change(folder, {"seed": 1}, {"raw": "ab"}, format=2) == "format of 'corpus': 1 -> 2"


def test_only_an_earlier_result_of_the_same_stage_is_overwritten(tmp_path):
    own = tmp_path / "thesis"
    own.mkdir()
    (own / "thesis.txt").write_text("three years")
    message = "is not an earlier result of 'corpus', so it is not overwritten"
    with pytest.raises(UserError, match=message), new_folder(own, overwrite=True, stage="corpus"):
        pass
    assert (own / "thesis.txt").read_text() == "three years"
    other = tmp_path / "encoded"
    with new_folder(other) as folder:
        write_manifest(folder, Manifest.of("encode", {}, {}))
    with pytest.raises(UserError, match=message):
        check_free(other, overwrite=True, stage="corpus")
    check_free(other, overwrite=True, stage="encode")


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    message = r"file/out: cannot be made there \(Not a directory\); choose another --out"
    with pytest.raises(UserError, match=message), new_folder(tmp_path / "file" / "out"):
        pass


def test_a_result_is_not_put_inside_another(tmp_path, finished):
    folder = finished()
    inside = folder / "runs" / "second"
    with pytest.raises(UserError, match=r"second: lies inside .*, a result of '\w+'; choose an --out beside it$"):
        check_outside(inside)
    assert not inside.parent.exists()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "manifest.json").write_text("{}")  # of some other program
    check_outside(tmp_path / "site" / "first")
    check_outside(folder)
