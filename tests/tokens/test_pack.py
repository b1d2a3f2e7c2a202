import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.tokens.pack import best_fit_decreasing, pack, split_into_chunks


@st.composite
def documents(draw):
    """(body lengths, prefix lengths, row length), with prefixes up to half a row and lengths near its multiples."""
    length = draw(st.integers(8, 70))
    prefixes = draw(st.lists(st.integers(0, length // 2), max_size=12))
    room = [length - 1 - prefix for prefix in prefixes]
    bodies = [
        draw(
            st.integers(1, 300) | st.builds(lambda n, d, r=r: max(1, n * r + d), st.integers(1, 5), st.integers(-2, 2))
        )
        for r in room
    ]
    return np.array(bodies, dtype=np.int64), np.array(prefixes, dtype=np.int64), length


@given(documents())
def test_chunks_hold_every_token_once_in_order_and_end_each_document_once(case):
    bodies, prefixes, length = case
    chunks = split_into_chunks(bodies, prefixes, length)
    assert chunks.document.tolist() == sorted(chunks.document.tolist())
    assert (chunks.length >= 1).all()
    assert (chunks.size == 1 + prefixes[chunks.document] + chunks.length + chunks.is_last).all()
    assert (chunks.size <= length).all()
    for document, body in enumerate(bodies):
        mine = chunks.document == document
        read = [
            token for s, n in zip(chunks.start[mine], chunks.length[mine], strict=True) for token in range(s, s + n)
        ]
        assert read == list(range(body))
        assert chunks.is_last[mine].tolist() == [False] * (mine.sum() - 1) + [True]
        # no more chunks than needed, and all but the last two are full
        assert mine.sum() == -(-(body + 1) // (length - 1 - prefixes[document]))
        assert (chunks.size[mine][:-2] == length).all()
        assert (chunks.size[mine][:-1] >= length - 1).all()


def test_a_body_that_ends_with_the_row_takes_a_token_along_for_eos():
    chunks = split_into_chunks(np.array([14]), np.array([0]), 8)
    assert chunks.start.tolist() == [0, 7, 13]
    assert chunks.length.tolist() == [7, 6, 1]
    assert chunks.is_last.tolist() == [False, False, True]
    assert chunks.size.tolist() == [8, 7, 3]


def test_what_the_planner_must_not_ask_is_refused():
    with pytest.raises(AssertionError, match="capped at half"):
        split_into_chunks(np.array([5]), np.array([7]), 8)
    with pytest.raises(AssertionError, match="without tokens"):
        split_into_chunks(np.array([5, 0]), np.array([0, 0]), 8)


def naive_best_fit_decreasing(sizes, capacity):
    rooms = []
    for size in sorted(sizes, reverse=True):
        fitting = [room for room in rooms if room >= size]
        if fitting:
            rooms[rooms.index(min(fitting))] -= size
        else:
            rooms.append(capacity - size)
    return sorted(rooms)


items = st.integers(1, 60).flatmap(
    lambda capacity: st.tuples(st.lists(st.integers(1, capacity), max_size=60), st.just(capacity))
)


@given(items)
def test_bins_are_those_of_best_fit_decreasing(case):
    sizes, capacity = np.array(case[0], dtype=np.int64), case[1]
    bins = best_fit_decreasing(sizes, capacity)
    assert bins.shape == sizes.shape
    fills = np.bincount(bins, weights=sizes).astype(int)
    assert sorted(capacity - fills) == naive_best_fit_decreasing(case[0], capacity)
    assert (fills <= capacity).all()
    assert (fills >= 1).all(), "bins are numbered without gaps"
    assert len(fills) >= -(-int(sizes.sum()) // capacity)
    assert len(fills) < 2 or sum(sorted(fills)[:2]) > capacity, "no two bins could have been one"
    assert best_fit_decreasing(sizes.copy(), capacity).tolist() == bins.tolist()


def test_an_item_larger_than_a_bin_is_a_bug_of_the_caller():
    with pytest.raises(AssertionError):
        best_fit_decreasing(np.array([9]), 8)


@given(documents(), st.integers(0, 2**32))
def test_rows_hold_every_chunk_once_and_never_too_much(case, seed):
    bodies, prefixes, length = case
    chunks = split_into_chunks(bodies, prefixes, length)
    keys = np.random.default_rng(seed).random(len(chunks.size))
    plain, shuffled = pack(chunks, length), pack(chunks, length, keys)

    def rows(packed):
        return [
            tuple(packed.chunk_order[a:b].tolist()) for a, b in zip(packed.offsets, packed.offsets[1:], strict=False)
        ]

    assert sorted(plain.chunk_order.tolist()) == list(range(len(chunks.size)))
    assert plain.num_rows == len(rows(plain))
    assert all(0 < chunks.size[list(row)].sum() <= length for row in rows(plain))
    assert sorted(rows(plain)) == sorted(rows(shuffled)), "keys change the order of rows and nothing else"
    by_key = np.argsort(keys[: plain.num_rows], kind="stable")
    assert rows(shuffled) == [rows(plain)[row] for row in by_key]


def test_nothing_packs_into_no_rows():
    none = np.zeros(0, dtype=np.int64)
    assert pack(split_into_chunks(none, none, 16), 16, np.zeros(0)).num_rows == 0


@pytest.mark.parametrize("prefix", [0, 20])
def test_fill_is_at_least_99_5_percent_at_2048_on_lengths_like_those_of_news(prefix):
    rng = np.random.default_rng(0)
    lengths = np.maximum(1, rng.lognormal(np.log(500), 0.7, 100_000)).astype(np.int64)
    window_of = np.cumsum(lengths) // (4096 * 2048)
    used = rows = 0
    for window in range(int(window_of[-1])):  # the last one is not full
        mine = lengths[window_of == window]
        packed = pack(split_into_chunks(mine, np.full(len(mine), prefix), 2048), 2048)
        used += int(packed.chunks.size.sum())
        rows += packed.num_rows
        assert packed.chunks.length.sum() == mine.sum()
    assert used / (rows * 2048) >= 0.995
