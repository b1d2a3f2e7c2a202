"""A step is the same sum, however it is cut into micro-batches; a step that is not taken leaves no trace."""

import pytest
import torch

from dateline.train.parallel import ALONE
from dateline.train.recipe import build_loader
from dateline.train.step import Engine

CPU = torch.device("cpu")


@pytest.fixture
def make(make_recipe, corpus, tokenizer):
    def build(**values):
        recipe = make_recipe(**values)
        loader = build_loader(recipe, corpus, tokenizer)
        return Engine(recipe, tokenizer, loader, ALONE, CPU, torch.float32), loader

    return build


def labels(batches):
    return sum(int((batch.labels >= 0).sum()) for batch in batches)


def weights(engine):
    return [parameter.detach().clone() for parameter in engine.model.parameters()]


def test_micro_batches_make_the_gradient_of_the_batch(make):
    (whole, large), (cut, small) = make(), make(micro_rows=1)
    batches = [small.batch(number) for number in range(4)]
    assert whole.gradients([large.batch(0)], labels(batches)) == pytest.approx(cut.gradients(batches, labels(batches)))
    for one, two in zip(whole.model.parameters(), cut.model.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, atol=1e-6, rtol=1e-4)


def test_a_gradient_is_clipped_to_the_recipes_norm(make):
    engine, loader = make(optimizer={"clip_norm": 0.01})
    _, norm = engine.gradients([loader.batch(0)], labels([loader.batch(0)]))
    assert norm > 0.5
    left = torch.stack([parameter.grad.norm() for parameter in engine.model.parameters()]).norm()
    assert float(left) == pytest.approx(0.01, rel=1e-3)


def test_a_step_that_is_not_taken_leaves_no_trace(make):
    engine, loader = make()
    before = weights(engine)
    engine.gradients([loader.batch(0)], 100)
    engine.discard()
    assert all(torch.equal(one, two) for one, two in zip(before, weights(engine), strict=True))
    assert not engine.optimizer.state
    assert all(parameter.grad is None for parameter in engine.model.parameters())
    engine.gradients([loader.batch(0)], 100)
    engine.apply(1e-3)
    assert not any(torch.equal(one, two) for one, two in zip(before, weights(engine), strict=True))
    assert {group["lr"] for group in engine.optimizer.param_groups} == {1e-3}


def test_it_tells_what_it_is_doing(make):
    engine, loader = make(micro_rows=2)
    told = []
    engine.gradients([loader.batch(0), loader.batch(1)], 100, told.append)
    assert told == ["forward", "backward", "forward", "backward", "gradient norm"]


def test_the_sum_of_parameters_counts_shared_ones_once(make):
    tied, untied = make(model={"tie_embeddings": True})[0], make(model={"tie_embeddings": False})[0]
    assert untied.num_parameters - tied.num_parameters == 512 * 128
