"""Figures: text stays text, colours follow the page, every label and number is there, nothing depends on the day."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import matplotlib
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.report import figures
from dateline.report.figures import Interval, Line, Row, clean


def forest(*marks: Interval | None, **look: object) -> str:
    rows = [Row(f"row{at}", (mark,), note=f"note{at}") for at, mark in enumerate(marks)]
    return str(figures.intervals(rows, "forest", "Title", "Words.", **{"unit": "nats", **look}))  # type: ignore[arg-type]


def words(svg: str) -> str:
    return " ".join("".join(element.itertext()) for element in ET.fromstring(svg).iter("text"))


def matrix(values: list[list[float]], name: str = "map", **look: object) -> str:
    labels = pd.MultiIndex.from_tuples([("Africa", "Ghana"), ("Asia", "India")])
    table = pd.DataFrame(values, index=labels, columns=labels)
    texts = table.map(lambda v: f"{v:.2f}" if math.isfinite(v) else "n/a")
    return str(figures.matrix(table, texts, name, "Map", "Words.", scale=1.0, **look))  # type: ignore[arg-type]


def test_title_and_description_come_first_and_are_escaped() -> None:
    svg = str(figures.lines([Line("<b>", [0, 1], [2.0, 1.0])], "x", "<script>", "a & b", x="x", y="y"))
    root = ET.fromstring(svg)
    assert [child.tag for child in root][:2] == ["title", "desc"]
    assert root[0].text == "<script>"
    assert root.get("aria-labelledby") == "x-title x-desc"
    assert "<script>" not in svg
    assert "<b>" not in svg


def test_colours_are_variables_of_the_page_and_nothing_is_drawn_as_pixels() -> None:
    svg = forest(Interval(-1, -2, -0.5), Interval(1, 0.5, 2), Interval(0, -1, 1)) + matrix([[-1, 0.5], [1, math.nan]])
    assert not re.search(r"#[0-9a-f]{6}", svg)
    assert "<image" not in svg
    assert {"var(--better)", "var(--worse)", "var(--unsure)", "var(--ink)"} <= set(re.findall(r"var\(--[\w-]+\)", svg))
    assert "color-mix(in srgb, var(--cool) 100%, var(--middle))" in svg
    assert "color-mix(in srgb, var(--warm) 50%, var(--middle))" in svg


@pytest.mark.parametrize(
    ("mark", "color"),
    [
        (Interval(-1, -2, -0.5), "better"),
        (Interval(1, 0.5, 2), "worse"),
        (Interval(1, -0.5, 2), "unsure"),
        (Interval(1), "unsure"),
    ],
)
def test_colour_says_on_which_side_of_the_reference_an_interval_lies(mark: Interval, color: str) -> None:
    assert {c for c in ("better", "worse", "unsure") if f"var(--{c})" in forest(mark)} == {color}


def test_rows_notes_and_reference_are_there_and_what_is_missing_is_not_drawn() -> None:
    svg = forest(Interval(0.1, 0.05, 0.2), None, Interval(math.nan), Interval(0.3, 0.2, math.inf))
    assert all(f"row{at}" in words(svg) and f"note{at}" in words(svg) for at in range(4))
    assert not re.search(r"\b(nan|inf)\b", svg)
    assert "0" in words(svg).split()


def test_a_series_that_was_never_measured_takes_no_room() -> None:
    rows = [Row("a", (Interval(0.5, 0.4, 0.6), None, Interval(0.1)))]
    svg = figures.intervals(rows, "s", "T", "W", unit="share", series=("one", "two", "three"), reference=0.5)
    assert "one" in words(svg)
    assert "three" in words(svg)
    assert "two" not in words(svg)


@settings(max_examples=15)
@given(st.lists(st.floats(0.01, 1000) | st.just(math.nan), min_size=1, max_size=3), st.sampled_from(["linear", "log"]))
def test_any_values_can_be_drawn(values: list[float], scale: str) -> None:
    svg = forest(*(Interval(v, v, v) for v in values), reference=1.0, scale=scale)
    assert "nan" not in svg


def test_matrix_names_rows_columns_and_cells() -> None:
    svg = matrix([[0.0, 0.25], [math.nan, 0.5]], axes=("texts of", "told"), outlined=True)
    for text in ("Ghana", "India", "0.25", "0.50", "n/a", "texts of", "told"):
        assert text in words(svg)


def test_ids_of_two_figures_do_not_collide_and_every_reference_is_met() -> None:
    both = [forest(Interval(1, 0, 2)), matrix([[1, 0], [0, 1]], "other")]
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in both]
    assert not ids[0] & ids[1]
    for svg, known in zip(both, ids, strict=True):
        assert {*re.findall(r'href="#([^"]+)"', svg), *re.findall(r"url\(#([^)]+)\)", svg)} <= known


def test_the_same_values_give_the_same_text_whatever_the_settings() -> None:
    first = forest(Interval(1, 0, 2))
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False}):
        assert forest(Interval(1, 0, 2)) == first


def test_lines_of_one_label_are_named_once_and_faint_ones_not() -> None:
    drawn = [Line("seeds", [0, 1e6], [3, 2]), Line("seeds", [0, 1e6], [3.1, 2.1]), Line("train", [1], [4], faint=True)]
    svg = figures.lines(drawn, "curves", "T", "W", x="body tokens read", y="loss", top=3.5)
    assert words(svg).count("seeds") == 1
    assert "train" not in words(svg)
    assert "1M" in words(svg)


@given(st.floats(-2, 2), st.floats(1e-3, 3))
def test_ticks_are_written_with_all_their_decimals(low: float, width: float) -> None:
    texts = words(forest(Interval(low + width / 2, low, low + width))).replace("\u2212", "-").split()
    ticks = sorted(float(text) for text in texts if re.fullmatch(r"[-+]\d+(\.\d+)?|0", text))
    steps = [after - before for before, after in pairwise(ticks)]
    assert len(ticks) >= 2
    assert max(steps) == pytest.approx(min(steps))


def test_the_frame_of_lines_is_that_of_what_is_shown() -> None:
    drawn = [Line("run", [0, 1e6, 2e6], [9, 3, 2]), Line("train", [0, 1e6], [40, 2.5], faint=True)]
    svg = figures.lines(drawn, "curves", "T", "W", x="body tokens read", y="loss", top=3.5)
    ticks = [float(word) for word in words(svg).split() if re.fullmatch(r"[1-9]\d*(\.\d+)?", word)]
    assert 1.5 < min(ticks) < max(ticks) <= 3.5


def test_bands_are_pale_and_categories_named() -> None:
    line = Line("one", range(3), [1.0, math.nan, 2.0], [0.5, math.nan, 1.5], [1.5, math.nan, 2.5])
    svg = figures.lines([line], "positions", "T", "W", x="x", y="y", categories=("0-15", "16-31", "32+"))
    assert "fill-opacity: 0.16" in svg or "opacity: 0.16" in svg
    assert all(name in words(svg) for name in ("0-15", "16-31", "32+"))


def test_reliability_in_standard_terms() -> None:
    bins = pd.DataFrame(
        {
            "confidence": [0.2, math.nan],
            "accuracy": [0.1, 0.5],
            "ci_low": [0.0, 0.1],
            "ci_high": [0.3, 0.9],
            "count": [1200, 1],
        }
    )
    svg = figures.reliability(bins, "r", "Model, full text", "W")
    for text in ("Confidence (%)", "Accuracy (%)", "Model, full text"):
        assert text in words(svg)


def test_recovered_gain_names_floors_and_losses() -> None:
    svg = figures.recovered((1.5, 1.2), (1.6, 1.4), ("plain", "gold"), "67% recovered", "W")
    for text in ("1.500", "1.200", "1.600", "1.400", "67% recovered", "Exact entropy"):
        assert text in words(svg)


def test_ridges_name_rows_and_medians() -> None:
    svg = figures.ridges([("Ghana", [1, 5, 2], 300), ("Ireland", [0, 0, 0], None)], [100, 200, 400, 800], "l", "T", "W")
    assert "Ghana" in words(svg)
    assert "300" in words(svg)
    assert "Ireland" in words(svg)


@given(st.text(), st.integers(2, 40))
def test_labels_are_cut_and_lose_control_characters(text: str, most: int) -> None:
    label = clean(text, most)
    assert len(label) <= most
    assert not re.search("[\x00-\x1f\ud800-\udfff]", label)
