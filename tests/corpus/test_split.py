from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.split import UNDATED, assign_splits, draw_of, outlet_hash
from dateline.corpus.work import ENTRY
from dateline.records import SPLITS

from .helpers import recipe

TRAIN, VALIDATION, TEST = range(3)
COUNTRIES = ("", "ke", "gb", "my")
OUTLETS = ("", "a.x", "nation.africa", "c.x", "d.x", "e.x")
FIRST_DAY = date(2023, 1, 1).toordinal()


class Doc(NamedTuple):
    country: str
    outlet: str
    day: int
    draw: int


DOCS = st.builds(
    Doc,
    st.sampled_from(COUNTRIES),
    st.sampled_from(OUTLETS),
    st.one_of(st.just(UNDATED), st.integers(FIRST_DAY, FIRST_DAY + 12)),
    st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**64 - 1])),
)
MANY = st.lists(DOCS, max_size=60)
SHARES = st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10)).filter(any)


def shares(train: float, validation: float, test: float, **more: Any) -> dict[str, Any]:
    total = train + validation + test
    return {"train": train / total, "validation": validation / total, "test": test / total, **more}


def index_of(docs: list[Doc]) -> npt.NDArray[np.void]:
    index = np.zeros(len(docs), ENTRY)
    for entry, doc in zip(index, docs, strict=True):
        entry["country"], entry["outlet"] = doc.country.encode(), outlet_hash(doc.outlet)
        entry["day"], entry["draw"] = doc.day, doc.draw
    return index


def split(asked: CorpusRecipe, docs: list[Doc], cluster: list[int] | None = None) -> list[int]:
    heads = np.arange(len(docs)) if cluster is None else np.array(cluster, np.int64)
    found: list[int] = assign_splits(asked, index_of(docs), heads).tolist()
    return found


def by_country(docs: list[Doc], splits: list[int]) -> dict[str, Counter[int]]:
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for doc, number in zip(docs, splits, strict=True):
        counts[doc.country][number] += 1
    return counts


def plain(number: int, country: str = "ke") -> list[Doc]:
    return [Doc(country, "a.x", UNDATED, draw_of(item)) for item in range(number)]


def test_shares_are_met_within_every_country() -> None:
    asked = recipe("x", splits=shares(7, 1, 2))
    docs = plain(10_000) + plain(5_000, "gb")
    for country, counts in by_country(docs, split(asked, docs)).items():
        size = counts.total()
        assert counts[TRAIN] / size == pytest.approx(0.7, abs=0.015), country
        assert counts[VALIDATION] / size == pytest.approx(0.1, abs=0.012), country
        assert counts[TEST] / size == pytest.approx(0.2, abs=0.015), country


@settings(deadline=None)
@given(MANY, SHARES, st.integers(1, 15))
def test_every_country_with_enough_documents_has_some_in_every_split(
    docs: list[Doc], parts: tuple[int, int, int], enough: int
) -> None:
    asked = recipe("x", splits=shares(*parts, enough=enough))
    for counts in by_country(docs, split(asked, docs)).values():
        if counts.total() < max(enough, sum(map(bool, parts))):
            assert set(counts) == {TRAIN}
        else:
            assert {number for number in range(3) if counts[number]} == {n for n in range(3) if parts[n]}


@settings(deadline=None)
@given(MANY, st.sampled_from(["document", "outlet", "date"]), st.data())
def test_a_cluster_never_straddles(docs: list[Doc], by: str, data: st.DataObject) -> None:
    labels = [data.draw(st.integers(0, 8)) for _ in docs]
    members = {label: [n for n, other in enumerate(labels) if other == label] for label in labels}
    heads = {label: data.draw(st.sampled_from(inside)) for label, inside in members.items()}
    asked = recipe("x", splits=shares(2, 1, 1, by=by, enough=3), held_out=["my"], test_from="2023-01-11")
    found = split(asked, docs, [heads[label] for label in labels])
    for inside in members.values():
        assert len({found[n] for n in inside}) == 1


@settings(deadline=None)
@given(MANY, st.sampled_from(["document", "outlet", "date"]), st.integers(1, 30))
def test_what_is_held_out_is_tested_on_before_anything_else_counts(docs: list[Doc], by: str, enough: int) -> None:
    held = recipe(
        "x",
        splits=shares(1, 0, 0, by=by, enough=enough),
        held_out=["uk"],
        held_out_outlets=["https://www.nation.africa/"],
        test_from="2023-01-05",
    )
    for doc, found in zip(docs, split(held, docs), strict=True):
        late = date(2023, 1, 5).toordinal() <= doc.day < UNDATED
        assert found == (TEST if doc.country == "gb" or doc.outlet == "nation.africa" or late else TRAIN)


def test_what_is_held_out_takes_the_copies_of_its_cluster_along() -> None:
    docs = [*plain(3), Doc("gb", "nation.africa", UNDATED, 5)]
    asked = recipe("x", held_out=["gb"])
    assert split(asked, docs, [0, 1, 1, 0]) == [TEST, TRAIN, TRAIN, TEST]


