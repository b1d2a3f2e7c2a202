"""AdamW that decays matrices and leaves vectors alone."""

import pytest
import torch

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.model.load import build_model, llama_config
from dateline.model.sizes import ModelRecipe
from dateline.train.optim import Optimizer, build_optimizer


@pytest.fixture
def model():
    return build_model(llama_config(ModelRecipe(size="pico"), 64, bos=0, eos=1, pad=2), 0)


def test_defaults_are_the_papers():
    recipe = Optimizer()
    assert (recipe.learning_rate, recipe.betas, recipe.weight_decay, recipe.clip_norm) == (
        3e-3,
        (0.9, 0.95),
        0.033,
        0.1,
    )


def test_every_parameter_is_optimized_once_and_only_matrices_decay(model):
    optimizer = build_optimizer(Optimizer(), model)
    groups = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(groups) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert groups[id(parameter)] == (0.0 if "norm" in name else 0.033), name


def test_decay_shrinks_matrices_only(model):
    optimizer = build_optimizer(Optimizer(learning_rate=0.1, weight_decay=0.5), model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name] * (1.0 if "norm" in name else 0.95))


def test_first_step_is_the_learning_rate_in_the_direction_of_the_sign(model):
    optimizer = build_optimizer(Optimizer(learning_rate=0.25, weight_decay=0.0), model)
    weight = model.model.norm.weight
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, -3.0)
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.full_like(weight, 1.25))


def test_recipe_reaches_the_optimizer(model):
    optimizer = build_optimizer(Optimizer(learning_rate=0.5, betas=(0.8, 0.7), eps=1e-3), model)
    for group in optimizer.param_groups:
        assert (group["lr"], group["betas"], group["eps"], group["fused"]) == (0.5, (0.8, 0.7), 1e-3, True)


def test_frozen_parameters_are_left_out(model):
    model.model.embed_tokens.weight.requires_grad_(False)
    optimizer = build_optimizer(Optimizer(), model)
    optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert id(model.model.embed_tokens.weight) not in optimized
    assert len(optimized) == len(list(model.parameters())) - 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"learning_rate": 0}, "learning_rate: .*greater than 0"),
        ({"betas": [0.9, 1.0]}, r"betas\.1: .*less than 1"),
        ({"betas": [0.9]}, r"betas\.1"),
        ({"clip_norm": 0}, "clip_norm: .*greater than 0"),
        ({"weight_decay": -0.1}, "weight_decay: .*greater than or equal to 0"),
        ({"lr": 1}, "unknown key 'lr'"),
    ],
)
def test_impossible_values_are_refused(data, message):
    with pytest.raises(UserError, match=message):
        validate_recipe(Optimizer, data)
