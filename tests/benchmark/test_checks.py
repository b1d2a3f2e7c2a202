"""The checks: each finds the fault that it is for, counts it, names the items, and is quiet on sets without it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.benchmark.checks import (
    PAPER_QUOTA,
    alike,
    balance,
    chance_of,
    credit,
    credit_share,
    judge_guesser,
    judge_share,
    labels,
    lengths,
    letter,
    options,
    overlap,
    parse_quota,
    position,
    repeats,
    share_words,
)
from dateline.benchmark.questions import Question, QuestionSet
from dateline.errors import UserError
from dateline.statistics import wilson


def test_credits_of_zero_and_one_have_the_interval_of_a_count():
    assert credit_share([1, 0, 0, 1, 1]) == wilson(3, 5)


@given(st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]), min_size=1, max_size=60))
def test_the_expected_share_lies_in_its_interval(credits):
    found = credit_share(credits)
    assert 0 <= found.low <= found.value + 0.5 / len(credits)
    assert found.value - 0.5 / len(credits) <= found.high <= 1
    assert found.value == pytest.approx(sum(credits) / len(credits))


def test_ties_share_the_credit():
    assert credit([1, 3, 3, 0], 1) == 0.5
    assert credit([1, 3, 3, 0], 0) == 0
    assert credit([1, 3, 2, 0], 1) == 1


def test_chance_is_the_mean_over_items(make_questions):
    two = make_questions(2, lambda place: {"options": ("a", "b")} if place else {})
    two = [two[0], two[1]]
    assert chance_of(two) == pytest.approx((1 / 4 + 1 / 2) / 2)


@pytest.mark.parametrize(("right", "verdict"), [(25, "fit"), (37, "fit"), (41, "look"), (46, "unfit")])
def test_a_guesser_is_judged_by_the_lower_end_of_its_interval(right, verdict):
    found = judge_guesser("x", "y", [1.0] * right + [0.0] * (100 - right), 0.25, sentence="")
    excess = found.low - 0.25
    assert found.verdict == verdict
    assert (excess > 0.05, excess > 0.10) == (verdict != "fit", verdict == "unfit")


def test_a_share_is_judged_by_its_bounds():
    def verdict(bad, look, unfit):
        found = judge_share("x", "y", bad, 100, "items are bad.", look=look, unfit=unfit)
        return found.verdict, found.rule

    assert verdict(1, 0.01, 0.05) == ("fit", "look if more than 1%, unfit if more than 5%")
    assert verdict(5, 0.01, 0.05)[0] == "look"
    assert verdict(6, 0.01, 0.05)[0] == "unfit"
    assert verdict(100, 0, 1) == ("look", "look if any")
    assert verdict(1, 0, 0) == ("unfit", "unfit if any")


def test_shares_are_said_with_their_counts():
    assert share_words(780, 800) == "780 of 800 (97.5%)"
    assert share_words(0, 0) == "none of none"


def test_bad_items_that_are_named_are_counted_and_kept():
    found = judge_share("x", "y", {3: "why", 5: "why not"}, 8, "items are bad.", look=0, unfit=0.5)
    assert (found.value, found.verdict, found.sentence) == (0.25, "look", "2 of 8 (25.0%) items are bad.")
    assert found.items == {3: "why", 5: "why not"}


def test_even_positions_are_fit(make_questions, make_set):
    found = position(make_set(make_questions(400, lambda place: {"answer": place % 4})))
    assert (found.verdict, found.value, found.facts["p_value"]) == ("fit", 0.25, 1.0)
    assert found.facts["counts"] == dict.fromkeys("ABCD", 100)
    assert "worthless" not in found.sentence


def test_one_place_for_all_is_unfit_and_rotation_is_named_as_the_cure(make_questions, make_set):
    found = position(make_set(make_questions(200, lambda place: {"answer": 2 if place % 10 else 0})))
    assert (found.verdict, found.value, found.low, found.high) == ("unfit", *wilson(180, 200)[:3])
    assert found.facts["p_value"] < 1e-9
    assert "option C in 180 of 200 (90.0%)" in found.sentence
    assert "rotations of the options repairs this" in found.sentence


def test_under_rotation_it_is_only_a_reason_to_look(make_questions, make_set):
    questions = make_questions(200, lambda place: {"answer": 0})
    assert position(make_set(questions), rotated=True).verdict == "look"
    assert position(make_set(make_questions(200, lambda place: {"answer": place % 4})), rotated=True).verdict == "fit"


def test_items_with_other_numbers_of_options_count_but_are_not_tested(make_questions, make_set):
    odd = make_questions(90, lambda place: {"options": ("a", "b"), "answer": 1} if place % 3 else {"answer": 0})
    found = position(make_set(odd))
    assert (found.facts["chi_square_options"], found.facts["chi_square_items"]) == (2, 60)
    assert found.chance == (30 / 4 + 60 / 2) / 90
    assert found.value == 60 / 90


def test_parts_of_a_set_are_counted_apart(make_questions, make_set):
    found = position(
        make_set(make_questions(40, lambda place: {"answer": place % 2, "group": "even" if place % 2 else "odd"}))
    )
    assert found.facts["by_group"] == {"even": {"B": 20}, "odd": {"A": 20}}


def test_a_single_question_is_no_proof(make_questions, make_set):
    assert position(make_set(make_questions(1))).verdict == "fit"


def test_places_have_letters():
    assert [letter(0), letter(25), letter(26)] == ["A", "Z", "27"]


def test_answers_that_are_long_are_caught(make_questions, make_set):
    found = make_set(
        make_questions(200, lambda place: {"options": ("a long answer it is", "no", "yes", "or"), "answer": 0})
    )
    longest, shortest = lengths(found)
    assert (longest.verdict, longest.value, longest.facts["strict_hits"]) == ("unfit", 1.0, 200)
    assert (shortest.verdict, shortest.value) == ("fit", 0.0)
    assert longest.items == dict.fromkeys(range(200), "the answer has 19 characters, the longest other option 3")
    assert shortest.items == {}


def test_answers_that_are_short_are_caught(make_questions, make_set):
    found = make_set(make_questions(100, lambda place: {"options": ("many", "words", "x"), "answer": 2}))
    assert [finding.verdict for finding in lengths(found)] == ["fit", "unfit"]


def test_options_of_one_length_are_chance(make_questions, make_set):
    found = make_set(make_questions(100, lambda place: {"options": ("ab", "cd", "ef", "gh")}))
    for finding in lengths(found):
        assert (finding.value, finding.chance, finding.verdict) == (0.25, 0.25, "fit")
        assert finding.facts["strict_items"] == 0
        assert "none of none" in finding.sentence


def test_answers_that_repeat_the_question_are_caught(make_questions, make_set):
    item = {
        "question": "Who leads the Bank of Ghana?",
        "options": ("The Treasury", "Ghana's bank", "A club"),
        "answer": 1,
    }
    found = overlap(make_set(make_questions(100, lambda place: item)))
    assert (found.verdict, found.value) == ("unfit", 1.0)
    assert (found.facts["gold"], found.facts["distractors"]) == (2 / 2, 0.0)
    assert found.facts["difference"]["low"] == 1.0


def test_small_words_are_no_overlap(make_questions, make_set):
    item = {"question": "Which of the two is it?", "options": ("Which of the seas", "hills", "lakes"), "answer": 0}
    found = overlap(make_set(make_questions(50, lambda place: item)))
    assert found.facts["gold"] == 0
    assert found.verdict == "fit"


@given(st.text(max_size=20), st.lists(st.text(max_size=8), min_size=2, max_size=5))
def test_any_text_gives_shares(question, options):
    asked = [Question("x", question, tuple(options), 0, "", "", "")]
    assert 0 <= overlap(QuestionSet(Path("set.jsonl"), 1, asked, ["set.jsonl:1"], [""])).value <= 1


def options_of(make_questions, make_set, **item):
    findings = options(make_set(make_questions(1, lambda place: item)))
    verdicts = {finding.check: finding.verdict for finding in findings if finding.value}
    return verdicts, [why for finding in findings for why in finding.items.values()]


def test_nothing_is_found_in_a_plain_item(make_questions, make_set):
    plain = {"question": "Who?", "options": ("Ama", "Kofi", "Yaw"), "answer": 0}
    assert options_of(make_questions, make_set, **plain) == ({}, [])


@pytest.mark.parametrize(
    ("item", "check", "verdict", "why"),
    [
        ({"options": ("U.S.A.", "usa", "Mali")}, "equal options", None, None),
        ({"options": ("Bank", "bank!", "Mali")}, "equal options", "unfit", "two options have the same words"),
        ({"options": ("Bank", "Bank of Ghana", "Mali")}, "options in options", "look",
         "'Bank' is part of 'Bank of Ghana'"),
        ({"options": ("Bank", "Bankers", "Mali")}, "options in options", None, None),
        ({"question": "What is Lake Volta?", "options": ("Lake Volta", "Tano")}, "answer in question", "unfit",
         "the answer 'Lake Volta' stands in the question"),
        ({"question": "What is Lake Volta?", "options": ("Tano", "Volta")}, "answer in question", None, None),
        *[({"options": ("Tano", name)}, "all of the above", "unfit", "an option speaks of the other options")
          for name in ("All of the above", "none of these", "Both A and B", "A and C", "None of the other options")],
        ({"options": ("Tano", "All of the people")}, "all of the above", None, None),
    ],
)  # fmt: skip
def test_what_is_wrong_with_options_is_named(make_questions, make_set, item, check, verdict, why):
    verdicts, reasons = options_of(make_questions, make_set, **({"question": "Who?", "answer": 0} | item))
    assert verdicts.get(check) == verdict
    assert reasons == ([] if why is None else [why])


def test_wrong_options_in_the_question_are_counted_beside(make_questions, make_set):
    item = {"question": "Tano or Volta?", "options": ("Tano", "Volta", "Pra"), "answer": 0}
    findings = options(make_set(make_questions(2, lambda place: item)))
    found = next(finding for finding in findings if finding.check == "answer in question")
    assert (found.facts["wrong_options_in_question"], found.facts["wrong_options"]) == (2, 4)


def asked(question, **more):
    options = more.pop("options", ("Accra", "Tema", "Ho", "Wa"))
    return {"question": question, "options": options, "answer": 0, "country": "gh", "label": "Ghana"} | more


def found_in(make_questions, make_set, *items):
    questions = make_questions(len(items) + 4, lambda place: items[place] if place < len(items) else {})
    findings = repeats(make_set(questions))
    counts = [round(finding.value * len(questions)) for finding in findings]
    return counts, [(finding.check, place, why) for finding in findings for place, why in finding.items.items()]


def test_case_and_punctuation_do_not_hide_a_repeat(make_questions, make_set):
    counts, items = found_in(
        make_questions, make_set, asked("What is the capital?"), asked("WHAT is the capital", options=("accra!", "x"))
    )
    assert counts == [1, 1, 0]
    assert items == [("duplicates", 1, "repeats q0 (set.jsonl:1)")]


def test_one_word_more_does_not_hide_it_either(make_questions, make_set):
    counts, items = found_in(
        make_questions,
        make_set,
        asked("Which city is the seat of government of the country?"),
        asked("Which city is the official seat of government of the country?"),
    )
    assert counts == [0, 1, 0]
    assert items == [("near-duplicates", 1, "nearly repeats q0 (set.jsonl:1)")]


def test_another_country_or_another_answer_is_no_repeat(make_questions, make_set):
    one = asked("Which city is the seat of government of the country?")
    elsewhere = one | {"country": "ie", "label": "Ireland"}
    year = asked("Which city was the seat of government of the country?", options=("Cape Coast", "Accra"))
    assert found_in(make_questions, make_set, one, elsewhere, year) == ([0, 0, 0], [])


def test_the_same_question_with_another_answer_is_contrary(make_questions, make_set):
    counts, items = found_in(make_questions, make_set, asked("Capital?"), asked("Capital?", answer=1))
    assert counts == [0, 0, 1]
    assert items == [("contrary answers", 1, "another answer than q0 (set.jsonl:1)")]


def test_the_same_fact_in_other_words_is_counted_and_not_judged(make_questions, make_set):
    questions = make_questions(2, [asked("Where does parliament sit?"), asked("What is the capital?")].__getitem__)
    _, near, _ = repeats(make_set(questions))
    assert (near.value, near.facts["same_country_and_answer"], near.items) == (0.0, 1, {})


def test_a_set_that_is_there_twice_is_unfit(make_questions, make_set):
    same, near, _ = repeats(make_set(make_questions(30) * 2))
    assert (same.verdict, near.verdict, same.value) == ("unfit", "unfit", 0.5)
    assert (len(same.items), len(near.items)) == (30, 0)


def test_questions_worded_alike_are_one_cluster_whatever_their_country(make_questions):
    one = asked("Which city is the seat of government of the country?")
    questions = make_questions(4, [one, {}, one | {"country": "ie", "answer": 1}, {}].__getitem__)
    assert alike(questions).tolist() == [0, 1, 0, 3]


def test_questions_without_words_are_like_nothing(make_questions):
    assert alike(make_questions(2, lambda place: {"question": "?" * (place + 1)})).tolist() == [0, 1]


def test_the_published_quotas_are_four_hundred_items():
    assert sum(PAPER_QUOTA.values()) == 400
    assert parse_quota("paper") == PAPER_QUOTA


def test_quotas_are_read_by_code_or_name():
    assert parse_quota("us=34, Canada = 33") == {"us": 34, "ca": 33}
    assert parse_quota("even") == "even"


@pytest.mark.parametrize("text", ["us", "us=", "us=-1", "us=1.5", "xx=3", "us=1,USA=2", "us=1,", "us=\u00b2"])
def test_quotas_that_are_none_are_refused(text):
    with pytest.raises(UserError, match="write even, paper, or each country once, like us=34,ca=33"):
        parse_quota(text)


def test_quotas_of_nothing_are_refused():
    with pytest.raises(UserError, match="adds up to nothing"):
        parse_quota("us=0")


def test_without_quotas_small_countries_are_named(make_questions, make_set):
    found = balance(make_set(make_questions(116)))
    assert (found.verdict, found.value) == ("look", 1.0)
    assert "Fewer than 30 have: ca, gh, ie, in" in found.sentence
    assert found.facts["counts"] == {"ca": 29, "gh": 29, "ie": 29, "in": 29}
    assert balance(make_set(make_questions(120))).verdict == "fit"


def test_even_quotas(make_questions, make_set):
    assert balance(make_set(make_questions(40)), "even").sentence == (
        "4 countries have 10 items each; 0 of 40 (0.0%) stand in the wrong one: the quotas are met."
    )
    tilted = make_questions(40, lambda place: {"country": "gh"} if place < 20 else {})
    found = balance(make_set(tilted), "even")
    assert (found.verdict, found.value) == ("unfit", 15 / 40)
    assert found.facts["off"] == {"ca": -5.0, "gh": 15.0, "ie": -5.0, "in": -5.0}


def test_quotas_are_proportions(make_questions, make_set):
    found = make_set(make_questions(40))
    assert balance(found, {"gh": 5, "in": 5, "ie": 5, "ca": 5}).verdict == "fit"
    assert balance(found, {"gh": 5, "in": 5, "ie": 5, "us": 5}).facts["off"] == {"ca": 10.0, "us": -10.0}


def test_items_without_a_country_are_not_hidden(make_questions, make_set):
    found = balance(make_set(make_questions(4, lambda place: {"country": "", "label": ""})))
    assert found.facts["counts"] == {"unknown": 4}


def test_two_ways_to_write_a_country_or_a_continent_are_found(make_questions, make_set):
    questions = make_questions(
        8, lambda place: {"country": "us", "continent": "America", "label": "USA" if place else "US"}
    )
    found, contrary = labels(make_set(questions, ["America"] * 7 + ["North America"]))
    assert (found.verdict, found.value, contrary.value) == ("look", 2 / 8, 0.0)
    assert found.facts["several"] == {"us": {"USA": 7, "US": 1}, "America": {"America": 7, "North America": 1}}
    assert found.items == {
        0: "country is written 'US', elsewhere 'USA'",
        7: "continent is written 'North America', elsewhere 'America'",
    }


def test_a_continent_that_contradicts_the_country_is_found(make_questions, make_set):
    questions = make_questions(4, lambda place: {"country": "gh", "continent": "Africa", "label": "Ghana"})
    _, contrary = labels(make_set(questions, ["Africa", "Africa", "Asia", ""]))
    assert (contrary.verdict, contrary.value) == ("unfit", 1 / 4)
    assert contrary.items == {2: "continent 'Asia' contradicts the country gh, which is in Africa"}


def test_sets_without_continents_have_no_contradictions(make_questions, make_set):
    findings = labels(make_set(make_questions(4), [""] * 4))
    assert [finding.verdict for finding in findings] == ["fit", "fit"]
    assert not any(finding.items for finding in findings)
