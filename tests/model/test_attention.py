"""A document packed among others is computed as if it were alone."""

from inspect import signature

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from dateline.model import attention
from dateline.model.attention import (
    ATTENTION,
    BLOCK,
    document_attention,
    flash_attention,
    locate_documents,
    register_attention,
)


def lengths_of(rows):
    return np.array([length for row in rows for length in row], dtype=np.int32)


def positions_of(rows):
    return torch.stack([torch.cat([torch.arange(length) for length in row]) for row in rows])


def forward(model, ids, positions, segment_lengths):
    model.set_attn_implementation(ATTENTION)
    try:
        documents = locate_documents(segment_lengths, "cpu")
        return model(input_ids=ids, position_ids=positions, documents=documents, use_cache=False).logits
    finally:
        model.set_attn_implementation("sdpa")


def random_ids(rows, length, seed=0):
    return torch.randint(3, 60, (rows, length), generator=torch.Generator().manual_seed(seed))


def block_mask(rows):
    """True where a query (row of the matrix) may look at a key: same document, not later."""
    length = sum(rows[0])
    document = torch.stack([torch.repeat_interleave(torch.arange(len(row)), torch.tensor(row)) for row in rows])
    same = document[:, :, None] == document[:, None, :]
    return (same & torch.ones(length, length).tril().bool())[:, None]


@st.composite
def packed_rows(draw):
    """One to three rows of the same length, cut at random; the last segment of a row may stand for padding."""
    length = draw(st.integers(2, 3 * BLOCK))
    cut = st.sets(st.integers(1, length - 1), max_size=6)
    cuts = draw(st.lists(cut, min_size=1, max_size=3))
    return [np.diff([0, *sorted(inner), length]).tolist() for inner in cuts]


@settings(max_examples=25, deadline=None)
@given(rows=packed_rows(), seed=st.integers(0, 99))
def test_a_document_among_others_has_the_logits_of_the_document_alone(llama, rows, seed):
    ids = random_ids(len(rows), sum(rows[0]), seed)
    with torch.no_grad():
        packed = forward(llama, ids, positions_of(rows), lengths_of(rows))
        for number, row in enumerate(rows):
            start = 0
            for length in row:
                alone = llama(input_ids=ids[number : number + 1, start : start + length], use_cache=False).logits
                torch.testing.assert_close(packed[number, start : start + length], alone[0], rtol=1e-5, atol=2e-5)
                start += length


def test_one_document_is_transformers_own_causal_attention(llama):
    ids = random_ids(1, 2 * BLOCK + 5)
    own = llama(input_ids=ids, use_cache=False).logits
    ours = forward(llama, ids, torch.arange(ids.shape[1])[None], np.array([ids.shape[1]], dtype=np.int32))
    torch.testing.assert_close(ours, own, rtol=1e-5, atol=1e-5)


def test_padding_changes_nothing_before_it(llama):
    rows = [[20, 13, 7], [40]]
    ids = random_ids(2, 40)
    with torch.no_grad():
        before = forward(llama, ids, positions_of(rows), lengths_of(rows))
        ids[0, 33:] = 2
        after = forward(llama, ids, positions_of(rows), lengths_of(rows))
    assert torch.equal(before[0, :33], after[0, :33])
    assert torch.equal(before[1], after[1])


def test_a_token_reaches_later_tokens_of_its_document_only(llama):
    rows = [[9, 11, 4]]
    ids = random_ids(1, 24)
    changed = ids.clone()
    changed[0, 12] = ids[0, 12] % 50 + 5
    with torch.no_grad():
        one, two = (forward(llama, x, positions_of(rows), lengths_of(rows))[0] for x in (ids, changed))
    differs = (one != two).any(-1)
    assert differs.nonzero().squeeze(1).tolist() == list(range(12, 20))


