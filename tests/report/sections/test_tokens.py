from __future__ import annotations

import dataclasses
import math

from dateline.report.scoretable import ScoreTable
from dateline.report.sections.tokens import parts, positions

from ..helpers import score, scores
from ..measures import RANGES, tokens

BASE = scores(("gh", "ie"))


def test_positions_are_paired_where_they_can_be_and_in_order() -> None:
    rows = tokens("conditioned", "gold", "plain/none", -0.1)
    found = positions(ScoreTable([*BASE, *rows[::-1]]))
    assert found is not None
    assert found.paired
    assert found.lines is not None
    assert [line.labels[1] for line in found.lines.lines] == list(RANGES)
    assert found.left_out == 0


def test_levels_by_position_make_a_curve_of_loss() -> None:
    rows = [score("plain", "none", "nll", 3 - 0.1 * at, 0.1, grouping="position", group=name)
            for at, name in enumerate(RANGES)]  # fmt: skip
    found = positions(ScoreTable([*BASE, *rows]))
    assert found is not None
    assert not found.paired
    assert ">loss, nats per token</text>" in str(found.figure.wide)


def test_many_comparisons_are_cut_and_counted() -> None:
    rows = [row for n in range(6) for row in tokens(f"run {n}", "gold", "plain/none", -0.1)]
    found, split = positions(ScoreTable([*BASE, *rows])), parts(ScoreTable([*BASE, *rows]))
    assert found is not None
    assert split is not None
    assert (found.left_out, split.left_out) == (2, 2)
    assert found.lines is not None
    assert len(found.lines.lines) == 6 * len(RANGES), "the table has all of them"


def test_parts_are_in_the_order_of_the_document() -> None:
    found = parts(ScoreTable([*BASE, *tokens("conditioned", "gold", "plain/none", -0.1)[::-1]]))
    assert found is not None
    assert found.lines is not None
    assert [line.labels[1] for line in found.lines.lines] == ["title", "first 64", "rest"]
    assert str(found.figure.wide).count(">first 64</text>") == 1


def test_without_these_groupings_there_is_nothing() -> None:
    assert positions(ScoreTable(BASE)) is None
    assert parts(ScoreTable(BASE)) is None


def test_what_is_not_finite_is_not_drawn() -> None:
    rows = [dataclasses.replace(row, value=math.nan, ci_low=math.nan, ci_high=math.inf)
            for row in tokens("conditioned", "gold", "plain/none", -0.1)]  # fmt: skip
    found = positions(ScoreTable([*BASE, *rows]))
    assert found is not None
    assert "nan" not in str(found.figure.wide).lower()
