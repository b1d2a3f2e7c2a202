"""Cross-entropy straight from hidden states, a few rows of logits at a time.

With a vocabulary of 128,256 the float32 logits of one row of 2,048 tokens take 1 GB; on a CPU a chunk takes an eighth
of it. On CUDA a chunk takes 512 MiB: each reads and writes the whole gradient of the embedding (1 GB for the 1 B
model), so that few and large ones cost least there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_BYTES = 4 * 2**20
"""Float32 logits that exist at a time: small enough for a CPU's cache, which makes the loss twice as fast there."""
CUDA_CHUNK_BYTES = 2**29
"""The same on CUDA: about 1,000 positions at a vocabulary of 128,256."""
PRODUCT_BYTES = 2**26
"""Part of the embedding's gradient that is computed at a time: a temporary copy that must stay small beside logits."""
MIN_ROWS = 256
"""Positions that share a chunk whatever the vocabulary, so that matrix products stay large."""
IGNORED = -100


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes loss and gradients in one pass over the chunks, so that backward has nothing left but a product."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        needs_grad = any(ctx.needs_input_grad)
        grad_hidden = torch.empty_like(hidden) if needs_grad else None
        accumulate = torch.float64 if weight.dtype == torch.float64 else torch.float32
        grad_weight = torch.zeros_like(weight, dtype=accumulate) if needs_grad else None
        compute = weight.to(hidden.dtype)
        loss = torch.zeros((), dtype=accumulate, device=hidden.device)
        step = chunk_rows(weight.shape[0], hidden.device.type)
        for start in range(0, hidden.shape[0], step):
            rows = slice(start, start + step)
            known, others, low = _chunk(hidden[rows] @ compute.T, labels[rows, None], accumulate)
            loss += known
            loss += others
            if grad_hidden is not None and grad_weight is not None:
                torch.mm(low, compute, out=grad_hidden[rows])
                _add_product(grad_weight, low, hidden[rows])
        ctx.save_for_backward(grad_hidden, None if grad_weight is None else grad_weight.to(weight.dtype))
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        factor = grads[0]
        # in place: a copy of the embedding's gradient would be the largest tensor of all
        return grad_hidden.mul_(factor.to(grad_hidden.dtype)), grad_weight.mul_(factor.to(grad_weight.dtype)), None


def _chunk(product: Tensor, target: Tensor, accumulate: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the loss of a chunk in two parts, and its gradient by the logits in the format of the product.

    Args:
        product: logits as the matrix product gives them, shape [positions, vocab_size].
        target: labels, shape [positions, 1].
        accumulate: format of exponentials and sums.
    """
    logits = product.to(accumulate)
    largest = logits.amax(-1, keepdim=True)
    known = (largest - logits.gather(1, target)).sum()
    total = logits.sub_(largest).exp_().sum(-1, keepdim=True)
    others = total.log().sum()
    gradient = logits.div_(total)
    gradient.scatter_add_(1, target, torch.full_like(target, -1, dtype=accumulate))
    return known, others, gradient.to(product.dtype)


def _add_product(total: Tensor, grad_logits: Tensor, hidden: Tensor) -> None:
    """Adds `grad_logits.T @ hidden` to `total`, some rows of the vocabulary at a time.

    Args:
        total: shape [vocab_size, hidden_size].
        grad_logits: shape [positions, vocab_size].
        hidden: shape [positions, hidden_size].
    """
    step = max(1, PRODUCT_BYTES // (hidden.shape[1] * hidden.element_size()))
    for start in range(0, total.shape[0], step):
        part = slice(start, start + step)
        total[part] += grad_logits[:, part].T @ hidden


def chunk_rows(vocab_size: int, device: str = "cpu") -> int:
    """Returns how many positions share a chunk of logits on a type of device."""
    return max(MIN_ROWS, (CUDA_CHUNK_BYTES if device == "cuda" else CHUNK_BYTES) // (4 * vocab_size))


def cross_entropy_sum(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """Returns the sum of -log p(label) over all positions whose label is not -100, in nats.

    Args:
        hidden: last hidden states, shape [..., hidden_size].
        weight: output embedding, shape [vocab_size, hidden_size].
        labels: next tokens, already shifted, shape [...].
    """
    labels = labels.reshape(-1)
    scored = torch.nonzero(labels != IGNORED).squeeze(1)
    flat = hidden.reshape(-1, hidden.shape[-1]).index_select(0, scored)
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        flat = flat.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        result: Tensor = _LinearCrossEntropy.apply(flat, weight, labels[scored])  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def token_losses(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """Returns -log p(label) for each position in float32 nats; for evaluation.

    Args:
        hidden: hidden states of the scored positions only, shape [positions, hidden_size].
        weight: output embedding, shape [vocab_size, hidden_size].
        labels: next tokens, shape [positions].
    """
    losses = []
    compute = weight.to(hidden.dtype)
    step = chunk_rows(weight.shape[0], hidden.device.type)
    for start in range(0, hidden.shape[0], step):
        rows = slice(start, start + step)
        logits = (hidden[rows] @ compute.T).float()
        losses.append(logits.logsumexp(-1) - logits.gather(1, labels[rows, None]).squeeze(1))
    return torch.cat(losses) if losses else hidden.new_zeros(0, dtype=torch.float32)
