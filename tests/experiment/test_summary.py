"""What an experiment says in the end is what its score table and its losses say."""

import json
import math

import pytest
from dateline.experiment.outcome import summarize, write_samples
from dateline.experiment.scores import score_table

from dateline.experiment import outcome
from dateline.experiment.grid import expand


@pytest.fixture(scope="module")
def parts(make, finished):
    recipe = make()
    runs = expand(recipe, str(finished / "encoded"))
    return recipe, runs, score_table(recipe, runs, finished)


def test_differences_are_those_of_the_levels(parts, finished):
    recipe, runs, scores = parts
    summary = summarize(recipe, runs, finished, scores)
    found = summary["nll_difference"]["conditioned/gold - plain/none"]
    expected = math.log(summary["ppl"]["conditioned"]["gold"] / summary["ppl"]["plain"]["none"])
    assert found["value"] == pytest.approx(expected, abs=1e-9)
    assert found["ci"][0] <= found["value"] <= found["ci"][1]
    assert 0 < found["p"] <= found["p_holm"] <= 1
    assert found["mde"] > 0
    assert found["seeds"] == 1
    assert summary["leaks"] == []
    assert 0 <= summary["title_in_url"]["value"] <= 1


def test_the_gain_is_that_of_the_losses_and_the_entropy(parts, finished):
    summary = summarize(*parts[:2], finished, parts[2])
    entropy = summary["entropy"]
    gained = -summary["nll_difference"]["conditioned/gold - plain/none"]["value"]
    assert summary["recovered_gain"] == pytest.approx(gained / (entropy["without_place"] - entropy["with_place"]))
    assert summary["recovered_gain_by_run"].keys() == {"conditioned"}


@pytest.mark.parametrize("corpus", [{"countries": ["gb", "ng"]}, {"held_out": ["gb"]}, {"held_out_outlets": ["a.com"]}])
def test_a_corpus_without_all_places_in_training_has_no_gain(make, parts, finished, corpus):
    summary = summarize(make(corpus=corpus), *parts[1:2], finished, parts[2])
    assert "recovered_gain" not in summary
    assert summary["ppl"]["plain"]["none"] > 0


@pytest.mark.parametrize("other", [{"mix": {"weights": "equal"}}, {"model": {"size": "nano"}}], ids=["mix", "model"])
def test_another_mix_or_model_than_the_plain_runs_has_no_gain(make, parts, finished, other):
    recipe = make(runs={"plain": {"conditions": {"fields": []}}, "conditioned": other})
    assert "recovered_gain" not in summarize(recipe, expand(recipe, ""), finished, parts[2])


@pytest.fixture
def asked(monkeypatch):
    """What the samples ask of the model."""
    calls = []

    def continuations(model, headlines, places, *, run, num_tokens):
        calls.append((model, list(headlines), list(places), run, num_tokens))
        return [{"run": run}]

    monkeypatch.setattr(outcome, "continuations", continuations)
    return calls


def test_samples_are_of_the_first_conditioned_run_under_places_from_different_continents(
    make, finished, tmp_path, asked
):
    recipe = make(samples={"headlines": 3, "places": 4})
    write_samples(tmp_path / "samples.json", recipe, expand(recipe, ""), finished)
    [(model, headlines, places, run, num_tokens)] = asked
    assert (model, run, num_tokens) == (finished / "runs" / "conditioned", "conditioned", 4)
    assert len(set(headlines)) == 3
    assert places[-1] is None
    assert sorted(place.continent for place in places[:-1]) == ["Africa", "America", "Asia", "Europe"]
    assert all(place.domain and place.country for place in places[:-1])
    assert json.loads((tmp_path / "samples.json").read_text()) == [{"run": "conditioned"}]


@pytest.mark.parametrize(
    "values",
    [{"samples": {"headlines": 0}}, {"runs": {"plain": {"conditions": {"fields": []}}}}],
    ids=["none", "plain"],
)
def test_nothing_to_continue_leaves_an_empty_list(make, finished, tmp_path, asked, values):
    recipe = make(**values)
    write_samples(tmp_path / "samples.json", recipe, expand(recipe, ""), finished)
    assert not asked
    assert json.loads((tmp_path / "samples.json").read_text()) == []
