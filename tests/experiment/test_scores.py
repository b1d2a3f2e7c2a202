"""Everything that is compared is in one table, with its correction."""

import pyarrow.parquet as pq
import pytest

from dateline.evaluate.table import read_documents
from dateline.experiment.grid import comparisons, expand
from dateline.experiment.run import run_experiment
from dateline.experiment.scores import score_table, swap_differences
from dateline.manifest import read_manifest

QUICK = {"resamples": 100, "protocol": {"window": 128, "num_documents": 16}}


@pytest.fixture(scope="module")
def parts(make, finished):
    recipe = make()
    runs = expand(recipe, str(finished / "encoded"))
    return recipe, runs, score_table(recipe, runs, finished)


def test_the_table_holds_levels_and_every_comparison(parts):
    recipe, runs, scores = parts
    levels = {(s.run, s.condition) for s in scores if s.metric == "ppl" and not s.versus}
    assert levels == {("plain", "none"), *(("conditioned", name) for name in ("gold", "none", "wrong"))}
    differences = [(s.run, s.condition, s.versus) for s in scores if s.versus and s.grouping == "all"]
    assert differences == [
        (pair.run, pair.condition, f"{pair.versus_run}/{pair.versus_condition}") for pair in comparisons(recipe, runs)
    ]
    assert {s.grouping for s in scores if s.versus} == {"all", "continent", "country", "part", "position"}


def test_parts_of_a_difference_add_up_to_it(parts):
    wanted = [s for s in parts[2] if (s.run, s.condition, s.versus) == ("conditioned", "gold", "plain/none")]
    (whole,) = [s for s in wanted if s.grouping == "all"]
    for grouping in ("part", "position"):
        inside = [s for s in wanted if s.grouping == grouping]
        assert sum(s.num_tokens for s in inside) == whole.num_tokens
        total = sum(s.value * s.num_tokens for s in inside)
        assert total == pytest.approx(whole.value * whole.num_tokens, rel=1e-6)


def test_every_test_is_corrected_and_says_what_it_could_have_found(parts):
    tests = [s for s in parts[2] if s.versus and s.grouping in ("all", "continent")]
    assert all(s.p_value <= s.p_holm <= 1 for s in tests)
    assert all(s.mde > 0 and s.num_outlets > 1 for s in tests if s.num_documents > 5)


@pytest.fixture(scope="module")
def swapped(make, tmp_path_factory):
    """Two seeds, every country told to every text, the model read backwards, and a curve of checkpoints."""
    questions = tmp_path_factory.mktemp("questions") / "q.jsonl"
    questions.write_text(
        '{"question": "What is the capital of Ghana?", "options": ["Accra", "Kumasi"], "answer": "Accra", '
        '"country": "Ghana"}\n{"question": "What is the capital of Ireland?", "options": ["Cork", "Dublin"], '
        '"answer": "Dublin", "country": "Ireland"}\n'
    )
    recipe = make(
        seeds=[0, 1],
        defaults={"train": {"steps": 4, "validate_every": 0, "checkpoint_every": 2, "keep_checkpoints": 4}},
        evaluate={
            **QUICK, "conditions": ["gold", "none", "swap:all", "marginal:uniform"], "locate": True,
            "questions": str(questions), "efficiency": True,
        },
    )  # fmt: skip
    out = tmp_path_factory.mktemp("swapped") / "tiny"
    run_experiment(recipe, out)
    return recipe, out


def test_texts_of_one_country_are_compared_under_every_two(swapped):
    _, out = swapped
    documents = read_documents(out / "evaluation" / "conditioned-seed0")
    found = swap_differences(documents, {"cluster": "document", "resamples": 100})
    homes = sorted(set(documents.column("country").to_pylist()))
    assert len(found) == len(homes) * (len(homes) - 1)
    assert all(s.grouping == "country" and s.versus.endswith(f"/swap:{s.group}") for s in found)
    one = found[0]
    told = {"home": one.versus.split("/")[1], "other": one.condition}
    rows = [r for r in documents.to_pylist() if r["country"] == one.group]
    sums = {key: sum(r["nll"] for r in rows if r["condition"] == name) for key, name in told.items()}
    tokens = sum(r["num_tokens"] for r in rows if r["condition"] == one.condition)
    assert one.value == pytest.approx((sums["other"] - sums["home"]) / tokens)


def test_seeds_are_a_second_level(swapped):
    recipe, out = swapped
    scores = score_table(recipe, expand(recipe, str(out / "encoded")), out)
    (pooled,) = [
        s for s in scores
        if (s.run, s.condition, s.versus, s.grouping) == ("conditioned", "gold", "plain/none", "all")
    ]  # fmt: skip
    single = [s for s in scores if s.run.startswith("conditioned-seed") and s.condition == "gold"
              and s.versus.startswith("plain") and s.grouping == "all"]  # fmt: skip
    assert (pooled.num_seeds, len(single)) == (2, 2)
    assert pooled.value == pytest.approx(sum(s.value for s in single) / 2)


def test_other_measures_lie_beside_and_a_second_call_skips_them(swapped, capsys):
    recipe, out = swapped
    for name, stage in (("locate", "locate"), ("mcq", "mcq"), ("efficiency", "efficiency")):
        manifest = read_manifest(out / name / "conditioned-seed1")
        assert manifest.stage == stage
        assert pq.read_table(out / name / "conditioned-seed1" / "scores.parquet").num_rows > 0
    assert not (out / "locate" / "plain-seed0").exists()
    assert (out / "mcq" / "plain-seed0").exists()
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*/manifest.json")}
    capsys.readouterr()
    run_experiment(recipe, out)
    assert "made again" not in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("*/*/manifest.json")}
