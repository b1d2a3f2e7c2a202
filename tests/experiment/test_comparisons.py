"""Differences are paired, refuse what is not comparable, and stand in one table with their correction."""

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from dateline.errors import UserError
from dateline.experiment.comparisons import (
    Names,
    across_seed_differences,
    differences,
    family_of_tests,
    plan_comparisons,
    score_table,
    swap_differences,
)
from dateline.experiment.grid import expand
from dateline.experiment.run import run_experiment
from dateline.scores import LOSSES_SCHEMA, contrasts, correct, read_losses, read_runs, read_scores
from dateline.statistics import holm, paired_difference, ratio_estimate, resampled_sums


def losses(run="a", number=40, *, shift=0.0, conditions=("gold", "none"), protocol="strict-1", extra_tokens=0, **more):
    rng = np.random.default_rng(0)
    rows = []
    for condition in conditions:
        worse = 0.2 if condition == "none" else 0.0
        for i in range(number):
            tokens = 20 + i
            row = {
                "run": run,
                "condition": condition,
                "shown": "" if condition == "none" else "domain+country",
                "id": f"{i:016x}",
                "domain": ["d0.com", "d1.com", ""][i % 3],
                "country": ["ng", "gb", ""][i % 3],
                "continent": ["Africa", "Europe", ""][i % 3],
                "nll": tokens * (3 + worse + shift) + rng.standard_normal(),
                "n_tokens": tokens + extra_tokens,
                "n_bytes": 4 * tokens,
                "model": "m" + run,
                "protocol": protocol,
                "data": "c",
                "slice_by": "all",
                "slice": "all",
            }
            rows.append(row | more)
    return pa.Table.from_pylist(rows, schema=LOSSES_SCHEMA)


def changed(table, name, at, value):
    rows = table.to_pylist()
    rows[at][name] = value
    return pa.Table.from_pylist(rows, schema=LOSSES_SCHEMA)


def gold_minus_none(table, **settings):
    return differences(table, table, condition="gold", condition_versus="none", **settings)


def test_differences_are_paired_and_grouped():
    table = losses()
    scores = gold_minus_none(table, by=["continent", "country"])
    assert [(s.slice_by, s.slice) for s in scores] == [
        ("all", "all"), ("continent", "Africa"), ("continent", "Europe"), ("continent", "unknown"),
        ("country", "gb"), ("country", "ng"), ("country", "unknown"),
    ]  # fmt: skip
    total = scores[0]
    assert total.metric == "nll_difference"
    assert total.versus == "a/none"
    assert total.value == pytest.approx(-0.2, abs=0.02)
    rows = table.to_pylist()
    gold, none = rows[:40], rows[40:]
    direct = paired_difference([r["nll"] for r in gold], [r["nll"] for r in none], [r["n_tokens"] for r in gold])
    assert total.value == pytest.approx(direct.value)
    assert (total.ci_low, total.ci_high, total.p) == pytest.approx((direct.low, direct.high, direct.p_value))


def test_a_row_says_on_what_how_much_and_what_could_not_have_been_found():
    total, africa = gold_minus_none(losses(), by=["continent"])[:2]
    assert (total.n_documents, total.n_outlets, total.n_seeds) == (40, 2, 1)
    assert (africa.n_documents, africa.n_outlets) == (14, 1)
    assert total.shown == "domain+country"
    assert total.p_holm is None
    assert 0 < total.mde < 0.02
    # half an interval is about two standard errors, the detectable effect 2.8
    assert total.mde == pytest.approx(1.4 * (total.ci_high - total.ci_low) / 2, rel=0.15)
    assert africa.mde > total.mde


def test_the_fields_of_both_sides_are_named():
    url = losses("b", conditions=("url",), shown="url")
    (row,) = differences(losses(), url, condition="gold", condition_versus="url")
    assert row.shown == "domain+country+url"


