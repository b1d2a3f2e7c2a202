"""The blind guesser: it finds what options give away, and nothing where they give nothing away."""

import pytest

from dateline.benchmark.guesser import form, guessers, placed_wording, wording


def test_options_by_chance_give_nothing_away(make_questions, make_set):
    for found in guessers(make_set(make_questions(600))):
        assert found.low < 0.25 < found.high, found.sentence
        assert found.verdict == "fit"


def test_an_answer_that_comes_back_is_learned(make_questions, make_set):
    def change(place):
        return {"options": ("Modi", f"person {place}", f"actor {place}", f"friend {place}"), "answer": 0}

    by_wording = guessers(make_set(make_questions(100, change)))[0]
    assert (by_wording.verdict, by_wording.value) == ("unfit", 1.0)
    # with every "Modi" in one fold nothing is known of it
    assert by_wording.facts["unseen_answers"]["value"] < 0.5


def test_nothing_is_learned_from_the_same_question(make_questions, make_set):
    # every question is there twice; its answer occurs in no other
    def change(place):
        which = place // 2
        return {
            "question": f"Who is the person with the number {which} {'abcdefgh'[which % 8] * 5} {which * 31}?",
            "options": tuple(f"{name}{which}" for name in ("ab", "cd", "ef", "gh")),
            "answer": which % 4,
        }

    by_wording = guessers(make_set(make_questions(200, change)))[0]
    assert by_wording.high < 0.5


def test_a_form_that_gives_the_answer_away_is_found_on_new_words(make_questions, make_set):
    def change(place):
        return {"options": (f"The r{place}", f"s{place}", f"t{place}", f"u{place}"), "answer": 0}

    by_form = guessers(make_set(make_questions(100, change)))[2]
    assert (by_form.verdict, by_form.value) == ("unfit", 1.0)


def test_items_may_have_different_numbers_of_options(make_questions, make_set):
    found = guessers(
        make_set(make_questions(60, lambda place: {"options": ("a", "b"), "answer": 0} if place % 2 else {}))
    )
    assert found[0].chance == pytest.approx((1 / 4 + 1 / 2) / 2)


def test_wrong_options_from_elsewhere_are_known_by_the_country(make_questions, make_set):
    # each answer is a wrong option in the other country as often as it is right in its own
    def change(place):
        here = place % 2
        return {"options": ("Accra", "Delhi"), "answer": here, "country": ("gh", "in")[here]}

    by_wording, with_country, _ = guessers(make_set(make_questions(200, change)))
    assert by_wording.high < 0.6
    assert (with_country.verdict, with_country.value) == ("unfit", 1.0)


def test_features_are_about_the_options_alone(make_questions):
    options = ("The Bank of Ghana", "ecobank", "GCB (2015)")
    (item, marks) = make_questions(2, lambda place: {"options": ("?", "!") if place else options, "answer": 0})
    assert list(wording(item, 1)) == ["=ecobank", "ecobank"]
    assert list(wording(marks, 0)) == ["=?"]
    assert list(placed_wording(item, 1)) == ["=ecobank", "gh: =ecobank", "ecobank", "gh: ecobank"]
    assert "article, alone" in set(form(item, 0))
    assert {"digit, alone", "bracket, alone", "capitals, alone"} <= set(form(item, 2))
    assert "small first letter, alone" in set(form(item, 1))


def test_a_single_question_has_an_accuracy(make_questions, make_set):
    assert all(0 <= found.value <= 1 for found in guessers(make_set(make_questions(1))))
