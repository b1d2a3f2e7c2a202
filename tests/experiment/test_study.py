"""A study finds what its tables hold: on a small real grid, and on losses that are those of ideal learners."""

import hashlib
import math
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from markupsafe import escape
from tests.report.reader import check_closed

from dateline.config import load_recipe, validate_recipe
from dateline.corpus import read_articles
from dateline.errors import UserError
from dateline.experiment import ExperimentRecipe
from dateline.experiment.claims import CLAIMS, plan_study
from dateline.experiment.grid import expand
from dateline.experiment.ideal import IdealLearner
from dateline.experiment.published import published_effect
from dateline.experiment.recipe import overlay
from dateline.experiment.run import run_experiment
from dateline.experiment.study import study
from dateline.manifest import read_manifest
from dateline.report.results import read_results
from dateline.report.sections import render
from dateline.report.words import number
from dateline.scores import (
    Score,
    read_findings,
    read_losses,
    read_runs,
    read_scores,
    write_losses,
    write_runs,
    write_scores,
)

RECIPES = Path(__file__).parents[2] / "recipes"
GRID = {
    "name": "Tiny study",
    "corpus": {"newswire": {"articles": 900, "seed": 1}, "splits": {"train": 0.65, "validation": 0.05, "test": 0.3}},
    "encode": {"vocab_size": 600},
    "defaults": {
        "mix": {"weights": "natural"},
        "packing": {"sequence_length": 256},
        "model": {"size": "pico", "max_positions": 256},
        "schedule": {"warmup_steps": 1},
        "train": {"steps": 2, "batch_rows": 2, "validate_every": 0, "checkpoint_every": 0, "log_every": 1,
                  "device": "cpu", "precision": "float32"},
    },
    "grid": {
        "axes": {
            "trained-on": {"global": {}, "africa": {"mix": {"include": ["Africa"]}},
                           "no-africa": {"mix": {"exclude": ["Africa"]}}},
            "metadata": {
                "without": {"conditions": {"fields": []}},
                "with": {},
                "country": {"conditions": {"fields": ["country"]}},
                "url": {"conditions": {"fields": ["url"]}},
                "dropout-0.5": {"conditions": {"dropout": 0.5}},
            },
            "budget": {"region-tokens": {"train": {"budget": "same_region_tokens"}}},
            "balance": {"equal": {"mix": {"weights": "equal"}}},
        },
        "blocks": [
            {"trained-on": "global", "metadata": ["without", "with"], "seeds": [0, 1]},
            {"trained-on": ["africa", "no-africa"], "metadata": ["without", "with"]},
            {"trained-on": "africa", "metadata": ["without", "with"], "budget": "all"},
            {"trained-on": "global", "metadata": ["country", "url", "dropout-0.5"]},
            {"trained-on": "global", "metadata": ["without", "with"], "balance": "equal"},
        ],
    },
    "evaluate": {
        "conditions": ["gold", "none", "country"],
        "protocol": {"window": 256, "prefix_room": 128, "per_group": 6},
        "resamples": 2000,
    },
    "study": {},
    "samples": {"headlines": 0},
}  # fmt: skip
FULL = "domain+country+continent"
RUNS = {
    *(f"global-{kind}-seed{seed}" for kind in ("without", "with") for seed in (0, 1)),
    *(f"{place}-{kind}-seed0" for place in ("africa", "no-africa") for kind in ("without", "with")),
    *(f"africa-{kind}-region-tokens-seed0" for kind in ("without", "with")),
    *(f"global-{kind}-seed0" for kind in ("country", "url", "dropout-0.5", "without-equal", "with-equal")),
}
ASKED = [
    ("in_region", "Africa", "same_steps", ""),
    ("out_of_region", "Africa", "same_steps", ""),
    *((claim, "Africa", budget, "")
      for claim in ("global_local_with", "global_local_without", "global_with_local_without", "gap_closed")
      for budget in ("same_steps", "same_region_tokens")),
    ("left_out_with", "Africa", "same_steps", ""),
    ("left_out_without", "Africa", "same_steps", ""),
    ("left_out_difference", "Africa", "same_steps", ""),
    *(("left_out_field", "Africa", "same_steps", condition) for condition in ("gold", "country")),
    *(("fields", "all", "same_steps", "") for _ in range(3)),
    *((f"balance_{kind}", region, "same_steps", "") for kind in ("with", "without") for region in ("all", "Africa")),
    *((f"dropout_{kind}", "all", "same_steps", f"dropout {value}, cooldown 0")
      for kind in ("cost", "gain") for value in (0.1, 0.5)),
]  # fmt: skip
"""(claim, region, budget, detail) of everything that the grid can answer."""


