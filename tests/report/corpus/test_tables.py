from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.places.countries import all_countries
from dateline.report.corpus import tables
from dateline.report.corpus.audit import facts_of
from dateline.report.corpus.facts import MOST_COUNTRIES, Facts

from .audits import audit, tiny

ALL = (
    tables.drops, tables.countries, tables.outlets, tables.largest, tables.duplicates, tables.verification,
    tables.signals, tables.steps,
)  # fmt: skip


def labels(table: tables.Table | None) -> list[str]:
    assert table is not None
    return [line.label for line in table.lines]


@pytest.mark.parametrize("table", ALL)
def test_what_is_not_recorded_has_no_table(table: Callable[[Facts], tables.Table | None]) -> None:
    assert table(facts_of({})) is None


@settings(max_examples=15, deadline=None)
@given(
    codes=st.lists(st.sampled_from(sorted(all_countries())), min_size=1, max_size=8, unique=True),
    scale=st.integers(2, 4000),
)
def test_bars_stay_in_their_tracks_and_every_row_is_whole(codes: list[str], scale: int) -> None:
    facts = facts_of(audit(codes, scale))
    for table in (build(facts) for build in ALL):
        assert table is not None
        for line in table.lines:
            assert len(line.cells) == len(table.columns)
            for bar in (cell for cell in line.cells if isinstance(cell, tables.Bar)):
                assert sum(piece.width for piece in bar.pieces) <= 100.0001
                assert bar.low is None or (bar.high is not None and 0 <= bar.low <= bar.high <= 100.0001)


def test_what_was_kept_comes_first_then_the_most_frequent_reason() -> None:
    data = audit()
    found = tables.drops(facts_of(data))
    assert labels(found)[:2] == ["kept", "near duplicate"]
    assert found is not None
    assert [line.cells[0] for line in found.lines] == [
        f"{n:,}" for n in (data["documents"], *sorted(data["drops"].values(), reverse=True))
    ]


def test_many_reasons_share_the_last_row() -> None:
    data = tiny() | {"drops": {f"reason {at}": at + 1 for at in range(40)}}
    assert labels(tables.drops(facts_of(data)))[-1] == "20 other reasons"


def test_continents_carry_their_totals() -> None:
    found = tables.countries(facts_of(tiny()))
    assert found is not None
    assert found.lines[0].group == "Africa: 3 documents, 100%; 909 tokens"
    assert found.lines[0].bad


def test_only_the_largest_countries_are_drawn() -> None:
    codes = sorted(all_countries())[:120]
    found = tables.countries(facts_of(audit(codes, 100)))
    assert len(labels(found)) == MOST_COUNTRIES


def test_a_country_without_a_listed_outlet_has_no_share() -> None:
    data = audit(("us", "gh"))
    data["outlets"]["largest"] = [entry for entry in data["outlets"]["largest"] if entry["country"] == "us"]
    found = tables.outlets(facts_of(data))
    assert found is not None
    assert next(line for line in found.lines if line.label == "Ghana").cells[2] == tables.NOT_RECORDED


def test_an_outlet_larger_than_its_country_has_no_share() -> None:
    data = tiny()
    data["outlets"]["largest"][0]["train"] = 9
    found = tables.outlets(facts_of(data))
    assert found is not None
    assert found.lines[0].cells[2] == tables.NOT_RECORDED


def test_signals_count_over_all_countries() -> None:
    data = audit(("gh", "ie"))
    found = tables.signals(facts_of(data))
    assert found is not None
    suffix = found.lines[0]
    right = sum(data["signals"][code]["suffix"] for code in ("gh", "ie"))
    looked_at = sum(data["signals"][code]["documents"] for code in ("gh", "ie"))
    assert suffix.label == "suffix"
    assert suffix.cells[0] == f"{100 * right / looked_at:.1f}%"


def test_what_any_signal_says_cannot_be_less_than_what_one_says() -> None:
    data = audit(("gh", "ie"))
    data["signals_wrong"]["gh"] |= {"path": 9, "any": 0}
    found = tables.signals(facts_of(data))
    assert found is not None
    wrong = {line.label: line.cells[2] for line in found.lines}
    assert wrong["any of these"] == tables.NOT_RECORDED
    assert wrong["path"] != tables.NOT_RECORDED


def test_a_country_without_copies_had_none() -> None:
    data = audit(("gh", "ie"))
    del data["duplicates"]["countries"]["gh"]
    found = tables.duplicates(facts_of(data))
    assert found is not None
    assert found.lines[0].label == "Ghana"
    assert found.lines[0].cells[:3] == ("0", "0", "0%")


def test_speeds_are_shown_where_they_are_recorded() -> None:
    data = tiny() | {"seconds": {"read": {"seconds": 2.0}}}
    found = tables.steps(facts_of(data))
    assert found is not None
    assert [column.heading for column in found.columns] == ["time", "of all", ""]
    data["seconds"]["clean"] = {"seconds": 0.01, "documents": 3}
    found = tables.steps(facts_of(data))
    assert found is not None
    assert [line.cells[0] for line in found.lines] == ["2.0 s", "under 0.1 s"]
    assert [line.cells[2] for line in found.lines] == [tables.NOT_RECORDED, "300"]
