"""What is read from the folder of a real experiment, and what is said about a damaged one."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.report.results import read_results
from dateline.scores import RUNS_SCHEMA

PROMISED = {
    "run",
    "measure",
    "metric",
    "condition",
    "slice_by",
    "slice",
    "unit",
    "n_documents",
    "n_tokens",
    "value",
    "ci_low",
    "ci_high",
    "versus_run",
    "versus_condition",
    "p",
    "p_holm",
    "family_of_tests",
    "mde",
    "protocol",
    "family",
    "seed",
}
RUNS = ["conditioned-seed0", "conditioned-seed1", "plain-seed0", "plain-seed1"]


def edit(path: Path, **columns: object) -> None:
    """Replaces columns of a Parquet file; a function maps the old values."""
    table = pd.read_parquet(path)
    for name, value in columns.items():
        table[name] = table[name].map(value) if callable(value) else value
    table.to_parquet(path)


def two_protocols() -> object:
    """Returns a function that gives two protocols in turn."""
    turn = itertools.cycle(("strict-1", "paper-1"))
    return lambda _: next(turn)


def test_a_whole_folder_has_no_gap(experiment: Path) -> None:
    found = read_results(experiment)
    assert found.gaps == {}
    assert found.manifest is not None
    assert {"perplexity", "locate", "mcq", "efficiency"} == set(found.scores["measure"])
    assert len(found.coverage) == 18
    assert len(found.samples) == 3
    assert set(found.chance) == set(RUNS)
    assert set(found.bins["run"]) == set(found.confusions["run"]) == {"conditioned-seed0", "conditioned-seed1", "tfidf"}


def test_the_long_table_has_the_promised_columns_and_every_row(experiment: Path) -> None:
    found = read_results(experiment).scores
    assert set(found.columns) >= PROMISED
    own = pd.read_parquet(experiment / "scores.parquet")
    assert len(found) == len(own)
    row = own[(own["run"] == "conditioned-seed0") & (own["metric"] == "nll_difference")].iloc[0]
    same = found[
        (found["measure"] == "perplexity")
        & (found["run"] == "conditioned-seed0")
        & (found["versus_run"] == row["versus_run"])
        & (found["versus_condition"] == row["versus_condition"])
        & (found["condition"] == row["condition"])
        & (found["slice_by"] == row["slice_by"])
        & (found["slice"] == row["slice"])
        & (found["metric"] == row["metric"])
    ]
    assert same["value"].tolist() == [row["value"]]
    assert same["p"].tolist() == [row["p"]]


def test_families_and_seeds_come_from_the_table_of_runs(experiment: Path) -> None:
    found = read_results(experiment)
    assert list(found.runs.columns) == RUNS_SCHEMA.names
    runs = found.runs.set_index("run")
    assert runs["family"].to_dict() == {run: run.rpartition("-seed")[0] for run in RUNS}
    assert runs["seed"].to_dict() == {run: int(run[-1]) for run in RUNS}
    assert runs.loc["plain-seed0", "fields"] == ""
    assert runs.loc["conditioned-seed1", "fields"] == "domain+country+continent"
    assert (runs["body_tokens"] > 0).all()
    assert (runs["step"] == 8).all()
    assert set(found.scores.loc[found.scores["seed"].isna(), "run"]) == {"conditioned", "tfidf"}


@pytest.mark.parametrize("name", ["noseed1", "reseed2"])
def test_a_name_that_looks_like_a_seed_is_no_seed(folder: Path, name: str) -> None:
    for table in ("runs", "scores"):
        edit(folder / f"{table}.parquet", run=lambda run: name if run == "plain-seed0" else run)
    edit(folder / "runs.parquet", family=lambda family: name if family == "plain" else family)
    found = read_results(folder)
    assert found.runs.set_index("run").loc[name, "family"] == name
    assert set(found.scores.loc[found.scores["run"] == name, "family"]) == {name}


def test_a_comparison_over_seeds_speaks_for_its_seeds(experiment: Path) -> None:
    found = read_results(experiment).scores
    tests = found[(found["metric"] == "nll_difference") & (found["condition"] == "gold") & (found["slice_by"] == "all")]
    assert tests[tests["shown"]]["run"].tolist() == ["conditioned"]
    assert set(tests[~tests["shown"]]["run"]) == {"conditioned-seed0", "conditioned-seed1"}
    levels = found[(found["metric"] == "nll") & (found["measure"] == "perplexity")]
    assert levels["shown"].all()


def test_only_training_and_validation_records_hold_a_loss(experiment: Path) -> None:
    """The real file holds gain and groups records too; none of them is damage."""
    kinds = {json.loads(line)["kind"] for line in (experiment / "runs/plain-seed0/metrics.jsonl").open()}
    kinds |= {json.loads(line)["kind"] for line in (experiment / "runs/conditioned-seed0/metrics.jsonl").open()}
    assert {"gain", "groups", "train", "validation"} <= kinds
    found = read_results(experiment)
    assert "learning" not in found.gaps
    assert set(found.losses["kind"]) == {"train", "validation"}
    assert set(found.losses.loc[found.losses["kind"] == "validation", "condition"]) == {"gold", "none"}


def test_broken_lines_are_named(folder: Path) -> None:
    path = folder / "runs" / "plain-seed0" / "metrics.jsonl"
    lines = path.read_text().splitlines()
    before = len(read_results(folder).losses)
    cut = len(lines)
    record = {"kind": "train", "step": 9, "body_tokens": 100, "loss": None}
    path.write_text("\n".join([*lines, lines[0][:20], json.dumps(record), '{"kind": "skipped", "step": 3}', "[1]"]))
    found = read_results(folder)
    assert found.gaps["learning"] == [
        f"metrics.jsonl, plain-seed0 line {cut + 1}, plain-seed0 line {cut + 2} and plain-seed0 line {cut + 4}: no "
        "record with a finite loss; left out of the curves."
    ]
    assert len(found.losses) == before


@pytest.mark.parametrize(
    ("path", "part", "words"),
    [
        ("summary.json", "recovered", "no summary.json"),
        ("samples.json", "samples", "no samples.json"),
        ("corpus", "coverage", "no audit.json"),
        ("runs", "learning", "metrics.jsonl"),
        ("runs/plain-seed0/manifest.json", "making", "runs/plain-seed0"),
        ("manifest.json", "making", "No manifest.json in ."),
        ("runs.parquet", "making", "seeds are not recognised"),
        ("locate/conditioned-seed1/reliability.parquet", "locate", "no locate/conditioned-seed1/reliability.parquet"),
        ("locate/conditioned-seed0/confusion.parquet", "locate", "no locate/conditioned-seed0/confusion.parquet"),
    ],
)
def test_a_missing_part_is_a_gap(folder: Path, path: str, part: str, words: str) -> None:
    target = folder / path
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    gaps = read_results(folder).gaps
    assert words in " ".join(gaps[part])


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"countries": 3, "recovered_gain": "x"}', "\x00"])
@pytest.mark.parametrize("path", ["summary.json", "samples.json", "corpus/audit.json", "mcq/plain-seed0/manifest.json"])
def test_damaged_json_never_crashes(folder: Path, path: str, text: str) -> None:
    if path.endswith("manifest.json"):
        (folder / path).write_text(text or "{}")
        with pytest.raises(UserError, match="not a Dateline manifest"):
            read_results(folder)
    else:
        (folder / path).write_text(text)
        read_results(folder)


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_a_damaged_table_of_a_measure_is_a_gap(folder: Path, content: bytes | None) -> None:
    for name in ("reliability", "confusion"):
        path = folder / "locate" / "conditioned-seed0" / f"{name}.parquet"
        if content is None:
            pd.DataFrame({"run": ["x"]}).to_parquet(path)
        else:
            path.write_bytes(content)
    assert len(read_results(folder).gaps["locate"]) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "no score table"),
        (lambda path: path.write_bytes(b"nothing"), "not a readable Parquet file"),
        (
            lambda path: pd.DataFrame({"run": ["x"]}).to_parquet(path),
            "has no column 'measure'; it was written",
        ),
        (lambda path: pd.read_parquet(path).iloc[:0].to_parquet(path), "is empty"),
        (lambda path: edit(path, protocol=two_protocols()), "mixes 2 protocols"),
    ],
)
def test_a_bad_score_table_is_refused_in_one_line(folder: Path, change: object, message: str) -> None:
    change(folder / "scores.parquet")  # type: ignore[operator]
    with pytest.raises(UserError, match=message) as refused:
        read_results(folder)
    assert "\n" not in str(refused.value)


def test_tables_of_an_earlier_version_are_refused_in_one_line(folder: Path) -> None:
    path = folder / "scores.parquet"
    pd.read_parquet(path).rename(columns={"slice_by": "grouping", "slice": "group"}).to_parquet(path)
    with pytest.raises(UserError, match=r"has no column 'slice_by'; it was written by another version") as refused:
        read_results(folder)
    assert "\n" not in str(refused.value)


def test_another_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read_results(tmp_path / "nowhere")
    write_manifest(folder, Manifest.of("corpus", {}, {}))
    with pytest.raises(UserError, match="holds the result of 'corpus'"):
        read_results(folder)
