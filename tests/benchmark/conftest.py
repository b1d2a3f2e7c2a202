"""Sets of questions without a fault, for tests to put one into."""

import random

import pytest

from dateline.benchmark.questions import Question, QuestionSet

WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "haven", "islet", "joust", "knoll", "lemon",
         "maple", "north", "ocean", "plaza", "quill", "river", "stone", "torch")  # fmt: skip
NAMES = tuple(f"{first} {last}" for first in ("Ama", "Esi", "Abla") for last in ("Boye", "Quay", "Tawa", "Osei", "Adu"))
PLACES = (("gh", "Africa", "Ghana"), ("in", "Asia", "India"), ("ie", "Europe", "Ireland"), ("ca", "America", "Canada"))


@pytest.fixture
def make_questions():
    """Questions by chance, or with what `change` says for the number of an item."""

    def make(number, change=lambda place: {}):
        drawn = random.Random(7)
        questions = []
        for place in range(number):
            country, continent, label = PLACES[place % len(PLACES)]
            asked = {
                "id": f"q{place}",
                "question": " ".join(drawn.choices(WORDS, k=8)) + f" {place}?",
                "options": tuple(drawn.sample(NAMES, 4)),
                "answer": drawn.randrange(4),
                "country": country,
                "continent": continent,
                "label": label,
            }
            questions.append(Question(**(asked | change(place))))
        return questions

    return make


@pytest.fixture
def make_set(tmp_path):
    """A set as a file would give it; nothing is written."""

    def make(questions, continents=None):
        places = [f"set.jsonl:{place + 1}" for place in range(len(questions))]
        regions = continents or [question.continent for question in questions]
        return QuestionSet(tmp_path / "set.jsonl", len(questions), questions, places, regions)

    return make
