"""Position: an answer that always stands at one place is caught, one that stands anywhere is not."""

from dateline.evaluate.mcq.audit.position import letter, position
from dateline.statistics import wilson


def test_even_positions_are_fit(make_questions):
    found = position(make_questions(400, lambda place: {"answer": place % 4}))
    assert (found.verdict, found.value, found.facts["p_value"]) == ("fit", 0.25, 1.0)
    assert found.facts["counts"] == dict.fromkeys("ABCD", 100)
    assert "worthless" not in found.sentence


def test_one_place_for_all_is_unfit_and_rotation_is_named_as_the_cure(make_questions):
    found = position(make_questions(200, lambda place: {"answer": 2 if place % 10 else 0}))
    assert (found.verdict, found.value, found.low, found.high) == ("unfit", *wilson(180, 200)[:3])
    assert found.facts["p_value"] < 1e-9
    assert "option C in 180 of 200 (90.0%)" in found.sentence
    assert "rotations of the options repairs this" in found.sentence


def test_under_rotation_it_is_only_a_reason_to_look(make_questions):
    questions = make_questions(200, lambda place: {"answer": 0})
    assert position(questions, rotated=True).verdict == "look"
    assert position(make_questions(200, lambda place: {"answer": place % 4}), rotated=True).verdict == "fit"


def test_items_with_other_numbers_of_options_count_but_are_not_tested(make_questions):
    odd = make_questions(90, lambda place: {"options": ("a", "b"), "answer": 1} if place % 3 else {"answer": 0})
    found = position(odd)
    assert (found.facts["chi_square_options"], found.facts["chi_square_items"]) == (2, 60)
    assert found.chance == (30 / 4 + 60 / 2) / 90
    assert found.value == 60 / 90


def test_parts_of_a_set_are_counted_apart(make_questions):
    found = position(make_questions(40, lambda place: {"answer": place % 2, "group": "even" if place % 2 else "odd"}))
    assert found.facts["by_group"] == {"even": {"B": 20}, "odd": {"A": 20}}


def test_a_single_question_is_no_proof(make_questions):
    assert position(make_questions(1)).verdict == "fit"


def test_places_have_letters():
    assert [letter(0), letter(25), letter(26)] == ["A", "Z", "27"]
