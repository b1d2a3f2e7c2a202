from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest
from markupsafe import Markup

from dateline.report.figures.heatmap import HeatColumn, HeatRow, heat_map

COLUMNS = [HeatColumn("conditioned", c) for c in ("true place", "nothing", "wrong place")]


def texts(figure: Markup) -> list[str]:
    return [element.text or "" for element in ET.fromstring(str(figure)).iter("text")]


def rows(count: int) -> list[HeatRow]:
    places = [HeatRow(f"Land {n}", "Africa" if n < count // 2 else "Asia", (-0.1, 0.0, 0.2)) for n in range(count)]
    return [HeatRow("All", "", (-0.1, 0.0, 0.2)), *places]


@pytest.mark.parametrize("count", [1, 3, 18, 40])
def test_every_country_and_every_number_is_on_both_figures(count: int) -> None:
    figure = heat_map(COLUMNS, rows(count), "title", "words")
    for drawn in (figure.wide, figure.narrow):
        words = texts(drawn)
        assert {"All", *(f"Land {n}" for n in range(count))} <= set(words)
        assert words.count("+0.20") == count + 1
        assert "Asia" in words


def test_the_scale_is_centred_at_zero() -> None:
    out = str(heat_map(COLUMNS, rows(3), "title", "words").wide)
    assert "var(--cool) 50%" in out
    assert "var(--warm) 100%" in out
    assert "var(--warm) 0%" in out


def test_what_is_not_available_is_marked_and_does_not_scale() -> None:
    drawn = heat_map(COLUMNS, [HeatRow("All", "", (math.nan, None, math.inf)), *rows(2)[1:]], "title", "words").wide
    assert texts(drawn).count("n/a") == 3
    assert "nan" not in str(drawn).lower()


def test_small_differences_get_a_third_decimal() -> None:
    drawn = heat_map(COLUMNS[:1], [HeatRow("All", "", (-0.012,))], "title", "words").wide
    assert "\u22120.012" in texts(drawn)


def test_many_conditions_are_drawn_in_blocks_on_one_scale() -> None:
    columns = [HeatColumn(f"run {n}", "nothing") for n in range(31)]
    values = tuple(0.01 * n for n in range(31))
    figure = heat_map(columns, [HeatRow("All", "", values), HeatRow("Ghana", "Africa", values)], "title", "words")
    blocks = str(figure.narrow).split("</svg>")[:-1]
    assert len(blocks) == 6
    assert [block.count("var(--warm) 100%") for block in blocks] == [0, 0, 0, 0, 0, 2]


def test_narrow_figures_fit_a_phone() -> None:
    box = re.search(r'viewBox="0 0 ([\d.]+)', str(heat_map(COLUMNS, rows(18), "title", "words").narrow))
    assert box
    assert float(box.group(1)) <= 368
