"""An experiment from the command line ends with a table, sentences and a page; so does the quickstart."""

import json
import math
import shutil
from pathlib import Path

from dateline.cli import experiment
from dateline.cli.experiment import difference_table, level_table, show_tables
from dateline.config import load_recipe
from dateline.experiment import ExperimentRecipe
from dateline.scores import Run, Score

PAIR = "conditioned/gold - plain/none"


def test_a_page_is_written(finished):
    page = (finished / "report.html").read_text()
    assert "Tiny" in page
    assert "conditioned" in page


def test_the_same_command_again_prints_the_outcome_and_skips_the_work(dateline, finished, experiment_recipe, tmp_path):
    out = shutil.copytree(finished, tmp_path / "tiny")
    (out / "report.html").unlink()
    said = dateline("experiment", experiment_recipe, "--out", out)
    assert said.code == 0, said.err
    assert said.err.count(": unchanged, skipped\n") == 3  # corpus, encoding, and both runs in one line
    assert "2 of 2 runs: unchanged, skipped\n" in said.err
    summary = json.loads((out / "summary.json").read_text())
    lines = said.out.splitlines()
    assert lines[1] == f"differences of perplexity in %, {summary['num_documents']} test documents; p is Holm's"
    rows = {line.split("  ")[0]: line for line in lines}
    assert f"{100 * math.expm1(summary['nll_difference'][PAIR]['value']):+.2f}" in rows[PAIR]
    levels = {line.split()[0]: line.split() for line in lines if line.startswith(("plain ", "conditioned "))}
    assert levels["plain"][1] == f"{summary['ppl']['plain']['none']:.2f}"
    assert lines.index(rows[PAIR]) < lines.index(next(line for line in lines if line.startswith("plain ")))
    assert f"{summary['recovered_gain']:.3f}" in levels["conditioned"]
    assert said.out.splitlines()[-1].startswith(f"{out / 'report.html'} (")
    assert (out / "report.html").stat().st_size > 10_000


def test_workers_below_zero_are_refused(dateline, experiment_recipe, tmp_path):
    said = dateline("experiment", experiment_recipe, "--out", tmp_path / "x", "--workers", "-1")
    assert said.code == 2
    assert "--workers" in said.err
    assert not (tmp_path / "x").exists()


