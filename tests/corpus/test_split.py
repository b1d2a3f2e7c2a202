from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.duplicates import text_key
from dateline.corpus.split import split_of

from .helpers import recipe

KEYS = st.integers(min_value=0, max_value=2**64 - 1)
PLAIN = recipe("x.jsonl")


def test_shares_are_met() -> None:
    shares = recipe("x.jsonl", splits={"train": 0.7, "validation": 0.1, "test": 0.2})
    found = Counter(split_of(shares, key=text_key(str(n)), country="", domain="", date="") for n in range(20_000))
    assert found["train"] / 20_000 == pytest.approx(0.7, abs=0.015)
    assert found["validation"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert found["test"] / 20_000 == pytest.approx(0.2, abs=0.015)


@given(KEYS, st.sampled_from(["", "ke", "gb"]), st.sampled_from(["", "bbc.co.uk"]), st.sampled_from(["", "2020-01-01"]))
def test_without_holdouts_only_the_words_decide(key: int, country: str, domain: str, date: str) -> None:
    split = split_of(PLAIN, key=key, country=country, domain=domain, date=date)
    assert split == split_of(PLAIN, key=key, country="", domain="", date="")


@given(KEYS)
def test_a_larger_training_share_takes_no_document_out_of_training(key: int) -> None:
    more = recipe("x.jsonl", splits={"train": 0.95, "validation": 0.03, "test": 0.02})
    if split_of(PLAIN, key=key, country="", domain="", date="") == "train":
        assert split_of(more, key=key, country="", domain="", date="") == "train"


@given(KEYS)
def test_what_is_held_out_is_all_in_test(key: int) -> None:
    all_train = {"train": 1, "validation": 0, "test": 0}
    held = recipe(
        "x.jsonl",
        splits=all_train,
        held_out=["uk"],
        held_out_outlets=["https://www.nation.africa/"],
        test_from="2023-01-01",
    )

    def go(country: str = "ke", domain: str = "x.ke", date: str = "2022-12-31") -> str:
        return split_of(held, key=key, country=country, domain=domain, date=date)

    assert go() == "train"
    assert go(country="gb") == "test"
    assert go(domain="nation.africa") == "test"
    assert go(date="2023-01-01") == "test"
    assert go(date="") == "train"


def test_splits_are_the_same_on_every_machine() -> None:
    found = "".join(split_of(PLAIN, key=n << 40, country="", domain="", date="")[1] for n in range(60))
    assert found == "rrrrraerrrrrrrrrarrrrrrrerrrrrerarrrrrrrrrrarrrrrrrrerrrrrrr"
