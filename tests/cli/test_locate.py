"""Texts in, places out; mistakes in one line."""

import json

import pytest

TEXT = "Flood in the valley\nPolice in Lagos said roads were closed."


@pytest.fixture(scope="module")
def model(finished):
    return finished / "runs" / "conditioned"


def test_a_text_is_a_table_of_countries_and_a_line_of_continents(dateline, model):
    said = dateline("locate", model, TEXT, "--top", "2")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].split() == ["country", "code", "continent", "probability"]
    assert len(lines) == 5
    assert lines[3].startswith("16 others together ")
    assert all(name in lines[4] for name in ("Africa", "America", "Asia", "Europe"))


def test_json_has_every_place_and_sums_to_one(dateline, model):
    said = dateline("locate", model, TEXT, "--json", "--countries", "ng,gb,United States", "--tokens", "6")
    found = json.loads(said.out)
    assert set(found["countries"]) == {"ng", "gb", "us"}
    assert sum(found["countries"].values()) == pytest.approx(1)
    assert sum(found["continents"].values()) == pytest.approx(1)
    assert found["country"] == max(found["countries"], key=found["countries"].get)
    assert found["tokens_read"] == 6 < found["tokens"]


def test_a_certain_prior_decides(dateline, model):
    said = dateline("locate", model, TEXT, "--json", "--prior", "gb=1")
    assert json.loads(said.out)["countries"]["gb"] == 1


def test_a_file_of_texts_is_a_result_a_line(dateline, model, tmp_path):
    path = tmp_path / "news.jsonl"
    path.write_text('{"title": "Cup final", "text": "In Leeds."}\n{"title": "Budget", "text": "In Abuja."}\n')
    said = dateline("locate", model, path, "--json")
    assert [json.loads(line)["source"] for line in said.out.splitlines()] == [f"{path}:1", f"{path}:2"]
    said = dateline("locate", model, path)
    assert [line.split()[0] for line in said.out.splitlines()] == ["text", f"{path}:1", f"{path}:2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to locate"),
        ([""], "text: is empty"),
        (["gone.jsonl"], "gone.jsonl: no such file"),
        ([TEXT, "--out", "o"], "dateline eval locate MODEL --corpus ENCODED --out DIR"),
        (["--corpus", "e", "--out=o"], "dateline eval locate MODEL --corpus ENCODED --out DIR"),
        ([TEXT, "--prior", "corpus"], "give --corpus"),
        ([TEXT, "--countries", "atlantis,gb"], "'atlantis' is no country"),
        ([TEXT, "--tokens", "-1"], "--tokens: must be greater than or equal to 1 (given: -1)"),
        ([TEXT, "--window", "4096"], "reads 128 tokens"),
        ([TEXT, "--fields", "planet"], "--fields: must be 'domain', "),
        ([TEXT, "--outlets", "2"], "give --corpus"),
    ],
)
def test_mistakes_are_one_line(dateline, model, words, message):
    said = dateline("locate", model, *words)
    assert said.code == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_a_plain_model_is_refused(dateline, finished):
    said = dateline("locate", finished / "runs" / "plain", TEXT)
    assert said.code == 2
    assert "was trained without any place" in said.err
