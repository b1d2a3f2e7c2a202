from __future__ import annotations

import re

import pytest

from dateline.report.figures.matrix import Side, Tile, matrix


def square(count: int):
    sides = [Side(f"Land {n}", "Africa" if n < count // 2 else "Asia") for n in range(count)]
    rows = [
        (side, [Tile("0" if i == j else "+0.20", 0.0 if i == j else 1.0, i == j) for j in range(count)])
        for i, side in enumerate(sides)
    ]
    return matrix(sides, rows, ("texts of", "told"), "swaps", "title", "words")


@pytest.mark.parametrize("count", [1, 3, 18, 25])
def test_every_row_column_and_number_is_on_both_figures(count: int) -> None:
    figure = square(count)
    for drawn in (figure.wide, figure.narrow):
        assert str(drawn).count("+0.20</text>") == count * (count - 1)
        assert {f">Land {n}</text>" in str(drawn) for n in range(count)} == {True}


def test_many_columns_are_drawn_in_blocks_that_fit_a_phone() -> None:
    narrow = str(square(18).narrow)
    assert narrow.count("<svg") == 3
    assert {float(width) for width in re.findall(r'viewBox="0 0 ([\d.]+)', narrow)} == {368.0}
    ids = re.findall(r'\bid="([^"]+)"', narrow)
    assert len(ids) == len(set(ids))


def test_what_is_not_available_is_framed_and_what_is_empty_is_left_blank() -> None:
    drawn = str(matrix([Side("A"), Side("B")], [(Side("A"), [Tile("n/a"), Tile("")])], ("a", "b"), "m", "t", "d").wide)
    assert drawn.count(">n/a</text>") == 1
    assert drawn.count("<path") == 1