def test_differences_align_documents_by_id():
    first, second = losses("a"), losses("b", shift=0.1, conditions=("none",))
    shuffled = second.take(np.random.default_rng(1).permutation(len(second)))
    forward = differences(first, second, condition="none", condition_versus="none")
    assert differences(first, shuffled, condition="none", condition_versus="none") == forward
    assert forward[0].value < 0
    assert forward[0].model == "ma"


def test_outlets_are_drawn_on_request():
    table = losses()
    by_document, by_outlet = (gold_minus_none(table, by=["country"], cluster=unit) for unit in ("document", "outlet"))
    for one, other in zip(by_document, by_outlet, strict=True):
        assert one.value == pytest.approx(other.value)
        assert one.n_outlets == other.n_outlets
    # two outlets, and the documents without one, are three units
    assert by_outlet[0].ci_high - by_outlet[0].ci_low != by_document[0].ci_high - by_document[0].ci_low
    assert by_outlet[0].p > by_document[0].p


def test_a_group_of_one_outlet_has_no_interval_over_outlets():
    for row in gold_minus_none(losses(), by=["country"], cluster="outlet")[1:]:
        assert math.isfinite(row.value)
        assert math.isnan(row.ci_low)
        assert math.isnan(row.ci_high)
        assert (row.p, row.mde) == (None, None)


def test_a_single_document_has_a_difference_without_an_interval():
    (row,) = gold_minus_none(losses(number=1))
    assert row.n_documents == 1
    assert math.isfinite(row.value)
    assert math.isnan(row.ci_low)
    assert math.isnan(row.ci_high)
    assert (row.p, row.mde) == (None, None)


def test_tokens_of_a_part_are_compared_under_its_name():
    title = changed(losses(slice_by="part", slice="title"), "n_tokens", 3, 0)
    rows = [row for row in title.to_pylist() if row["id"] != f"{3:016x}"]
    table = pa.concat_tables([losses(), pa.Table.from_pylist(rows, schema=LOSSES_SCHEMA)])
    (row,) = gold_minus_none(table, part=("part", "title"))
    assert (row.slice_by, row.slice) == ("part", "title")
    assert row.n_documents == 39
    with pytest.raises(UserError, match="without by="):
        gold_minus_none(table, part=("part", "title"), by=["country"])
    with pytest.raises(UserError, match="no document has tokens in part 'rest'"):
        gold_minus_none(table, part=("part", "rest"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (losses("b", extra_tokens=1), "different tokens were scored: document 0000000000000000 has 20 under a/gold"),
        (losses("b", number=39), "different documents .1 only on one side"),
        (losses("b", protocol="paper-1"), "protocol strict-1, b/gold with paper-1"),
        (losses("b", conditions=("none",)), "no documents under condition 'gold'; the table has: none"),
        (pa.concat_tables([losses("b"), losses("c")]), "several runs"),
        (pa.concat_tables([losses("b"), losses("b")]), "0000000000000000 is there twice; evaluate again"),
        (changed(losses("b"), "nll", 2, math.nan), "b/gold: the nll of document 0000000000000002 is nan .1 of 40"),
        (changed(losses("b"), "nll", 2, math.inf), "is inf .1 of 40 documents.; evaluate again, in float32"),
        (losses("b", number=0), "the table has: none at all"),
    ],
)
def test_differences_refuse_what_is_not_comparable(other, message):
    with pytest.raises(UserError, match=message) as caught:
        differences(losses("a"), other, condition="gold", condition_versus="gold")
    assert "\n" not in str(caught.value)


def trainings(shifts=(0.0, 0.02, -0.02)):
    return [
        (losses(f"conditioned-seed{seed}", shift=shift), losses(f"plain-seed{seed}"))
        for seed, shift in enumerate(shifts)
    ]


NAMES = Names("conditioned", "plain")