@settings(deadline=None)
@given(MANY, MANY, st.sampled_from(["document", "outlet", "date"]), st.data())
def test_documents_of_other_countries_change_nothing(
    docs: list[Doc], others: list[Doc], by: str, data: st.DataObject
) -> None:
    asked = recipe("x", splits=shares(3, 1, 1, by=by, enough=4))
    mixed: list[tuple[int | None, Doc]] = list(enumerate(docs))
    for doc in others:
        stranger = doc._replace(country="lk", outlet=doc.outlet and f"lk.{doc.outlet}")
        mixed.insert(data.draw(st.integers(0, len(mixed))), (None, stranger))
    found = split(asked, [doc for _, doc in mixed])
    assert [number for (own, _), number in zip(mixed, found, strict=True) if own is not None] == split(asked, docs)


@settings(deadline=None)
@given(st.lists(DOCS, min_size=4, max_size=60), st.integers(1, 8))
def test_a_larger_training_share_takes_no_document_out_of_training(docs: list[Doc], more: int) -> None:
    fewer = split(recipe("x", splits=shares(10, 5, 5, enough=1)), docs)
    larger = split(recipe("x", splits=shares(10 + more, 5, 5 - more / 2, enough=1)), docs)
    assert all(after == TRAIN for before, after in zip(fewer, larger, strict=True) if before == TRAIN)


@settings(deadline=None)
@given(MANY, SHARES)
def test_by_outlet_nothing_that_an_outlet_wrote_is_divided(docs: list[Doc], parts: tuple[int, int, int]) -> None:
    asked = recipe("x", splits=shares(*parts, by="outlet", enough=1))
    found: defaultdict[str, set[int]] = defaultdict(set)
    for doc, number in zip(docs, split(asked, docs), strict=True):
        found[doc.outlet].add(number)
    assert found.get("", {TRAIN}) == {TRAIN}
    assert all(len(splits) == 1 for splits in found.values())


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_by_outlet_three_outlets_are_enough_for_all_three_splits(sizes: list[int]) -> None:
    docs = [
        Doc("ke", outlet, UNDATED, 0) for outlet, size in zip(OUTLETS[1:], sizes, strict=False) for _ in range(size)
    ]
    found = set(split(recipe("x", splits=shares(8, 1, 1, by="outlet", enough=1)), docs))
    assert found == ({TRAIN, VALIDATION, TEST} if len(sizes) >= 3 else {TRAIN})


def test_by_outlet_the_one_that_has_half_of_a_country_is_trained_on() -> None:
    sizes = {"a.x": 50, "nation.africa": 20, "c.x": 20, "d.x": 9}
    docs = [Doc("ke", outlet, UNDATED, 0) for outlet, size in sizes.items() for _ in range(size)]
    found = dict(zip((doc.outlet for doc in docs), split(recipe("x", splits={"by": "outlet"}), docs), strict=True))
    assert found["a.x"] == TRAIN
    assert sorted(found.values()) == [TRAIN, TRAIN, VALIDATION, TEST]


def test_by_outlet_one_that_writes_for_two_countries_is_trained_on() -> None:
    docs = [Doc(code, f"{name}.{code}", UNDATED, 0) for code in ("ke", "gb") for name in "abcd" for _ in range(9)]
    docs += [Doc(code, "both.x", UNDATED, 0) for code in ("ke", "gb") for _ in range(9)]
    found = split(recipe("x", splits={"by": "outlet"}), docs)
    assert set(found[-18:]) == {TRAIN}
    assert set(found) == {TRAIN, VALIDATION, TEST}


@settings(deadline=None)
@given(MANY, SHARES)
def test_by_date_test_days_come_after_validation_and_training_days(
    docs: list[Doc], parts: tuple[int, int, int]
) -> None:
    asked = recipe("x", splits=shares(*parts, by="date", enough=2))
    days: defaultdict[str, dict[int, list[int]]] = defaultdict(lambda: {n: [] for n in range(3)})
    for doc, number in zip(docs, split(asked, docs), strict=True):
        if doc.day == UNDATED:
            assert number == TRAIN
        else:
            days[doc.country][number].append(doc.day)
    for found in days.values():
        for later, earlier in ((TEST, VALIDATION), (TEST, TRAIN), (VALIDATION, TRAIN)):
            if found[later] and found[earlier]:
                assert min(found[later]) > max(found[earlier])


def test_by_date_the_latest_days_are_tested_on() -> None:
    docs = [Doc("ke", "", FIRST_DAY + number, 0) for number in range(40)]
    found = split(recipe("x", splits=shares(90, 5, 5, by="date")), docs)
    assert found == [TRAIN] * 36 + [VALIDATION] * 2 + [TEST] * 2
    found = split(recipe("x", splits=shares(1, 0, 3, by="date")), docs)
    assert found == [TRAIN] * 10 + [TEST] * 30


def test_by_date_a_country_of_one_day_is_trained_on() -> None:
    docs = [Doc("ke", "", FIRST_DAY, number) for number in range(40)]
    assert set(split(recipe("x", splits={"by": "date"}), docs)) == {TRAIN}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**64 - 1), st.text(max_size=8))
def test_draws_and_outlets_are_64_bits_and_no_outlet_is_0(key: int, domain: str) -> None:
    assert 0 <= draw_of(key) < 2**64
    assert (outlet_hash(domain) == 0) == (domain == "")


def test_splits_are_the_same_on_every_machine() -> None:
    found = "".join(SPLITS[number][1] for number in split(recipe("x"), plain(60)))
    assert found == "rrrrrrrrrrrrrrrrrrrarerrrrrrrrrarrrrrerrrrrrrrerrrrrrrrrrrrr"
