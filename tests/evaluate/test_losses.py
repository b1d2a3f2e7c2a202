"""The scorer of bodies behind prefixes is a naive loop, only faster."""

import numpy as np
import pytest
import torch

from dateline.errors import UserError
from dateline.evaluate import losses as scorer
from dateline.evaluate.documents import Documents
from dateline.evaluate.losses import score_bodies, score_conditions, sum_finite
from dateline.evaluate.protocol import Protocol
from dateline.evaluate.recipe import Perplexity
from dateline.model.load import load_subject

STRICT = Protocol(window=40, prefix_room=8)
PAPER = Protocol(name="paper", truncation=40)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def subject(request):
    return load_subject(request.getfixturevalue(request.param), device="cpu")


@pytest.fixture(scope="module")
def documents():
    """Prefixes of 0 to 8 tokens, bodies of 1 to 150; some end with a chunk, some have an empty prefix."""
    rng = np.random.default_rng(0)
    sizes = [(0, 31), (8, 62), (3, 1), (0, 150), (5, 70), (8, 32), (1, 7)]
    return tuple(
        [rng.integers(3, 280, size).astype(np.int32) for size in several] for several in zip(*sizes, strict=True)
    )


def naive(subject, protocol, prefix, body):
    """One chunk and one token at a time, straight from the definition of the protocol."""
    if protocol.name == "strict":
        size = protocol.window - 1 - protocol.prefix_room
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
    else:
        chunks = [body[: protocol.truncation - 1 - len(prefix)]]
    losses = []
    for chunk in chunks:
        context = [subject.bos, *prefix.tolist()]
        for token in chunk.tolist():
            with torch.no_grad():
                logits = subject.model(torch.tensor([context])).logits[0, -1].double()
            losses.append(-float(logits.log_softmax(-1)[token]))
            context.append(token)
    return losses


@pytest.mark.parametrize("protocol", [STRICT, PAPER], ids=["strict", "paper"])
@pytest.mark.parametrize("batch_tokens", [1, 100, 8192])
def test_losses_are_those_of_a_naive_loop(subject, documents, protocol, batch_tokens):
    found = score_bodies(subject, protocol, *documents, batch_tokens=batch_tokens, precision="float32")
    for prefix, body, losses in zip(*documents, found, strict=True):
        np.testing.assert_allclose(losses, naive(subject, protocol, prefix, body), rtol=1e-4, atol=1e-5)
        assert losses.dtype == np.float32


def test_a_prefix_changes_the_losses_and_not_which_tokens_count(subject, documents):
    prefixes, bodies = documents
    settings = {"batch_tokens": 8192, "precision": "float32"}
    none = score_bodies(subject, STRICT, [prefix[:0] for prefix in prefixes], bodies, **settings)
    gold = score_bodies(subject, STRICT, prefixes, bodies, **settings)
    for prefix, body, one, other in zip(prefixes, bodies, none, gold, strict=True):
        assert len(one) == len(other) == len(body)
        assert np.allclose(one, other, atol=1e-4) == (len(prefix) == 0)


def test_empty_bodies_and_no_bodies_have_no_losses(subject, documents):
    settings = {"batch_tokens": 8192, "precision": "float32"}
    empty = np.zeros(0, dtype=np.int32)
    first, second, third = score_bodies(
        subject, STRICT, [empty] * 3, [documents[1][1], empty, documents[1][2]], **settings
    )
    assert (len(first), len(second), len(third)) == (62, 0, 1)
    assert score_bodies(subject, STRICT, [], [], **settings) == []


def test_bfloat16_is_near_and_not_the_same(subject, documents):
    exact, near = (
        score_bodies(subject, STRICT, *documents, batch_tokens=8192, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    one, other = np.concatenate(exact), np.concatenate(near)
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(one, other, atol=0.3)
    assert one.mean() == pytest.approx(other.mean(), abs=0.02)


def test_progress_is_shown_where_it_has_a_name(subject, documents, capsys):
    for what in ("", "gold"):
        score_bodies(subject, STRICT, *documents, batch_tokens=8192, precision="float32", what=what)
    assert capsys.readouterr().err.count("score ") == 1


def test_a_prefix_without_room_is_refused(subject, documents):
    prefixes, bodies = documents
    with pytest.raises(UserError, match=r"set protocol\.prefix_room to 8 or more"):
        score_bodies(subject, Protocol(window=40, prefix_room=7), prefixes, bodies, batch_tokens=1, precision="float32")


def test_sums_are_in_double_precision():
    (total,) = sum_finite([np.array([1e8, 1, 1, 1], dtype=np.float32)], ["x"], "run", "float32")
    assert total == 1e8 + 3


@pytest.mark.parametrize(
    ("precision", "hint"), [("float32", "the checkpoint holds broken weights"), ("bfloat16", "use float32")]
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_losses_that_are_not_finite_are_named(precision, hint, bad):
    losses = [np.array([1.0], dtype=np.float32), np.array([1.0, bad], dtype=np.float32)]
    message = rf"run 'a' under 'gold': the nll of document y is {bad} \(1 of 2 documents\); {hint}$"
    with pytest.raises(UserError, match=message):
        sum_finite(losses, ["x", "y"], "run 'a' under 'gold'", precision)


def test_what_two_conditions_share_is_scored_once(subject, documents, monkeypatch):
    prefixes, bodies = documents
    sample = Documents([f"d{at}" for at in range(len(bodies))], [], list(bodies), np.zeros(len(bodies)), {}, False)
    other = [prefix[::-1] for prefix in prefixes]  # what reads the same backwards is the same sequence
    conditions = {"gold": prefixes, "wrong": other, "swap": [*prefixes[:3], *other[3:]], "none": [prefixes[0]] * 7}
    options = Perplexity(corpus="", protocol=STRICT, batch_tokens=100)
    scored = []
    real = score_bodies

    def counted(subject, protocol, heads, texts, **more):
        scored.extend((head.tobytes(), text.tobytes()) for head, text in zip(heads, texts, strict=True))
        return real(subject, protocol, heads, texts, **more)

    monkeypatch.setattr(scorer, "score_bodies", counted)
    found = dict(score_conditions(subject, sample, conditions, options, "run"))
    assert len(scored) == len(set(scored))
    assert list(found) == list(conditions)
    for name, heads in conditions.items():
        expected = real(subject, STRICT, heads, bodies, batch_tokens=100, precision="float32")
        assert found[name].num_tokens.tolist() == [len(part) for part in expected]
        np.testing.assert_allclose(found[name].nll, [part.sum() for part in expected], rtol=1e-5, atol=1e-4)
