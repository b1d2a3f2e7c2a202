from __future__ import annotations

import xml.etree.ElementTree as ET

from dateline.report.scoretable import ScoreTable
from dateline.report.sections.places import MOST_COLUMNS, compared, forest, groups, heat, heat_cells, heat_lines

from ..helpers import score, scores
from ..measures import difference, swaps

COUNTRIES = ("gh", "ie", "us")


def test_swaps_do_not_explode_map_forest_and_table() -> None:
    base = scores(COUNTRIES)
    alone, beside = ScoreTable(base), ScoreTable([*base, *swaps("conditioned", COUNTRIES)])
    assert heat_cells(alone) == heat_cells(beside)
    assert heat(alone) == heat(beside)
    assert forest(alone) == forest(beside)
    assert alone.comparisons == beside.comparisons
    assert alone.main() == beside.main()


def test_every_number_of_the_map_has_its_interval_in_the_table() -> None:
    found = heat_lines(ScoreTable([*scores(COUNTRIES), score("conditioned", "country", "nll", 2.1, 0.02)]))
    assert found is not None
    assert len(found.lines) == 5 * 4 + 1
    kinds = {line.labels[0]: line.labels[2] for line in found.lines}
    assert kinds["conditioned, told the true place"] == "difference"
    assert kinds["conditioned, told only its country"] == "loss"
    assert all(line.sure != "not available" for line in found.lines)


def test_the_map_has_a_limit() -> None:
    more = [score(f"run {n}", "gold", "nll", 2.0, 0.1, grouping=g, group=c)
            for n in range(40) for g, c in (("all", "all"), ("country", "gh"))]  # fmt: skip
    table = ScoreTable([*scores(COUNTRIES), *more])
    assert len(heat_cells(table)) > MOST_COLUMNS
    figure = heat(table)
    assert figure is not None
    assert figure.narrow.count("<svg") == -(-MOST_COLUMNS // 6)


def test_a_leak_is_marked_in_the_figures() -> None:
    rows = [score("seen", "gold", "nll", 1.9, 0.1, fields="url")]
    rows += [difference("seen", "gold", "plain/none", -0.3, 0.1, grouping=grouping, group=group)
             for grouping, group in (("all", "all"), ("country", "gh"))]  # fmt: skip
    table = ScoreTable([*scores(COUNTRIES), *rows])
    drawn = forest(table), heat(table)
    assert all(figure is not None and "[leak]" in str(figure.wide) for figure in drawn)


def test_groups_are_everything_then_continents_with_their_countries() -> None:
    found = groups(ScoreTable(scores(COUNTRIES)))
    assert [(group.label, group.level) for group in found] == [
        ("All", 0), ("Africa", 1), ("Ghana", 2), ("America", 1), ("United States", 2), ("Europe", 1), ("Ireland", 2),
    ]  # fmt: skip


def test_without_countries_or_comparisons_there_is_no_figure() -> None:
    table = ScoreTable([score("plain", "none", "nll", 2, 0.1)])
    assert (heat(table), forest(table), heat_lines(table)) == (None, None, None)


def test_the_forest_names_its_panels() -> None:
    figure = forest(ScoreTable(scores(COUNTRIES)))
    assert figure is not None
    words = [element.text for element in ET.fromstring(str(figure.wide)).iter("text")]
    assert words.count("minus plain, told nothing") == 3


def test_comparisons_by_group_are_drawn_before_those_over_everything_alone() -> None:
    alone = difference("alone", "gold", "plain/none", -0.3, 0.1)
    beside, only = ScoreTable([*scores(COUNTRIES), alone]), ScoreTable([alone])
    assert compared(beside) == compared(ScoreTable(scores(COUNTRIES)))
    assert compared(only) == only.comparisons
