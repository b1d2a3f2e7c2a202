"""Headlines in, continuations out, alone and side by side; mistakes in one line."""

import json

import pytest

from dateline.cli.generate import mark_differences

SHORT = ("--max-tokens", "6", "--device", "cpu")


@pytest.fixture(scope="module")
def model(finished):
    return finished / "runs" / "conditioned"


def test_places_stand_side_by_side_with_what_they_bought(dateline, model):
    said = dateline("generate", model, "Rates rise", "--compare", "ng,gb,none", "--guidance", "1.5", "--n", "2", *SHORT)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == "Rates rise"
    assert [cell.strip() for cell in lines[2].strip("┃ ").split("┃")] == ["ng", "gb", "none"]
    assert said.out.count("no place") == 2
    assert said.out.count("nats from the place") == 4


def test_json_has_every_text_and_its_tokens(dateline, model):
    said = dateline("generate", model, "Rates rise", "Cup final", "--compare", "ng,none", "--json", *SHORT)
    first, second = map(json.loads, said.out.splitlines())
    assert (first["headline"], second["headline"]) == ("Rates rise", "Cup final")
    assert [one["place"] for one in first["continuations"]] == ["ng", "none"]
    for one in first["continuations"]:
        assert "".join(piece for piece, _ in one["gains"]) == one["text"]
    alone = dateline("generate", model, "Rates rise", "--place", "ng", "--json", *SHORT)
    (text,) = json.loads(alone.out)["continuations"]
    assert text["text"] == first["continuations"][0]["text"]
    assert "gains" not in text


def test_one_place_is_plain_text_and_an_unknown_one_is_inferred(dateline, model):
    said = dateline("generate", model, "Rates rise", "--place", "punchng.com", "--n", "2", *SHORT)
    assert said.code == 0, said.err
    assert said.out.splitlines()[0] == "Rates rise"
    said = dateline("generate", model, "Rates rise", "--place", "marginal", "--json", *SHORT)
    assert len(json.loads(said.out)["continuations"][0]["posterior"]) == 18


def test_words_that_differ_are_marked():
    texts = ["the bank in Abuja said", "the bank in London said", "the bank in Abuja wrote"]
    marked = mark_differences([text.split() for text in texts])
    assert [[word for word, differs in words if differs] for words in marked] == [
        ["Abuja", "said"],
        ["London"],
        ["wrote"],
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to continue: give a headline"),
        ([" "], "prompt 1 is empty"),
        (["a", "--place", "Nigerai"], "place 'Nigerai' is not known; did you mean 'nigeria'"),
        (["a", "--compare", "ng,punchgn.com"], "did you mean 'punchng.com'"),
        (["a", "--compare", "ng", "--place", "gb"], "--compare names all places"),
        (["a", "--place", "ng", "--guidance", "nan"], "guidance"),
        (["a", "--n", "0"], "--n: must be greater than or equal to 1"),
        (["a", "--temperature", "-1"], "--temperature: must be greater than or equal to 0"),
        (["a " * 200], "leaves no room for 60 of the model's 128"),
        (["a", "--guidance", "2"], "guidance 2.0 leads to a place, and none is given"),
    ],
)
def test_mistakes_are_one_line(dateline, model, words, message):
    said = dateline("generate", model, *words)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_folder_that_is_no_model(dateline, tmp_path):
    said = dateline("generate", tmp_path, "a")
    assert (said.code, said.out) == (2, "")
    assert "no config.json in it" in said.err
