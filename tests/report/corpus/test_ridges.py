from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from markupsafe import Markup

from dateline.report.corpus.ridges import Ridge, ridges

EDGES = [100.0, 1_000.0, 10_000.0, 100_000.0]


def texts(figure: Markup) -> list[str]:
    return [element.text or "" for element in ET.fromstring(str(figure)).iter("text")]


@pytest.mark.parametrize("bins", [(1, 5, 2), (1, 5, 2, 1), (1, 1, 5, 2, 1)], ids=["closed", "open end", "both open"])
@pytest.mark.parametrize("edges", [EDGES, [0.0, *EDGES[1:]]], ids=["positive", "from zero"])
def test_every_way_to_count_between_edges_is_drawn(bins: tuple[int, ...], edges: list[float]) -> None:
    figure = ridges([Ridge("Ghana", "Africa", bins, 2_100)], edges, "title", "words")
    for drawn in (figure.wide, figure.narrow):
        assert {"Africa", "Ghana", "2,100", "1k", "characters"} <= set(texts(drawn))
        assert "nan" not in str(drawn).lower()


def test_every_country_is_on_both_figures_and_headings_are_not_repeated() -> None:
    rows = [Ridge(f"Land {n}", "Africa" if n < 7 else "Asia", (n, 9, 1), None if n == 3 else 900) for n in range(18)]
    figure = ridges(rows, EDGES, "title", "words")
    for drawn in (figure.wide, figure.narrow):
        words = texts(drawn)
        assert {f"Land {n}" for n in range(18)} <= set(words)
        assert words.count("not recorded") == 1
    assert texts(figure.narrow).count("Asia") == 1


def test_no_documents_draw_no_hill() -> None:
    figure = ridges([Ridge("Ghana", "Africa", (0, 0, 0), 0)], EDGES, "title", "words")
    assert "Ghana" in texts(figure.wide)


def test_narrow_figures_fit_a_phone() -> None:
    box = re.search(r'viewBox="0 0 ([\d.]+)', str(ridges([Ridge("a", "b", (1, 2, 3), 4)], EDGES, "t", "w").narrow))
    assert box
    assert float(box.group(1)) <= 368
