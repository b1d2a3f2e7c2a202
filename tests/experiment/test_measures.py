"""What is measured besides perplexity, and of which runs; the folders are looked at in test_scores.py."""

import pytest

from dateline.errors import UserError
from dateline.experiment import measures
from dateline.experiment.grid import expand


def asked(make, finished, monkeypatch, **evaluate):
    """Returns which stages are asked for, by run; nothing is made."""
    recipe = make(evaluate=evaluate)
    runs = expand(recipe, str(finished / "encoded"))
    made = []

    def stage(folder, name, settings, parents, make):
        made.append((folder.relative_to(finished).as_posix(), name))
        return name

    for run in runs:
        assert measures.measure(run, runs, recipe, finished, stage).keys() <= set(measures.MEASURES)
    return made


def test_nothing_is_measured_unless_asked_for(make, finished, monkeypatch):
    assert asked(make, finished, monkeypatch) == []


def test_only_models_that_know_places_are_read_backwards(make, finished, monkeypatch):
    assert asked(make, finished, monkeypatch, locate=True) == [("locate/conditioned", "locate")]


def test_every_run_is_asked_the_questions(make, finished, monkeypatch, tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "Which?", "options": ["a", "b"], "answer": "a", "country": "Ghana"}\n')
    assert asked(make, finished, monkeypatch, questions=str(file)) == [
        ("mcq/plain", "mcq"), ("mcq/conditioned", "mcq"),
    ]  # fmt: skip


def test_a_curve_needs_checkpoints(make, finished, monkeypatch):
    with pytest.raises(UserError, match="has no checkpoint before its end, so no curve"):
        asked(make, finished, monkeypatch, efficiency=True)
