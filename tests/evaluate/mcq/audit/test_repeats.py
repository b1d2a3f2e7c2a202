"""Repeats: the same question is found however it is dressed, and a similar one about something else is not."""

from dateline.evaluate.mcq.audit.repeats import alike, repeats


def asked(question, **more):
    options = more.pop("options", ("Accra", "Tema", "Ho", "Wa"))
    return {"question": question, "options": options, "answer": 0, "country": "gh", "label": "Ghana"} | more


def found_in(make_questions, make_set, *items):
    questions = make_questions(len(items) + 4, lambda place: items[place] if place < len(items) else {})
    findings, suspects = repeats(make_set(questions))
    counts = [round(finding.value * len(questions)) for finding in findings]
    return counts, [(suspect.check, suspect.id, suspect.why) for suspect in suspects]


def test_case_and_punctuation_do_not_hide_a_repeat(make_questions, make_set):
    counts, suspects = found_in(
        make_questions, make_set, asked("What is the capital?"), asked("WHAT is the capital", options=("accra!", "x"))
    )
    assert counts == [1, 1, 0]
    assert suspects == [("duplicates", "q1", "repeats q0 (set.jsonl:1)")]


def test_one_word_more_does_not_hide_it_either(make_questions, make_set):
    counts, suspects = found_in(
        make_questions,
        make_set,
        asked("Which city is the seat of government of the country?"),
        asked("Which city is the official seat of government of the country?"),
    )
    assert counts == [0, 1, 0]
    assert suspects == [("near-duplicates", "q1", "nearly repeats q0 (set.jsonl:1)")]


def test_another_country_or_another_answer_is_no_repeat(make_questions, make_set):
    one = asked("Which city is the seat of government of the country?")
    elsewhere = one | {"country": "ie", "label": "Ireland"}
    year = asked("Which city was the seat of government of the country?", options=("Cape Coast", "Accra"))
    assert found_in(make_questions, make_set, one, elsewhere, year) == ([0, 0, 0], [])


def test_the_same_question_with_another_answer_is_contrary(make_questions, make_set):
    counts, suspects = found_in(make_questions, make_set, asked("Capital?"), asked("Capital?", answer=1))
    assert counts == [0, 0, 1]
    assert suspects == [("contrary answers", "q1", "another answer than q0 (set.jsonl:1)")]


def test_the_same_fact_in_other_words_is_counted_and_not_judged(make_questions, make_set):
    questions = make_questions(2, [asked("Where does parliament sit?"), asked("What is the capital?")].__getitem__)
    (_, near, _), suspects = repeats(make_set(questions))
    assert (near.value, near.facts["same_country_and_answer"], suspects) == (0.0, 1, [])


def test_a_set_that_is_there_twice_is_unfit(make_questions, make_set):
    (same, near, _), suspects = repeats(make_set(make_questions(30) * 2))
    assert (same.verdict, near.verdict, same.value) == ("unfit", "unfit", 0.5)
    assert len(suspects) == 30


def test_questions_worded_alike_are_one_cluster_whatever_their_country(make_questions):
    one = asked("Which city is the seat of government of the country?")
    questions = make_questions(4, [one, {}, one | {"country": "ie", "answer": 1}, {}].__getitem__)
    assert alike(questions).tolist() == [0, 1, 0, 3]


def test_questions_without_words_are_like_nothing(make_questions):
    assert alike(make_questions(2, lambda place: {"question": "?" * (place + 1)})).tolist() == [0, 1]
