from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.audit.summary import BYTES_PER_TOKEN, balance, estimated_tokens

HOME = {"ke": "Africa", "ng": "Africa", "gb": "Europe", "my": "Asia"}
SIZES = st.dictionaries(st.sampled_from(sorted(HOME)), st.tuples(st.integers(1, 10**6), st.integers(1, 10**9)))


def test_repeats_are_what_equal_tokens_would_ask_of_each_group() -> None:
    found = balance({"ke": (3, 100), "ng": (1, 100), "gb": (6, 600)}, HOME.__getitem__)
    assert {code: entry["repeats"] for code, entry in found["country"].items()} == pytest.approx(
        {"ke": 800 / 3 / 100, "ng": 800 / 3 / 100, "gb": 800 / 3 / 600}
    )
    assert {name: entry["repeats"] for name, entry in found["continent"].items()} == {
        "Africa": 2.0,
        "Europe": 400 / 600,
    }
    assert found["continent"]["Africa"] == {
        "documents": 4,
        "tokens": round(200 / BYTES_PER_TOKEN),
        "share": 0.25,
        "repeats": 2.0,
    }
    assert found["tokens"] == round(800 / BYTES_PER_TOKEN)
    assert found["bytes_per_token"] == BYTES_PER_TOKEN


def test_an_empty_corpus_and_an_empty_country_divide_by_nothing() -> None:
    assert balance({}, HOME.__getitem__)["tokens"] == 0
    found = balance({"ke": (0, 0), "gb": (1, 44)}, HOME.__getitem__)
    assert found["country"]["ke"] == {"documents": 0, "tokens": 0, "share": 0.0, "repeats": 0.0}
    assert found["country"]["gb"]["share"] == 1


def test_tokens_are_estimated_from_bytes() -> None:
    assert estimated_tokens(round(1_000 * BYTES_PER_TOKEN)) == 1_000
    assert estimated_tokens(0) == 0


@given(SIZES)
def test_shares_are_a_whole_and_equal_draws_use_it_up(sizes: dict[str, tuple[int, int]]) -> None:
    found = balance(sizes, HOME.__getitem__)
    for groups in (found["country"], found["continent"]):
        if groups:
            assert sum(entry["share"] for entry in groups.values()) == pytest.approx(1)
            for entry in groups.values():
                assert entry["share"] * entry["repeats"] == pytest.approx(1 / len(groups))
        assert sum(entry["documents"] for entry in groups.values()) == sum(count for count, _ in sizes.values())
