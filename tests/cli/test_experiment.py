"""An experiment from the command line ends with a table, sentences and a page; so does the quickstart."""

import json
import shutil
from pathlib import Path

from dateline.cli import experiment
from dateline.cli.experiment import verdicts
from dateline.config import load_recipe
from dateline.experiment import ExperimentRecipe


def test_a_page_is_written(finished):
    page = (finished / "report.html").read_text()
    assert "Tiny" in page
    assert "conditioned" in page


def test_the_same_command_again_prints_the_outcome_and_skips_the_work(dateline, finished, experiment_recipe, tmp_path):
    out = shutil.copytree(finished, tmp_path / "tiny")
    (out / "report.html").unlink()
    said = dateline("experiment", experiment_recipe, "--out", out)
    assert said.code == 0, said.err
    assert said.err.count(": unchanged, skipped\n") == 6
    summary = json.loads((out / "summary.json").read_text())
    assert f"perplexity on {summary['num_documents']} test documents, with 95% intervals" in said.out
    assert f"{summary['ppl']['plain']['none']:.2f}" in said.out
    assert "  conditioned/gold - plain/none: perplexity " in said.out
    assert f"  recovered gain: {summary['recovered_gain']:.3f} [" in said.out
    assert said.out.splitlines()[-1].startswith(f"{out / 'report.html'} (")
    assert (out / "report.html").stat().st_size > 10_000


def test_differences_are_said_in_percent_of_perplexity():
    found = {"value": 0.0953102, "ci": [-0.1053605, 0.1823216], "p": 0.00049, "seeds": 1}
    pairs = {"a/gold - b/none": found, "c": {**found, "ci": [None, None], "p": None}}
    lines = verdicts({"nll_difference": pairs, "leaks": []})
    assert lines == [
        "",
        "  a/gold - b/none: perplexity +10.00% [-10.00, +20.00], p < 0.001",
        "  c: perplexity +10.00% [no interval], p not available",
    ]


def test_seeds_are_pooled_and_a_leak_is_named():
    found = {"value": 0.0, "ci": [-0.1053605, 0.0953102], "p": 0.5, "seeds": 1}
    pairs = {"a-seed0/url - b-seed0/none": found, "a/url - b/none": {**found, "seeds": 2}}
    lines = verdicts({"nll_difference": pairs, "leaks": ["a-seed0/url"]})
    assert lines[1:3] == [
        "  mean and interval over 2 seeds:",
        "  a/url - b/none: perplexity +0.00% [-10.00, +10.00], p = 0.500",
    ]
    assert lines[3].startswith("  LEAK: a-seed0/url: the prefix shows the URL")


def test_a_mistake_in_the_recipe_leaves_no_folder(dateline, experiment_recipe, tmp_path):
    said = dateline("experiment", experiment_recipe, "--out", tmp_path / "x", "--runs.plain.condition.dropout", "1")
    assert said.code == 2
    assert "runs.plain: unknown key 'condition'; did you mean 'conditions'?" in said.err
    assert list(tmp_path.iterdir()) == []


def test_without_words_the_quickstart_is_the_packaged_recipe(dateline, monkeypatch):
    calls = []
    monkeypatch.setattr(experiment, "execute", lambda recipe, out: calls.append((recipe, out)))
    assert dateline("quickstart").code == 0
    assert calls == [(load_recipe(ExperimentRecipe, experiment.QUICKSTART), Path("runs/quickstart"))]


def test_the_quickstart_takes_values_and_a_folder(dateline, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(experiment, "execute", lambda recipe, out: calls.append((recipe, out)))
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
