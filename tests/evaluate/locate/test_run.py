"""Every document of a split is located, compared with counting words, with names and without; the folder says how."""

import math

import pyarrow.parquet as pq
import pytest

import dateline.evaluate.locate.words as words
from dateline.errors import UserError
from dateline.evaluate.locate.run import locate_stage, protocol_name
from dateline.evaluate.protocol import Protocol
from dateline.evaluate.recipe import Locate
from dateline.manifest import read_manifest
from dateline.scores import read_scores


def stage(model, corpus, run="tiny", **options):
    return locate_stage(model, Locate(**{"corpus": str(corpus), "resamples": 100, "device": "cpu", **options}), run)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, llama, placed):
    pytest.importorskip("sklearn")
    out = tmp_path_factory.mktemp("located") / "out"
    stage(llama, placed).make(out)
    return out


def test_the_folder_holds_what_was_agreed(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion.parquet",
        "manifest.json",
        "posteriors.parquet",
        "reliability.parquet",
        "scores.parquet",
    ]
    manifest = read_manifest(folder)
    assert manifest.stage == "locate"
    assert manifest.facts["places"] == ["gb", "ng", "pk"]
    assert manifest.counts == {"in": 24, "kept": 24}
    assert manifest.recipe["prior"] == {"gb": 0.25, "ng": 0.5, "pk": 0.25}
    table = pq.read_table(folder / "posteriors.parquet").to_pylist()
    assert len(table) == 4 * 24
    assert sum(row["masked"] for row in table) == 2 * 24
    for row in table:
        assert sum(row["probabilities"]) == pytest.approx(1)
        assert row["confidence"] == max(row["probabilities"])
        assert (row["rank"] == 1) == (row["truth"] == row["predicted"])


def test_scores_of_model_and_baseline_with_and_without_names(folder):
    scores = read_scores(folder)
    assert {s.measure for s in scores} == {"locate"}
    assert {(s.run, s.condition) for s in scores} == {("tiny", "swap:all"), ("tfidf", "")}
    overall = {(s.run, s.metric): s for s in scores if s.slice_by == "all"}
    metrics = ("accuracy_country", "top3_country", "accuracy_continent", "log_loss", "ece")
    levels = {(run, f"{name}{end}") for run in ("tiny", "tfidf") for name in metrics for end in ("", "_masked")}
    assert {key for key, s in overall.items() if not s.versus_run} == levels
    assert overall["tfidf", "accuracy_country"].value == 1  # naira, rupee, pound
    assert overall["tfidf", "accuracy_country_masked"].value == 1
    assert overall["tfidf", "accuracy_country"].n_tokens is None
    differences = {(s.metric, s.versus_run, s.versus_condition) for s in scores if s.versus_run}
    assert differences == {
        ("accuracy_country_difference", "tfidf", ""),
        ("accuracy_country_masked_difference", "tfidf", ""),
        ("accuracy_country_masking_difference", "tiny", "swap:all"),
    }
    masked, plain = (overall["tiny", f"accuracy_country{end}"].value for end in ("_masked", ""))
    assert overall["tiny", "accuracy_country_masking_difference"].value == pytest.approx(masked - plain)
    assert {s.shown for s in scores if s.run == "tiny"} == {"country"}
    assert all(math.isfinite(s.value) for s in scores)


def test_all_differences_of_a_call_are_one_family(folder):
    tests = [s for s in read_scores(folder) if s.versus_run]
    assert {s.family_of_tests for s in tests} == {"locate tiny"}
    least = min(tests, key=lambda s: s.p)
    assert least.p_holm == pytest.approx(min(1, least.p * len(tests)))


def test_the_same_stage_is_made_once(folder, llama, placed):
    before = (folder / "scores.parquet").stat().st_mtime_ns
    manifest = stage(llama, placed).ensure(folder)
    assert manifest.fingerprint == stage(llama, placed, batch_tokens=64).fingerprint
    assert (folder / "scores.parquet").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change",
    [
        {"countries": ("gb", "ng")},
        {"prior": "uniform"},
        {"fields": ("country", "continent")},
        {"tokens": 9},
        {"protocol": Protocol(split="train")},
        {"protocol": Protocol(num_documents=20)},
        {"protocol": Protocol(per_group=5)},
        {"protocol": Protocol(seed=1)},
        {"protocol": Protocol(window=128)},
    ],
    ids=str,
)
def test_what_makes_numbers_comparable_is_in_the_protocol(tmp_path, folder, llama, placed, change):
    changed = stage(llama, placed, baseline=False, **change)
    assert changed.fingerprint != read_manifest(folder).fingerprint
    assert protocol_of(changed, tmp_path / "o") not in {s.protocol for s in read_scores(folder)}