@pytest.mark.parametrize("key_value_heads", [1, 2, 4])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_values_and_gradients_are_those_of_sdpa_with_a_block_mask(key_value_heads, scaling):
    rows = [[31, 1, 32, 33, 3], [70, 28, 2]]
    generator = torch.Generator().manual_seed(1)

    def draw(heads):
        return torch.randn(2, heads, 100, 8, dtype=torch.float64, generator=generator).requires_grad_()

    query, key, value = draw(4), draw(key_value_heads), draw(key_value_heads)
    weights = torch.randn(2, 100, 4, 8, dtype=torch.float64, generator=generator)
    documents = locate_documents(lengths_of(rows), "cpu")
    ours, none = document_attention(torch.nn.Identity(), query, key, value, None, documents=documents, scaling=scaling)
    assert none is None
    theirs = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=block_mask(rows), scale=scaling, enable_gqa=True
    ).transpose(1, 2)
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    gradients = [torch.autograd.grad((x * weights).sum(), (query, key, value)) for x in (ours, theirs)]
    for mine, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-10)


def test_low_precision_goes_in_and_comes_out():
    rows = [[10, 22]]
    generator = torch.Generator().manual_seed(2)
    query, key, value = (torch.randn(1, 2, 32, 8, generator=generator) for _ in range(3))
    documents = locate_documents(lengths_of(rows), "cpu")
    exact, _ = document_attention(torch.nn.Identity(), query, key, value, None, documents=documents)
    low = [x.bfloat16() for x in (query, key, value)]
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = document_attention(torch.nn.Identity(), *low, None, documents=documents)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, rtol=0.03, atol=0.03)


def test_dropout_is_applied():
    value = torch.ones(1, 2, 64, 8)
    documents = locate_documents(np.array([64], dtype=np.int32), "cpu")
    torch.manual_seed(0)
    dropped, _ = document_attention(torch.nn.Identity(), value, value, value, None, documents=documents, dropout=0.5)
    whole, _ = document_attention(torch.nn.Identity(), value, value, value, None, documents=documents)
    torch.testing.assert_close(whole, torch.ones_like(whole))
    assert 0.1 < float((dropped - 1).abs().mean()) < 1.0


def test_locate_documents():
    documents = locate_documents(np.array([3, BLOCK + 8, 5, BLOCK], dtype=np.int32), "cpu")
    assert documents.starts.tolist() == [0, 3, BLOCK + 11, BLOCK + 16, 2 * BLOCK + 16]
    assert documents.starts.dtype == torch.int32
    assert documents.longest == BLOCK + 8
    assert [tuple(group.shape) for group in documents.groups] == [(3, BLOCK), (1, 2 * BLOCK)]


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=40))
def test_every_token_is_located_exactly_once(lengths):
    documents = locate_documents(np.array(lengths, dtype=np.int32), "cpu")
    assert documents.order is not None
    laid_out = torch.cat([group.view(-1) for group in documents.groups])
    assert torch.equal(laid_out[documents.order], torch.arange(sum(lengths)))
    padded = sum(group.numel() for group in documents.groups)
    assert padded < sum(lengths) + BLOCK * len(lengths)


def test_registered_with_transformers_once_or_twice():
    register_attention()
    assert ALL_ATTENTION_FUNCTIONS[ATTENTION] is document_attention


def varlen_attn_2_11(
    query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None, window_size=(-1, -1)
):
    """Has the arguments of PyTorch 2.11, which knows no shared heads, and computes one document after another."""
    assert query.shape == key.shape == value.shape
    assert max_q == max_k == int(cu_seq_q.diff().max())
    assert window_size == (-1, 0)
    assert return_aux is None
    documents = []
    for start, end in zip(cu_seq_q.tolist(), cu_seq_k.tolist()[1:], strict=False):
        q, k, v = (x[start:end].transpose(0, 1)[None] for x in (query, key, value))
        documents.append(
            functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)[0].transpose(0, 1)
        )
    return torch.cat(documents)


def varlen_attn_2_13(
    query,
    key,
    value,
    cu_seq_q,
    cu_seq_k,
    max_q,
    max_k,
    *,
    return_aux=None,
    scale=None,
    window_size=(-1, -1),
    enable_gqa=False,
    seqused_k=None,
    block_table=None,
    num_splits=None,
):
    """Has the arguments of PyTorch 2.13, and refuses what that refuses."""
    assert enable_gqa or query.shape == key.shape
    assert seqused_k is block_table is num_splits is None
    wide = [x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value)]
    return varlen_attn_2_11(
        query, *wide, cu_seq_q, cu_seq_k, max_q, max_k, return_aux=return_aux, scale=scale, window_size=window_size
    )


