"""Four questions for three places: two have two answers, one has letters beyond ASCII, one has three options."""

import json

import pytest

ITEMS = [
    {"id": "capital", "question": "What is the capital?", "options": ["Abuja", "Lagos", "São Tomé", "London"],
     "answer": "Abuja", "country": "ng", "contrast_country": "gb", "contrast_answer": "London"},
    {"id": "team", "question": "Who plays?", "options": ["the team of the city", "court", "₦500 – the river", "naïve"],
     "answer": "court", "country": "Pakistan"},
    {"id": "river", "question": "Which river?", "options": ["Thames", "Indus", "Niger"],
     "answer": "Indus", "country": "pk", "contrast_country": "gb", "contrast_answer": "Thames"},
    {"id": "vote", "question": "What said the court?", "options": ["vote", "a river", "city", "Café"],
     "answer": "Café", "country": "gb"},
]  # fmt: skip


def write_questions(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


@pytest.fixture(scope="session", name="write_questions")
def _write_questions():
    return write_questions


@pytest.fixture(scope="session")
def items():
    return ITEMS


@pytest.fixture(scope="session")
def question_file(tmp_path_factory):
    return write_questions(tmp_path_factory.mktemp("questions") / "four.jsonl", ITEMS)


@pytest.fixture(scope="session")
def questions(question_file):
    from dateline.benchmark.questions import read_questions

    return read_questions(question_file)