def test_slurm_is_looked_for_before_anything_is_made(dateline, experiment_recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    asked = ("--executor", "slurm", "--slurm", "partition=gpu,gpus=1,time=1:00:00")
    said = dateline("experiment", experiment_recipe, "--out", tmp_path / "x", *asked)
    assert said.code == 2
    assert "--executor slurm: no 'sbatch' here" in said.err
    assert not (tmp_path / "x").exists()


def score(run, condition, **values):
    known = {
        "measure": "perplexity",
        "metric": "ppl",
        "slice_by": "all",
        "slice": "all",
        "unit": "perplexity",
        "n_documents": 1595,
        "n_tokens": 9999,
        "value": 25.4321,
        "ci_low": 25.0,
        "ci_high": 26.0,
        "protocol": "p",
        "data": "d",
        "model": "m",
    }
    return Score(run=run, condition=condition, **{**known, **values})


def difference(run, condition, versus_run, versus_condition="none", **values):
    known = {
        "metric": "nll_difference",
        "unit": "nats/token",
        "value": 0.0953102,
        "ci_low": -0.1053605,
        "ci_high": 0.1823216,
        "p": 0.00049,
        "p_holm": 0.00098,
    }
    return score(run, condition, versus_run=versus_run, versus_condition=versus_condition, **{**known, **values})


def trained(run, family="", **values):
    known = {
        "size": "pico",
        "trained_on": "all",
        "left_out": "",
        "fields": "",
        "dropout": 1.0,
        "cooldown": 0.0,
        "mix": "natural",
        "budget": "same_steps",
        "seed": 0,
        "step": 10,
        "body_tokens": 1000,
        "model": "m",
    }
    return Run(run=run, family=family or run, **{**known, **values})


def test_differences_are_said_in_percent_of_perplexity():
    scores = [
        difference("a", "gold", "b", equivalent_within=0.3),
        difference("c", "gold", "b", ci_low=math.nan, ci_high=math.nan, p=None, p_holm=None),
    ]
    title, rows, notes = difference_table(scores, [trained(name) for name in "abc"])
    assert title == "differences of perplexity in %, 1,595 test documents; p is Holm's"
    assert rows == [
        {"comparison": "a/gold - b/none", "%": "+10.00", "95% interval": "[-10.00, +20.00]", "p": "<0.001"},
        {"comparison": "c/gold - b/none", "%": "+10.00", "95% interval": "none", "p": ""},
    ]
    assert notes == []
    _, rows, notes = difference_table(scores, [trained(name) for name in "abc"], margin=0.3)
    assert [row["="] for row in rows] == ["=", ""]
    assert notes == ["= : equivalent within 0.3 nats per token (the 90% interval lies within it)"]


def test_rows_over_seeds_stand_for_those_of_single_seeds():
    scores = [difference("a-seed0", "url", "b-seed0"), difference("a", "url", "b", n_seeds=2)]
    runs = [trained(f"{name}-seed0", name) for name in "ab"]
    title, rows, _ = difference_table(scores, runs)
    assert [row["comparison"] for row in rows] == ["a/url - b/none"]
    assert "2 seeds" in title
    levels = [score(f"{name}-seed{seed}", "none", value=value) for name, seed, value in (("a", 0, 2), ("a", 1, 4))]
    runs = [trained(f"a-seed{seed}", "a") for seed in (0, 1)]
    gains = {f"a-seed{seed}": {"value": value, "ci": [0.0, 1.0]} for seed, value in ((0, 0.5), (1, 0.7))}
    title, rows, _ = level_table(levels, runs, gains)
    assert title.startswith("perplexity, mean of 2 seeds; recovered gain")
    assert rows == [{"run": "a", "none": "3.00", "recovered gain": "0.600"}]


def test_a_recovered_gain_stands_beside_its_run():
    levels = [score("plain", "none"), score("one", "gold"), score("two", "gold"), score("two", "swap:gb")]
    gains = {"one": {"value": 0.5, "ci": [0.25, 0.75]}, "two": {"value": 0.75, "ci": [None, None]}}
    _, rows, notes = level_table(levels, [trained(name) for name in ("plain", "one", "two")], gains)
    assert [(row["run"], row["recovered gain"]) for row in rows] == [
        ("plain", ""), ("one", "0.500 [0.250, 0.750]"), ("two", "0.750"),
    ]  # fmt: skip
    assert notes == ["losses under counterfactual countries are in the report"]
    _, rows, _ = level_table(levels, [], {})
    assert "recovered gain" not in rows[0]


VALUES = {"value": -0.045, "ci_low": -0.05, "ci_high": -0.04}
REGIONS = ("global", "africa", "noafrica")
"""Three mixes, each with a plain and a conditioned run, and one run more."""


def seven_runs():
    where = {"africa": {"trained_on": "Africa"}, "noafrica": {"left_out": "Africa"}}
    runs = [trained(f"{mix}-{kind}", **where.get(mix, {})) for mix in REGIONS for kind in ("plain", "meta")]
    scores = []
    for mix in REGIONS:
        scores += [score(f"{mix}-plain", "none")]
        scores += [score(f"{mix}-meta", condition) for condition in ("gold", "none", "wrong")]
        for condition in ("gold", "none", "wrong"):
            pair = (f"{mix}-meta", condition, f"{mix}-plain")
            scores.append(difference(*pair, **VALUES))
            if mix != "global":
                scores += [difference(*pair, **VALUES, slice_by="region", slice=part) for part in ("in", "out")]
        scores += [difference(f"{mix}-meta", condition, f"{mix}-meta", "gold") for condition in ("wrong", "none")]
    scores += [score("old-meta", condition) for condition in ("gold", "none")]
    scores.append(difference("global-meta", "gold", "africa-plain", **VALUES))
    return scores, [*runs, trained("old-meta")]


def test_seven_runs_fit_a_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    scores, runs = seven_runs()
    tables = (
        difference_table(scores, runs, [("global-meta/gold", "africa-plain/none")], margin=0.01),
        level_table(scores, runs, {"global-meta": {"value": 0.993, "ci": [0.944, 1.041]}}),
    )
    show_tables(tables)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 22  # the address of the page and the prompt follow
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    assert [row[:3] for row in rows[3:7]] == [
        ["global-meta/gold", "-", "africa-plain/none"],
        ["global-meta/gold", "-", "global-plain/none"],
        ["africa-meta/gold", "-", "africa-plain/none"],
        ["noafrica-meta/gold", "-", "noafrica-plain/none"],
    ]
    assert lines[5].endswith(" -4.4* -4.4*")
    assert "global-meta/gold - africa-plain/none: also differ in trained_on (all, Africa)" in lines
    assert "12 more comparisons are in the report" in lines


def test_a_mistake_in_the_recipe_leaves_no_folder(dateline, experiment_recipe, tmp_path):
    said = dateline("experiment", experiment_recipe, "--out", tmp_path / "x", "--runs.plain.condition.dropout", "1")
    assert said.code == 2
    assert "runs.plain: unknown key 'condition'; did you mean 'conditions'?" in said.err
    assert list(tmp_path.iterdir()) == []


def test_without_words_the_quickstart_is_the_packaged_recipe(dateline, monkeypatch):
    calls = []
    monkeypatch.setattr(experiment, "execute", lambda recipe, out, args: calls.append((recipe, out)))
    assert dateline("quickstart").code == 0
    assert calls == [(load_recipe(ExperimentRecipe, experiment.QUICKSTART), Path("runs/quickstart"))]


def test_the_quickstart_takes_values_and_a_folder(dateline, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(experiment, "execute", lambda recipe, out, args: calls.append((recipe, out)))
    assert dateline("quickstart", "--out", tmp_path / "q", "--corpus.newswire.articles", "77").code == 0
    [(recipe, out)] = calls
    assert (recipe.corpus.newswire.articles, out) == (77, tmp_path / "q")


def test_an_unknown_value_is_a_mistake(dateline, tmp_path):
    said = dateline("quickstart", "--out", tmp_path / "q", "--article", "5")
    assert said.code == 2
    assert "--article: unknown key" in said.err
    assert not (tmp_path / "q").exists()


def test_the_page_is_built_again(dateline, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "tiny")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    page = (folder / "report.html").read_text()
    (folder / "report.html").write_text("gone")
    said = dateline("report", folder)
    assert (said.code, said.out) == (0, f"{folder / 'report.html'}\n")
    assert len((folder / "report.html").read_text()) > 0.9 * len(page)
    changed = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {"report.html"}


def test_a_folder_without_scores(dateline, tmp_path):
    said = dateline("report", tmp_path)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
