"""A run is the defaults with its own values over them, and whatever cannot run is refused before anything does."""

from pathlib import Path

import pytest
import yaml

from dateline.config import load_recipe
from dateline.errors import UserError
from dateline.experiment import ExperimentRecipe
from dateline.experiment.recipe import overlay

RUN = {"conditions": {"fields": []}}


def test_overlay_merges_mappings_and_replaces_the_rest():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": {"f": 1}}
    top = {"a": {"c": [3]}, "d": {"x": 1}, "e": 2}
    assert overlay(base, top) == {"a": {"b": 1, "c": [3]}, "d": {"x": 1}, "e": 2}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": {"f": 1}}


def test_a_run_is_the_defaults_with_its_own_values(make):
    recipe = make(runs={"small": {"train": {"steps": 3}, "mix": {"weights": "equal"}}})
    run = recipe.run("small", 7, data="somewhere")
    assert (run.train.steps, run.train.batch_rows) == (3, 4)
    assert (run.mix.weights, run.model.max_positions, run.seed, run.data) == ("equal", 128, 7, "somewhere")


def test_a_default_can_be_taken_back(make):
    run = make(runs={"long": {"train": {"steps": None, "epochs": 1.0}}}).run("long", 0, data="")
    assert (run.train.steps, run.train.epochs) == (None, 1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"runs": {"metadata": {"condition": {}}}},
            "recipe: runs.metadata: unknown key 'condition'; did you mean 'conditions'?",
        ),
        (
            {"runs": {"metadata": {"train": {"step": 3}}}},
            "recipe: runs.metadata: unknown key 'train.step'; did you mean 'steps'?",
        ),
        (
            {"evaluate": {"conditions": ["gold", "silver"]}},
            "recipe: unknown condition 'silver'; known are gold, none, wrong, swap:<country>, swap:all, "
            "marginal:uniform, marginal:corpus, and fields joined by '+': domain, url, url_hash, country, "
            "continent, date",
        ),
        (
            {"evaluate": {"conditions": ["swap:xx"]}},
            "recipe: condition 'swap:xx': 'xx' is not an ISO 3166 country code; write e.g. swap:ng",
        ),
        (
            {"evaluate": {"protocol": {"window": 256}}},
            "recipe: evaluate.protocol reads 256 tokens at a time, runs.noseed1 has model.max_positions 128; "
            "lower the first or raise the second",
        ),
        (
            {"defaults": {"data": "runs/encoded"}},
            "recipe: defaults.data: an experiment sets 'data' itself; remove it",
        ),
        (
            {"runs": {"metadata": {"seed": 3}}},
            "recipe: runs.metadata.seed: an experiment sets 'seed' itself; remove it",
        ),
        ({"runs": {}}, "recipe: an experiment has at least one run and one seed"),
        ({"seeds": []}, "recipe: an experiment has at least one run and one seed"),
        ({"seeds": [1, 1]}, "recipe: a seed is named twice"),
        (
            {"runs": {"No/Name": RUN}},
            "recipe: run name 'No/Name': use lower-case letters, digits, '.', '_' and '-'",
        ),
        (
            {"runs": {"a": RUN, "a-seed1": RUN}},
            "recipe: run name 'a-seed1' is also that of a run with its seed; rename one of them",
        ),
        (
            {"measures": {"locat": {}}},
            "recipe: evaluate.measures: unknown measure 'locat'; known are locate, mcq, efficiency",
        ),
        (
            {"measures": {"perplexity": {}}},
            "recipe: evaluate.measures: unknown measure 'perplexity'; known are locate, mcq, efficiency",
        ),
        (
            {"measures": {"locate": {"outlet": 3}}},
            "recipe: evaluate.measures.locate: unknown key 'outlet'; did you mean 'outlets'?",
        ),
        (
            {"measures": {"locate": {"corpus": "elsewhere"}}},
            "recipe: evaluate.measures.locate.corpus: an experiment sets 'corpus' itself; remove it",
        ),
        (
            {"measures": {"efficiency": {"versus": "elsewhere"}}},
            "recipe: evaluate.measures.efficiency.versus: an experiment sets 'versus' itself; remove it",
        ),
        (
            {"measures": {"mcq": {}}},
            "recipe: evaluate.measures.mcq: 'questions' is missing; add it",
        ),
        (
            {"measures": {"mcq": {"questions": "q"}}, "evaluate": {"conditions": ["domain", "marginal:uniform"]}},
            "recipe: evaluate.measures.mcq: cannot be taken under any of domain, marginal:uniform with the fields "
            "domain, country, continent; name its conditions with evaluate.measures.mcq.conditions",
        ),
        ({"runs": {"..": RUN}}, "recipe: run name '..': use lower-case letters, digits, '.', '_' and '-'"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused(make, values, message):
    with pytest.raises(UserError) as refused:
        make(**values)
    shown = str(refused.value)
    assert shown == message or shown.startswith(message + " (given:")


def test_a_key_beside_the_sections_is_refused_with_its_line(tmp_path, make):
    path = tmp_path / "recipe.yaml"
    data = make().model_dump(mode="json")
    path.write_text(yaml.safe_dump({**data, "evaluation": {}}, sort_keys=False))
    line = path.read_text().splitlines().index("evaluation: {}") + 1
    with pytest.raises(UserError) as refused:
        load_recipe(ExperimentRecipe, path)
    assert str(refused.value) == f"{path}:{line}: unknown key 'evaluation'; did you mean 'evaluate'?"


WHOLE = """name: x
corpus: {newswire: {articles: 50}}
defaults:
  train: {steps: 3}
runs:
  plain: {conditions: {fields: []}}
  with: {}
evaluate: {conditions: [gold, none]}
"""


@pytest.mark.parametrize(
    ("old", "new", "words", "expected"),
    [
        ("", "", ["--runs.x.model.size", "femto"], "--runs.x.model.size: runs.x: model.size: must be 'pico', "),
        ("", "", ["--defaults.train.steps", "x"], "--defaults.train.steps: runs.plain: train.steps: must be a whole "),
        ("", "", ["--evaluate.compare", "[[a/gold, b/none]]"], "--evaluate.compare: evaluate.compare: 'a/gold': no "),
        ("steps: 3", "steps: x", [], "r.yaml:4: runs.plain: train.steps: must be a whole number"),
        ("with: {}", "with: {model: {size: femto}}", [], "r.yaml:7: runs.with: model.size: must be 'pico', "),
        ("with: {}", "with: {train: {steps: x}}", [], "r.yaml: runs.with: train.steps: must be a whole number"),
        ("with: {}", "with: {seed: 3}", [], "r.yaml:7: runs.with.seed: an experiment sets 'seed' itself; remove it"),
        ("[gold, none]}", "[gold], measures: {m: {}}}", [], "r.yaml:8: evaluate.measures: unknown measure 'm'; known "),
    ],
)
def test_a_check_of_the_whole_recipe_blames_the_line_or_the_option(tmp_path, monkeypatch, old, new, words, expected):
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(WHOLE.replace(old, new) if old else WHOLE)
    with pytest.raises(UserError) as refused:
        load_recipe(ExperimentRecipe, "r.yaml", words)
    assert str(refused.value).startswith(expected)


# Options of the measures


def test_a_measure_takes_protocol_and_settings_of_the_experiment(make):
    protocol = {"window": 96, "split": "validation", "num_documents": 7, "per_group": 3, "group": "country", "seed": 5}
    evaluation = make(
        evaluate={"protocol": protocol, "resamples": 300, "precision": "bfloat16", "by": ["domain", "country"]}
    ).evaluate
    for name, inputs in (("perplexity", {"corpus": "c"}), ("locate", {"corpus": "c"}), ("efficiency", {"versus": "v"})):
        options = evaluation.options(name, **{"corpus": "c", **inputs})
        assert options.protocol == evaluation.protocol
        assert (options.corpus, options.resamples, options.precision) == ("c", 300, "bfloat16")
    assert evaluation.options("perplexity", corpus="c").by == ("domain", "country")
    mcq = evaluation.options("mcq")
    assert (mcq.by, mcq.resamples, mcq.precision) == (("country",), 300, "bfloat16")


def test_what_is_not_set_stays_the_measures_own_default(make):
    evaluation = make(evaluate={"protocol": {"window": 96}}).evaluate
    assert evaluation.options("locate", corpus="c").protocol.model_fields_set == {"window", "num_documents"}
    assert evaluation.options("locate", corpus="c").batch_tokens == 2048
    assert make(evaluate={"batch_tokens": 99}).evaluate.options("locate", corpus="c").batch_tokens == 99


def test_a_measures_own_options_win_and_its_protocol_is_laid_over_the_shared_one(make):
    own = {"locate": {"resamples": 50, "prior": "uniform", "protocol": {"num_documents": 3}}}
    options = make(measures=own, evaluate={"protocol": {"seed": 5}}).evaluate.options("locate", corpus="c")
    assert (options.resamples, options.prior) == (50, "uniform")
    assert (options.protocol.num_documents, options.protocol.window, options.protocol.seed) == (3, 128, 5)


ASKED = ("gold", "none", "wrong", "swap:ng", "swap:all", "marginal:uniform", "country", "domain")


@pytest.mark.parametrize(
    ("fields", "conditions"),
    [
        (("domain", "country", "continent"), ("gold", "none", "wrong", "swap:ng", "country")),
        (("domain",), ("none",)),
        ((), ("none",)),
    ],
)
def test_questions_are_asked_under_the_conditions_of_the_recipe_that_show_something_of_them(make, fields, conditions):
    evaluation = make(evaluate={"conditions": ASKED}).evaluate
    assert evaluation.options("mcq", fields).conditions == conditions
    trained = tuple(name for name in ASKED if name != "country" or "country" in fields) if fields else ("none",)
    assert evaluation.options("perplexity", fields, corpus="c").conditions == trained


def test_conditions_of_a_measure_are_its_own_where_it_names_them(make, questions):
    own = {"mcq": {"questions": questions, "conditions": ["swap:gh"]}}
    evaluation = make(measures=own).evaluate
    assert evaluation.options("mcq", ("country",)).conditions == ("swap:gh",)
    assert evaluation.options("mcq", ()).conditions == ("none",)
