from __future__ import annotations

import dataclasses
import math
import re

from dateline.report.scoretable import ScoreTable
from dateline.report.sections.swaps import swap_maps, swapped

from ..helpers import score, scores
from ..measures import swaps

COUNTRIES = ("gh", "ie", "us")


def table(*rows: object) -> ScoreTable:
    return ScoreTable([*scores(COUNTRIES), *rows])  # type: ignore[list-item]


def test_the_diagonal_is_zero_and_everything_else_has_an_interval() -> None:
    (found,) = swap_maps(table(*swaps("conditioned", COUNTRIES)))
    assert found.paired
    assert found.gaps == ()
    assert str(found.figure.wide).count(">0</text>") == 3
    assert found.lines is not None
    assert len(found.lines.lines) == 9
    assert sum(line.labels[2] == "difference" for line in found.lines.lines) == 6
    assert all(line.sure != "not available" for line in found.lines.lines)


def test_levels_alone_make_a_map_that_says_so() -> None:
    (found,) = swap_maps(table(*swaps("conditioned", COUNTRIES, paired=False)))
    assert not found.paired
    assert found.lines is not None
    assert {line.labels[2] for line in found.lines.lines} == {"loss"}
    assert str(found.figure.wide).count(">0</text>") == 3


def test_a_country_without_documents_and_one_never_told_are_gaps() -> None:
    (found,) = swap_maps(table(*swaps("conditioned", COUNTRIES, told=("gh", "us", "fr"), paired=False)))
    assert found.gaps[0].startswith("France: told, but no document")
    assert found.gaps[1].startswith("Ireland: never told")
    assert str(found.figure.wide).count(">n/a</text>") == 3, "the row of Ireland"


def test_a_single_document_has_no_interval() -> None:
    rows = [
        dataclasses.replace(row, num_documents=1, ci_low=math.nan, ci_high=math.nan) if row.group == "ie" else row
        for row in swaps("conditioned", COUNTRIES)
    ]
    (found,) = swap_maps(table(*rows))
    assert "Ireland: a single document" in found.gaps[0]
    assert found.lines is not None
    assert {line.sure for line in found.lines.lines if line.labels[0] == "Ireland"} == {"not available (one document)"}


def test_conditioned_models_come_first_and_only_some_are_drawn() -> None:
    rows = [row for name in ("plain", "a", "b", "c") for row in swaps(name, COUNTRIES)]
    assert swapped(table(*rows)) == ["a", "b", "c", "plain"]
    assert [found.name for found in swap_maps(table(*rows))] == ["a", "b", "c"]
    ids = re.findall(r'\bid="([^"]+)"', "".join(str(found.figure.wide) for found in swap_maps(table(*rows))))
    assert len(ids) == len(set(ids))


def test_one_swap_is_no_map_and_a_leak_is_marked() -> None:
    assert swap_maps(table(score("conditioned", "swap:gh", "nll", 2, 0.1))) == []
    rows = [dataclasses.replace(row, fields="url") for row in swaps("conditioned", COUNTRIES)]
    assert swap_maps(table(*rows))[0].name == "[leak] conditioned"
