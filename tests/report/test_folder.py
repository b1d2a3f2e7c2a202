from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.report.folder import read_results


def test_a_whole_folder_has_no_gap(paper_folder: Path) -> None:
    results = read_results(paper_folder)
    assert results.gaps == {}
    assert results.manifest is not None
    assert [name for name, _ in results.stages] == [".", "corpus", "encoded", "runs/conditioned", "runs/plain"]
    assert len(results.coverage) == 18
    assert set(results.coverage[0].documents) == {"train", "validation", "test"}
    assert [sorted(curve.validation) for curve in results.curves] == [["gold", "none", "wrong"], ["none"]]
    assert all(len(points) == 20 for points in results.curves[0].validation.values()), "only the group `all` is a curve"


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("samples.json", "samples"),
        ("summary.json", "summary"),
        ("corpus/audit.json", "coverage"),
        ("runs", "curves"),
        ("manifest.json", "stages"),
    ],
)
def test_a_missing_part_is_a_gap(folder: Path, path: str, part: str) -> None:
    target = folder / path
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    assert part in read_results(folder).gaps


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"countries": 3}', "[" * 100_000])
@pytest.mark.parametrize(
    ("path", "part"), [("samples.json", "samples"), ("corpus/audit.json", "coverage"), ("summary.json", "summary")]
)
def test_damaged_json_is_a_gap_or_empty_but_no_crash(folder: Path, path: str, part: str, text: str) -> None:
    (folder / path).write_text(text)
    results = read_results(folder)
    assert part in results.gaps or (part == "summary" and text.startswith('{"'))


def test_lines_without_a_finite_loss_are_counted(folder: Path) -> None:
    path = folder / "runs" / "plain" / "metrics.jsonl"
    lines = ['{"kind": "train", "tokens": 5, "loss": NaN}', "{", "7", json.dumps({"kind": "train", "tokens": 1})]
    path.write_text(path.read_text() + "\n".join(lines) + "\n\n")
    assert read_results(folder).gaps["curve_lines"].startswith("4 lines")


def test_another_stage_is_refused(folder: Path) -> None:
    write_manifest(folder, Manifest.of("train", {}, {}))
    with pytest.raises(UserError, match="holds the result of 'train'"):
        read_results(folder)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read_results(tmp_path / "nowhere")


def test_documents_without_a_country_are_a_row_of_their_own(folder: Path) -> None:
    path = folder / "corpus" / "audit.json"
    audit = json.loads(path.read_text())
    audit["no_country"] = {split: {"documents": 7, "bytes": 1} for split in ("train", "validation", "test")}
    audit["problems"] = ["21 documents have no country"]
    path.write_text(json.dumps(audit))
    results = read_results(folder)
    assert results.coverage[-1].country == ""
    assert results.coverage[-1].documents == {"train": 7, "validation": 7, "test": 7}
    assert results.coverage_problems == ("21 documents have no country",)
