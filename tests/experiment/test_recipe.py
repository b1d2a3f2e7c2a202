"""A run is the defaults with its own values over them, and whatever cannot run is refused before anything does."""

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
            {"runs": {"told": {"condition": {}}}},
            "recipe: runs.told: unknown key 'condition'; did you mean 'conditions'?",
        ),
        (
            {"runs": {"told": {"train": {"step": 3}}}},
            "recipe: runs.told: unknown key 'train.step'; did you mean 'steps'?",
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
            "recipe: evaluate.protocol reads 256 tokens at a time, runs.plain has model.max_positions 128; "
            "lower the first or raise the second",
        ),
        (
            {"defaults": {"data": "runs/encoded"}},
            "recipe: defaults.data: an experiment sets 'data' itself; remove it",
        ),
        (
            {"runs": {"told": {"seed": 3}}},
            "recipe: runs.told.seed: an experiment sets 'seed' itself; remove it",
        ),
        ({"runs": {}}, "recipe: an experiment has at least one run and one seed"),
        ({"seeds": []}, "recipe: an experiment has at least one run and one seed"),
        ({"seeds": [1, 1]}, "recipe: a seed is named twice"),
        (
            {"runs": {"No/Name": RUN}},
            "recipe: run name 'No/Name': use lower-case letters, digits, '.', '_' and '-'",
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
