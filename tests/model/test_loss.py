"""The chunked loss is torch's cross-entropy, in value, gradient and everything but memory."""

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from dateline.model import loss as module
from dateline.model.loss import IGNORED, chunk_rows, cross_entropy_sum, token_losses

VOCABULARY = 50


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 0)
    monkeypatch.setattr(module, "MIN_ROWS", 16)
    assert chunk_rows(VOCABULARY) == 16


def problem(shape=(3, 25), hidden_size=12, dtype=torch.float64, ignored=0.3, scale=1.0):
    generator = torch.Generator().manual_seed(4)
    hidden = (scale * torch.randn(*shape, hidden_size, dtype=dtype, generator=generator)).requires_grad_()
    weight = torch.randn(VOCABULARY, hidden_size, dtype=dtype, generator=generator).requires_grad_()
    labels = torch.randint(0, VOCABULARY, shape, generator=generator)
    labels[torch.rand(shape, generator=generator) < ignored] = IGNORED
    return hidden, weight, labels


def reference(hidden, weight, labels):
    logits = (hidden @ weight.T).flatten(0, -2)
    return functional.cross_entropy(logits, labels.flatten(), ignore_index=IGNORED, reduction="sum")


class Largest(TorchDispatchMode):
    """Remembers the most elements that any operation gave back, and the memory of all results of one shape's size."""

    def __init__(self, watched=0):
        super().__init__()
        self.numel, self.watched, self.places = 0, watched, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
                if tensor.numel() == self.watched:
                    self.places.add(tensor.untyped_storage().data_ptr())
        return result


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("ignored", [0.0, 0.3, 0.97])
@pytest.mark.parametrize("shape", [(16,), (75,), (3, 25), (2, 3, 17)])
def test_value_and_gradients_are_torchs_own(shape, ignored):
    hidden, weight, labels = problem(shape, ignored=ignored)
    ours, theirs = cross_entropy_sum(hidden, weight, labels), reference(hidden, weight, labels)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    gradients = [torch.autograd.grad(1.7 * value, (hidden, weight)) for value in (ours, theirs)]
    for mine, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("product_bytes", [1, 3 * 8 * 7, 2**26])
def test_gradients_are_finite_differences(monkeypatch, product_bytes):
    monkeypatch.setattr(module, "PRODUCT_BYTES", product_bytes)
    hidden, weight, labels = problem((20,), hidden_size=3, ignored=0.1)
    gradients = torch.autograd.grad(cross_entropy_sum(hidden, weight, labels), (hidden, weight))
    generator = torch.Generator().manual_seed(5)
    for _ in range(10):
        steps = [1e-5 * torch.randn(x.shape, dtype=x.dtype, generator=generator) for x in (hidden, weight)]
        with torch.no_grad():
            higher = cross_entropy_sum(hidden + steps[0], weight + steps[1], labels)
            lower = cross_entropy_sum(hidden - steps[0], weight - steps[1], labels)
        slope = sum((gradient * step).sum() for gradient, step in zip(gradients, steps, strict=True))
        torch.testing.assert_close(slope, (higher - lower) / 2, rtol=1e-6, atol=1e-12)


