"""Runs are expanded by seed, and compared with the plain run of the same seed and mix."""

from dateline.experiment.grid import Comparison, comparisons, conditions_of, expand

PLAIN = {"conditions": {"fields": []}}
TOLD = {"conditions": {"dropout": 0.5}}
EQUAL = {"mix": {"weights": "equal"}}


def names(recipe):
    return [run.name for run in expand(recipe, "data")]


def pairs(recipe):
    return comparisons(recipe, expand(recipe, "data"))


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
    plain, told = expand(recipe, "")
    assert plain.is_plain
    assert not told.is_plain
    assert conditions_of(plain, recipe) == ("none",)
    assert conditions_of(told, recipe) == ("gold", "none", "swap:ng")


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
    told = ["country+continent", "marginal:uniform", "swap:gb"]
    assert found == {
        *((name, "plain", "none") for name in ["gold", *told]),
        *((name, "conditioned", "gold") for name in told),
    }


def test_pairs_share_their_seed(make):
    found = pairs(make(seeds=[3, 5]))
    assert len(found) == 10
    assert all(pair.run[-5:] == pair.versus_run[-5:] for pair in found)


def test_pairs_share_their_mix_where_they_can(make):
    runs = {"plain": PLAIN, "told": TOLD, "plain-equal": {**PLAIN, **EQUAL}, "told-equal": {**TOLD, **EQUAL}}
    found = {(pair.run, pair.versus_run) for pair in pairs(make(runs=runs)) if pair.condition == "gold"}
    assert found == {("told", "plain"), ("told-equal", "plain-equal")}


def test_without_a_plain_run_of_the_mix_the_first_one_serves(make):
    runs = {"plain": PLAIN, "told-equal": {**TOLD, **EQUAL}}
    assert pairs(make(runs=runs))[0] == Comparison("told-equal", "gold", "plain", "none")


def test_the_place_of_a_run_in_the_recipe_does_not_matter(make):
    assert pairs(make(runs={"told": TOLD, "plain": PLAIN}))[0] == Comparison("told", "gold", "plain", "none")


def test_without_a_plain_run_only_conditions_are_compared(make):
    found = pairs(make(runs={"told": TOLD}))
    assert found == [Comparison("told", "wrong", "told", "gold"), Comparison("told", "none", "told", "gold")]


def test_the_paper_protocol_compares_nothing(make):
    assert pairs(make(evaluate={"protocol": {"name": "paper", "truncation": 128}})) == []
