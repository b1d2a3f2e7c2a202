"""Cues: lengths and words that give the answer away, against sets where they do not."""

from hypothesis import given
from hypothesis import strategies as st

from dateline.evaluate.mcq.audit.cues import lengths, overlap
from dateline.evaluate.mcq.questions import Question


def test_answers_that_are_long_are_caught(make_questions, make_set):
    found = make_set(
        make_questions(200, lambda place: {"options": ("a long answer it is", "no", "yes", "or"), "answer": 0})
    )
    (longest, shortest), suspects = lengths(found)
    assert (longest.verdict, longest.value, longest.facts["strict_hits"]) == ("unfit", 1.0, 200)
    assert (shortest.verdict, shortest.value) == ("fit", 0.0)
    assert len(suspects) == 200
    assert suspects[0].why == "the answer has 19 characters, the longest other option 3"
    assert (suspects[0].where, suspects[0].answer) == ("set.jsonl:1", "a long answer it is")


def test_answers_that_are_short_are_caught(make_questions, make_set):
    found = make_set(make_questions(100, lambda place: {"options": ("many", "words", "x"), "answer": 2}))
    assert [finding.verdict for finding in lengths(found)[0]] == ["fit", "unfit"]


def test_options_of_one_length_are_chance(make_questions, make_set):
    found = make_set(make_questions(100, lambda place: {"options": ("ab", "cd", "ef", "gh")}))
    for finding in lengths(found)[0]:
        assert (finding.value, finding.chance, finding.verdict) == (0.25, 0.25, "fit")
        assert finding.facts["strict_items"] == 0
        assert "none of none" in finding.sentence


def test_answers_that_repeat_the_question_are_caught(make_questions):
    item = {
        "question": "Who leads the Bank of Ghana?",
        "options": ("The Treasury", "Ghana's bank", "A club"),
        "answer": 1,
    }
    found = overlap(make_questions(100, lambda place: item))
    assert (found.verdict, found.value) == ("unfit", 1.0)
    assert (found.facts["gold"], found.facts["distractors"]) == (2 / 2, 0.0)
    assert found.facts["difference"]["low"] == 1.0


def test_small_words_are_no_overlap(make_questions):
    item = {"question": "Which of the two is it?", "options": ("Which of the seas", "hills", "lakes"), "answer": 0}
    found = overlap(make_questions(50, lambda place: item))
    assert found.facts["gold"] == 0
    assert found.verdict == "fit"


@given(st.text(max_size=20), st.lists(st.text(max_size=8), min_size=2, max_size=5))
def test_any_text_gives_shares(question, options):
    asked = [Question("x", question, tuple(options), 0, "", "", "")]
    assert 0 <= overlap(asked).value <= 1
