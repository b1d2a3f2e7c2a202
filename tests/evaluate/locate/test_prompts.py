"""A prefix shows what a country determines; outlets are summed over with their share; a plain model is refused."""

import pytest

from dateline.conditions import render
from dateline.errors import UserError
from dateline.evaluate.locate.prompts import (
    check_countries,
    country_prompts,
    default_countries,
    outlet_prompts,
    told_fields,
    training_counts,
)


def texts(prompts):
    return [render(place, prompts.fields) for place in prompts.places]


def test_one_prompt_a_country_without_outlet_and_date():
    found = country_prompts(["domain", "country", "continent", "date"], ["ng", "United Kingdom", "ng"])
    assert found.countries == ["ng", "gb"]
    assert found.continents == ["Africa", "Europe"]
    assert found.fields == ("country", "continent")
    assert texts(found) == ["COUNTRY: ng\nCONTINENT: Africa\n", "COUNTRY: gb\nCONTINENT: Europe\n"]
    assert found.weights.tolist() == [1, 1]


def test_outlets_of_a_country_share_its_weight(placed_corpus):
    found = outlet_prompts(["domain", "country"], ["ng", "gb"], placed_corpus, 5)
    assert found.fields == ("domain", "country")
    assert texts(found)[0] == "URL: dailypost.ng\nCOUNTRY: ng\n"
    assert found.place.tolist() == [0, 0, 1]
    assert found.weights.tolist() == [0.5, 0.5, 1]
    one = outlet_prompts(["domain", "country"], ["ng", "gb"], placed_corpus, 1)
    assert one.weights.tolist() == [1, 1]


def test_places_are_those_of_training_or_of_the_paper(placed_corpus):
    assert default_countries(placed_corpus) == ["gb", "ng", "pk"]
    assert training_counts(placed_corpus) == {"gb": 10, "ng": 20, "pk": 10}
    assert len(default_countries(None)) == 18


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda corpus: country_prompts(["domain"], ["ng", "gb"]), "--outlets 3 --corpus ENCODED"),
        (lambda corpus: country_prompts(["continent"], ["ng", "gb"]), "none of it is the country itself"),
        (lambda corpus: outlet_prompts(["country"], ["ng", "gb"], corpus, 2), "leave --outlets out"),
        (lambda corpus: outlet_prompts(["domain"], ["ng", "us"], corpus, 2), "no training document of us"),
        (lambda corpus: outlet_prompts(["domain"], ["ng", "gb"], corpus, 0), "give 1 or more"),
        (lambda corpus: check_countries(["ng", "atlantis"]), "'atlantis' is no country"),
        (lambda corpus: check_countries(["ng", "Nigeria"]), "at least two countries, not ng"),
        (lambda corpus: check_countries([]), "at least two countries, not none"),
    ],
)
def test_mistakes_name_the_cure(placed_corpus, call, message):
    with pytest.raises(UserError, match=message):
        call(placed_corpus)


def test_a_model_that_was_told_no_place_is_refused(told, gpt2, tmp_path):
    assert told_fields(told(["country"])) == ("country",)
    with pytest.raises(UserError, match="was trained without any place"):
        told_fields(told([]))
    with pytest.raises(UserError, match=r"no dateline.json says .* --fields country,continent"):
        told_fields(gpt2)
    with pytest.raises(UserError, match="no such folder"):
        told_fields(tmp_path / "gone")
