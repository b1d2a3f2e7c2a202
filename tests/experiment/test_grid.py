"""Runs are expanded by seed, and compared with the plain run of the same seed and mix."""

import pytest

from dateline.experiment.comparisons import Comparison, conditions_of, plan_comparisons
from dateline.experiment.grid import expand
from dateline.manifest import Manifest

PLAIN = {"conditions": {"fields": []}}
DROPOUT = {"conditions": {"dropout": 0.5}}
EQUAL = {"mix": {"weights": "equal"}}


RUNS = {"plain": PLAIN, "conditioned": DROPOUT}


@pytest.fixture
def make(make):
    """Recipes of one seed with the default conditions, and nothing measured besides perplexity."""

    def recipe(runs=RUNS, **values):
        evaluate = {"conditions": ["gold", "none", "wrong"], **values.pop("evaluate", {})}
        return make(runs=runs, measures={}, **{"seeds": [0], "evaluate": evaluate, **values})

    return recipe


def names(recipe):
    return [run.name for run in expand(recipe, "data")]


def pairs(recipe):
    return plan_comparisons(recipe, expand(recipe, "data"))


def test_one_seed_leaves_names_alone(make):
    assert names(make()) == ["plain", "conditioned"]


def test_seeds_multiply_runs_seed_by_seed(make):
    runs = expand(make(seeds=[3, 5]), "data")
    assert [run.name for run in runs] == ["plain-seed3", "conditioned-seed3", "plain-seed5", "conditioned-seed5"]
    assert [run.family for run in runs] == ["plain", "conditioned"] * 2
    assert [run.recipe.seed for run in runs] == [3, 3, 5, 5]
    assert {run.recipe.data for run in runs} == {"data"}


def test_a_plain_run_is_scored_under_none_only(make):
    recipe = make(evaluate={"conditions": ["gold", "none", "swap:ng"]})
    plain, conditioned = expand(recipe, "")
    assert plain.is_plain
    assert not conditioned.is_plain
    assert conditions_of(plain, recipe) == ("none",)
    assert conditions_of(conditioned, recipe) == ("gold", "none", "swap:ng")


def test_each_condition_is_compared_with_plain_and_with_gold(make):
    assert pairs(make()) == [
        Comparison("conditioned", "gold", "plain", "none"),
        Comparison("conditioned", "none", "plain", "none"),
        Comparison("conditioned", "wrong", "plain", "none"),
        Comparison("conditioned", "wrong", "conditioned", "gold"),
        Comparison("conditioned", "none", "conditioned", "gold"),
    ]


def test_fields_and_mixtures_are_compared_and_all_swaps_are_left_to_one_another(make):
    names = ["gold", "continent+country", "marginal", "swap:all", "swap:gb"]
    found = {(p.condition, p.versus_run, p.versus_condition) for p in pairs(make(evaluate={"conditions": names}))}
    others = ["country+continent", "marginal:uniform", "swap:gb"]
    assert found == {
        *((name, "plain", "none") for name in ["gold", *others]),
        *((name, "conditioned", "gold") for name in others),
    }


def test_pairs_share_their_seed(make):
    found = pairs(make(seeds=[3, 5]))
    assert len(found) == 10
    assert all(pair.run[-5:] == pair.versus_run[-5:] for pair in found)


def test_pairs_share_their_mix_where_they_can(make):
    runs = {
        "plain": PLAIN,
        "metadata": DROPOUT,
        "plain-equal": {**PLAIN, **EQUAL},
        "metadata-equal": {**DROPOUT, **EQUAL},
    }
    found = {(pair.run, pair.versus_run) for pair in pairs(make(runs=runs)) if pair.condition == "gold"}
    assert found == {("metadata", "plain"), ("metadata-equal", "plain-equal")}


def test_without_a_plain_run_of_the_mix_the_first_one_serves(make):
    runs = {"plain": PLAIN, "metadata-equal": {**DROPOUT, **EQUAL}}
    assert pairs(make(runs=runs))[0] == Comparison("metadata-equal", "gold", "plain", "none")


def test_the_place_of_a_run_in_the_recipe_does_not_matter(make):
    assert pairs(make(runs={"metadata": DROPOUT, "plain": PLAIN}))[0] == Comparison("metadata", "gold", "plain", "none")


def test_without_a_plain_run_only_conditions_are_compared(make):
    found = pairs(make(runs={"metadata": DROPOUT}))
    assert found == [
        Comparison("metadata", "wrong", "metadata", "gold"),
        Comparison("metadata", "none", "metadata", "gold"),
    ]


def test_the_paper_protocol_compares_nothing(make):
    assert pairs(make(evaluate={"protocol": {"name": "paper", "truncation": 128}})) == []


def identity(recipe, number=-1):
    trained = Manifest.of("train", {}, {}, counts={"steps": 4, "body_tokens": 99})
    return expand(recipe, "")[number].identity(recipe.corpus, trained, "m")


def test_a_run_is_known_by_columns_whatever_its_name(make):
    run = identity(make(runs={"noseed1": PLAIN, "reseed2-seed7": DROPOUT}, seeds=[3, 5]))
    assert (run.run, run.family, run.seed) == ("reseed2-seed7-seed5", "reseed2-seed7", 5)
    assert (run.size, run.fields, run.trained_on, run.left_out) == ("pico", "domain+country+continent", "all", "")
    assert (run.step, run.body_tokens, run.model) == (4, 99, "m")


def test_a_plain_run_has_no_fields(make):
    assert identity(make(), 0).fields == ""


@pytest.mark.parametrize(
    ("mix", "corpus", "trained_on", "left_out"),
    [
        ({"include": ["Africa"]}, {}, "Africa", ""),
        ({"exclude": ["gb", "us"]}, {}, "all", "gb+us"),
        ({}, {"countries": ["gb", "ng", "us"], "held_out": ["us"]}, "gb+ng+us", "us"),
        ({"include": ["gb"], "exclude": ["us"]}, {"held_out": ["us", "ie"]}, "gb", "us+ie"),
    ],
)
def test_what_a_run_was_trained_on_is_that_of_mix_and_corpus(make, mix, corpus, trained_on, left_out):
    run = identity(make(runs={"a": {**DROPOUT, "mix": mix}}, corpus=corpus))
    assert (run.trained_on, run.left_out) == (trained_on, left_out)


def test_models_from_elsewhere_have_no_size(make):
    assert identity(make(runs={"a": {**DROPOUT, "init_from": "somewhere"}})).size == ""
