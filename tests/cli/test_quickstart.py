"""The quickstart takes values like any experiment, and has a folder of its own by default."""

from pathlib import Path

from dateline.cli import experiment, quickstart
from dateline.config import load_recipe
from dateline.experiment import ExperimentRecipe


def test_without_words_it_is_the_packaged_recipe(dateline, monkeypatch):
    calls = []
    monkeypatch.setattr(experiment, "execute", lambda recipe, out: calls.append((recipe, out)))
    assert dateline("quickstart").code == 0
    assert calls == [(load_recipe(ExperimentRecipe, quickstart.RECIPE), Path("runs/quickstart"))]


def test_values_and_folder_are_taken(dateline, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(experiment, "execute", lambda recipe, out: calls.append((recipe, out)))
    assert dateline("quickstart", "--out", tmp_path / "q", "--corpus.newswire.articles", "77").code == 0
    [(recipe, out)] = calls
    assert (recipe.corpus.newswire.articles, out) == (77, tmp_path / "q")


def test_an_unknown_value_is_a_mistake(dateline, tmp_path):
    said = dateline("quickstart", "--out", tmp_path / "q", "--article", "5")
    assert said.code == 2
    assert "unknown key 'article'" in said.err
    assert not (tmp_path / "q").exists()
