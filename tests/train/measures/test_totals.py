"""Totals are counted, not estimated, and the FLOPs of a built model are those of its recipe."""

import numpy as np
import pytest

from dateline.model.build import build_model, llama_config
from dateline.model.sizes import ModelRecipe, flops_per_token
from dateline.train.measures.totals import add_up, flops_of
from dateline.train.parallel import ALONE, World
from dateline.train.recipe import build_loader


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
