from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib
import pytest

from dateline.report import svg

HOSTILE = '"><img src=x onerror=alert(1)></text></svg><script>alert(1)</script>&amp;$x^2$ \x00\x0b\ud800 ]]>'


def draw(text: str = "Ghana", name: str = "one") -> str:
    with svg.drawing(200, 100) as ink:
        ink.box(0, 0, 10, 10, fill=svg.ramp(-0.5))
        ink.box(10, 0, 10, 10, fill=svg.ramp(1.0))
        ink.line([0, 200], [50, 50], color=svg.BETTER, marker="o")
        ink.text(5, 20, text)
        return str(ink.svg(name, f"Title {text}", f"Words {text}"))


def test_colours_become_variables_of_the_theme() -> None:
    out = draw()
    assert "var(--better)" in out
    assert "var(--ink)" in out
    assert "color-mix(in srgb, var(--cool) 50%, var(--middle))" in out
    assert "color-mix(in srgb, var(--warm) 100%, var(--middle))" in out
    assert not re.search(r"#0[123][0-9a-f]{4}", out)


def test_the_figure_has_a_title_and_a_description_first() -> None:
    root = ET.fromstring(draw())
    assert [child.tag for child in root][:2] == ["title", "desc"]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "one-title one-desc"
    assert root.get("viewBox")
    assert root.get("width") is None


def test_hostile_text_stays_text() -> None:
    root = ET.fromstring(draw(HOSTILE))
    tags = {element.tag for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "path", "text", "defs", "use", "clipPath", "rect"}
    texts = [element.text or "" for element in root.iter("text")]
    assert any("<script>alert(1)</script>" in text and "$x^2$" in text for text in texts)


def test_every_reference_is_met_and_ids_do_not_collide() -> None:
    first, second = draw(name="one"), draw(name="two")
    for out, name in ((first, "one"), (second, "two")):
        ids = re.findall(r'\bid="([^"]+)"', out)
        assert len(ids) == len(set(ids))
        assert all(identity.startswith(f"{name}-") for identity in ids)
        assert set(re.findall(r"url\(#([^)]+)\)", out)) | set(re.findall(r'href="#([^"]+)"', out)) <= set(ids)


def test_the_same_drawing_is_the_same_text_whatever_the_settings() -> None:
    before = draw()
    with matplotlib.rc_context({"font.size": 33, "text.color": "red", "svg.fonttype": "path"}):
        assert draw() == before
        assert matplotlib.rcParams["font.size"] == 33
    assert not re.search(r"20\d\d-\d\d-\d\d", before)


@pytest.mark.parametrize("width", [1.0, 40.0, 400.0])
def test_labels_are_cut_to_their_room(width: float) -> None:
    text = svg.clean("a long name of a run " * 9, width, 10)
    assert len(text) <= max(2, width / 5.4)
    assert text.endswith("\u2026")


def test_labels_lose_control_characters_and_line_breaks() -> None:
    assert svg.clean("a\nb\tc\x00d\u2028e") == "a b c d e"


def test_an_area_is_pale_and_in_the_colour_of_the_theme() -> None:
    with svg.drawing(40, 40) as ink:
        ink.area([5, 20, 35], [5, 8, 5], [30, 25, 30], color=svg.SERIES[0])
        out = str(ink.svg("area", "title", "words"))
    assert "fill: var(--series-1)" in out
    assert "0.16" in out
