from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.audit.summary import FEWEST, MARGIN, NOT_FILTERS, RATIO, uneven_filters

COUNTRIES = tuple(f"c{number:02d}" for number in range(18))
COUNTS = st.dictionaries(
    st.sampled_from(["", *COUNTRIES[:5]]),
    st.tuples(st.integers(0, 400), st.dictionaries(st.sampled_from(["language", "symbols"]), st.integers(0, 400))),
)


def simulated(seed: int, rate: Callable[[str], float], fewest: int = 30) -> list[tuple[str, str]]:
    """The (reason, country) pairs that are named where a filter takes so much of each of 18 countries by chance."""
    chance = np.random.default_rng(seed)
    sizes = {code: int(chance.integers(fewest, 3_000)) for code in COUNTRIES}
    lost = {code: {"language": int(chance.binomial(size, rate(code)))} for code, size in sizes.items()}
    kept = {code: size - lost[code]["language"] for code, size in sizes.items()}
    return [(found["reason"], found["country"]) for found in uneven_filters(kept, lost)]


@pytest.mark.parametrize("share", [0.001, 0.02, 0.05, 0.2])
def test_a_filter_that_is_even_is_hardly_ever_named(share: float) -> None:
    named = [found for seed in range(200) if (found := simulated(seed, lambda _: share))]
    assert len(named) <= 6, f"{len(named)} of 200 even filters"


def test_even_filters_on_small_countries_are_rarely_named() -> None:
    named = 0
    for seed in range(200):
        chance = np.random.default_rng(seed)
        sizes = {code: int(chance.integers(FEWEST, 300)) for code in COUNTRIES}
        lost = {code: {"language": int(chance.binomial(size, 0.02))} for code, size in sizes.items()}
        named += bool(uneven_filters({code: size - lost[code]["language"] for code, size in sizes.items()}, lost))
    assert named <= 8


def test_a_planted_effect_is_found_and_nothing_else() -> None:
    for seed in range(200):
        found = simulated(seed, lambda code: 0.15 if code == "c07" else 0.03, fewest=300)
        assert found == [("language", "c07")], seed


def test_an_entry_says_how_much_and_how_sure() -> None:
    [found] = uneven_filters(
        {"ke": 80, "gb": 990}, {"ke": {"language": 20}, "gb": {"language": 10}, "": {"language": 9}}
    )
    assert (found["reason"], found["country"], found["dropped"], found["in"]) == ("language", "ke", 20, 100)
    assert found["share"] == pytest.approx(0.2)
    assert found["elsewhere"] == pytest.approx(0.01)
    assert found["low"] == pytest.approx(0.133, abs=0.001)
    assert found["high"] == pytest.approx(0.289, abs=0.001)


def test_the_largest_difference_comes_first() -> None:
    lost = {"ke": {"symbols": 20, "language": 5}, "gb": {"symbols": 0}, "my": {"language": 50}}
    found = uneven_filters({"ke": 75, "gb": 5_000, "my": 50}, lost)
    assert [(entry["reason"], entry["country"]) for entry in found] == [("language", "my"), ("symbols", "ke")]


@pytest.mark.parametrize("reason", NOT_FILTERS)
def test_what_is_no_filter_is_not_named(reason: str) -> None:
    assert uneven_filters({"ke": 50, "gb": 1000}, {"ke": {reason: 50}}) == []
    assert len(uneven_filters({"ke": 50, "gb": 1000}, {"ke": {"too short": 50}})) == 1


def test_nothing_is_said_about_few_documents_or_without_others_to_compare_with() -> None:
    assert uneven_filters({"ke": 9, "gb": 1000}, {"ke": {"too short": FEWEST - 10}}) == []
    assert len(uneven_filters({"ke": 10, "gb": 1000}, {"ke": {"too short": FEWEST - 10}})) == 1
    assert uneven_filters({"ke": 500}, {"ke": {"too short": 500}}) == []
    assert uneven_filters({}, {}) == []


@given(COUNTS)
def test_whoever_is_named_lies_clearly_above_the_others(counts: dict[str, tuple[int, dict[str, int]]]) -> None:
    kept = {code: number for code, (number, _) in counts.items()}
    dropped = {code: reasons for code, (_, reasons) in counts.items()}
    for entry in uneven_filters(kept, dropped):
        own = counts[entry["country"]]
        others = [found for code, found in counts.items() if code not in ("", entry["country"])]
        assert entry["in"] == own[0] + sum(own[1].values()) >= FEWEST
        lost = sum(found[1].get(entry["reason"], 0) for found in others)
        assert entry["elsewhere"] == pytest.approx(lost / sum(number + sum(r.values()) for number, r in others))
        assert 0 <= entry["low"] <= entry["share"] <= entry["high"] <= 1
        assert entry["share"] > max(entry["elsewhere"] + MARGIN, RATIO * entry["elsewhere"])


def test_a_rare_filter_that_takes_a_small_country_is_named() -> None:
    found = uneven_filters({"ph": 274, "us": 18_274}, {"ph": {"language": 6}, "us": {"language": 3}})
    assert [(entry["country"], entry["reason"], entry["dropped"]) for entry in found] == [("ph", "language", 6)]
