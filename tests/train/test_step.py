"""A step is the same sum, however it is cut into micro-batches or over ranks; a skipped step leaves no trace."""

import numpy as np
import pytest
import torch

from dateline.model.load import build_model, llama_config
from dateline.model.sizes import ModelRecipe, flops_per_token
from dateline.train.parallel import ALONE, World
from dateline.train.recipe import build_loader
from dateline.train.step import Engine, add_up, flops_of

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
    assert not any(part.state for part in engine.optimizer.parts)
    assert all(parameter.grad is None for parameter in engine.model.parameters())
    engine.gradients([loader.batch(0)], 100)
    engine.apply(1e-3)
    assert not any(torch.equal(one, two) for one, two in zip(before, weights(engine), strict=True))
    assert {group["lr"] for group in engine.optimizer.param_groups} == {1e-3}


def test_the_progress_callback_is_called_with_each_part(make):
    engine, loader = make(micro_rows=2)
    seen = []
    engine.gradients([loader.batch(0), loader.batch(1)], 100, seen.append)
    assert seen == ["forward", "backward", "forward", "backward", "gradient norm"]


def test_the_sum_of_parameters_counts_shared_ones_once(make):
    tied, untied = make(model={"tie_embeddings": True})[0], make(model={"tie_embeddings": False})[0]
    assert untied.num_parameters - tied.num_parameters == 512 * 128


def test_totals_are_those_of_the_rows(make_recipe, corpus, tokenizer):
    loader = build_loader(make_recipe(batch_rows=6), corpus, tokenizer)
    batch = loader.batch(0)
    totals = add_up(ALONE, [batch], len(loader.groups), stop=False, failed=True)
    lengths = [length for number in range(6) for length in loader.row(number).segment_lengths]
    assert totals.positions == sum(lengths) == 6 * 128
    assert totals.attended == sum(length * (length + 1) // 2 for length in lengths)
    assert totals.labels == int((batch.labels >= 0).sum())
    assert (totals.tokens, totals.body_tokens) == (batch.num_tokens, batch.num_body_tokens)
    assert int(totals.groups.sum()) == batch.num_body_tokens
    assert totals.fill == batch.num_tokens / batch.input_ids.size
    assert (totals.stop, totals.failed) == (False, True)


def test_the_parts_of_several_processes_add_up_to_the_whole(make_recipe, corpus, tokenizer):
    recipe = make_recipe(epochs=0.02, mix={"weights": "natural"}, batch_rows=8)
    whole = build_loader(recipe, corpus, tokenizer)
    parts = [build_loader(recipe, corpus, tokenizer, World(rank, 4, rank)) for rank in range(4)]
    for number in range(whole.num_batches()):
        expected = add_up(ALONE, [whole.batch(number)], 1, stop=False, failed=False)
        found = [add_up(ALONE, [part.batch(number)], 1, stop=False, failed=False) for part in parts]
        for name in ("labels", "tokens", "body_tokens", "positions", "attended"):
            assert sum(getattr(totals, name) for totals in found) == getattr(expected, name)
        assert np.array_equal(sum(totals.groups for totals in found), expected.groups)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", ["pico", "micro"])
def test_flops_are_those_of_the_recipe(size, tied):
    recipe = ModelRecipe(size=size, tie_embeddings=tied)
    fixed, attended = flops_of(build_model(llama_config(recipe, 300, bos=0, eos=1, pad=2), 0))
    assert fixed + 17.5 * attended == flops_per_token(recipe, 300, 17.5)
