"""From a model folder and a file to a finished folder."""

import json

import pyarrow.parquet as pq
import pytest

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.evaluate.mcq.run import mcq_stage
from dateline.evaluate.recipe import MEASURES, Mcq
from dateline.manifest import read_manifest
from dateline.scores import read_scores


def stage(model, file, run="a", **options):
    return mcq_stage(model, Mcq(questions=str(file), **{"resamples": 200, "device": "cpu", **options}), run)


@pytest.fixture(scope="module")
def finished(llama, question_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "mcq"
    stage(llama, question_file).make(out)
    return out


def test_the_folder_holds_scores_items_and_what_made_them(finished, questions):
    manifest = read_manifest(finished)
    assert manifest.stage == "mcq"
    assert manifest.counts == {"in": 4, "kept": 4, "counted_wrong": 0, "pairs": 2, "no_pair": 0}
    assert manifest.facts["chance"] == pytest.approx((3 / 4 + 1 / 3) / 4)
    assert manifest.facts["shown"] == {"gold": ["country"], "none": [], "wrong": ["country"]}
    rows = pq.read_table(finished / "items.parquet").to_pylist()
    assert {row["id"] for row in rows if row["form"] == "cloze"} == {q.id for q in questions}
    scores = read_scores(finished)
    for condition in ("gold", "none", "wrong"):
        cloze = [row["points"] for row in rows if row["form"] == "cloze" and row["condition"] == condition]
        (score,) = [s for s in scores if (s.metric, s.condition, s.slice_by) == ("accuracy_cloze", condition, "all")]
        assert score.value == pytest.approx(sum(cloze) / 4)
        assert (score.n_documents, score.shown) == (4, "" if condition == "none" else "country")
    assert {s.metric for s in scores if s.versus == "a/none"} >= {
        "accuracy_cloze_difference",
        "switch_cloze_difference",
    }
    (protocol,) = {s.protocol for s in scores}
    (data,) = {s.data for s in scores}
    assert (protocol, data) == (manifest.facts["protocol"], manifest.parents["questions"])
    assert {(s.measure, s.unit, s.n_tokens) for s in scores} == {("mcq", "share", None)}


def test_a_second_run_is_the_same_bit_by_bit(finished, llama, question_file, tmp_path):
    stage(llama, question_file).make(tmp_path / "again")
    assert pq.read_table(tmp_path / "again" / "items.parquet") == pq.read_table(finished / "items.parquet")
    assert repr(read_scores(tmp_path / "again")) == repr(read_scores(finished))
    assert read_manifest(tmp_path / "again").fingerprint == read_manifest(finished).fingerprint


def test_the_registry_of_measures_makes_the_same_stage(llama, question_file):
    options = Mcq(questions=str(question_file), resamples=200, device="cpu")
    assert MEASURES["mcq"].stage(llama, options, "a").fingerprint == stage(llama, question_file).fingerprint


def test_two_models_are_compared_item_by_item(finished, gpt2, question_file, tmp_path):
    stage(gpt2, question_file, "b", versus=str(finished), conditions=("gold", "none")).make(tmp_path / "b")
    versus = {(s.condition, s.versus) for s in read_scores(tmp_path / "b") if s.versus and s.metric.startswith("acc")}
    assert versus == {("gold", "b/none"), ("gold", "a/gold"), ("none", "a/none")}
    assert read_manifest(tmp_path / "b").parents["versus"] == read_manifest(finished).fingerprint


def test_other_items_are_refused_before_anything_is_asked(finished, gpt2, items, write_questions, tmp_path):
    fewer = write_questions(tmp_path / "three.jsonl", items[:3])
    with pytest.raises(UserError, match="run 'a' was asked other questions"):
        stage(gpt2, fewer, "b", versus=str(finished))


def test_a_stage_changes_with_everything_that_decides_and_with_nothing_else(llama, question_file, tmp_path):
    first = stage(llama, question_file).fingerprint
    (tmp_path / "copy.jsonl").write_bytes(question_file.read_bytes())
    assert stage(llama, tmp_path / "copy.jsonl", batch_tokens=7, temperature=2.0).fingerprint == first
    changes = [{"layout": "article"}, {"seed": 1}, {"conditions": ("none",)}, {"fields": ("continent",)}]
    changes += [{"answers": "paper-generative"}, {"answers": "paper-generative", "temperature": 2.0}, {"run": "b"}]
    found = {stage(llama, question_file, **change).fingerprint for change in changes}
    assert len(found | {first}) == len(changes) + 1
    lines = question_file.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "fewer.jsonl").write_text("".join(lines[1:]), encoding="utf-8")
    assert stage(llama, tmp_path / "fewer.jsonl").fingerprint != first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": ""}, "the run has no name"),
        ({"by": ("country", "country")}, "by names 'country' twice"),
        ({"conditions": ("silver",)}, "unknown condition 'silver'"),
        ({"versus": "nowhere"}, "nowhere: no such folder; make it with: dateline eval mcq"),
    ],
)
def test_names_that_mean_nothing_are_refused(llama, question_file, change, message):
    with pytest.raises(UserError, match=message):
        stage(llama, question_file, **change)


@pytest.mark.parametrize(
    "change", [{"layout": "essay"}, {"by": ["domain"]}, {"temperature": 0}, {"fields": ["planet"]}]
)
def test_options_that_mean_nothing_are_refused(change):
    (name,) = change
    with pytest.raises(UserError, match=name):
        validate_recipe(Mcq, {"questions": "q.jsonl", **change})


def test_a_broken_model_or_file_is_one_line_and_leaves_nothing(llama, question_file, items, write_questions, tmp_path):
    import shutil

    equal = write_questions(tmp_path / "equal.jsonl", [{**items[1], "options": ["court", "court", "b"]}])
    with pytest.raises(UserError, match="two options are equal, 'court'"):
        stage(llama, equal).make(tmp_path / "o")
    with pytest.raises(UserError, match="holds no questions"):
        stage(llama, write_questions(tmp_path / "none.jsonl", [])).make(tmp_path / "o")
    copy = tmp_path / "model"
    shutil.copytree(llama / "model", copy)
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    for name in ("bos_token", "eos_token"):
        settings[name] = None
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match="has neither BOS nor EOS"):
        stage(copy, question_file).make(tmp_path / "o")
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"not a loadable causal language model|model\.safetensors"):
        stage(copy, question_file).make(tmp_path / "o")
    assert not (tmp_path / "o").exists()
