"""Runs are expanded by seed, and compared with the plain run of the same seed and mix."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.experiment.comparisons import Comparison, conditions_of, plan_comparisons
from dateline.experiment.grid import expand
from dateline.experiment.recipe import Grid, overlay
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


def test_pairs_share_their_mix(make):
    runs = {
        "plain": PLAIN,
        "metadata": DROPOUT,
        "plain-equal": {**PLAIN, **EQUAL},
        "metadata-equal": {**DROPOUT, **EQUAL},
    }
    found = {(pair.run, pair.versus_run) for pair in pairs(make(runs=runs)) if pair.condition == "gold"}
    assert found == {("metadata", "plain"), ("metadata-equal", "plain-equal")}


OTHER = {
    "mix": EQUAL,
    "region": {"mix": {"include": ["Africa"]}},
    "model": {"model": {"size": "nano"}},
    "length": {"train": {"steps": 5}},
    "rows of a step": {"train": {"batch_rows": 2}},
    "weights to start from": {"init_from": "somewhere"},
}


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
def test_a_run_of_another_mix_model_or_length_is_compared_with_no_plain_run(make, other):
    found = pairs(make(runs={"plain": PLAIN, "metadata": {**DROPOUT, **other}, "plain-too": {**PLAIN, **other}}))
    assert {(pair.versus_run, pair.versus_condition) for pair in found} == {("plain-too", "none"), ("metadata", "gold")}
    found = pairs(make(runs={"plain": PLAIN, "metadata": {**DROPOUT, **other}}))
    assert {(pair.versus_run, pair.versus_condition) for pair in found} == {("metadata", "gold")}


def test_of_several_plain_runs_the_one_trained_most_alike_is_the_baseline(make):
    fast = {"optimizer": {"learning_rate": 1.0e-2}}
    runs = {"plain": PLAIN, "plain-fast": {**PLAIN, **fast}, "slow": DROPOUT, "fast": {**DROPOUT, **fast}}
    found = {(pair.run, pair.versus_run) for pair in pairs(make(runs=runs)) if pair.condition == "gold"}
    assert found == {("slow", "plain"), ("fast", "plain-fast")}


def test_named_comparisons_are_made_for_every_seed_and_only_once(make):
    runs = {"plain": PLAIN, "metadata": DROPOUT, "africa-plain": {**PLAIN, "mix": {"include": ["Africa"]}}}
    named = [["metadata/gold", "africa-plain/none"], ["metadata/gold", "plain/none"]]
    without, found = (
        pairs(make(runs=runs, seeds=[3, 5], evaluate=more)) for more in ({}, {"compare": named, "margin": 0.01})
    )
    assert found[: len(without)] == without
    assert found[len(without) :] == [
        Comparison(f"metadata-seed{seed}", "gold", f"africa-plain-seed{seed}", "none") for seed in (3, 5)
    ]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (["meta/gold", "plain/none"], "evaluate.compare: 'meta/gold': no run 'meta'; known are plain, conditioned"),
        (["conditioned/gold", "plain/gold"], "'plain/gold': plain is not scored under 'gold'; write plain/ and one of"),
        (["conditioned", "plain/none"], "conditioned is not scored under ''; write conditioned/ and one of gold, none"),
        (["plain/none", "plain/none"], "compares 'plain/none' with itself"),
    ],
)
def test_named_comparisons_of_what_is_not_scored_are_refused(make, named, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        make(evaluate={"compare": [named]})
    assert "\n" not in str(caught.value)


def test_the_paper_protocol_takes_no_named_comparisons(make):
    paper = {"protocol": {"name": "paper", "truncation": 128}}
    with pytest.raises(UserError, match=r"evaluate\.compare: the protocol 'paper' scores other tokens"):
        make(evaluate={"compare": [["conditioned/gold", "plain/none"]], **paper})


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


# Grids

AXES = {
    "size": {"pico": {"model": {"size": "pico"}}, "nano": {"model": {"size": "nano"}}},
    "trained-on": {"global": {}, "africa": {"mix": {"include": ["Africa"]}}},
    "metadata": {"without": PLAIN, "with": {}},
}


def grid(*blocks, axes=AXES):
    return {"axes": axes, "blocks": list(blocks)}


@given(st.fixed_dictionaries({}, optional={axis: st.sets(st.sampled_from(sorted(AXES[axis])), min_size=1)
                                           for axis in AXES}).filter(bool))  # fmt: skip
def test_a_block_is_the_product_of_its_values(chosen):
    families = Grid(axes=AXES, blocks=[{axis: sorted(values) for axis, values in chosen.items()}]).families((0,))
    assert len(families) == math.prod(map(len, chosen.values()))
    for name, family in families.items():
        expected = {}
        for axis, value in zip((axis for axis in AXES if axis in chosen), name.split("-"), strict=True):
            assert value in chosen[axis]
            expected = overlay(expected, AXES[axis][value])
        assert family.settings == expected


def test_values_are_written_as_a_list_a_line_or_all():
    ways = [["pico", "nano"], "pico,nano", "pico, nano", "all"]
    assert len({tuple(Grid(axes=AXES, blocks=[{"size": way}]).families((0,))) for way in ways}) == 1


def test_a_run_of_a_grid_names_its_seed_and_a_block_may_have_its_own(make):
    blocks = {"metadata": "all", "seeds": [0, 1]}, {"trained-on": "africa", "metadata": "with"}
    recipe = make(runs={}, seeds=[3], grid=grid(*blocks))
    assert names(recipe) == ["without-seed0", "with-seed0", "without-seed1", "with-seed1", "africa-with-seed3"]
    assert [run.family for run in expand(recipe, "")][-1] == "africa-with"
    assert identity(recipe).trained_on == "Africa"


def test_runs_and_a_grid_stand_side_by_side(make):
    recipe = make(runs={"mine": {**PLAIN, "mix": EQUAL["mix"]}}, grid=grid({"metadata": "all"}))
    assert names(recipe) == ["mine", "without-seed0", "with-seed0"]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (grid({"sise": "pico"}), "block 1: unknown axis 'sise'; known are size, trained-on, metadata, and seeds"),
        (grid({"size": "all"}, {"size": "huge"}), "block 2: axis 'size' has no value 'huge'; it has pico, nano"),
        (grid({"size": ["pico", "pico"]}), "grid.blocks, block 1: axis 'size' names a value twice"),
        (grid({"size": []}), "grid.blocks, block 1: axis 'size' names no value"),
        (grid({"seeds": [0]}), "grid.blocks, block 1: names no axis; known are size, trained-on, metadata"),
        (grid({"size": "pico", "seeds": [0, 0]}), "grid.blocks, block 1: seeds is a list of different whole numbers"),
        (grid(), "grid.blocks: give at least one block"),
        (grid({"size": "pico"}, {"size": "all"}), "block 2: run 'pico' is there already; two runs of a grid"),
        (grid({"size": "all"}, axes={"size": {"Big": {}}}), "grid.axes.size: value 'Big': use lower-case letters"),
        (grid({"seeds": "a"}, axes={"seeds": {"a": {}}}), "grid.axes.seeds: 'seeds' is the key of a block"),
        (grid({"size": "all"}, axes={"size": {"a": {}, "b": {"mix": {"weights": "natural"}}}}),
         "grid: runs 'a' and 'b' are the same model under two names; drop one"),
        (grid({"size": "all"}, axes={"size": {"a": {"model": {"sise": "pico"}}}}), "runs.a: unknown key 'model.sise'"),
    ],
)  # fmt: skip
def test_what_is_no_grid_is_refused(make, grid, message):
    with pytest.raises(UserError, match=re.escape(message)):
        make(runs={}, grid=grid)


def test_a_run_in_both_is_refused(make):
    with pytest.raises(UserError, match="run 'with' is both in runs and in grid; rename one of them"):
        make(runs={"with": {}}, grid=grid({"metadata": "all"}))


def test_a_run_is_scored_under_the_lines_that_it_was_trained_with(make):
    conditions = ["gold", "none", "swap:gb", "domain", "country", "country+continent", "url_hash"]
    recipe = make(
        runs={
            "url": {"conditions": {"fields": ["url"]}},
            "country": {"conditions": {"fields": ["country"]}},
            "plain": PLAIN,
        },
        evaluate={"conditions": conditions},
    )
    found = {run.name: conditions_of(run, recipe) for run in expand(recipe, "")}
    assert found == {
        "url": ("gold", "none", "swap:gb", "domain", "url_hash"),
        "country": ("gold", "none", "swap:gb", "country"),
        "plain": ("none",),
    }