def test_seeds_are_pooled_under_the_names_of_their_families():
    pairs = trainings()
    found = across_seed_differences(pairs, NAMES, condition="gold", condition_versus="none", by=["continent"])
    assert [s.slice for s in found] == ["all", "Africa", "Europe", "unknown"]
    total = found[0]
    assert (total.run, total.condition, total.versus) == ("conditioned", "gold", "plain/none")
    assert (total.n_seeds, total.n_documents, total.n_outlets) == (3, 40, 2)
    assert total.model == "mconditioned-seed0+mconditioned-seed1+mconditioned-seed2"
    single = [differences(*pair, condition="gold", condition_versus="none")[0] for pair in pairs]
    assert total.value == pytest.approx(sum(row.value for row in single) / 3)
    assert total.n_tokens == single[0].n_tokens
    assert total.ci_high - total.ci_low > max(row.ci_high - row.ci_low for row in single)
    assert total.mde > max(row.mde for row in single)
    assert total.ci_high < 0
    assert total.p < 0.05


def test_two_seeds_are_enough_for_an_interval_and_say_little():
    found = across_seed_differences(trainings()[:2], NAMES, condition="gold", condition_versus="none")[0]
    assert math.isfinite(found.ci_low)
    assert found.ci_high - found.ci_low > 0.1


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (trainings()[:1], "1 pair of runs: the spread over seeds needs two or more"),
        ([trainings()[0], trainings()[0]], "run 'conditioned-seed0' is there twice"),
        ([trainings()[0], (losses("conditioned-seed1", 39), losses("plain-seed1", 39))], "different documents"),
    ],
)
def test_seeds_that_are_no_repetitions_are_refused(pairs, message):
    with pytest.raises(UserError, match=message):
        across_seed_differences(pairs, NAMES, condition="gold", condition_versus="none")


def test_the_slices_of_one_comparison_are_a_family_and_so_are_the_totals_of_all():
    pair, other = "a/gold - b/none", "a/wrong - b/none"
    whole = family_of_tests(pair, "all", several_seeds=False)
    assert whole == family_of_tests(other, "all", several_seeds=False)
    country = family_of_tests(pair, "country", several_seeds=False)
    rest = [family_of_tests(other, "country", several_seeds=False), family_of_tests(pair, "part", several_seeds=False)]
    seeds = [family_of_tests(pair, kind, several_seeds=True) for kind in ("all", "country")]
    assert len({whole, country, *rest, *seeds}) == 6


def test_rows_carry_their_family():
    rows = correct(gold_minus_none(losses(), by=["country"]))
    assert rows[0].p_holm == rows[0].p
    assert [row.p_holm for row in rows[1:]] == pytest.approx(holm([row.p for row in rows[1:]]))
    assert len({row.family_of_tests for row in rows}) == 2


# The table of an experiment


@pytest.fixture(scope="module")
def scores(finished):
    return read_scores(finished)


def test_the_table_holds_levels_and_every_comparison(make, finished, scores):
    recipe = make()
    levels = {(s.run, s.condition) for s in scores if s.metric == "ppl" and not s.versus}
    conditions = ("gold", "none", "wrong", "swap:gb", "swap:ie")
    assert levels == {
        *((f"noseed1-seed{seed}", "none") for seed in (0, 1)),
        *((f"reseed2-seed{seed}", name) for seed in (0, 1) for name in conditions),
    }
    pairs = [s for s in scores if s.metric == "nll_difference"]
    found = [(s.run, s.condition, s.versus_run, s.versus_condition) for s in pairs if s.slice_by == "all"]
    planned = plan_comparisons(recipe, expand(recipe, ""))
    assert found[: len(planned)] == [tuple(pair) for pair in planned]
    assert len(planned) == 18
    assert {s.slice_by for s in pairs} == {"all", "continent", "country", "part", "position"}


def test_other_measures_stand_in_the_same_table(scores):
    assert {s.measure for s in scores} == {"perplexity", "locate", "mcq", "efficiency"}
    conditioned = {"reseed2-seed0", "reseed2-seed1"}
    runs = {name: {s.run for s in scores if s.measure == name} for name in ("locate", "mcq", "efficiency")}
    assert runs == {
        "locate": conditioned | {"tfidf"},
        "mcq": conditioned | {"noseed1-seed0", "noseed1-seed1"},
        "efficiency": conditioned,
    }


