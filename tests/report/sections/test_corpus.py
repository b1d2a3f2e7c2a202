from __future__ import annotations

from pathlib import Path

from dateline.report.folder import CoverageRow, Results, Sample, read_results
from dateline.report.scoretable import ScoreTable
from dateline.report.sections.corpus import coverage, samples

from ..helpers import score


def test_samples_of_one_headline_stand_side_by_side(paper_folder: Path) -> None:
    groups = samples(read_results(paper_folder).samples)
    assert len(groups) == 1
    assert [entry["told"] for entry in groups[0]["entries"]][:2] == ["Told nothing", "Told Ghana"]


def test_a_place_is_told_by_the_finest_name_that_is_known() -> None:
    found = [Sample("h", "run", "a.com", "", "", " text "), Sample("h", "run", "", "", "Asia", "")]
    assert [entry["told"] for entry in samples(tuple(found))[0]["entries"]] == ["Told a.com", "Told Asia"]


def test_countries_stand_by_continent_with_what_is_wrong() -> None:
    rows = (
        CoverageRow("us", "America", {"train": 10, "test": 0}),
        CoverageRow("gh", "Africa", {"train": 0, "test": 5}, ("few outlets",)),
        CoverageRow("", "", {"train": 5, "test": 5}),
    )
    table = ScoreTable([score("plain", "none", "nll", 2, 0.1)])
    found = coverage(Results(Path("x"), table, coverage=rows))
    assert [group["continent"] for group in found] == ["Africa", "America", "Place not known"]
    assert found[0]["rows"][0]["problems"] == ["few outlets", "tested but not trained on"]
    assert found[1]["rows"][0]["problems"] == ["trained on but not tested"]
    assert found[1]["rows"][0]["share"] == "100.0"
    assert found[2]["rows"][0]["problems"] == []
