"""A stage is made once, and made again only where its recipe, parents or format differ."""

import json

import pytest

import dateline.manifest
from dateline.errors import UserError
from dateline.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from dateline.stage import Made, Stage


def stage(text="x", name="answer", recipe=None, parents=None, format=1, fill=None):
    def write(folder):
        (folder / "answer.txt").write_text(text)
        return Made(counts={"in": 2, "kept": 1}, drops={"empty": 1}, facts={"text": text}, packages=("numpy",))

    recipe = {"question": "?", "nested": {"several": [1, 2]}} if recipe is None else recipe
    return Stage(name, recipe, {"corpus": "ab"} if parents is None else parents, fill or write, format)


def answer(folder):
    return (folder / "answer.txt").read_text()


def age(folder, **changes):
    """Changes a folder's manifest by hand; a value of None removes the key."""
    data = json.loads((folder / MANIFEST).read_text()) | changes
    data = {key: value for key, value in data.items() if value is not None}
    (folder / MANIFEST).write_text(json.dumps(data))


def test_the_fingerprint_is_of_name_recipe_parents_and_format():
    others = [
        stage(name="other"), stage(recipe={"question": "!"}), stage(recipe={}), stage(parents={"corpus": "cd"}),
        stage(parents={"model": "ab"}), stage(format=2),
    ]  # fmt: skip
    assert len({stage().fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)
    again = stage("y", recipe={"nested": {"several": (1, 2)}, "question": "?"})
    assert again.fingerprint == stage().fingerprint
    assert len(stage().fingerprint) == 16
    assert int(stage().fingerprint, 16) >= 0


def test_what_was_made_is_in_the_manifest(tmp_path):
    made = stage().make(tmp_path / "out")
    assert made == read_manifest(tmp_path / "out")
    assert (made.stage, made.fingerprint, made.format) == ("answer", stage().fingerprint, 1)
    assert (made.recipe, made.parents) == ({"question": "?", "nested": {"several": [1, 2]}}, {"corpus": "ab"})
    assert (made.counts, made.drops, made.facts) == ({"in": 2, "kept": 1}, {"empty": 1}, {"text": "x"})
    assert made.versions.keys() == {"dateline", "python", "numpy"}
    assert stage(format=3).make(tmp_path / "third").format == 3


def test_a_new_version_does_not_make_finished_stages_stale(tmp_path, monkeypatch, capsys):
    before = stage().make(tmp_path / "out")
    for module in (dateline, dateline.manifest):
        monkeypatch.setattr(module, "__version__", "99.0.0")
    assert stage("y").ensure(tmp_path / "out") == before
    assert answer(tmp_path / "out") == "x"
    assert stage().explain(tmp_path / "out") == ""
    assert stage().make(tmp_path / "later").fingerprint == before.fingerprint
    assert read_manifest(tmp_path / "later").versions["dateline"] == "99.0.0"  # recorded, and no part of the identity
    assert "unchanged, skipped" in capsys.readouterr().err


def test_ensure_makes_skips_and_replaces(tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    stage("first").ensure(out)
    assert (answer(out), capsys.readouterr().err) == ("first", "")
    (out / "left-over.txt").touch()
    stage("second").ensure(out)
    assert (answer(out), capsys.readouterr().err) == ("first", f"{out}: unchanged, skipped\n")
    other = stage("third", recipe={"question": "!", "nested": {"several": [1, 2]}})
    assert other.ensure(out) == read_manifest(out)
    assert (answer(out), capsys.readouterr().err) == ("third", f"{out}: made again (question: ? -> !)\n")
    assert not (out / "left-over.txt").exists()
    stage("fourth", recipe=other.recipe, format=2).ensure(out)
    assert answer(out) == "fourth"
    assert "made again (format of 'answer': 1 -> 2)" in capsys.readouterr().err


def test_a_folder_from_before_there_were_formats_is_read_and_made_again(tmp_path, capsys):
    out = tmp_path / "out"
    stage("old").make(out)
    age(out, format=None, fingerprint="0123456789abcdef", versions={"dateline": "0.1.0"})
    assert read_manifest(out).format == 0
    assert read_manifest(out).counts == {"in": 2, "kept": 1}
    assert stage().finished(out) is None
    stage("new").ensure(out)
    assert answer(out) == "new"
    assert capsys.readouterr().err == f"{out}: made again (format of 'answer': 0 -> 1)\n"


def test_make_refuses_what_is_there_unless_it_is_its_own_and_may_be_replaced(tmp_path):
    out = tmp_path / "out"
    stage("first").make(out)
    with pytest.raises(UserError, match="already holds something; choose another --out or pass --overwrite"):
        stage("second").make(out)
    assert answer(out) == "first"
    stage("second").make(out, overwrite=True)
    assert answer(out) == "second"


@pytest.mark.parametrize("act", ["make", "ensure"])
@pytest.mark.parametrize("holds", ["somebody's own", "another stage"])
def test_a_foreign_folder_is_never_replaced(tmp_path, capsys, act, holds):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("three years")
    if holds == "another stage":
        write_manifest(out, Manifest.of("encode", {}, {}))
    with pytest.raises(UserError, match="is not an earlier result of 'answer', so it is not overwritten"):
        stage().make(out, overwrite=True) if act == "make" else stage().ensure(out)
    assert (out / "thesis.txt").read_text() == "three years"
    assert not (out / "answer.txt").exists()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, UserError])
@pytest.mark.parametrize("there", [False, True])
def test_an_exception_leaves_everything_as_it_was(tmp_path, error, there):
    out = tmp_path / "out"
    before = stage("old").make(out) if there else None

    def fail(folder):
        (folder / "answer.txt").write_text("half")
        raise error("no")

    with pytest.raises(error):
        stage(recipe={}, fill=fail).ensure(out)
    assert sorted(path.name for path in tmp_path.iterdir()) == (["out"] if there else [])
    assert read_manifest(out) == before
    assert not there or answer(out) == "old"


def test_nothing_is_filled_where_the_result_may_not_stand(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file; --out names a folder"):
        stage(fill=lambda folder: pytest.fail("was filled")).ensure(tmp_path / "file")


def test_a_damaged_manifest_is_named(tmp_path):
    stage().make(tmp_path / "out")
    (tmp_path / "out" / MANIFEST).write_text("{")
    with pytest.raises(UserError, match="not a Dateline manifest"):
        stage().ensure(tmp_path / "out")