def test_a_row_is_there_once(scores):
    keys = [(s.run, s.measure, s.metric, s.condition, s.slice_by, s.slice, s.versus) for s in scores]
    assert len(set(keys)) == len(keys)


def test_parts_of_a_difference_add_up_to_it(scores):
    wanted = [s for s in scores if (s.run, s.condition, s.versus) == ("reseed2-seed0", "gold", "noseed1-seed0/none")]
    wanted = [s for s in wanted if s.measure == "perplexity"]
    (whole,) = [s for s in wanted if s.slice_by == "all"]
    for slice_by in ("part", "position"):
        inside = [s for s in wanted if s.slice_by == slice_by]
        assert sum(s.n_tokens for s in inside) == whole.n_tokens
        assert sum(s.value * s.n_tokens for s in inside) == pytest.approx(whole.value * whole.n_tokens, rel=1e-6)


def test_every_test_is_corrected_and_says_what_it_could_have_found(scores):
    tests = [s for s in scores if s.metric == "nll_difference" and s.slice_by in ("all", "continent")]
    assert all(s.p <= s.p_holm <= 1 for s in tests if s.p is not None)
    assert all(s.mde > 0 and s.n_outlets > 1 for s in tests if s.n_documents > 5)
    assert all(s.p is not None for s in tests if s.slice_by == "all")


def test_seeds_are_pooled_by_the_family_that_the_table_of_runs_names(finished, scores):
    runs = read_runs(finished)
    assert [(run.run, run.family, run.seed) for run in runs] == [
        (f"{family}-seed{seed}", family, seed) for seed in (0, 1) for family in ("noseed1", "reseed2")
    ]
    gold = [s for s in scores if (s.measure, s.condition, s.slice_by) == ("perplexity", "gold", "all") and s.versus]
    (pooled,) = [s for s in gold if s.n_seeds == 2]
    single = [s for s in gold if s.n_seeds == 1]
    assert (pooled.run, pooled.versus) == ("reseed2", "noseed1/none")
    assert [s.run for s in single] == ["reseed2-seed0", "reseed2-seed1"]
    assert pooled.value == pytest.approx(sum(s.value for s in single) / 2)
    assert pooled.model == "+".join(run.model for run in runs if run.family == "reseed2")


def test_texts_of_one_country_are_compared_under_every_two(finished, scores):
    table = read_losses(finished / "perplexity" / "reseed2-seed0")
    found = swap_differences(table, {"cluster": "document", "resamples": 100})
    assert [(s.slice_by, s.slice, s.condition, s.versus) for s in found] == [
        ("country", "gb", "swap:ie", "reseed2-seed0/swap:gb"),
        ("country", "ie", "swap:gb", "reseed2-seed0/swap:ie"),
    ]
    assert len({s.family_of_tests for s in found}) == 1
    rows = [row for row in table.to_pylist() if row["slice_by"] == "all" and row["country"] == "ie"]
    nll = {name: sum(r["nll"] for r in rows if r["condition"] == name) for name in ("swap:gb", "swap:ie")}
    tokens = sum(row["n_tokens"] for row in rows if row["condition"] == "swap:ie")
    assert found[1].value == pytest.approx((nll["swap:gb"] - nll["swap:ie"]) / tokens)
    assert {s.versus for s in found} <= {s.versus for s in scores}


def test_runs_with_other_fields_have_a_protocol_of_their_own_where_fields_are_part_of_it(make, tmp_path):
    """Country inference by the country alone and with its continent: both are in the table, and the baseline."""
    runs = {"one": {"conditions": {"fields": ["country"]}}, "two": {"conditions": {"fields": ["country", "continent"]}}}
    locate = {"locate": {"countries": ["gb", "ie"], "tokens": 16}}
    evaluate = {"conditions": ["gold"], "by": [], "protocol": {"num_documents": 20}}
    recipe = make(runs=runs, measures=locate, seeds=[0], evaluate=evaluate, samples={"headlines": 0})
    run_experiment(recipe, tmp_path / "out")
    table = [s for s in read_scores(tmp_path / "out") if s.measure == "locate" and s.metric == "accuracy_country"]
    protocols = {run: {s.protocol for s in table if s.run == run} for run in ("one", "two", "tfidf")}
    assert len(protocols["one"]) == len(protocols["two"]) == 1
    assert protocols["one"] != protocols["two"]
    assert protocols["tfidf"] == protocols["one"] | protocols["two"]


