"""What is wrong with a draft, in words; and which drafts repeat others."""

from dataclasses import replace

import pytest

from dateline.benchmark.drafts import Draft, as_question, names_place, problems, repeated, stands_in
from dateline.records import Article

TEXT = "The naira slipped on Monday. Traders in Lagos expect a change."
ARTICLE = Article("a1", "", "punchng.com", "ng", "Africa", "2020-01-02", "The naira slips", TEXT, "test", "test")
SOUND = Draft(
    question="Which currency is used here?",
    answer="the naira",
    distractors=("the cedi", "the rand", "the taka"),
    homes=("gh", "za", "bd"),
    country="ng",
    article=ARTICLE,
    evidence="The naira slipped on Monday.",
    start=0,
    kind="currency",
    topic="economy",
    generator="test",
    prompt_version="1",
)


def wrong_with(**change):
    return problems(replace(SOUND, **change), max_length_ratio=4.0)


def test_a_sound_draft_has_no_problem():
    assert wrong_with() == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"evidence": "The naira fell on Monday."}, "the evidence does not stand in the article"),
        ({"start": 1}, "the evidence does not stand in the article"),
        ({"start": -1}, "the evidence does not stand in the article"),
        ({"evidence": "", "start": 0}, "the evidence does not stand in the article"),
        (
            {"evidence": "Traders in Lagos expect a change.", "start": 29},
            "the answer does not stand in the evidence",
        ),
        ({"distractors": ("Monday", "the rand", "the taka")}, "another option stands in the evidence"),
        ({"distractors": ("The Naira", "the rand", "the taka")}, "two options have the same words"),
        ({"distractors": ("the naira note", "the rand", "the taka")}, "an option is part of another"),
        ({"distractors": ("all of the above", "the rand", "the taka")}, "an option speaks of the others"),
        ({"question": "Is the naira used here?"}, "a word of the answer stands in the question"),
        ({"distractors": ("x", "the rand", "the taka")}, "the options differ too much in length"),
        ({"distractors": ("the 2 cedi", "the rand", "the taka")}, "some options are numbers and others are not"),
        ({"distractors": ("Ghana cedi", "the rand", "the taka")}, "an option names its country"),
        ({"homes": ("ng", "za", "bd")}, "another option is right for the country"),
        ({"distractors": ("the cedi", "the rand"), "homes": ("gh", "za")}, "has not 4 options"),
        ({"question": " "}, "the question or an option is empty"),
        ({"rejected": "no answer came"}, "no answer came"),
    ],
)
def test_each_fault_is_named(change, reason):
    assert wrong_with(**change) == [reason]


def test_all_faults_are_named_in_the_order_of_the_checks():
    assert wrong_with(start=3, question="Is the naira used here?") == [
        "the evidence does not stand in the article",
        "a word of the answer stands in the question",
    ]


@pytest.mark.parametrize(
    ("option", "code", "gives_away"),
    [
        ("the Bank of Ghana", "gh", True),
        ("the Ghanaian cedi", "gh", True),
        ("the Bank of Ghana", "ng", False),
        ("the US dollar", "us", True),
        ("the Bank of England", "gb", True),
        ("the Lanka Premier League", "lk", True),
        ("the man in the moon", "in", False),
        ("my house", "my", False),
        ("the Federal Reserve", "us", False),
        ("anything", "zz", False),
    ],
)
def test_an_option_may_give_its_country_away(option, code, gives_away):
    assert names_place(option, code) is gives_away


def test_an_option_stands_in_a_text_as_whole_words():
    assert stands_in("the naira", "The naira fell")
    assert stands_in("£3 million", "It costs £3 million.")
    assert not stands_in("the naira", "the nairas")
    assert not stands_in("Lagos", "lagos")


def test_dates_and_numbers_expire():
    assert not SOUND.expires
    assert replace(SOUND, question="Which currency is used here now?").expires
    assert replace(SOUND, answer="N40 million").expires


def test_repeats_are_found_within_a_country():
    same = replace(SOUND, distractors=("the cedi", "the rand", "the euro"))
    elsewhere = replace(SOUND, country="gh", answer="the cedi", homes=("ng", "za", "bd"))
    contrary = replace(SOUND, answer="the kobo")
    other = replace(SOUND, question="What do people pay with in shops?")
    alike = replace(SOUND, question="Which currency is used here today?")
    assert repeated([SOUND, same, elsewhere, contrary, other, alike]) == {
        1: "repeats an earlier question",
        3: "contradicts an earlier question",
        5: "nearly repeats an earlier question",
    }


def test_a_draft_becomes_a_question_with_its_contrast():
    item = as_question(SOUND, (2, 0, 3, 1), "bd")
    assert item.options == ("the rand", "the naira", "the taka", "the cedi")
    assert (item.answer, item.contrast_country, item.contrast_answer) == (1, "bd", 2)
    assert (item.country, item.continent, item.group) == ("ng", "Africa", "test")