def recipe(**values):
    return validate_recipe(ExperimentRecipe, overlay(GRID, values))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of the grid, trained and scored. Read only."""
    out = tmp_path_factory.mktemp("study") / "grid"
    run_experiment(recipe(), out)
    return out


@pytest.fixture(scope="module")
def result(trained):
    return study(recipe(), trained)


@pytest.fixture
def copy(trained, tmp_path):
    """The folder without what a study does not read, to be changed."""
    out = tmp_path / "grid"
    shutil.copytree(trained / "corpus", out / "corpus")
    shutil.copytree(trained / "perplexity", out / "perplexity")
    for name in ("runs.parquet", "scores.parquet", "manifest.json"):
        shutil.copy(trained / name, out / name)
    return out


@pytest.fixture
def ideal(copy):
    """The same grid, but every model has the losses of an ideal learner with its training text, on all test articles.

    Where none is defined, it loses a quarter more than an ideal learner that has read everything.
    """
    articles = list(read_articles(copy / "corpus", split="test"))
    learner = IdealLearner(articles, recipe().corpus)
    for run in expand(recipe(), ""):
        old = read_losses(copy / "perplexity" / run.name).slice(0, 1).to_pylist()[0]
        known, mix = run.recipe.conditions.fields, run.recipe.mix
        rows = []
        for condition, shown in {"none": (), **({"gold": known, "country": ("country",)} if known else {})}.items():
            fields = tuple("domain" if field == "url" else field for field in shown)
            nll = learner.losses(mix, fields)
            everything = learner.losses(mix.model_copy(update={"include": (), "exclude": ()}), fields)
            for article, loss, other in zip(articles, nll, everything, strict=True):
                rows.append(
                    old | {"condition": condition, "shown": "+".join(shown), "id": article.id, "n_tokens": 100,
                           "domain": article.domain, "country": article.country, "continent": article.continent,
                           "slice_by": "all", "slice": "all", "nll": 1.25 * other if math.isnan(loss) else loss}
                )  # fmt: skip
        write_losses(copy / "perplexity" / run.name, pa.Table.from_pylist(rows))
    return copy


def find(findings, claim, **wanted):
    found = [one for one in findings if one.claim == claim and all(getattr(one, key) == wanted[key] for key in wanted)]
    assert len(found) == 1, [(one.region, one.budget, one.fields, one.detail) for one in found]
    return found[0]


def losses(folder, run, condition, inside=None):
    """nll and tokens of whole documents, in Africa or elsewhere."""
    rows = [
        row for row in read_losses(folder / "perplexity" / run).to_pylist()
        if (row["condition"], row["slice_by"]) == (condition, "all")
        and inside in (None, row["continent"] == "Africa")
    ]  # fmt: skip
    rows.sort(key=lambda row: row["id"])
    return np.array([row["nll"] for row in rows]), np.array([row["n_tokens"] for row in rows])


def mean_difference(folder, first, second, inside=None):
    one, tokens = losses(folder, *first, inside)
    other, _ = losses(folder, *second, inside)
    return (one - other).sum() / tokens.sum()


# What is asked


def test_every_claim_is_a_row(result):
    found = [(one.claim, one.region, one.budget, one.detail) for one in result.findings]
    assert Counter(found) == Counter(ASKED)
    assert list(dict.fromkeys(claim for claim, *_ in found)) == [claim for claim in CLAIMS if claim != "share_to_reach"]
    assert {one.fields for one in result.findings if one.claim == "fields"} == {FULL, "country", "url"}
    assert all(one.size == "pico" and one.missing == "" for one in result.findings)
    assert "not asked by the runs of this recipe: share_to_reach" in result.notes


def test_claims_of_the_published_grid():
    questions = plan_study(load_recipe(ExperimentRecipe, RECIPES / "paper.yaml")).questions
    counts = Counter(question.claim for question in questions)
    assert counts == {
        "in_region": 8, "out_of_region": 8, "global_local_with": 8, "global_local_without": 8,
        "global_with_local_without": 8, "gap_closed": 8, "share_to_reach": 10, "left_out_with": 4,
        "left_out_without": 4, "left_out_difference": 4, "left_out_field": 16, "fields": 5, "dropout_cost": 2,
        "dropout_gain": 2,
    }  # fmt: skip
    published = {
        (one.claim, one.sides[0].model.size, one.region, one.sides[0].model.fields): published_effect(one)[0]
        for one in questions
    }
    assert published["in_region", "1b", "Africa", FULL] == pytest.approx(math.log(9.064 / 10.494))
    assert published["global_local_without", "0.5b", "Asia", ""] == pytest.approx(math.log(11.146 / 9.383), abs=1e-3)
    assert published["left_out_with", "1b", "Europe", FULL] == pytest.approx(0.414, abs=6e-4)
    assert published["left_out_difference", "1b", "Africa", FULL] == pytest.approx(0.425 - 0.436, abs=1e-3)
    assert published["fields", "1b", "all", "domain"] == pytest.approx(math.log(9.112 / 9.964))
    assert published["fields", "0.5b", "all", FULL] == pytest.approx(math.log(10.772 / 11.658))
    assert 0.5 < published["share_to_reach", "1b", "all", FULL] < 0.6
    assert published["gap_closed", "1b", "Europe", ""] == pytest.approx(
        math.log(9.674 / 8.972) / math.log(9.674 / 9.320), abs=1e-3
    )
    assert published["gap_closed", "1b", "Africa", ""] is None  # the global model is better there without metadata


def test_what_was_never_published_has_no_published_effect(result):
    for one in result.findings:
        beyond = one.claim.startswith("balance") or one.budget == "same_region_tokens" or "dropout" in one.detail
        if beyond:
            assert one.published is None
            assert one.verdict not in ("replicates", "contradicts")
    assert find(result.findings, "fields", fields="country").published == pytest.approx(math.log(9.916 / 9.964))


def test_no_dropout_is_what_was_published():
    runs = {"plain": {"conditions": {"fields": []}}, "always": {"conditions": {"dropout": 0}}}
    alone = validate_recipe(ExperimentRecipe, {**{key: GRID[key] for key in GRID if key != "grid"}, "runs": runs})
    cost = next(one for one in plan_study(alone).questions if one.claim == "dropout_cost")
    assert published_effect(cost)[0] == pytest.approx(math.log(10.206 / 9.964))


def test_two_runs_that_are_one_model_by_their_columns_are_refused():
    runs = {"plain": {"conditions": {"fields": []}}, "hot": {"optimizer": {"learning_rate": 0.1}}, "cold": {}}
    with pytest.raises(UserError, match="runs 'hot' and 'cold' have the same size"):
        plan_study(validate_recipe(ExperimentRecipe, {**{k: GRID[k] for k in GRID if k != "grid"}, "runs": runs}))


def test_conditions_on_different_tokens_are_refused():
    with pytest.raises(UserError, match=r"set evaluate\.protocol\.name to strict"):
        plan_study(recipe(evaluate={"protocol": {"name": "paper", "truncation": 256}}))


def test_runs_that_answer_nothing_are_refused(trained):
    runs = {"conditioned": {}}
    alone = validate_recipe(
        ExperimentRecipe,
        {**{k: GRID[k] for k in GRID if k not in ("grid", "evaluate")}, "runs": runs,
         "evaluate": {"conditions": ["gold"], "protocol": {"window": 128}}},
    )  # fmt: skip
    with pytest.raises(UserError, match="its runs answer no claim of a study"):
        study(alone, trained)


# What is computed


@pytest.mark.parametrize(
    ("claim", "wanted", "first", "second", "inside"),
    [
        ("in_region", {}, ("africa-with-seed0", "gold"), ("africa-without-seed0", "none"), True),
        ("out_of_region", {}, ("africa-with-seed0", "gold"), ("africa-without-seed0", "none"), False),
        ("global_local_with", {"budget": "same_region_tokens"}, ("global-with-seed0", "gold"),
         ("africa-with-region-tokens-seed0", "gold"), True),
        ("global_with_local_without", {"budget": "same_steps"}, ("global-with-seed0", "gold"),
         ("africa-without-seed0", "none"), True),
        ("left_out_without", {}, ("no-africa-without-seed0", "none"), ("global-without-seed0", "none"), True),
        ("left_out_field", {"detail": "country"}, ("no-africa-with-seed0", "country"),
         ("no-africa-with-seed0", "none"), True),
        ("fields", {"fields": "country"}, ("global-country-seed0", "gold"), ("global-without-seed0", "none"), None),
        ("balance_with", {"region": "all"}, ("global-with-seed0", "gold"), ("global-with-equal-seed0", "gold"), None),
        ("dropout_cost", {"detail": "dropout 0.5, cooldown 0"}, ("global-dropout-0.5-seed0", "none"),
         ("global-without-seed0", "none"), None),
    ],
)  # fmt: skip
def test_one_seed(result, trained, claim, wanted, first, second, inside):
    found = find(result.findings, claim, **wanted)
    assert found.effect == pytest.approx(mean_difference(trained, first, second, inside), abs=1e-12)
    assert found.compared == f"{'/'.join(first)} - {'/'.join(second)}"
    assert found.ci_low <= found.effect <= found.ci_high
    assert 0 < found.p <= found.p_holm <= 1
    assert found.n_tokens == losses(trained, *first, inside)[1].sum()
    assert found.n_documents == len(losses(trained, *first, inside)[1]) == {True: 6, False: 18, None: 24}[inside]
    assert found.n_seeds == 1
    assert "one seed was trained: the interval is over documents only" in found.reason


def test_two_seeds(result, trained):
    found = find(result.findings, "fields", fields=FULL)
    by_seed = [
        mean_difference(trained, (f"global-with-seed{seed}", "gold"), (f"global-without-seed{seed}", "none"))
        for seed in (0, 1)
    ]
    assert found.effect == pytest.approx(np.mean(by_seed), abs=1e-12)
    assert (found.n_seeds, found.compared) == (2, "global-with/gold - global-without/none")
    assert found.ci_low < min(by_seed)
    assert max(by_seed) < found.ci_high
    assert "one seed" not in found.reason


def test_the_difference_of_two_gaps(result, trained):
    gaps = [
        mean_difference(trained, (f"no-africa-{kind}-seed0", condition), (f"global-{kind}-seed0", condition), True)
        for kind, condition in (("with", "gold"), ("without", "none"))
    ]
    found = find(result.findings, "left_out_difference")
    assert found.effect == pytest.approx(gaps[0] - gaps[1], abs=1e-12)
    assert found.compared == (
        "(no-africa-with-seed0/gold - global-with-seed0/gold) - "
        "(no-africa-without-seed0/none - global-without-seed0/none)"
    )


def test_the_correction_is_over_the_whole_study(result):
    tested = sorted((one for one in result.findings if one.p is not None), key=lambda one: one.p)
    assert tested[0].p_holm == pytest.approx(min(1.0, len(tested) * tested[0].p))
    assert [one.p_holm for one in tested] == sorted(one.p_holm for one in tested)


def test_a_url_is_marked_as_leaking_and_has_no_ideal(result):
    found = find(result.findings, "fields", fields="url")
    assert "LEAK" in found.reason
    assert "no ideal is known" in found.reason
    assert found.ideal is None
    assert all("LEAK" not in one.reason for one in result.findings if one.fields != "url")


def test_an_ideal_effect(result, trained):
    ids = {row["id"] for row in read_losses(trained / "perplexity" / "global-with-seed0").to_pylist()}
    articles = [one for one in read_articles(trained / "corpus", split="test") if one.id in ids]
    learner = IdealLearner(articles, recipe().corpus)
    mix = next(run.recipe.mix for run in expand(recipe(), "") if run.name == "global-with-seed0")
    gain = (learner.losses(mix, ("domain",)) - learner.losses(mix, ())).sum()
    found = find(result.findings, "fields", fields=FULL)
    assert found.ideal == pytest.approx(gain / found.n_tokens)
    assert found.ideal < -0.01
    assert find(result.findings, "dropout_cost", detail="dropout 0.5, cooldown 0").ideal == 0
    for claim in ("out_of_region", "left_out_with", "left_out_difference"):
        assert find(result.findings, claim).ideal is None
        assert "not in the training text of a run" in find(result.findings, claim).reason


# Ideal learners


def test_a_study_of_ideal_learners_finds_all_its_truths(ideal):
    found = study(recipe(), ideal)
    assert found.truths_not_found == []
    known = [one for one in found.findings if one.ideal is not None and one.unit != "share"]
    assert len(known) > 12
    for one in known:
        assert one.effect == pytest.approx(one.ideal, abs=1e-9)
    assert sum(abs(one.ideal) >= 0.01 for one in known) >= 6
    gain = find(found.findings, "dropout_gain", detail="dropout 0.5, cooldown 0")
    assert (gain.verdict, gain.n_seeds) == ("found", 1)
    assert find(found.findings, "in_region").verdict == "replicates"
    assert find(found.findings, "dropout_cost", detail="dropout 0.5, cooldown 0").verdict == "none within the margin"


def test_the_share_of_a_gap_that_is_closed(ideal):
    found = find(study(recipe(), ideal).findings, "gap_closed", budget="same_steps")
    gap = mean_difference(ideal, ("global-without-seed0", "none"), ("africa-without-seed0", "none"), True)
    gain = mean_difference(ideal, ("global-without-seed0", "none"), ("global-with-seed0", "gold"), True)
    assert found.effect == pytest.approx(gain / gap)
    assert found.ideal == pytest.approx(gain / gap)
    assert (found.unit, found.mde) == ("share", None)
    assert found.ci_low < found.effect < found.ci_high
    assert found.compared == (
        "(global-without-seed0/none - global-with-seed0/gold) / (global-without-seed0/none - africa-without-seed0/none)"
    )
    assert find(study(recipe(), ideal).findings, "gap_closed", budget="same_region_tokens").effect == found.effect


def test_no_share_of_a_gap_that_is_not_there(ideal):
    table = read_losses(ideal / "perplexity" / "africa-without-seed0")
    worse = pa.array([nll + 10 for nll in table.column("nll").to_pylist()])
    write_losses(
        ideal / "perplexity" / "africa-without-seed0",
        table.set_column(table.schema.get_field_index("nll"), "nll", worse),
    )
    found = find(study(recipe(), ideal).findings, "gap_closed", budget="same_steps")
    assert (found.effect, found.p, found.verdict) == (None, None, "not defined")
    assert "is not clearly positive" in found.reason


def test_a_model_that_ignores_its_prefix_is_a_truth_not_found(ideal):
    for run in expand(recipe(), ""):
        table = read_losses(ideal / "perplexity" / run.name).to_pylist()
        none = {row["id"]: row["nll"] for row in table if row["condition"] == "none"}
        write_losses(
            ideal / "perplexity" / run.name, pa.Table.from_pylist([{**row, "nll": none[row["id"]]} for row in table])
        )
    found = study(recipe(), ideal)
    lost = {one.claim for one in found.truths_not_found}
    assert {"in_region", "fields", "dropout_gain"} <= lost
    text = (ideal / "findings.md").read_text()
    assert "## Known truths that were not found\n\n- " in text
    assert "ideal -0.0" in text


@pytest.mark.parametrize(("truth_share", "is_lost"), [(0.3, False), (0.5, True)])
def test_how_much_of_a_truth_must_be_found(ideal, truth_share, is_lost):
    folder = ideal / "perplexity" / "global-dropout-0.5-seed0"
    table = read_losses(folder).to_pylist()
    none = {row["id"]: row["nll"] for row in table if row["condition"] == "none"}
    weak = [
        {**row, "nll": none[row["id"]] + 0.4 * (row["nll"] - none[row["id"]])} if row["condition"] == "gold" else row
        for row in table
    ]
    write_losses(folder, pa.Table.from_pylist(weak))
    lost = study(recipe(study={"truth_share": truth_share}), ideal).truths_not_found
    assert [one.detail for one in lost] == (["dropout 0.5, cooldown 0"] if is_lost else [])


# Holes


def test_a_run_without_losses_leaves_holes_and_no_shorter_table(result, copy):
    shutil.rmtree(copy / "perplexity" / "africa-with-seed0")
    found = study(recipe(), copy).findings
    assert [(one.claim, one.detail, one.compared) for one in found] == [
        (one.claim, one.detail, one.compared) for one in result.findings
    ]
    holes = [one for one in found if one.verdict == "missing"]
    assert {(one.claim, one.budget) for one in holes} == {
        ("in_region", "same_steps"), ("out_of_region", "same_steps"), ("global_local_with", "same_steps")
    }  # fmt: skip
    for one in holes:
        assert (one.effect, one.ci_low, one.p, one.p_holm, one.n_seeds) == (None, None, None, None, 0)
        assert one.missing == "africa-with-seed0"
    assert find(found, "in_region").ideal == find(result.findings, "in_region").ideal
    assert find(found, "in_region") in study(recipe(), copy).truths_not_found
    assert "(missing: africa-with-seed0)" in (copy / "findings.md").read_text()


def test_a_run_that_failed_is_a_hole(copy):
    write_runs(copy, [run for run in read_runs(copy) if not run.run.startswith("no-africa-with-")])
    found = study(recipe(), copy).findings
    assert {one.claim for one in found if one.missing} == {"left_out_with", "left_out_difference", "left_out_field"}
    assert find(found, "left_out_with").missing == "no-africa-with-seed0"
    assert find(found, "left_out_without").effect is not None


def test_a_missing_seed_leaves_the_others(copy):
    shutil.rmtree(copy / "perplexity" / "global-with-seed1")
    found = find(study(recipe(), copy).findings, "fields", fields=FULL)
    assert (found.n_seeds, found.missing) == (1, "global-with-seed1")
    assert found.effect is not None
    assert "some seeds are missing" in found.reason


def test_a_condition_that_was_not_scored_is_a_hole(copy):
    found = study(recipe(evaluate={"conditions": ["gold", "none", "country", "continent"]}), copy).findings
    hole = find(found, "left_out_field", detail="continent")
    assert (hole.effect, hole.missing) == (None, "no-africa-with-seed0")


def test_without_any_losses_there_is_no_study(copy):
    shutil.rmtree(copy / "perplexity")
    with pytest.raises(UserError, match="no run has losses; run the experiment first"):
        study(recipe(), copy)


def test_runs_are_found_by_what_they_are(result, copy):
    names = {run.run: f"model-{index}" for index, run in enumerate(read_runs(copy))}
    write_runs(copy, [replace(run, run=names[run.run], family="none") for run in read_runs(copy)])
    for old, new in names.items():
        (copy / "perplexity" / old).rename(copy / "perplexity" / new)
    assert study(recipe(), copy).findings == result.findings


# Learning efficiency


def with_efficiency():
    return recipe(defaults={"train": {"checkpoint_every": 1}}, evaluate={"measures": {"efficiency": {}}})


def reach(scores, run, value, region="all"):
    """A row as the measure `efficiency` writes it."""
    model = next(score for score in scores if score.run == run)
    return Score(
        run=run, measure="efficiency", metric="share_to_reach", condition="gold", unit="share", value=value,
        slice_by="all" if region == "all" else "continent", slice=region, n_documents=9, n_tokens=900,
        ci_low=value - 0.1, ci_high=value + 0.1, protocol=model.protocol, data=model.data, model=model.model,
    )  # fmt: skip


def test_learning_efficiency(copy):
    scores = read_scores(copy)
    rows = [reach(scores, f"global-with-seed{seed}", value) for seed, value in ((0, 0.5), (1, 0.7))]
    write_scores(copy, [*scores, *rows, reach(scores, "global-with-seed0", 0.4, "Africa")])
    found = study(with_efficiency(), copy).findings
    whole = find(found, "share_to_reach", region="all")
    assert (whole.effect, whole.unit, whole.n_seeds) == (pytest.approx(0.6), "share", 2)
    assert (whole.ci_low, whole.ci_high) == (pytest.approx(0.4), pytest.approx(0.8))
    assert whole.p == find(found, "fields", fields=FULL).p  # of the last losses
    assert 0.5 < whole.published < 0.6
    assert (whole.n_documents, whole.n_tokens) == (9, 900)
    region = find(found, "share_to_reach", region="Africa")
    assert (region.effect, region.verdict, region.missing) == (None, "missing", "global-with-seed1")
    assert "the measure efficiency has no row for Africa of global-with-seed1" in region.reason


def test_a_run_that_never_gets_there_is_infinitely_late(copy):
    scores = read_scores(copy)
    write_scores(copy, [*scores, *(reach(scores, f"global-with-seed{seed}", math.inf) for seed in (0, 1))])
    found = find(study(with_efficiency(), copy).findings, "share_to_reach", region="all")
    assert found.effect == math.inf
    assert found.verdict != "replicates"


# What is written


def digest(folder):
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("findings.parquet", "findings.md")]


def test_the_table_is_what_was_found_and_the_same_bytes_every_time(result, trained, copy):
    assert read_findings(trained) == result.findings
    assert study(recipe(), copy) == result
    assert digest(copy) == digest(trained)
    assert not list(copy.glob(".*partial"))
    assert read_manifest(trained).stage == "experiment"


def test_the_summary_says_the_rule_before_the_results(result, trained):
    text = (trained / "findings.md").read_text()
    rule, first, holes = (
        text.index(part) for part in ("## The rule", "## 1. In and out of region", "## What is missing or not defined")
    )
    assert rule < first < holes
    assert result.findings[0].rule in text
    for one in result.findings:
        assert f"| {one.claim} | pico | {one.region} |" in text
    assert "contradicts (one seed)" in text or "too small to tell (one seed)" in text


def test_another_rule_has_another_fingerprint(result, copy):
    other = study(recipe(study={"margin": 0.02}), copy)
    assert {one.rule for one in other.findings}.isdisjoint({one.rule for one in result.findings})
    assert [one.effect for one in other.findings] == [one.effect for one in result.findings]


def test_a_rule_that_was_not_written_down_is_said(copy):
    without = validate_recipe(ExperimentRecipe, {key: GRID[key] for key in GRID if key != "study"})
    assert any("the rule is the default one" in note for note in study(without, copy).notes)


def test_too_few_resamples_are_said(copy):
    notes = study(recipe(evaluate={"resamples": 200}), copy).notes
    assert any("no corrected p can be below 0.05" in note and "set evaluate.resamples to" in note for note in notes)


# The first page of the report


def page(folder):
    html = render(read_results(folder))
    return html, check_closed(html)


def test_the_page_opens_with_the_findings(copy):
    found = study(recipe(), copy).findings
    html, reader = page(copy)
    counts = Counter(one.verdict for one in found)
    published = [one for one in found if one.published is not None and one.effect is not None]
    assert (
        f"Of {len(published)} measured effects with a published counterpart, {counts['replicates']} replicate it, "
        f"{counts['contradicts']} contradict it." in reader.text
    )
    names = ("findings", "study", "models", "differences", "budgets", "coverage")
    order = [html.index(f'<section id="{name}">') for name in names]
    assert order == sorted(order)
    table = html[order[0] : order[1]]
    assert [claim for claim in CLAIMS if escape(CLAIMS[claim]) in table] == [
        claim for claim in CLAIMS if any(one.claim == claim for one in found)
    ]
    assert sum(map(int, re.findall(r'class="piece [a-z-]+" style="[^"]*">(\d+)<', table))) == len(found)
    everything = html[order[1] : order[2]]
    assert everything.count("<details>") == len({one.experiment for one in found})
    assert all(number(one.effect, 3, sign=True) in everything for one in found if one.effect is not None)


def test_the_page_opens_with_known_truths_that_were_not_found(copy):
    lost = study(recipe(), copy).truths_not_found  # models of two steps have learned nothing
    assert lost
    asked = [one for one in read_findings(copy) if one.truth]
    assert {one.truth for one in asked} == {"not found"}
    _, reader = page(copy)
    assert f"Of {len(asked)} known truths, {len(lost)} were not found: do not rely on these verdicts." in reader.text
    assert reader.text.count("Known, and not found: ") == len(lost)


def test_the_page_draws_every_experiment_and_every_model(copy):
    study(recipe(), copy)
    html, reader = page(copy)
    for name in ("in-region", "out-of-region", "slopes-pico", "recovery-same_steps", "left-out", "left-out-fields",
                 "fields-pico", "balance", "dropout-pico"):  # fmt: skip
        assert f'"study-{name}-title' in html or f'"study-{name}-' in html, name
    matrix = html[html.index('<section id="models">') :]
    assert all(family in matrix for family in {run.family for run in read_runs(copy)})
    levels = [s for s in read_scores(copy) if (s.metric, s.slice_by, s.run) == ("ppl", "all", "africa-with-seed0")]
    assert all(number(s.value, 1) in matrix for s in levels if s.condition in ("gold", "none"))
    assert "Shades compare with global-without without a prefix" in reader.text
    assert "all, without Africa" in matrix


def test_the_page_shows_holes(copy):
    shutil.rmtree(copy / "perplexity/africa-with-seed0")
    study(recipe(), copy)
    html, reader = page(copy)
    assert "could not be computed; not there: africa-with-seed0." in reader.text
    assert "study-in-region" not in html
    assert 'class="piece absent-piece"' in html


def test_the_page_says_that_findings_cannot_be_read(copy):
    (copy / "findings.parquet").write_bytes(b"no table")
    html, reader = page(copy)
    assert f"{copy / 'findings.parquet'}: " in reader.text
    assert '<section id="differences">' in html
    assert '<section id="findings">' not in html


def test_a_learning_curve_is_drawn(tmp_path):
    small = recipe(
        grid={"blocks": [{"trained-on": "global", "metadata": ["without", "with"]}]},
        defaults={"train": {"checkpoint_every": 1}},
        evaluate={"measures": {"efficiency": {}}},
    )
    run_experiment(small, tmp_path / "pair")
    reached = find(study(small, tmp_path / "pair").findings, "share_to_reach").effect
    html, reader = page(tmp_path / "pair")
    assert '"study-curves-pico-' in html
    assert "conditioned, with its prefix" in reader.text
    assert "plain run, last loss" in reader.text
    assert ("crossing" in reader.text) == math.isfinite(reached)
