"""Questions: every format and column that sets usually have, and every defect named with its place."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.benchmark.questions import questions_fingerprint, read_question_set, read_questions, read_rows
from dateline.errors import UserError

GOOD = {"question": "Which city is the capital?", "options": ["Accra", "Tema", "Kumasi"], "correct_answer": "Tema",
        "country": "Ghana"}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def to_file(*items):
        path = tmp_path / "set.jsonl"
        path.write_text("".join(json.dumps(item) + "\n" for item in items))
        return path

    return to_file


def item(**changes):
    return {key: value for key, value in (GOOD | changes).items() if value is not None}


def test_an_item_becomes_a_question(write):
    full = item(continent="africa", topic="Cities", generated_by="one", contrast_country="UK", contrast_answer="Accra")
    (question,) = read_questions(write(full))
    assert question.question == "Which city is the capital?"
    assert question.options == ("Accra", "Tema", "Kumasi")
    assert (question.answer, question.country, question.continent, question.label) == (1, "gh", "Africa", "Ghana")
    assert (question.contrast_country, question.contrast_answer) == ("gb", 0)
    assert (question.topic, question.group) == ("Cities", "one")


@pytest.mark.parametrize(
    "columns",
    [
        {"answer": "Tema", "options": ["Accra", "Tema", "Kumasi"]},
        {"answer": "b", "choices": ["Accra", "Tema", "Kumasi"]},
        {"answer_index": 1, "options": ["Accra", "Tema", "Kumasi"]},
        {"answer": "B", "option_a": "Accra", "option_b": "Tema", "option_c": "Kumasi"},
        {"label": "Tema", "A": "Accra", "B": "Tema", "C": "Kumasi"},
    ],
)
def test_usual_columns_mean_the_same(write, columns):
    (question,) = read_questions(write(item(**({"options": None, "correct_answer": None} | columns))))
    assert (question.options, question.answer) == (("Accra", "Tema", "Kumasi"), 1)


def test_how_answers_are_written_is_decided_for_the_whole_file(write):
    blood = {"options": ["O", "A", "B"], "correct_answer": "A"}
    texts = read_questions(write(item(**blood), item(options=["O", "A", "AB"], correct_answer="AB")))
    assert [question.answer for question in texts] == [1, 2]
    letters = read_questions(write(item(**blood), item(correct_answer="C"), item(correct_answer="B")))
    assert [question.answer for question in letters] == [0, 2, 1]


CASES = Path(__file__).parents[1] / "cases" / "questions"


@pytest.mark.parametrize(("name", "answers"), [("arc", [1]), ("lower", [1, 1]), ("strindex", [0, 1, 2, 3, 0, 1])])
def test_files_of_other_benchmarks_are_read_as_they_are(name, answers):
    assert [question.answer for question in read_questions(CASES / f"{name}.jsonl")] == answers


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"choices": {"text": ["Accra", "Tema", "Kumasi"], "label": ["1", "2", "3"]}}, "2"),
        ({"choices": {"text": ["Accra", "Tema", "Kumasi"], "label": ["D", "A", "B"]}}, "A"),
        (
            {"choices": [{"label": "A", "text": "Accra"}, {"label": "B", "text": "Tema"}, {"label": "C", "text": "K"}]},
            "B",
        ),
        ({"options": {"A": "Accra", "B": "Tema", "C": "Kumasi"}}, "B"),
        ({"question": {"stem": "Which?", "choices": [{"label": "A", "text": "a"}, {"label": "B", "text": "b"}]}}, "B"),
        ({"endings": ["Accra", "Tema", "Kumasi"], "ctx": "The capital is", "question": None}, "Tema"),
        ({"prompt_option_a": "Accra", "prompt_option_b": "Tema"}, "b)"),
        ({"opa": "Accra", "opb": "Tema"}, "[B]"),
        ({"option1": "Accra", "option2": "Tema"}, "2"),
        ({"option_1": "Accra", "option_2": "Tema", "option_3": ""}, "Tema"),
        ({"options": ["Accra", "Tema"]}, "B. Tema"),
        ({"options": ["Accra", "Tema"]}, "(B)"),
    ],
)
def test_layouts_of_other_benchmarks(write, options, answer):
    changes = {"options": None, "correct_answer": None, "answerKey": answer, **options}
    (question,) = read_questions(write(item(**changes)))
    assert question.answer == 1
    assert question.question in ("Which city is the capital?", "Which?", "The capital is")
    assert all(question.options)


@pytest.mark.parametrize(
    ("rows", "ways"),
    [
        ([{"options": ["D", "C", "B", "A"], "answer": "B"}], "answer_text or answer_letter"),
        ([{"options": ["x", "y", "z"], "answer": "1"}] * 2, "answer_index or answer_number"),
        ([{"options": ["2", "1", "0"], "answer": 2}], "answer_text or answer_index"),
    ],
)
def test_answers_that_may_mean_two_options_are_refused_unless_their_column_says_which(write, rows, ways):
    rows = [item(correct_answer=None, **row) for row in rows]
    with pytest.raises(UserError, match=rf"is option \d, as .* option \d; rename the column 'answer' of .* to {ways}$"):
        read_questions(write(*rows))
    found = []
    for name in ways.split(" or "):
        renamed = [{name if key == "answer" else key: value for key, value in row.items()} for row in rows]
        found.append(read_questions(write(*renamed))[0].answer)
    assert found[0] != found[1]
    with pytest.raises(UserError, match=r"letters\.jsonl:1: 'B' as text of an option is option 3"):
        read_questions(CASES / "letters.jsonl")


def test_a_number_counts_from_one_where_only_that_fits_all(write):
    rows = [item(correct_answer=number) for number in (1, 2, 3)]
    assert [question.answer for question in read_questions(write(*rows))] == [0, 1, 2]
    assert [question.answer for question in read_questions(write(*rows[:2]))] == [1, 2]


def test_an_option_missing_in_the_middle_moves_no_letter(write):
    rows = [item(options=None, A="Accra", B=second, C="Kumasi", correct_answer="C") for second in ("Tema", "")]
    found = read_question_set(write(*rows))
    assert [(problem.where[-1], problem.kind) for problem in found.problems] == [("2", "options")]
    assert [question.answer for question in found.questions] == [2, 2]


def test_numbers_may_be_options(write):
    (question,) = read_questions(write(item(options=[1957, 1960, 1963], correct_answer=1957)))
    assert (question.options, question.answer) == (("1957", "1960", "1963"), 0)


def test_a_contrast_answer_that_is_no_option_is_none(write):
    (question,) = read_questions(write(item(contrast_country="India", contrast_answer="Delhi")))
    assert (question.contrast_country, question.contrast_answer) == ("in", None)


def test_names_are_given_kept_and_unique(write):
    first = [question.id for question in read_questions(write(GOOD, GOOD, item(question="Another?")))]
    assert len(set(first)) == 3
    assert first[1] == f"{first[0]}-2"
    again = [question.id for question in read_questions(write(item(question="Another?"), GOOD))]
    assert again == [first[2], first[0]]
    assert [question.id for question in read_questions(write(item(id="x"), item(id="x"), item(id="x-2")))] == [
        "x",
        "x-2",
        "x-2-2",
    ]


def test_parquet_is_read(tmp_path):
    pq.write_table(pa.Table.from_pylist([item(id="q1", year=2015)]), tmp_path / "set.parquet")
    (question,) = read_questions(tmp_path / "set.parquet")
    assert (question.id, question.answer) == ("q1", 1)


@pytest.mark.parametrize(
    ("broken", "kind", "message", "askable"),
    [
        ({"question": " "}, "question", "the question is empty", True),
        ({"options": ["Tema"]}, "options", "has 1 options; an item needs two or more", False),
        ({"options": "Tema"}, "options", "has 0 options", False),
        ({"options": ["Tema", ""]}, "options", "an option is empty", True),
        ({"options": ["Tema", "Accra", "Accra"]}, "equal options", "two options are equal, 'Accra'", True),
        ({"correct_answer": "Lagos"}, "answer", "the answer 'Lagos' is none of the options", False),
        ({"correct_answer": None}, "answer", "the answer '' is none of the options", False),
        ({"country": None}, "country", "has no country; write a code such as ng, or a name", True),
        ({"country": "Utopia"}, "country", "'Utopia' is no known country", True),
    ],
)
def test_a_defect_is_refused_with_its_place_or_handed_out(write, broken, kind, message, askable):
    path = write(GOOD, item(question="Another?"), item(**broken))
    with pytest.raises(UserError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    found = read_question_set(path)
    assert [(problem.where, problem.kind) for problem in found.problems] == [(f"{path}:3", kind)]
    assert (found.num_items, len(found.questions)) == (3, 3 if askable else 2)


def test_more_bad_items_are_counted_in_the_refusal(write):
    with pytest.raises(UserError, match=r"\(2 more items have problems\); to see all: dateline audit mcq"):
        read_questions(write(*[item(country="Utopia")] * 3))


@pytest.mark.parametrize("missing", ["question", "options", "correct_answer"])
def test_a_missing_column_is_named(write, missing):
    with pytest.raises(UserError, match=rf"has no column for the {missing.removeprefix('correct_')}; name it"):
        read_question_set(write(item(**{missing: None})))


def test_an_empty_file_is_refused(write):
    with pytest.raises(UserError, match="holds no questions"):
        read_question_set(write())


@given(
    st.dictionaries(
        st.sampled_from(["question", "options", "answer", "country", "continent", "id", "A", "B", "contrast_answer"]),
        st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5),
    )
)
def test_whatever_a_line_holds_ends_in_questions_problems_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "set.jsonl"
    path.write_text(json.dumps(content) + "\n" + json.dumps({**GOOD, "answer": "Accra", "A": "Accra", "B": "Tema"}))
    found = read_question_set(path)
    assert len(found.questions) == len(found.places) == len(found.continent_labels)
    assert all(0 <= question.answer < len(question.options) for question in found.questions)
    assert found.num_items - len(found.questions) <= len(found.problems)


@pytest.mark.parametrize(("name", "number"), [("qa_metacul.jsonl", 800), ("localnewsqa_gold.parquet", 18_700)])
def test_the_published_sets_are_read_whole(name, number):
    root = Path(os.environ.get("DATELINE_SHARED") or Path(__file__).parents[3] / "shared")
    path = root / "data" / name
    if not path.exists():
        pytest.skip(f"no real data at {path}; set DATELINE_SHARED to the folder that holds data/")
    questions = read_questions(path)
    assert len(questions) == len({question.id for question in questions}) == number
    assert len({question.country for question in questions}) == 17


@pytest.mark.parametrize(
    ("changes", "pair"),
    [
        ({}, True),
        ({"ambiguity_flag": True}, True),
        ({"ambiguity_flag": False}, False),  # it names its place, so it has one answer wherever it is asked
        ({"contrast_country": "Utopia"}, False),
        ({"contrast_country": "Ghana"}, False),
        ({"contrast_answer": "Kumasi"}, False),
        ({"contrast_answer": "Accra"}, False),
    ],
)
def test_only_ambiguous_questions_with_two_answers_are_pairs(tmp_path, changes, pair):
    row = {
        "question": "What is the capital?", "options": ["Accra", "Dublin"], "answer": "Accra", "country": "Ghana",
        "contrast_country": "Ireland", "contrast_answer": "Dublin", **changes,
    }  # fmt: skip
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(row) + "\n")
    assert read_questions(path)[0].contrast_answer == (1 if pair else None)


ITEMS = [{"question": "Who?", "options": ["a", "b"]}, {"question": "Where?\u2028", "options": ["c"]}]


def held(path):
    return [row for _, row in read_rows(path)]


def test_all_formats_give_the_same_rows(tmp_path):
    lines, array, around = (tmp_path / name for name in ("a.jsonl", "a.json", "b.json"))
    lines.write_text("\n\n".join(json.dumps(item, ensure_ascii=False) for item in ITEMS), encoding="utf-8-sig")
    array.write_text(json.dumps(ITEMS))
    around.write_text(json.dumps({"version": 2, "items": ITEMS}))
    pq.write_table(pa.Table.from_pylist(ITEMS), tmp_path / "a.parquet")
    for path in (lines, array, around, tmp_path / "a.parquet"):
        assert held(path) == ITEMS, path


def test_where_an_item_stands_is_said(tmp_path):
    lines = tmp_path / "a.jsonl"
    lines.write_text("\n".join(["", json.dumps(ITEMS[0]), "", json.dumps(ITEMS[1])]))
    assert [where for where, _ in read_rows(lines)] == [f"{lines}:2", f"{lines}:4"]
    pq.write_table(pa.Table.from_pylist(ITEMS), tmp_path / "a.parquet")
    assert [where for where, _ in read_rows(tmp_path / "a.parquet")][1] == f"{tmp_path / 'a.parquet'}, row 2"


@pytest.mark.parametrize(
    "line", [b"{", b"[1]", b"\xff", b'{"question": "\\ud800"}', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_a_damaged_line_is_an_item_that_is_none(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line + b"\n" + json.dumps(ITEMS[0]).encode())
    assert held(path) == ["is not a JSON object in UTF-8", ITEMS[0]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "question", "not a known format; questions are read from .jsonl, .ndjson, .json, .parquet"),
        ("a.json", '{"question": "Who?"}', "neither a JSON array of items nor an object around one"),
        ("a.json", '{"a": [], "b": []}', "neither a JSON array of items nor an object around one"),
        ("a.json", "{", "neither a JSON array of items nor an object around one"),
        ("a.parquet", "PAR1", "not a readable Parquet file"),
        (None, None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, message):
    path = tmp_path / (name or "missing.jsonl")
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        list(read_rows(path))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_the_fingerprint_is_of_what_is_asked_and_not_of_the_file(tmp_path, write):
    rows = [item(), item(question="Another?")]
    questions = read_questions(write(*rows))
    as_array = tmp_path / "two.json"
    as_array.write_text(json.dumps(rows))
    assert questions_fingerprint(read_questions(as_array)) == questions_fingerprint(questions)
    assert questions_fingerprint(questions[1:]) != questions_fingerprint(questions)
