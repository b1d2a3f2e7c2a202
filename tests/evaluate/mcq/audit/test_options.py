"""Options: each way in which they get in each other's way is counted and listed."""

import pytest

from dateline.evaluate.mcq.audit.options import options


def checks(make_questions, make_set, **item):
    findings, suspects = options(make_set(make_questions(1, lambda place: item)))
    return {finding.check: finding.verdict for finding in findings if finding.value}, [one.why for one in suspects]


def test_nothing_is_found_in_a_plain_item(make_questions, make_set):
    plain = {"question": "Who?", "options": ("Ama", "Kofi", "Yaw"), "answer": 0}
    assert checks(make_questions, make_set, **plain) == ({}, [])


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
    verdicts, reasons = checks(make_questions, make_set, **({"question": "Who?", "answer": 0} | item))
    assert verdicts.get(check) == verdict
    assert reasons == ([] if why is None else [why])


def test_wrong_options_in_the_question_are_counted_beside(make_questions, make_set):
    item = {"question": "Tano or Volta?", "options": ("Tano", "Volta", "Pra"), "answer": 0}
    findings, _ = options(make_set(make_questions(2, lambda place: item)))
    found = next(finding for finding in findings if finding.check == "answer in question")
    assert (found.facts["wrong_options_in_question"], found.facts["wrong_options"]) == (2, 4)
