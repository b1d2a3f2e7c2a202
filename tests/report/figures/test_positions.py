from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from dateline.report.figures.positions import Band, _stretches, position_curve

RANGES = ("0-15", "16-31", "32-63")


def draw(*points: tuple[float, float, float] | None, zero: bool = True) -> str:
    return str(position_curve(RANGES, [Band("told", points)], "nats", "title", "words", zero=zero).wide)


def test_every_range_and_line_is_named_and_zero_is_on_the_scale() -> None:
    figure = position_curve(RANGES, [Band("told", ((-0.2, -0.3, -0.1),) * 3)], "nats", "title", "words", zero=True)
    for drawn in (figure.wide, figure.narrow):
        words = {element.text for element in ET.fromstring(str(drawn)).iter("text")}
        assert {*RANGES, "told", "0", "tokens of the body"} <= words


def test_the_band_is_pale_and_only_where_every_end_is_known() -> None:
    assert "opacity: 0.16" in draw((-0.2, -0.3, -0.1), (-0.1, -0.2, 0.0), (0.0, -0.1, 0.1))
    one_open = draw((-0.2, -0.3, -0.1), (-0.1, math.nan, math.nan), (0.0, -0.1, 0.1))
    assert "opacity: 0.16" not in one_open
    assert "nan" not in one_open.lower()


def test_a_range_that_was_not_measured_breaks_the_line() -> None:
    assert [len(run) for run in _stretches(((1, 1, 1), None, (1, 1, 1), (1, 1, 1)))] == [1, 2]
    assert _stretches((None, (math.nan, 0, 0))) == []


@pytest.mark.parametrize("zero", [True, False])
def test_a_single_value_still_draws(zero: bool) -> None:
    assert draw((2.0, 2.0, 2.0), None, None, zero=zero)