# Equivalence


def test_equivalence_is_said_only_within_a_margin_that_is_stated():
    """The 90% interval decides, which lies inside the 95% interval of the row."""
    one, other = losses("a", conditions=("none",)), losses("b", conditions=("none",), shift=0.01)
    pair = {"condition": "none", "condition_versus": "none"}
    (plain,) = differences(one, other, **pair)
    assert plain.equivalent_within is None
    assert plain.value == pytest.approx(-0.01, abs=1e-9)
    (wide,), (narrow,) = (differences(one, other, **pair, margin=margin) for margin in (0.011, 0.009))
    assert (wide.equivalent_within, narrow.equivalent_within) == (0.011, None)
    assert replace(wide, equivalent_within=None) == plain


def test_the_interval_of_equivalence_is_that_of_90_percent():
    table = losses()
    row = gold_minus_none(table)[0]
    rows = table.to_pylist()
    change = np.array([a["nll"] - b["nll"] for a, b in zip(rows[:40], rows[40:], strict=True)])
    columns = np.column_stack([change, [float(r["n_tokens"]) for r in rows[:40]]])
    inner = ratio_estimate(columns, resampled_sums(columns, resamples=10_000, seed=0), 0, 1, level=0.90)
    assert row.ci_low < inner.low < row.ci_low / 2 + row.value / 2
    assert gold_minus_none(table, margin=-inner.low + 1e-9)[0].equivalent_within is not None
    assert gold_minus_none(table, margin=-inner.low - 1e-9)[0].equivalent_within is None


def test_two_seeds_are_equivalent_where_the_interval_over_seeds_is_within_the_margin():
    settings = {"condition": "gold", "condition_versus": "gold"}
    pairs = trainings((0.0, 0.02))
    narrow, wide = (across_seed_differences(pairs, NAMES, **settings, margin=m)[0] for m in (0.03, 0.5))
    assert narrow.value == pytest.approx(0.01)
    assert (narrow.equivalent_within, wide.equivalent_within) == (None, 0.5)


def test_one_document_is_never_equivalent():
    assert gold_minus_none(losses(number=1), margin=100.0)[0].equivalent_within is None


# Regions, and comparisons that the recipe names

PLAIN = {"conditions": {"fields": []}}
REGIONAL = {
    "plain": PLAIN,
    "meta": {},
    "africa-plain": {**PLAIN, "mix": {"include": "africa"}},
    "africa-meta": {"mix": {"include": "Africa"}},
    "noasia-meta": {"mix": {"exclude": ["asia", "gb"]}},
}


@pytest.fixture(scope="module")
def regional(make, tmp_path_factory):
    """The folder of an experiment with a local run and a leave-one-out run, and its summary."""
    out = tmp_path_factory.mktemp("regional") / "out"
    evaluate = {
        "conditions": ["gold", "none"],
        "protocol": {"num_documents": 40},
        "compare": [["meta/gold", "africa-plain/none"]],
        "margin": 0.5,
    }
    recipe = make(runs=REGIONAL, measures={}, seeds=[0], evaluate=evaluate, samples={"headlines": 0})
    run_experiment(recipe, out)
    return out


