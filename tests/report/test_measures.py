from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.report.measures import read_locating, read_measured

from .measures import write_efficiency, write_locating, write_questions

COUNTRIES = ("gh", "ie", "us")


def test_whole_folders_are_read_without_a_gap(tmp_path: Path) -> None:
    write_locating(tmp_path, COUNTRIES)
    write_questions(tmp_path)
    write_efficiency(tmp_path, reached=False)
    gaps: dict[str, str] = {}
    (found,) = read_locating(tmp_path / "locate", gaps)
    assert {b.run for b in found.bins} == {"conditioned", "tfidf"}
    assert {c.truth for c in found.confusions} == set(COUNTRIES)
    (asked,) = read_measured(tmp_path / "mcq", gaps, "questions")
    assert asked.facts == {"chance": 0.25}
    (learned,) = read_measured(tmp_path / "efficiency", gaps, "efficiency")
    assert {s.ci_high for s in learned.scores} == {math.inf}
    assert gaps == {}


def test_what_was_never_measured_is_no_gap(tmp_path: Path) -> None:
    gaps: dict[str, str] = {}
    assert read_locating(tmp_path / "locate", gaps) == ()
    assert read_measured(tmp_path / "mcq", gaps, "questions") == ()
    assert gaps == {}


@pytest.mark.parametrize(
    ("name", "part"), [("scores", "locating"), ("reliability", "reliability"), ("confusion", "confusion")]
)
def test_a_part_that_is_missing_or_damaged_is_a_gap(tmp_path: Path, name: str, part: str) -> None:
    write_locating(tmp_path, COUNTRIES)
    path = tmp_path / "locate" / "conditioned" / f"{name}.parquet"
    path.write_text("not parquet")
    gaps: dict[str, str] = {}
    read_locating(tmp_path / "locate", gaps)
    assert f"locate/conditioned/{name}.parquet cannot be read" in gaps[part]
    path.unlink()
    gaps = {}
    read_locating(tmp_path / "locate", gaps)
    assert gaps[part] == f"The folder holds no locate/conditioned/{name}.parquet."


def test_tables_of_another_form_are_a_gap(tmp_path: Path) -> None:
    write_questions(tmp_path)
    path = tmp_path / "mcq" / "conditioned" / "scores.parquet"
    pq.write_table(pa.table({"run": ["a"]}), path)
    gaps: dict[str, str] = {}
    assert read_measured(tmp_path / "mcq", gaps, "questions") == ()
    assert "has no column 'condition'" in gaps["questions"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"facts": 3}', "[" * 100_000])
def test_a_damaged_manifest_costs_the_facts_only(tmp_path: Path, text: str) -> None:
    write_questions(tmp_path)
    (tmp_path / "mcq" / "conditioned" / "manifest.json").write_text(text)
    (found,) = read_measured(tmp_path / "mcq", {}, "questions")
    assert found.facts == {}


def test_bins_and_counts_that_are_no_numbers_are_not_available(tmp_path: Path) -> None:
    write_locating(tmp_path, COUNTRIES)
    place = tmp_path / "locate" / "conditioned"
    pq.write_table(pa.table({"run": ["a"], "accuracy": [None], "count": ["many"]}), place / "reliability.parquet")
    (found,) = read_locating(tmp_path / "locate", {})
    assert math.isnan(found.bins[0].accuracy)
    assert found.bins[0].documents == 0
