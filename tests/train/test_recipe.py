"""The recipe of a run: what it takes, what it refuses, and that every name is explained."""

import pytest
from pydantic import BaseModel

from dateline.config import load_recipe, validate_recipe
from dateline.errors import UserError
from dateline.train.recipe import Training, TrainRecipe


def test_the_shortest_recipe():
    recipe = validate_recipe(TrainRecipe, {"data": "corpus", "train": {"epochs": 1}})
    assert (recipe.seed, recipe.model.size, recipe.packing.sequence_length) == (0, "nano", 2048)
    assert recipe.conditions.fields == ("domain", "country", "continent")
    assert recipe.mix.weights == "equal"
    training = recipe.train
    assert (training.batch_rows, training.micro_rows, training.precision, training.device) == (32, 0, "auto", "auto")
    assert (training.log_every, training.validate_every, training.checkpoint_every) == (10, 100, 500)


def test_identity_is_what_is_learned_not_how_it_is_computed_or_watched():
    data = {"data": "corpus", "train": {"steps": 1, "batch_rows": 12}}
    identity = validate_recipe(TrainRecipe, data).identity()
    elsewhere = {
        "micro_rows": 3, "device": "cpu", "compile": "off", "log_every": 1, "validate_every": 7, "keep_checkpoints": 9,
        "checkpoint_every": 3, "hang_minutes": 1, "peak_flops": 1e12, "track": ["tensorboard"],
        "validation_documents": 5,
    }  # fmt: skip
    other = {"data": "moved", "train": data["train"] | elsewhere, "parallel": {"strategy": "fsdp2"}}
    recipe = validate_recipe(TrainRecipe, other)
    assert recipe.identity() == identity
    assert recipe.execution() == {
        "data": "moved", "init_from": None, "parallel": {"strategy": "fsdp2", "activation_checkpointing": "off"},
        "train": elsewhere | {"track": ["tensorboard"]},
    }  # fmt: skip
    for change in ({"seed": 1}, {"guard": {"spike_factor": 3}}, {"train": {"steps": 1, "batch_rows": 4}}):
        assert validate_recipe(TrainRecipe, data | change).identity() != identity


def test_a_model_section_that_nobody_wrote_says_nothing_of_weights_from_elsewhere():
    data = {"data": "corpus", "init_from": "base", "train": {"steps": 1}, "packing": {"sequence_length": 8192}}
    assert "model" not in validate_recipe(TrainRecipe, data).identity()
    with pytest.raises(UserError, match=r"sequence_length 8192 is longer than model\.max_positions 4096"):
        validate_recipe(TrainRecipe, data | {"model": {"size": "nano"}})


def test_a_recipe_survives_being_written_down():
    recipe = TrainRecipe(data="corpus", train=Training(steps=3, batch_rows=8))
    assert validate_recipe(TrainRecipe, recipe.model_dump(mode="json")) == recipe


def test_options_that_change_nothing_are_no_part_of_the_identity():
    """Runs that were finished before these options existed stay known."""
    plain = TrainRecipe(data="corpus", train=Training(steps=3)).identity()
    assert not {"body_tokens", "budget"} & plain["train"].keys()
    other = TrainRecipe(data="corpus", train=Training(body_tokens=3, budget="same_region_tokens")).identity()
    assert (other["train"]["body_tokens"], other["train"]["budget"]) == (3, "same_region_tokens")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"epochs": 1, "budget": "same_region_tokens"}, "budget: epochs count passes over the run's own documents"),
        ({}, "train: give one of epochs, steps and body_tokens"),
        ({"epochs": 1, "steps": 1}, "train: give one of epochs, steps and body_tokens"),
        ({"epochs": 0}, r"train\.epochs: .*greater than 0 \(given: 0\)"),
        ({"steps": 1.5}, r"train\.steps: must be a whole number"),
        ({"steps": 1, "batch_rows": 8, "micro_rows": 3}, "batch_rows 8 is not a multiple of micro_rows 3"),
        ({"steps": 1, "batch_rows": 4, "micro_rows": 8}, "batch_rows 4 is not a multiple of micro_rows 8"),
        ({"steps": 1, "batch_rows": 0}, r"train\.batch_rows: .*greater than or equal to 1"),
        ({"steps": 1, "keep_checkpoints": 0}, r"train\.keep_checkpoints: .*greater than or equal to 1"),
        ({"steps": 1, "precision": "float16"}, r"train\.precision: must be 'auto', 'float32' or 'bfloat16'"),
        ({"step": 1}, r"unknown key 'train\.step'; did you mean 'steps'\?"),
        (None, "'train': .*|train: .*"),
    ],
)
def test_what_cannot_be_trained_is_refused(data, message):
    with pytest.raises(UserError, match=message):
        validate_recipe(TrainRecipe, {"data": "corpus", "train": data})


@pytest.mark.parametrize("missing", ["data", "train"])
def test_what_is_missing_is_named(missing):
    data = {"data": "corpus", "train": {"steps": 1}}
    del data[missing]
    with pytest.raises(UserError, match=f"'{missing}' is missing; add it"):
        validate_recipe(TrainRecipe, data)


def test_unknown_sections_are_refused_with_file_line_and_nearest_name(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("data: corpus\ntrain: {steps: 1}\noptimiser:\n  learning_rate: 1\n")
    with pytest.raises(UserError, match=r"run\.yaml:3: unknown key 'optimiser'; did you mean 'optimizer'\?"):
        load_recipe(TrainRecipe, path)


def test_any_value_can_be_overridden(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("data: corpus\ntrain: {steps: 1}\n")
    recipe = load_recipe(TrainRecipe, path, ["--train.steps", "7", "--model.size=pico", "--mix.exclude", "[Africa]"])
    assert (recipe.train.steps, recipe.model.size, recipe.mix.exclude) == (7, "pico", ("Africa",))


def sections(kind, name="recipe"):
    yield name, kind
    for key, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from sections(field.annotation, f"{name}.{key}")


@pytest.mark.parametrize(("name", "kind"), list(sections(TrainRecipe)))
def test_every_name_is_explained(name, kind):
    assert kind.__doc__, name
    for key, field in kind.model_fields.items():
        annotation = field.annotation
        of_section = isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation.__doc__
        assert field.description or of_section, f"{name}.{key}"
