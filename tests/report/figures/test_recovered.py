from __future__ import annotations

import xml.etree.ElementTree as ET

from markupsafe import Markup

from dateline.report.figures.recovered import recovered


def texts(figure: Markup) -> list[str]:
    return [element.text or "" for element in ET.fromstring(str(figure)).iter("text")]


def test_recovered_gain_names_both_floors_and_both_losses() -> None:
    figure = recovered((2.163, 2.046), (2.21, 2.1), ("plain", "told"), 0.934, "88 to 98%", "title", "words")
    for drawn in (figure.wide, figure.narrow):
        assert {"2.163", "2.046", "2.210", "2.100", "without place", "with place", "plain", "told"} <= set(texts(drawn))
        assert any("93%" in text for text in texts(drawn))


def test_a_gain_of_nothing_still_draws() -> None:
    assert recovered((2.0, 2.0), (2.0, 2.0), ("a", "b"), 0.0, "", "title", "words").wide
