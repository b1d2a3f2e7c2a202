"""Scores in batches are scores one at a time."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from dateline.model.attention import ATTENTION, locate_documents
from dateline.model.scoring import Segment, score_segments, score_tokens


@pytest.fixture(scope="module")
def gpt2():
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=60, n_embd=32, n_layer=2, n_head=2, n_positions=128, initializer_range=0.3, bos_token_id=0,
        eos_token_id=1,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(params=["llama", "gpt2"])
def model(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def segments():
    rng = np.random.default_rng(0)
    lengths = [2, 90, 17, 33, 5, 64, 17, 2, 41]
    return [Segment(rng.integers(0, 60, length), int(rng.integers(1, length))) for length in lengths]


def naive(model, segments):
    totals = []
    for ids, num_scored in segments:
        with torch.no_grad():
            logits = model(input_ids=torch.from_numpy(ids)[None]).logits[0].double()
        chosen = logits.log_softmax(-1)[:-1].gather(1, torch.from_numpy(ids)[1:, None]).squeeze(1)
        totals.append(-float(chosen[len(chosen) - num_scored :].sum()))
    return np.array(totals)


def test_batches_give_what_one_at_a_time_gives(model, segments):
    np.testing.assert_allclose(score_segments(model, segments), naive(model, segments), rtol=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 64, 100, 300, 10**6])
def test_batch_size_does_not_matter(model, segments, batch_tokens):
    scores = score_segments(model, segments, batch_tokens=batch_tokens)
    np.testing.assert_allclose(scores, score_segments(model, segments), atol=1e-4)


def test_batches_keep_to_their_tokens(llama, segments, monkeypatch):
    shapes = []
    inner = llama.model.forward
    monkeypatch.setattr(
        llama.model, "forward", lambda input_ids, **rest: shapes.append(input_ids.shape) or inner(input_ids, **rest)
    )
    score_segments(llama, segments, batch_tokens=100)
    assert sum(rows for rows, _ in shapes) == len(segments)
    assert all(rows * width <= 100 for rows, width in shapes)
    assert len(shapes) < len(segments)


def test_order_of_segments_does_not_matter(llama, segments):
    backwards = score_segments(llama, segments[::-1])
    np.testing.assert_allclose(backwards[::-1], score_segments(llama, segments), atol=1e-4)


def test_only_the_last_tokens_count(llama, segments):
    ids = segments[1].input_ids
    some, more = (score_segments(llama, [Segment(ids, number)])[0] for number in (10, 11))
    with torch.no_grad():
        logits = llama(input_ids=torch.from_numpy(ids)[None]).logits[0]
    step = -float(logits.log_softmax(-1)[len(ids) - 12, ids[len(ids) - 11]])
    assert more - some == pytest.approx(step, rel=1e-3)


def test_single_tokens_add_up_to_their_segment(model, segments):
    tokens = score_tokens(model, segments, batch_tokens=100)
    assert [len(losses) for losses in tokens] == [segment.num_scored for segment in segments]
    sums = [losses.sum(dtype=np.float64) for losses in tokens]
    np.testing.assert_allclose(sums, score_segments(model, segments, batch_tokens=100), rtol=1e-12)


def test_a_segment_packed_among_others_has_the_same_losses_as_alone(llama, segments):
    """Training packs documents into rows, evaluation pads them: both must see the same text."""
    lengths = np.array([len(segment.input_ids) for segment in segments], dtype=np.int32)
    ids = torch.from_numpy(np.concatenate([segment.input_ids for segment in segments]))[None]
    positions = torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))[None]
    try:
        llama.set_attn_implementation(ATTENTION)
        with torch.no_grad():
            documents = locate_documents(lengths, "cpu")
            hidden = llama.model(input_ids=ids, position_ids=positions, documents=documents, use_cache=False)
            logp = llama.lm_head(hidden.last_hidden_state)[0].double().log_softmax(-1)
    finally:
        llama.set_attn_implementation("sdpa")
    ends = np.cumsum(lengths)
    for segment, end, losses in zip(segments, ends, score_tokens(llama, segments), strict=True):
        at = torch.arange(end - segment.num_scored, end)
        np.testing.assert_allclose(-logp[at - 1, ids[0, at]].numpy(), losses, atol=1e-4)


def test_no_segment_no_score(llama):
    assert score_segments(llama, []).shape == (0,)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("attention", [ATTENTION, "sdpa", "eager"])
def test_the_model_is_left_as_it_was(llama, segments, training, attention):
    expected = score_segments(llama, segments)
    try:
        llama.train(training)
        llama.set_attn_implementation(attention)
        scores = score_segments(llama, segments)
        assert llama.training is training
        assert llama.model.layers[0].training is training
        assert llama.config._attn_implementation == attention
    finally:
        llama.eval()
        llama.set_attn_implementation("sdpa")
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_dropout_is_off_while_scoring(gpt2, segments):
    try:
        gpt2.train()
        scores = score_segments(gpt2, segments)
    finally:
        gpt2.eval()
    np.testing.assert_allclose(scores, score_segments(gpt2, segments), atol=1e-4)


@pytest.mark.parametrize("num_scored", [0, 5, 6])
def test_a_segment_scores_at_least_one_token_and_never_its_first(llama, num_scored):
    try:
        llama.train()
        llama.set_attn_implementation(ATTENTION)
        with pytest.raises(AssertionError, match="nothing before it"):
            score_segments(llama, [Segment(np.arange(5), num_scored)])
        assert llama.training
        assert llama.config._attn_implementation == ATTENTION
    finally:
        llama.eval()
        llama.set_attn_implementation("sdpa")


def test_progress_counts_every_segment(llama, segments):
    seen = []
    score_segments(llama, segments, batch_tokens=100, advance=lambda amount, note="": seen.append(amount))
    assert sum(seen) == len(segments)
    assert len(seen) > 1


def test_bfloat16_is_close_but_not_the_same(model, segments):
    exact, rough = score_segments(model, segments), score_segments(model, segments, dtype="bfloat16")
    assert not np.array_equal(exact, rough)
    np.testing.assert_allclose(rough, exact, rtol=0.05, atol=0.5)