def test_a_second_backward_pass_is_refused_rather_than_wrong():
    hidden, weight, labels = problem()
    loss = cross_entropy_sum(hidden, weight, labels)
    torch.autograd.grad(2 * loss, weight, retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(2 * loss, weight)


def test_number_of_chunks_does_not_matter(monkeypatch):
    hidden, weight, labels = problem((200,))
    whole = cross_entropy_sum(hidden, weight, labels)
    monkeypatch.setattr(module, "MIN_ROWS", 16)
    monkeypatch.setattr(module, "CHUNK_BYTES", 4 * VOCABULARY * 33)
    assert chunk_rows(VOCABULARY) == 33
    torch.testing.assert_close(cross_entropy_sum(hidden, weight, labels), whole, rtol=1e-12, atol=0)


def test_without_labels_the_loss_is_zero_and_so_are_the_gradients():
    hidden, weight, labels = problem()
    labels[:] = IGNORED
    loss = cross_entropy_sum(hidden, weight, labels)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(hidden.grad, torch.zeros_like(hidden))
    assert torch.equal(weight.grad, torch.zeros_like(weight))


def test_ignored_positions_may_hold_anything():
    hidden, weight, labels = problem()
    expected = cross_entropy_sum(hidden, weight, labels).detach()
    with torch.no_grad():
        hidden[labels == IGNORED] = float("nan")
    loss = cross_entropy_sum(hidden, weight, labels)
    loss.backward()
    assert loss == expected
    assert torch.equal(hidden.grad[labels == IGNORED], torch.zeros_like(hidden[labels == IGNORED]))
    assert weight.grad.isfinite().all()


def test_large_logits_do_not_overflow():
    hidden, weight, labels = problem(dtype=torch.float32, scale=1e4)
    loss = cross_entropy_sum(hidden, weight, labels)
    loss.backward()
    torch.testing.assert_close(loss, reference(hidden, weight, labels), rtol=1e-5, atol=0)
    assert hidden.grad.isfinite().all()


@pytest.mark.parametrize("frozen", ["hidden", "weight"])
def test_one_of_the_two_may_be_frozen(frozen):
    hidden, weight, labels = problem()
    ours = cross_entropy_sum(hidden, weight, labels)
    expected = torch.autograd.grad(ours, (hidden, weight))
    (hidden if frozen == "hidden" else weight).requires_grad_(False)
    cross_entropy_sum(hidden, weight, labels).backward()
    left, wanted = (weight, expected[1]) if frozen == "hidden" else (hidden, expected[0])
    torch.testing.assert_close(left.grad, wanted)


def test_second_derivatives_are_refused_rather_than_wrong():
    hidden, weight, labels = problem()
    (gradient,) = torch.autograd.grad(cross_entropy_sum(hidden, weight, labels) ** 2, hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_autocast_multiplies_in_bfloat16_and_keeps_float32_gradients():
    hidden, weight, labels = problem((4, 64), hidden_size=32, dtype=torch.float32)
    exact = torch.autograd.grad(reference(hidden, weight, labels), (hidden, weight))
    with torch.autocast("cpu", torch.bfloat16):
        loss = cross_entropy_sum(hidden, weight, labels)
    rough = torch.autograd.grad(loss, (hidden, weight))
    assert loss.dtype == torch.float32
    assert loss.item() != reference(hidden, weight, labels).item()  # otherwise nothing was rounded
    torch.testing.assert_close(loss, reference(hidden, weight, labels), rtol=5e-3, atol=0)
    for mine, expected in zip(rough, exact, strict=True):
        assert mine.dtype == torch.float32
        assert float((mine - expected).norm() / expected.norm()) < 0.02


@pytest.mark.usefixtures("small_chunks")
def test_logits_never_exist_all_at_once():
    hidden, weight, labels = problem((40, 10), ignored=0.0)
    with Largest() as largest:
        cross_entropy_sum(hidden, weight, labels).backward()
    biggest_input = max(hidden.numel(), weight.numel())
    assert largest.numel == max(chunk_rows(VOCABULARY) * VOCABULARY, biggest_input) < 400 * VOCABULARY
    with Largest() as naive:
        reference(hidden, weight, labels).backward()
    assert naive.numel == 400 * VOCABULARY  # the measure sees what it is meant to see


def test_a_chunk_keeps_to_its_bytes_or_to_the_fewest_rows():
    assert 4 * 512 * chunk_rows(512) <= module.CHUNK_BYTES < 4 * 512 * (chunk_rows(512) + 1)
    assert chunk_rows(10**9) == module.MIN_ROWS


def test_logits_of_a_row_of_the_paper_are_never_whole():
    assert chunk_rows(128_256) <= 2048 // 8
    assert 4 * 128_256 * chunk_rows(128_256, "cuda") <= module.CUDA_CHUNK_BYTES


@pytest.mark.usefixtures("small_chunks")
def test_the_embeddings_gradient_has_no_second_copy(monkeypatch):
    """The largest results are the gradients themselves; the product that is added to one comes in parts."""
    monkeypatch.setattr(module, "PRODUCT_BYTES", 8 * 96 * 5)
    hidden, weight, labels = problem((16,), hidden_size=96, ignored=0.0)
    with Largest(watched=weight.numel()) as seen:
        cross_entropy_sum(hidden, weight, labels).backward()
    assert seen.places == {weight.data_ptr(), weight.grad.data_ptr()}


@pytest.mark.usefixtures("small_chunks")
def test_token_losses_are_torchs_own():
    hidden, weight, labels = problem((75,), dtype=torch.float32, ignored=0.0)
    losses = token_losses(hidden, weight, labels)
    expected = functional.cross_entropy(hidden @ weight.T, labels, reduction="none")
    torch.testing.assert_close(losses, expected.detach(), rtol=1e-5, atol=1e-5)
    assert not losses.requires_grad


def test_token_losses_of_nothing():
    losses = token_losses(torch.zeros(0, 12), torch.zeros(VOCABULARY, 12), torch.zeros(0, dtype=torch.long))
    assert losses.shape == (0,)
    assert losses.dtype == torch.float32
