from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from dateline.report.figures.curves import Line, _spread, ceiling, ends, learning_curves, thin

FALL = tuple((1000.0 * n, 2.0 + 8.0 / n) for n in range(1, 21))


def test_lines_are_named_where_they_end_and_seeds_once() -> None:
    lines = [Line("told", FALL, 0, 0), Line("told", tuple((x, y + 0.2) for x, y in FALL), 0, 0)]
    lines += [Line("", FALL, 1, 0, faint=True)]
    assert ends(lines) == {"told": pytest.approx(2.5)}
    figure = learning_curves(lines, "title", "words")
    for drawn in (figure.wide, figure.narrow):
        words = [element.text or "" for element in ET.fromstring(str(drawn)).iter("text")]
        assert words.count("2.50 told") == 1


def test_the_early_fall_is_cut_off_but_no_end_is() -> None:
    assert ceiling([Line("told", FALL, 0, 0)]) < FALL[3][1]
    late = [Line("bad", ((1.0, 9.0), (2.0, 9.5)), 0, 0), Line("good", FALL, 0, 0)]
    assert ceiling(late) >= 9.5


def test_one_point_and_training_loss_alone_still_draw() -> None:
    assert learning_curves([Line("a", ((5.0, 3.0),), 0, 0)], "title", "words").wide
    assert learning_curves([Line("", FALL, 0, 0, faint=True)], "title", "words").narrow


def test_long_runs_are_thinned_and_keep_their_end() -> None:
    points = [(float(n), 1.0) for n in range(100_001)]
    assert len(thin(points)) <= 400
    assert thin(points)[-1] == points[-1]
    assert thin(FALL) == FALL
    assert thin(()) == ()


def test_labels_keep_their_distance_inside_the_frame() -> None:
    placed = _spread([10.0, 11.0, 90.0, 95.0, 96.0], 15.0, 0.0, 100.0)
    assert all(b - a >= 15 - 1e-9 for a, b in pairwise(placed))
    assert placed[-1] <= 100
