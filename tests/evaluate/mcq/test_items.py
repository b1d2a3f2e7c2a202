"""The table of items is read back as it was written, and other questions are no match."""

import json

import pytest

from dateline.errors import UserError
from dateline.evaluate.mcq.items import (
    ITEMS,
    check_comparable,
    matching_answers,
    questions_fingerprint,
    read_answers,
    write_items,
)
from dateline.evaluate.mcq.scores import Answers
from dateline.manifest import Manifest, write_manifest

ORIGIN = {"model": "m", "corpus": "q", "protocol": "mcq-1"}


def answers(condition="gold", ids=("i", "j")):
    return Answers("a", condition, "cloze", list(ids), ["ng", ""], ["Africa", ""], [0.25, 1.0], [-1, 2],
                   [[0.5, 0.25], []], ["", "\x1b"], "country")  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    write_items(tmp_path / ITEMS, [answers(), answers("none")], ORIGIN)
    write_manifest(tmp_path, Manifest.of("mcq", {"run": "a"}, {"questions": "q"}, facts={"protocol": "mcq-1"}))
    return tmp_path


def test_what_is_written_is_read_back(folder):
    assert read_answers(folder) == [answers(), answers("none")]


def test_only_the_same_conditions_on_the_same_items_match(folder):
    assert matching_answers(folder, [answers("none"), answers("wrong")]) == [answers("none")]
    with pytest.raises(UserError, match="was asked under gold, none; a comparison needs a condition in common"):
        matching_answers(folder, [answers("wrong")])


@pytest.mark.parametrize(
    ("run", "change", "message"),
    [
        ("b", {"corpus": "other"}, "run 'a' was asked other questions"),
        ("b", {"protocol": "mcq-2"}, "run 'a' was asked in another way"),
        ("a", {}, "holds a run that is called 'a' too"),
    ],
)
def test_what_cannot_be_compared_is_refused(folder, run, change, message):
    check_comparable(folder, "b", ORIGIN)
    with pytest.raises(UserError, match=message):
        check_comparable(folder, run, {**ORIGIN, **change})


def test_a_folder_without_items_is_refused(tmp_path, folder):
    with pytest.raises(UserError, match="no such folder; make it with: dateline eval mcq"):
        read_answers(tmp_path / "nowhere")
    (folder / ITEMS).write_text("no table")
    with pytest.raises(UserError, match="not a readable table of items"):
        read_answers(folder)


def test_the_fingerprint_is_of_what_is_asked_and_not_of_the_file(tmp_path, items, questions):
    from dateline.evaluate.mcq.questions import read_questions

    as_array = tmp_path / "four.json"
    as_array.write_text(json.dumps(items), encoding="utf-8")
    assert questions_fingerprint(read_questions(as_array)) == questions_fingerprint(questions)
    assert questions_fingerprint(questions[1:]) != questions_fingerprint(questions)
