"""From a model folder and a file to a finished folder."""

import json

import pyarrow.parquet as pq
import pytest

from dateline.errors import UserError
from dateline.evaluate.mcq.run import evaluate_mcq, mcq_plan
from dateline.evaluate.table import read_scores
from dateline.manifest import read_manifest


@pytest.fixture(scope="module")
def finished(llama, question_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "mcq"
    evaluate_mcq(llama, question_file, out=out, run="a", resamples=200, device="cpu")
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
        cloze = [row["correct"] for row in rows if row["form"] == "cloze" and row["condition"] == condition]
        (score,) = [s for s in scores if (s.metric, s.condition, s.grouping) == ("accuracy_cloze", condition, "all")]
        assert score.value == pytest.approx(sum(cloze) / 4)
        assert (score.num_documents, score.fields) == (4, "" if condition == "none" else "country")
    assert {s.metric for s in scores if s.versus == "a/none"} >= {
        "accuracy_cloze_difference",
        "switch_cloze_difference",
    }
    assert len({s.protocol for s in scores}) == 1


def test_a_second_run_is_the_same_bit_by_bit(finished, llama, question_file, tmp_path):
    evaluate_mcq(llama, question_file, out=tmp_path / "again", run="a", resamples=200, device="cpu")
    assert pq.read_table(tmp_path / "again" / "items.parquet") == pq.read_table(finished / "items.parquet")
    assert repr(read_scores(tmp_path / "again")) == repr(read_scores(finished))
    assert read_manifest(tmp_path / "again").fingerprint == read_manifest(finished).fingerprint


def test_two_models_are_compared_item_by_item(finished, gpt2, question_file, tmp_path):
    evaluate_mcq(
        gpt2, question_file, out=tmp_path / "b", run="b", versus=finished, resamples=200, device="cpu",
        conditions=["gold", "none"],
    )  # fmt: skip
    versus = {(s.condition, s.versus) for s in read_scores(tmp_path / "b") if s.versus and s.metric.startswith("acc")}
    assert versus == {("gold", "b/none"), ("gold", "a/gold"), ("none", "a/none")}
    assert read_manifest(tmp_path / "b").parents["versus"] == read_manifest(finished).fingerprint


def test_other_items_are_refused_before_anything_is_asked(finished, gpt2, items, write_questions, tmp_path):
    fewer = write_questions(tmp_path / "three.jsonl", items[:3])
    with pytest.raises(UserError, match="run 'a' was asked other questions"):
        evaluate_mcq(gpt2, fewer, out=tmp_path / "b", run="b", versus=finished, device="cpu")
    assert not (tmp_path / "b").exists()


def test_the_plan_changes_with_everything_that_decides_and_with_nothing_else(llama, questions):
    recipe, parents = mcq_plan(llama, questions, run="a")
    assert mcq_plan(llama, questions, run="a") == (recipe, parents)
    for change in ({"layout": "article"}, {"seed": 1}, {"conditions": ["none"]}, {"protocol": "paper-generative"}):
        assert mcq_plan(llama, questions, run="a", **change)[0] != recipe
    assert mcq_plan(llama, questions[1:], run="a")[1] != parents


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "essay"}, "layout: 'essay' is not known; known are question, article"),
        ({"by": ["domain"]}, "by: 'domain' is not known"),
        ({"run": ""}, "the run has no name"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"fields": ["planet"]}, "fields: 'planet' is not known"),
    ],
)
def test_names_that_mean_nothing_are_refused(llama, questions, change, message):
    with pytest.raises(UserError, match=message):
        mcq_plan(llama, questions, **{"run": "a", **change})


def test_a_broken_model_or_file_is_one_line_and_leaves_nothing(llama, question_file, items, write_questions, tmp_path):
    import shutil

    equal = write_questions(tmp_path / "equal.jsonl", [{**items[1], "options": ["court", "court", "b"]}])
    with pytest.raises(UserError, match="two options are equal, 'court'"):
        evaluate_mcq(llama, equal, out=tmp_path / "o", run="a", device="cpu")
    with pytest.raises(UserError, match="holds no questions"):
        evaluate_mcq(llama, write_questions(tmp_path / "none.jsonl", []), out=tmp_path / "o", run="a", device="cpu")
    copy = tmp_path / "model"
    shutil.copytree(llama / "model", copy)
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    for name in ("bos_token", "eos_token"):
        settings[name] = None
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match="has neither BOS nor EOS"):
        evaluate_mcq(copy, question_file, out=tmp_path / "o", run="a", device="cpu")
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"not a loadable causal language model|model\.safetensors"):
        evaluate_mcq(copy, question_file, out=tmp_path / "o", run="a", device="cpu")
    assert not (tmp_path / "o").exists()
