"""A test split is located, compared with counting words, with names and without; the folder says how."""

import math

import pyarrow.parquet as pq
import pytest

from dateline.errors import UserError
from dateline.evaluate.locate.run import evaluate_locating, locate_plan
from dateline.evaluate.table import read_scores
from dateline.manifest import read_manifest, stage_fingerprint

CHEAP = {"resamples": 100, "device": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, llama, placed):
    pytest.importorskip("sklearn")
    out = tmp_path_factory.mktemp("located") / "out"
    evaluate_locating(llama, placed, run="tiny", out=out, **CHEAP)
    return out


def test_the_folder_holds_what_was_agreed(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion.parquet", "manifest.json", "posteriors.parquet", "reliability.parquet", "scores.parquet",
    ]  # fmt: skip
    manifest = read_manifest(folder)
    assert manifest.stage == "locate"
    assert manifest.facts["places"] == ["gb", "ng", "pk"]
    assert manifest.counts == {"in": 24, "kept": 24}
    assert manifest.recipe["prior"] == {"gb": 0.25, "ng": 0.5, "pk": 0.25}
    table = pq.read_table(folder / "posteriors.parquet").to_pylist()
    assert len(table) == 4 * 24
    for row in table:
        assert sum(row["probabilities"]) == pytest.approx(1)
        assert row["confidence"] == max(row["probabilities"])
        assert (row["rank"] == 1) == (row["truth"] == row["predicted"])


def test_scores_of_model_and_baseline_with_and_without_names(folder):
    scores = read_scores(folder)
    levels = {(s.run, s.condition) for s in scores if not s.versus}
    assert levels == {(run, name) for run in ("tiny", "tfidf") for name in ("text", "names masked")}
    words = {(s.run, s.condition): s.value for s in scores if s.metric == "accuracy_country" and s.group == "all"}
    assert words["tfidf", "text"] == 1  # naira, rupee, pound
    assert words["tfidf", "names masked"] == 1
    pairs = {(f"{s.run}/{s.condition}", s.versus) for s in scores if s.versus}
    assert pairs == {
        ("tiny/text", "tfidf/text"),
        ("tiny/names masked", "tfidf/names masked"),
        ("tiny/names masked", "tiny/text"),
    }
    assert {s.protocol for s in scores} == {next(s.protocol for s in scores)}
    assert next(s.protocol for s in scores).startswith("locate-")
    assert {s.fields for s in scores if s.run == "tiny"} == {"country"}
    assert all(math.isfinite(s.value) for s in scores)


def test_the_plan_is_the_manifest(folder, llama, placed):
    recipe, parents = locate_plan(llama, placed, run="tiny", resamples=100)
    assert stage_fingerprint("locate", recipe, parents) == read_manifest(folder).fingerprint


def test_fewer_tokens_are_another_protocol_and_outlets_other_prompts(tmp_path, folder, llama, placed):
    evaluate_locating(
        llama, placed, run="tiny", out=tmp_path / "o", num_tokens=8, outlets=2, baseline=False, per_country=3, **CHEAP
    )
    manifest = read_manifest(tmp_path / "o")
    assert manifest.drops == {"not in the sample": 15}
    assert manifest.facts["prompts"]["URL: punchng.com\nCOUNTRY: ng\n"] == 0.5
    scores = read_scores(tmp_path / "o")
    assert scores[0].protocol != read_scores(folder)[0].protocol
    assert {s.run for s in scores} == {"tiny"}
    assert next(s for s in scores if s.group == "all").num_tokens == 9 * 8


def test_documents_of_other_countries_are_dropped_and_counted_and_gaps_are_marked(tmp_path, told, placed):
    out = tmp_path / "o"
    model = told(["country", "continent"])
    evaluate_locating(model, placed, run="a", out=out, countries=["ng", "us"], prior="uniform", baseline=False, **CHEAP)
    manifest = read_manifest(out)
    assert manifest.drops == {"country is none of the places": 12}
    assert manifest.facts["without_documents"] == ["us"]
    gap = [s for s in read_scores(out) if s.group == "us"]
    assert gap
    assert all(math.isnan(s.value) and s.num_documents == 0 for s in gap)


def test_a_split_of_one_document_has_no_bootstrap_interval(tmp_path, llama, placed):
    out = tmp_path / "o"
    evaluate_locating(llama, placed, run="a", out=out, num_documents=1, baseline=False, **CHEAP)
    found = {s.metric: s for s in read_scores(out) if s.grouping == "all" and not s.versus}
    assert math.isfinite(found["accuracy_country"].ci_low)
    assert math.isnan(found["log_loss"].ci_low)
    assert math.isnan(found["ece"].ci_low)


def test_mistakes_leave_nothing(tmp_path, llama, told, placed, corpus):
    out = tmp_path / "o"
    for model, encoded, words, message in [
        (told([]), placed, {}, "was trained without any place"),
        (llama, tmp_path, {}, "no manifest.json"),
        (llama, corpus, {}, "at least two countries"),  # no training split
        (llama, placed, {"run": "tfidf"}, "a name other than 'tfidf'"),
        (llama, placed, {"countries": ["us", "ca"], "prior": "uniform"}, "no test document is from any of us, ca"),
        (llama, placed, {"countries": ["ng", "us"]}, "cannot learn us"),
        (llama, placed, {"prior": "us=1"}, "gives nothing to any of"),
    ]:
        with pytest.raises(UserError, match=message):
            evaluate_locating(model, encoded, out=out, **{"run": "a", **CHEAP, **words})
    assert list(tmp_path.iterdir()) == []
