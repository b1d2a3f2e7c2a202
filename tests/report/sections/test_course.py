from __future__ import annotations

import json
from pathlib import Path

from dateline.report.folder import read_results
from dateline.report.sections.course import inside, learning, recovered


def test_curves_name_every_model_and_condition(paper_folder: Path) -> None:
    found = learning(read_results(paper_folder))
    assert found is not None
    drawn = str(found["figure"].wide)
    assert "plain, told nothing" in drawn
    assert "conditioned, told a wrong place" in drawn
    assert "carry no interval" in found["caption"]


def test_swaps_are_no_curves(folder: Path) -> None:
    before = learning(read_results(folder))
    path = folder / "runs" / "conditioned" / "metrics.jsonl"
    more = [{"kind": "validation", "tokens": 5000 * n, "condition": f"swap:{code}", "loss": 3.0}
            for code in ("gh", "ie", "us") for n in range(1, 9)]  # fmt: skip
    path.write_text(path.read_text() + "".join(json.dumps(line) + "\n" for line in more))
    assert learning(read_results(folder)) == before


def test_many_conditions_are_cut_and_counted(folder: Path) -> None:
    path = folder / "runs" / "conditioned" / "metrics.jsonl"
    more = [{"kind": "validation", "tokens": 5000, "condition": f"way {n}", "loss": 3.0} for n in range(20)]
    path.write_text(path.read_text() + "".join(json.dumps(line) + "\n" for line in more))
    found = learning(read_results(folder))
    assert found is not None
    assert "12 further conditions are left out" in found["caption"]


def test_the_recovered_gain_needs_entropy_and_losses(folder: Path) -> None:
    assert recovered(read_results(folder)) is not None
    (folder / "summary.json").write_text('{"recovered_gain": 0.9}')
    assert recovered(read_results(folder)) is None


def test_what_is_not_nested_is_nothing() -> None:
    assert inside({"a": {"b": 3}}, "a", "b") == 3
    assert inside({"a": 3}, "a", "b") is None
    assert inside(None, "a") is None