def test_the_masking_words_are_in_the_protocol(tmp_path, folder, llama, placed, monkeypatch):
    [unchanged] = {s.protocol for s in read_scores(folder)}
    assert unchanged.startswith("locate-")
    same = stage(llama, placed, baseline=False, resamples=2)
    assert protocol_of(same, tmp_path / "same") == unchanged
    known = words.place_names()
    monkeypatch.setattr(words, "place_names", lambda: {**known, "oil": (words.Name("oil", True),)})
    names = protocol_of(stage(llama, placed, baseline=False), tmp_path / "names")
    monkeypatch.undo()
    monkeypatch.setattr(words, "NEUTRAL", "there")
    neutral = protocol_of(stage(llama, placed, baseline=False), tmp_path / "neutral")
    assert len({unchanged, names, neutral}) == 3


def test_the_number_of_outlets_is_in_the_protocol(tmp_path, llama, placed):
    found = [protocol_of(stage(llama, placed, baseline=False, outlets=n), tmp_path / str(n)) for n in (0, 1, 2)]
    assert len(set(found)) == 3


def test_fields_are_in_the_protocol_even_where_the_prefixes_are_as_long(llama, placed):
    one, other = (stage(llama, placed, fields=fields).recipe for fields in (("country",), ("country", "continent")))
    room = Protocol(prefix_room=20)
    assert protocol_name(room, one) == protocol_name(room, dict(one))
    assert protocol_name(room, one) != protocol_name(room, other)


def protocol_of(made, out):
    made.make(out)
    [protocol] = {s.protocol for s in read_scores(out)}
    return protocol


def test_a_window_that_was_not_set_is_what_the_model_can_read(folder, tmp_path, llama, placed):
    assert read_manifest(folder).facts["window"] == 256
    with pytest.raises(UserError, match="reads 256 tokens"):
        stage(llama, placed, protocol=Protocol(window=2048)).make(tmp_path / "o")


def test_the_sample_is_that_of_the_protocol(tmp_path, llama, placed):
    protocol = Protocol(split="train", per_group=3, group="country")
    manifest = stage(llama, placed, tokens=8, outlets=2, baseline=False, protocol=protocol).make(tmp_path / "o")
    assert manifest.counts == {"in": 40, "kept": 9}
    assert manifest.drops == {"not in the sample": 31}
    assert manifest.facts["prompts"]["URL: punchng.com\nCOUNTRY: ng\n"] == 0.5
    scores = read_scores(tmp_path / "o")
    assert {s.run for s in scores} == {"tiny"}
    assert next(s for s in scores if s.slice == "all").n_tokens == 9 * 8


def test_documents_of_other_countries_are_dropped_and_counted_and_gaps_are_marked(tmp_path, trained_with, placed):
    model = trained_with(["country", "continent"])
    manifest = stage(model, placed, countries=("ng", "us"), prior="uniform", baseline=False).make(tmp_path / "o")
    assert manifest.drops == {"country is none of the places": 12}
    assert manifest.facts["without_documents"] == ["us"]
    gap = [s for s in read_scores(tmp_path / "o") if s.slice == "us"]
    assert gap
    assert all(math.isnan(s.value) and s.n_documents == 0 for s in gap)


def test_a_split_of_one_document_has_no_bootstrap_interval(tmp_path, llama, placed):
    stage(llama, placed, baseline=False, protocol=Protocol(num_documents=1)).make(tmp_path / "o")
    found = {s.metric: s for s in read_scores(tmp_path / "o") if s.slice_by == "all" and not s.versus_run}
    assert math.isfinite(found["accuracy_country"].ci_low)
    assert math.isnan(found["log_loss"].ci_low)
    assert math.isnan(found["ece"].ci_low)


def test_mistakes_leave_nothing(tmp_path, llama, trained_with, placed, corpus):
    for model, encoded, changes, message in [
        (trained_with([]), placed, {}, "was trained without any place"),
        (llama, tmp_path, {}, "no manifest.json"),
        (llama, corpus, {}, "at least two countries"),  # no training split
        (llama, placed, {"run": "tfidf"}, "a name other than 'tfidf'"),
        (llama, placed, {"protocol": Protocol(name="paper")}, "use strict"),
        (llama, placed, {"countries": ("us", "ca"), "prior": "uniform"}, "no document is from any of us, ca"),
        (llama, placed, {"countries": ("ng", "us")}, "cannot learn us"),
        (llama, placed, {"prior": "us=1"}, "gives nothing to any of"),
    ]:
        with pytest.raises(UserError, match=message):
            stage(model, encoded, **changes).make(tmp_path / "o")
    assert list(tmp_path.iterdir()) == []