def test_runs_with_a_region_are_judged_inside_and_outside_of_it(regional):
    scores = read_scores(regional)
    rows = {
        (s.run, s.slice): s for s in scores if s.slice_by == "region" and s.metric == "nll" and s.condition == "none"
    }
    assert rows.keys() == {
        (run, part) for run in ("africa-plain", "africa-meta", "noasia-meta") for part in ("in", "out")
    }
    table = read_losses(regional / "perplexity" / "noasia-meta").to_pylist()
    whole = [row for row in table if row["slice_by"] == "all" and row["condition"] == "none"]
    out = [row for row in whole if row["continent"] == "Asia" or row["country"] == "gb"]
    left_out, inside = rows["noasia-meta", "out"], rows["noasia-meta", "in"]
    assert 0 < len(out) == left_out.n_documents
    assert inside.n_documents == len(whole) - len(out)
    assert left_out.value == pytest.approx(sum(r["nll"] for r in out) / sum(r["n_tokens"] for r in out))
    (africa,) = [
        s
        for s in scores
        if (s.run, s.condition, s.metric, s.slice) == ("africa-meta", "none", "nll", "Africa") and not s.versus
    ]
    local = rows["africa-meta", "in"]
    assert (local.value, local.n_documents) == (pytest.approx(africa.value), africa.n_documents)


def test_differences_have_the_region_of_the_run_that_is_judged(regional):
    scores = [s for s in read_scores(regional) if s.metric == "nll_difference"]
    found = {(s.run, s.condition, s.versus, s.slice): s for s in scores if s.slice_by == "region"}
    assert {key[:3] for key in found} == {
        ("africa-meta", "gold", "africa-plain/none"),
        ("africa-meta", "none", "africa-plain/none"),
        ("africa-meta", "none", "africa-meta/gold"),
        ("noasia-meta", "none", "noasia-meta/gold"),
    }
    pair = ("africa-meta", "gold", "africa-plain/none")
    continents = {s.slice: s for s in scores if (s.run, s.condition, s.versus) == pair and s.slice_by == "continent"}
    assert found[*pair, "in"].value == pytest.approx(continents["Africa"].value)
    assert found[*pair, "in"].p_holm <= 2 * found[*pair, "in"].p


def test_models_of_another_mix_are_compared_only_where_the_recipe_names_them(regional):
    scores = [s for s in read_scores(regional) if s.metric == "nll_difference" and s.slice_by == "all"]
    across = {(s.run, s.condition, s.versus) for s in scores if s.run != s.versus_run}
    assert across == {
        ("meta", "gold", "plain/none"),
        ("meta", "none", "plain/none"),
        ("africa-meta", "gold", "africa-plain/none"),
        ("africa-meta", "none", "africa-plain/none"),
        ("meta", "gold", "africa-plain/none"),
    }
    runs = {run.run: run for run in read_runs(regional)}
    assert contrasts(runs["meta"], runs["africa-plain"]) == ["trained_on (all, Africa)"]
    assert contrasts(runs["meta"], runs["noasia-meta"]) == ["left_out (none, Asia+gb)"]
    assert contrasts(runs["meta"], runs["plain"]) == []


def test_the_summary_has_the_rows_of_the_table(regional):
    summary = json.loads((regional / "summary.json").read_text())
    rows = {(f"{s.run}/{s.condition} - {s.versus}", s.slice_by, s.slice): s for s in read_scores(regional) if s.versus}
    for name, found in summary["nll_difference"].items():
        whole = rows[name, "all", "all"]
        assert (found["value"], found["equivalent_within"]) == (whole.value, whole.equivalent_within)
        for part, inside in found.get("region", {}).items():
            assert inside["value"] == rows[name, "region", part].value
    assert summary["nll_difference"]["africa-meta/gold - africa-plain/none"]["region"].keys() == {"in", "out"}
    assert summary["ppl_by_region"]["africa-plain"]["none"].keys() == {"in", "out"}
    assert summary["recovered_gain_run"] == "meta"
    assert summary["nll_difference"]["meta/none - meta/gold"]["equivalent_within"] == 0.5


def test_a_run_without_a_baseline_is_named(make, capsys, regional):
    """Everything is there already, so only the comparisons are made again."""
    evaluate = {"conditions": ["gold", "none"], "protocol": {"num_documents": 40}}
    recipe = make(runs=REGIONAL, measures={}, seeds=[0], evaluate=evaluate)
    score_table(recipe, expand(recipe, ""), regional, [])
    said = capsys.readouterr().err
    assert (
        "no plain run of the same seed, mix, model and length: noasia-meta; compared with other runs only where" in said
    )
