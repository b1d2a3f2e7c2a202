"""Attention that never crosses documents, through transformers' attention registry.

On CUDA, `varlen_attn` (FlashAttention) reads the boundaries. On the CPU, segments of similar length are laid side by
side, padded, and given to SDPA's causal kernel: the work grows with the documents, not with the row. Generation and
evaluation use transformers' own attention.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

ATTENTION = "dateline_documents"
BLOCK = 64
"""On the CPU, segments whose lengths round up to the same multiple of this share a kernel call."""


class Documents(NamedTuple):
    """Where the segments of a batch are, prepared once and used by every layer."""

    starts: Tensor
    """Cumulative lengths over the flattened batch, int32, shape [num_segments + 1]."""
    longest: int
    groups: tuple[Tensor, ...] = ()
    """CPU only: for each padded length, the tokens of its segments, shape [segments, padded]."""
    order: Tensor | None = None
    """CPU only: for each token, its place in the outputs of all groups one after another, shape [tokens]."""


def locate_documents(segment_lengths: npt.NDArray[np.int32], device: torch.device | str) -> Documents:
    """Prepares boundaries for `document_attention` from the loader's segment lengths."""
    starts = np.concatenate([[0], np.cumsum(segment_lengths)]).astype(np.int32)
    device = torch.device(device)
    longest = int(segment_lengths.max())
    if device.type == "cuda":
        moved = torch.from_numpy(starts).pin_memory().to(device, non_blocking=True)
        return Documents(moved, longest)
    groups = []
    order = np.empty(int(starts[-1]), dtype=np.int64)
    before = 0
    padded = -(-segment_lengths // BLOCK) * BLOCK
    for length in np.unique(padded).tolist():
        members = np.flatnonzero(padded == length)
        inside = np.arange(length)[None, :] < segment_lengths[members][:, None]
        first = starts[members][:, None].astype(np.int64)
        positions = np.where(inside, first + np.arange(length), first)
        order[positions[inside]] = before + np.flatnonzero(inside)
        before += positions.size
        groups.append(torch.from_numpy(positions))
    return Documents(torch.from_numpy(starts), longest, tuple(groups), torch.from_numpy(order))


def document_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    documents: Documents,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention inside each document.

    Args:
        module: the attention layer (unused; the registry passes it).
        query: shape [batch, heads, length, head_dim].
        key: shape [batch, key_value_heads, length, head_dim].
        value: like `key`.
        attention_mask: must be None; boundaries are in `documents`.
        documents: from `locate_documents`.
        scaling: factor on the scores, 1/sqrt(head_dim) if None.
        dropout: share of attention weights set to zero; CPU only, because the CUDA kernel has none.

    Returns:
        The output, shape [batch, length, heads, head_dim], and None for the weights.
    """
    assert attention_mask is None
    batch, heads, length, dim = query.shape
    flat = [x.transpose(1, 2).reshape(batch * length, x.shape[1], dim) for x in (query, key, value)]
    grouped = key.shape[1] != heads
    if query.is_cuda:
        if dropout:
            raise ValueError("model.dropout: the CUDA attention kernel has no dropout; set it to 0")
        q, k, v = (x.to(torch.bfloat16) if x.dtype == torch.float32 else x for x in flat)
        out = flash_attention(q, k, v, documents, scaling)
        return out.to(query.dtype).view(batch, length, heads, dim), None
    assert documents.order is not None
    outputs = []
    for group in documents.groups:
        shape = (*group.shape, -1, dim)
        q, k, v = (_widen(x.index_select(0, group.view(-1)).view(shape).transpose(1, 2)) for x in flat)
        with torch.autocast("cpu", enabled=False):
            attended = functional.scaled_dot_product_attention(
                q, k, v, is_causal=True, scale=scaling, dropout_p=dropout, enable_gqa=grouped
            )
        outputs.append(attended.to(query.dtype).transpose(1, 2).reshape(-1, heads, dim))
    return torch.cat(outputs).index_select(0, documents.order).view(batch, length, heads, dim), None


@cache
def flash_kernel() -> tuple[Callable[..., Any], bool]:
    """Returns `varlen_attn`, and whether it takes fewer heads of keys than of queries: 2.13 does, 2.11 does not.

    Imported where it is used: it loads PyTorch's compiler, 2 s that training on a CPU need not wait for.
    """
    from torch.nn.attention.varlen import varlen_attn

    return varlen_attn, "enable_gqa" in signature(varlen_attn).parameters


def flash_attention(
    query: Tensor, key: Tensor, value: Tensor, documents: Documents, scaling: float | None = None
) -> Tensor:
    """Causal attention inside each document by PyTorch's `varlen_attn`, whose options depend on the version.

    Args:
        query: half-precision, on CUDA, shape [tokens, heads, head_dim].
        key: shape [tokens, key_value_heads, head_dim]; fewer heads are repeated where the kernel cannot share them.
        value: like `key`.
        documents: from `locate_documents`.
        scaling: factor on the scores, 1/sqrt(head_dim) if None.

    Returns:
        The output, shaped like `query`.
    """
    options: dict[str, Any] = {"scale": scaling, "window_size": (-1, 0)}  # causal: any earlier key, none that is later
    kernel, grouped = flash_kernel()
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1 and grouped:
        options["enable_gqa"] = True
    elif repeats > 1:
        key, value = (x.repeat_interleave(repeats, dim=1) for x in (key, value))
    starts, longest = documents.starts, documents.longest
    out = kernel(query, key, value, starts, starts, longest, longest, **options)
    assert isinstance(out, Tensor)
    return out


def _widen(x: Tensor) -> Tensor:
    """Short sequences are several times slower in the CPU's bfloat16 kernel than in its float32 one."""
    return x if x.dtype == torch.float64 else x.float()


def register_attention() -> None:
    """Makes `attn_implementation="dateline_documents"` known to transformers; doing it twice is harmless."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, document_attention)


register_attention()
