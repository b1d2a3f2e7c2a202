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


def test_outlet_tables_are_one_or_many_and_keep_their_order() -> None:
    assert read(paths="a", outlets="mine.csv").outlets == ("mine.csv",)
    assert read(paths="a", outlets=["b.csv", "a.csv"]).outlets == ("b.csv", "a.csv")


def test_near_copies_are_looked_for_at_four_fifths_and_removed() -> None:
    found = read(paths="a").near_duplicates
    assert (found.threshold, found.keep, found.index) == (0.8, False, "memory")
    assert read(paths="a", near_duplicates={"threshold": None}).near_duplicates.threshold is None


def test_every_value_is_part_of_the_fingerprint() -> None:
    changes: list[dict[str, Any]] = [
        {"near_duplicates": {"keep": True}},
        {"near_duplicates": {"index": "distributed"}},
        {"splits": {"by": "date"}},
        {"splits": {"enough": 21}},
        {"max_symbol_share": 0.3},
        {"outlets": ["a.csv"]},
    ]
    assert len({fingerprint(read(paths="a", **change)) for change in [{}, *changes]}) == len(changes) + 1


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
            {"paths": "a", "near_duplicates": {"threshold": 0.3}},
            "recipe: near_duplicates.threshold: must be greater than or equal to 0.5 (given: 0.3)",
        ),
        (
            {"paths": "a", "near_duplicates": {"index": "disk"}},
            "recipe: near_duplicates.index: must be 'memory' or 'distributed' (given: 'disk')",
        ),
        (
            {"paths": "a", "splits": {"by": "author"}},
            "recipe: splits.by: must be 'document', 'outlet' or 'date' (given: 'author')",
        ),
        (
            {"paths": "a", "splits": {"enough": 0}},
            "recipe: splits.enough: must be greater than or equal to 1 (given: 0)",
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