@pytest.mark.parametrize("key_value_heads", [1, 2, 4])
@pytest.mark.parametrize("kernel", [varlen_attn_2_11, varlen_attn_2_13])
def test_the_kernel_of_each_pytorch_gets_what_it_takes(kernel, key_value_heads, monkeypatch):
    grouped = "enable_gqa" in signature(kernel).parameters
    monkeypatch.setattr(attention, "flash_kernel", lambda: (kernel, grouped))
    lengths = np.array([70, 1, 29], dtype=np.int32)
    documents = locate_documents(lengths, "cpu")
    generator = torch.Generator().manual_seed(5)
    shapes = [(1, heads, 100, 16) for heads in (4, key_value_heads, key_value_heads)]
    inputs = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    found = flash_attention(*(x[0].transpose(0, 1) for x in inputs), documents, scaling=0.3)
    wanted, _ = document_attention(torch.nn.Identity(), *inputs, None, documents=documents, scaling=0.3)
    torch.testing.assert_close(found, wanted[0])
    weights = torch.randn(found.shape, generator=generator)
    gradients = [torch.autograd.grad((out * weights).sum(), inputs) for out in (found, wanted[0])]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_the_recorded_arguments_are_those_of_the_installed_pytorch():
    kernel, grouped = attention.flash_kernel()
    recorded = varlen_attn_2_13 if grouped else varlen_attn_2_11
    installed = signature(kernel).parameters
    for name, parameter in signature(recorded).parameters.items():
        assert installed[name].kind == parameter.kind
        assert installed[name].default == parameter.default


@pytest.mark.parametrize("key_value_heads", [1, 2, 4])
def test_the_kernel_of_the_installed_pytorch_takes_our_call_forward_and_backward(key_value_heads):
    """On tensors without numbers, as torch.compile uses: the operation checks its arguments and gives shapes."""
    inputs = [
        torch.empty(700, heads, 64, dtype=torch.bfloat16, device="meta", requires_grad=True)
        for heads in (4, key_value_heads, key_value_heads)
    ]
    documents = attention.Documents(torch.empty(9, dtype=torch.int32, device="meta"), 256)
    out = flash_attention(*inputs, documents, scaling=0.1)
    assert out.shape == (700, 4, 64)
    out.sum().backward()
    assert [x.grad.shape for x in inputs] == [x.shape for x in inputs]


@pytest.mark.cuda
@pytest.mark.parametrize("key_value_heads", [2, 4])
def test_cuda_agrees_with_the_cpu(key_value_heads):
    rows = [[100, 1, 155], [256], [31, 97, 64, 64]]
    generator = torch.Generator().manual_seed(3)

    def draw(heads):
        return torch.randn(3, heads, 256, 64, generator=generator).bfloat16()

    inputs = [draw(4), draw(key_value_heads), draw(key_value_heads)]
    weights = torch.randn(3, 256, 4, 64, generator=generator)
    results = []
    for device in ("cpu", "cuda"):
        moved = [x.detach().to(device).requires_grad_() for x in inputs]
        documents = locate_documents(lengths_of(rows), device)
        out, _ = document_attention(torch.nn.Identity(), *moved, None, documents=documents, scaling=0.125)
        assert out.dtype == torch.bfloat16
        assert out.shape == (3, 256, 4, 64)
        gradients = torch.autograd.grad((out.float() * weights.to(device)).sum(), moved)
        results.append([x.float().cpu() for x in (out, *gradients)])
    for cpu, cuda in zip(*results, strict=True):
        torch.testing.assert_close(cuda, cpu, rtol=0.03, atol=0.03)


@pytest.mark.cuda
def test_cuda_refuses_dropout():
    x = torch.zeros(1, 1, 8, 16, device="cuda", dtype=torch.bfloat16)
    documents = locate_documents(np.array([8], dtype=np.int32), "cuda")
    with pytest.raises(ValueError, match=r"model\.dropout: the CUDA attention kernel has no dropout"):
        document_attention(torch.nn.Identity(), x, x, x, None, documents=documents, dropout=0.1)
