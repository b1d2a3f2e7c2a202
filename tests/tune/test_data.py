"""Rows of instruction data become examples with their real place; a bad row is named."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.conditions import Metadata
from dateline.errors import UserError
from dateline.tune.data import Message, read_examples

ASKED = (Message("user", "Which currency?"), Message("assistant", "the naira"))
TALK = [{"role": "user", "content": "Which currency? "}, {"role": "assistant", "content": "the naira"}]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": TALK},
        {"conversations": [{"from": "human", "value": "Which currency?"}, {"from": "gpt", "value": "the naira"}]},
        {"instruction": "Which currency?", "input": "", "output": "the naira"},
    ],
    ids=["messages", "ShareGPT", "alpaca"],
)
def test_conversations_of_three_shapes_are_the_same_example(write, row):
    (example,) = read_examples(write(row))
    assert example.messages == ASKED
    assert example.place == Metadata()


def test_the_input_of_alpaca_stands_below_the_instruction(write):
    (example,) = read_examples(write({"instruction": "Translate.", "input": "Oui", "output": "Yes"}))
    assert example.messages[0].content == "Translate.\n\nOui"


def test_prompt_and_completion_stay_as_they_are(write):
    (example,) = read_examples(write({"prompt": "Answer:", "completion": " B"}))
    assert (example.prompt, example.completion, example.messages) == ("Answer:", " B", ())


def test_parquet_says_the_same_as_json_lines(write, tmp_path):
    rows = [{"messages": TALK, "country": "ng"}, {"messages": TALK, "country": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet")
    found = read_examples(tmp_path / "data.parquet")
    assert [(one.messages, one.place) for one in found] == [
        (one.messages, one.place) for one in read_examples(write(*rows))
    ]
    assert found[1].where == f"{tmp_path / 'data.parquet'}, row 2"


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ({"country": "Nigeria"}, Metadata(country="ng", continent="Africa")),
        ({"country": ""}, Metadata()),
        ({"place": "gb"}, Metadata(country="gb", continent="Europe")),
        ({"place": {"country": "gh", "domain": None}}, Metadata(country="gh", continent="Africa")),
        (
            {"url": "https://punchng.com/a"},
            Metadata("https://punchng.com/a", "punchng.com", "ng", "Africa"),
        ),
        (
            {"url": "https://example.com/a", "country": "ke"},
            Metadata("https://example.com/a", "example.com", "ke", "Africa"),
        ),
        ({"url": "https://example.com/a"}, Metadata("https://example.com/a", "example.com")),
    ],
)
def test_an_example_carries_its_real_place_or_none(write, columns, place):
    (example,) = read_examples(write({"messages": TALK, **columns}))
    assert example.place == place


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"text": "x"}, "has the columns text; rows need messages, prompt and completion, instruction"),
        ({"messages": "x"}, "messages is not a list of turns; each needs role and content"),
        ({"messages": []}, "messages is not a list of turns"),
        ({"messages": [{"role": "user"}]}, "turn 1 of messages needs role and content, both of them text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role 'tool' is not one of system, user, assistant"),
        ({"messages": TALK[:1]}, "no turn of the assistant"),
        ({"messages": [TALK[0], {"role": "assistant", "content": " "}]}, "a turn is empty"),
        ({"prompt": TALK, "completion": TALK}, "prompt is not text; write conversations as `messages`"),
        ({"prompt": "x", "completion": " "}, "completion is empty"),
        ({"messages": TALK, "country": "Atlantis"}, "country 'Atlantis' is not a country"),
        ({"messages": TALK, "url": "not a url"}, "url 'not a url': "),
        ({"messages": TALK, "place": 3}, "place is neither text nor a mapping"),
        ({"messages": TALK, "place": "Nigerai"}, "did you mean 'nigeria' or 'niger'?"),
        ({"instruction": 3, "output": "x"}, "instruction is not text"),
    ],
)
def test_a_bad_row_is_one_line_with_file_and_row(write, row, problem):
    path = write({"messages": TALK}, row)
    with pytest.raises(UserError) as error:
        read_examples(path)
    assert str(error.value).startswith(f"{path}:2: ")
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_lines_that_are_no_json_and_files_without_rows_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("{\n")
    with pytest.raises(UserError, match=r"a\.jsonl:1: is not a JSON object"):
        read_examples(path)
    path.write_text("\n")
    with pytest.raises(UserError, match="holds no row"):
        read_examples(path)
    with pytest.raises(UserError, match="not a known format; instruction data are read from"):
        read_examples(tmp_path / "a.csv")
    with pytest.raises(UserError, match="no such file"):
        read_examples(tmp_path / "b.jsonl")
