from typing import Any

import pytest

from dateline.config import fingerprint, validate_recipe
from dateline.corpus.recipe import CorpusRecipe
from dateline.errors import UserError


def read(**values: Any) -> CorpusRecipe:
    return validate_recipe(CorpusRecipe, values)


def test_one_path_and_one_country_may_be_written_without_a_list() -> None:
    found = read(paths="a.jsonl", held_out="Kenya", countries=["ke", "UK"])
    assert (found.paths, found.held_out, found.countries) == (("a.jsonl",), ("ke",), ("ke", "gb"))


def test_outlets_are_reduced_to_their_domain() -> None:
    assert read(paths="a", held_out_outlets=["https://www.BBC.co.uk/news", "nation.africa"]).held_out_outlets == (
        "bbc.co.uk",
        "nation.africa",
    )


def test_defaults_cut_nothing_and_have_one_fingerprint() -> None:
    found = read(newswire={"articles": 10})
    assert found.max_characters is None
    assert (found.splits.train, found.splits.validation, found.splits.test) == (0.9, 0.05, 0.05)
    assert fingerprint(found) == fingerprint(CorpusRecipe.model_validate(found.model_dump(mode="json")))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "recipe: give exactly one of paths and newswire; neither is there"),
        (
            {"paths": ["a"], "newswire": {"articles": 3}},
            "recipe: give exactly one of paths and newswire; both are there",
        ),
        ({"paths": "a", "colums": {}}, "recipe: unknown key 'colums'; did you mean 'columns'?"),
        ({"paths": "a", "columns": {"txt": "b"}}, "recipe: unknown key 'columns.txt'; did you mean 'text'?"),
        (
            {"paths": "a", "splits": {"train": 0.9, "validation": 0.2, "test": 0}},
            "recipe: splits: train, validation and test add up to 1.1; make them add up to 1 "
            "(given: {'train': 0.9, 'validation': 0.2, 'test': 0})",
        ),
        (
            {"paths": "a", "held_out": ["Atlantis"]},
            "recipe: held_out: not a country: Atlantis; write ISO codes such as gb or ng (given: ['Atlantis'])",
        ),
        (
            {"paths": "a", "held_out": [False]},
            'recipe: held_out: YAML reads an unquoted no as false; write "no" for Norway (given: [False])',
        ),
        (
            {"paths": "a", "countries": ["ke"], "held_out": ["gb"]},
            "recipe: held_out names gb, which countries leaves out; list them in both",
        ),
        (
            {"paths": "a", "max_characters": 10},
            "recipe: max_characters 10 is below min_characters 200",
        ),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        read(**values)
    assert str(raised.value) == message
