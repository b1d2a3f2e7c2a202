"""An experiment leaves everything that the report needs, and does nothing twice."""

import errno
import hashlib
import json
import math
import os
import shutil
import signal

import pyarrow.parquet as pq
import pytest

import dateline
import dateline.manifest
from dateline.cli import main
from dateline.errors import Interrupted, RunsFailed, UserError
from dateline.experiment.run import run_experiment, write_summary
from dateline.manifest import Manifest, read_manifest, write_manifest
from dateline.scores import read_runs, read_scores
from dateline.train.folder import checkpoints
from dateline.train.metrics import MetricsFile

PLAIN, CONDITIONED = "noseed1", "reseed2"
NAMES = [f"{family}-seed{seed}" for seed in (0, 1) for family in (PLAIN, CONDITIONED)]
WITH_METADATA = [name for name in NAMES if name.startswith(CONDITIONED)]
STAGES = {
    "corpus",
    "encoded",
    *(f"{kind}/{name}" for kind in ("runs", "perplexity", "mcq") for name in NAMES),
    *(f"{kind}/{name}" for kind in ("locate", "efficiency") for name in WITH_METADATA),
}
FIRST = WITH_METADATA[0]


def with_dropout(value):
    return {PLAIN: {"conditions": {"fields": []}}, CONDITIONED: {"conditions": {"dropout": value}}}


@pytest.fixture
def at_step(monkeypatch):
    """Does something once, as soon as the training loss of a step is written."""

    def arrange(step, action):
        write = MetricsFile.write
        actions = [action]

        def watched(self, kind, at, **values):
            write(self, kind, at, **values)
            if kind == "train" and at == step and actions:
                actions.pop()()

        monkeypatch.setattr(MetricsFile, "write", watched)

    return arrange


class Killed(BaseException):
    """Stands for `kill -9`: nobody catches it."""


def kill():
    raise Killed


def state(folder):
    """Time and content of every file of the stages."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for stage in STAGES
        for path in (folder / stage).rglob("*")
        if path.is_file()
    }


def scores(folder, but=""):
    """The score table as text, because an interval that is not there is no number, and not equal to itself."""
    return [repr(score) for score in read_scores(folder) if score.measure != but]


def made_again(before, after):
    """The stages of which any file is new, gone or rewritten."""
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return {stage for stage in STAGES if any(path.startswith(stage + "/") for path in changed)}


def forget(out, name):
    """Takes a run and everything after it back."""
    for folder in out.glob(f"*/{name}"):
        shutil.rmtree(folder)
    for file in ("manifest.json", "runs.parquet", "scores.parquet", "summary.json", "samples.json"):
        (out / file).unlink()


def weights(run):
    """The weights of a finished run, as bytes."""
    return (run / "model" / "model.safetensors").read_bytes()


# What is there in the end


def test_what_an_experiment_leaves(finished):
    assert {path.name for path in finished.iterdir()} == {
        *{stage.partition("/")[0] for stage in STAGES},
        *{"runs.parquet", "scores.parquet", "samples.json", "summary.json", "manifest.json"},
    }
    folders = {str(path.relative_to(finished)) for path in finished.glob("*/*-seed*")}
    assert folders == {stage for stage in STAGES if "/" in stage}


def test_every_run_is_a_row(finished):
    rows = read_runs(finished)
    assert [(row.run, row.family, row.seed) for row in rows] == [
        (name, name.partition("-")[0], int(name[-1])) for name in NAMES
    ]
    for row in rows:
        assert (row.size, row.trained_on, row.left_out) == ("pico", "all", "")
        assert row.fields == ("" if row.family == PLAIN else "domain+country+continent")
        counts = read_manifest(finished / "runs" / row.run).counts
        assert (row.step, row.body_tokens) == (4, counts["body_tokens"])
    assert len({row.model for row in rows}) == 4
    models = {row.run: row.model for row in rows}
    assert all(score.model == models[score.run] for score in read_scores(finished) if score.run in models)


def test_the_protocol_of_every_measure_is_that_of_the_experiment(finished):
    for stage in STAGES:
        if stage.partition("/")[0] in ("perplexity", "locate", "efficiency"):
            protocol = read_manifest(finished / stage).recipe["protocol"]
            assert (protocol["window"], protocol["num_documents"], protocol["split"]) == (128, 20, "test")
    assert read_manifest(finished / "mcq" / FIRST).recipe["conditions"] == [
        "gold",
        "none",
        "wrong",
        "swap:gb",
        "swap:ie",
    ]
    assert read_manifest(finished / "mcq" / NAMES[0]).recipe["conditions"] == ["none"]
    assert read_manifest(finished / "locate" / FIRST).recipe["countries"] == ["gb", "ie", "ng"]


def test_the_manifest_names_its_parents(finished, make):
    manifest = read_manifest(finished)
    assert manifest.stage == "experiment"
    assert manifest.parents == {stage: read_manifest(finished / stage).fingerprint for stage in STAGES}
    assert manifest.recipe == make().model_dump(mode="json")


def test_the_stages_are_each_others_parents(finished):
    of = {stage: read_manifest(finished / stage) for stage in STAGES}
    assert of["encoded"].parents["corpus"] == of["corpus"].fingerprint
    for run in NAMES:
        assert of[f"runs/{run}"].parents["encoded"] == of["encoded"].fingerprint
        assert of[f"perplexity/{run}"].parents["corpus"] == of["encoded"].fingerprint


def test_the_summary(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert {name: set(inner) for name, inner in summary["ppl"].items()} == {
        name: {"gold", "none", "wrong", "swap:gb", "swap:ie"} if name in WITH_METADATA else {"none"} for name in NAMES
    }
    for run, inner in summary["ppl"].items():
        for condition, value in inner.items():
            low, high = summary["ppl_ci"][run][condition]
            assert 1 < low < value < high
    low, high = summary["recovered_gain_ci"]
    assert low < summary["recovered_gain"] < high
    assert summary["seconds"] > 0
    assert summary["num_documents"] == 20 < read_manifest(finished / "corpus").counts["test"]


def test_a_summary_is_replaced(tmp_path):
    write_summary(tmp_path, {"a": 1})
    write_summary(tmp_path, {"b": 2})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"b": 2}


def test_what_is_no_number_is_null(tmp_path):
    write_summary(tmp_path, {"ci": [math.nan, 1.5], "gain": {"low": math.inf}, "p": None, "name": "nan"})
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written == {"ci": [None, 1.5], "gain": {"low": None}, "p": None, "name": "nan"}


# Nothing is done twice


def test_a_second_call_skips_every_stage(copy, make, capsys):
    before, said = state(copy), scores(copy)
    run_experiment(make(), copy)
    assert state(copy) == before
    assert scores(copy) == said
    skipped = [line for line in capsys.readouterr().err.splitlines() if line.endswith(": unchanged, skipped")]
    assert {line.removesuffix(": unchanged, skipped") for line in skipped} == {str(copy / stage) for stage in STAGES}
    assert read_manifest(copy) is not None


def test_a_new_version_of_dateline_makes_nothing_again(copy, make, monkeypatch, capsys):
    monkeypatch.setattr(dateline, "__version__", "99.0")
    monkeypatch.setattr(dateline.manifest, "__version__", "99.0")
    before = state(copy)
    run_experiment(make(), copy)
    assert state(copy) == before
    said = capsys.readouterr().err
    assert said.count(": unchanged, skipped") == len(STAGES)
    assert read_manifest(copy).versions["dateline"] == "99.0"


PERPLEXITY = {f"perplexity/{name}" for name in NAMES}
KEPT = {stage for stage in STAGES if stage.partition("/")[0] in ("locate", "mcq", "efficiency")}


@pytest.mark.parametrize(
    ("values", "again", "why"),
    [
        ({"evaluate": {"resamples": 201}}, PERPLEXITY, "resamples: 200 -> 201"),
        ({"evaluate": {"protocol": {"split": "validation"}}}, PERPLEXITY, "protocol.split: test -> validation"),
        (
            {"runs": with_dropout(0.25)},
            {f"{kind}/{name}" for kind in ("runs", "perplexity") for name in WITH_METADATA},
            "conditions.dropout: 0.5 -> 0.25",
        ),
        ({"corpus": {"newswire": {"seed": 2}}}, STAGES - KEPT, "newswire.seed: 1 -> 2"),
    ],
    ids=["evaluation", "split", "run", "corpus"],
)
def test_a_change_costs_what_depends_on_it(copy, make, capsys, values, again, why):
    before = state(copy)
    run_experiment(make(measures={}, **values), copy)
    assert made_again(before, state(copy)) == again
    assert why in capsys.readouterr().err
    assert "recovered_gain" in json.loads((copy / "summary.json").read_text())


def test_a_curve_needs_checkpoints(copy, make):
    shutil.rmtree(copy / "runs" / FIRST / "checkpoints")
    shutil.rmtree(copy / "efficiency" / FIRST)
    with pytest.raises(
        RunsFailed, match=f"1 of 4 runs failed .{FIRST}: .*has no checkpoint before its end, so no curve"
    ):
        run_experiment(make(), copy)
    assert {score.run for score in read_scores(copy) if score.measure == "perplexity"} >= set(NAMES)
    assert FIRST not in {score.run for score in read_scores(copy) if score.measure == "efficiency"}
    assert read_manifest(copy) is None


def test_where_the_second_round_fails_for_all_that_are_left_tables_hold_the_models(copy, make):
    """The curve of a conditioned run needs its checkpoints, and is taken after all runs are trained."""
    for plain, conditioned in zip(NAMES[::2], NAMES[1::2], strict=True):
        (copy / "perplexity" / plain / "manifest.json").write_text("{")
        shutil.rmtree(copy / "runs" / conditioned / "checkpoints")
        shutil.rmtree(copy / "efficiency" / conditioned)
    with pytest.raises(RunsFailed, match=r"^4 of 4 runs failed \(noseed1-seed0: .*no curve"):
        run_experiment(make(), copy)
    assert [run.run for run in read_runs(copy)] == WITH_METADATA
    assert {score.run for score in read_scores(copy) if score.measure == "perplexity"} >= set(WITH_METADATA)


# Nothing is lost


def test_a_full_disk_costs_the_run_that_met_it_and_the_same_command_goes_on(copy, make, finished, at_step, capsys):
    forget(copy, FIRST)

    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.jsonl")

    at_step(3, full)
    said = "metrics.jsonl: the disk is full; free some space and run the same command again; what was finished is kept"
    with pytest.raises(
        RunsFailed, match=rf"^1 of 4 runs failed \({FIRST}: {said}\); tables and report hold the others"
    ):
        run_experiment(make(), copy)
    assert f"{FIRST}: failed: {said}" in capsys.readouterr().err
    assert [run.run for run in read_runs(copy)] == [name for name in NAMES if name != FIRST]
    run_experiment(make(), copy)
    assert "step-00000002" in {path.name for path in checkpoints(copy / "runs" / FIRST)}
    assert scores(copy) == scores(finished)


@pytest.mark.parametrize("finished_run", [True, False], ids=["finished", "stopped"])
def test_a_run_that_the_recipe_no_longer_names_stays_and_is_named(copy, make, capsys, finished_run):
    if not finished_run:
        (copy / "runs" / FIRST / "manifest.json").unlink()
    before = state(copy)
    run_experiment(make(runs={PLAIN: {"conditions": {"fields": []}}}), copy)
    assert state(copy) == before
    [line] = [line for line in capsys.readouterr().err.splitlines() if "not in the recipe, kept and not used" in line]
    left = sorted(stage for stage in STAGES if stage.partition("/")[2] in WITH_METADATA)
    assert (
        line
        == f"{copy}: not in the recipe, kept and not used: {', '.join(left)}; remove what you do not need with rm -r"
    )
    assert {score.run for score in read_scores(copy)} == {name for name in NAMES if name not in WITH_METADATA}
    assert [run.run for run in read_runs(copy)] == [name for name in NAMES if name not in WITH_METADATA]


def test_a_renamed_run_is_trained_under_its_new_name_and_stays_under_the_old_one(copy, make, capsys):
    kept = weights(copy / "runs" / FIRST)
    renamed = {"noseed1": {"conditions": {"fields": []}}, "other": {"conditions": {"dropout": 0.5}}}
    run_experiment(make(runs=renamed, measures={}), copy)
    assert weights(copy / "runs" / FIRST) == kept
    assert f"runs/{FIRST}" in capsys.readouterr().err
    assert {score.run for score in read_scores(copy)} >= {"other", "other-seed0", "other-seed1"}
    assert not any(score.run.startswith(CONDITIONED) for score in read_scores(copy))


def test_a_model_whose_recipe_changed_is_moved_aside_each_time(copy, make, capsys):
    found = []
    for dropout in (0.25, 0.1):
        run = copy / "runs" / FIRST
        name, kept = f"{FIRST}-{read_manifest(run).fingerprint}", weights(run)
        run_experiment(make(runs=with_dropout(dropout), measures={}), copy)
        found.append((name, kept))
        assert str(copy / "runs" / ".previous" / name) in capsys.readouterr().err
    assert found[0][1] != found[1][1]
    for name, kept in found:
        assert weights(copy / "runs" / ".previous" / name) == kept
        assert read_manifest(copy / "runs" / ".previous" / name).fingerprint == name.removeprefix(f"{FIRST}-")


def old_version(out):
    """Makes of a folder what versions before formats left: another fingerprint, other names of columns and folders."""
    for path in out.rglob("manifest.json"):
        manifest = json.loads(path.read_text())
        if manifest.pop("format", None) is not None:
            path.write_text(json.dumps({**manifest, "fingerprint": f"0{manifest['fingerprint'][1:]}"[::-1]}))
    for name in ("locate", "mcq", "efficiency", "runs.parquet"):
        shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink()
    (out / "perplexity").rename(out / "evaluation")
    for path in [out / "scores.parquet", *out.glob("evaluation/*/scores.parquet")]:
        table = pq.read_table(path).drop_columns(["measure", "unit", "versus_condition", "family_of_tests"])
        names = {"slice_by": "grouping", "slice": "group", "n_documents": "num_documents", "versus_run": "versus"}
        pq.write_table(table.rename_columns([names.get(name, name) for name in table.column_names]), path)


def test_an_experiment_of_an_old_version_keeps_its_models(copy, make, capsys):
    old_version(copy)
    kept = {name: weights(copy / "runs" / name) for name in NAMES}
    run_experiment(make(measures={}), copy)
    said = capsys.readouterr().err
    for name, model in kept.items():
        (folder,) = (copy / "runs" / ".previous").glob(f"{name}-*")
        assert weights(folder) == model
        assert str(folder) in said
    assert f"evaluation/{FIRST}" in said
    assert {score.run for score in read_scores(copy)} >= set(NAMES)


def test_a_report_of_an_old_version_is_refused_in_one_line(copy, capsys):
    old_version(copy)
    with pytest.raises(SystemExit) as left:
        main(["report", str(copy)])
    assert left.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "scores.parquet: has no column" in line
    assert "version" in line


# Stopped and continued


def test_a_signal_in_training_and_the_same_command_again(copy, make, finished, at_step, capsys):
    forget(copy, FIRST)
    at_step(3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match=r"stopped after step 3 of 4; saved .*; the same command continues"):
        run_experiment(make(), copy)
    assert not (copy / "manifest.json").exists()
    assert [path.name for path in checkpoints(copy / "runs" / FIRST)] == [
        "step-00000002",
        "step-00000003",
    ]
    saved = (copy / "runs" / FIRST / "checkpoints/step-00000003/state.json").stat().st_mtime_ns
    run_experiment(make(), copy)
    assert (copy / "runs" / FIRST / "checkpoints/step-00000003/state.json").stat().st_mtime_ns == saved
    assert scores(copy, but="efficiency") == scores(finished, but="efficiency")  # it left a checkpoint more


def test_a_killed_process_and_the_same_command_again(copy, make, finished, at_step):
    forget(copy, FIRST)
    at_step(3, kill)
    with pytest.raises(Killed):
        run_experiment(make(), copy)
    assert not (copy / "perplexity" / FIRST).exists()
    run_experiment(make(), copy)
    assert scores(copy) == scores(finished)


def test_a_stopped_run_of_another_recipe_is_moved_aside(copy, make, finished, at_step, capsys):
    forget(copy, FIRST)
    at_step(3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        run_experiment(make(runs=with_dropout(0.25)), copy)
    run_experiment(make(), copy)
    (aside,) = (copy / "runs" / ".previous").glob(f"{FIRST}-*")
    assert [path.name for path in checkpoints(aside)][-1] == "step-00000003"
    assert f"trained anew (an unfinished run); what stood there is kept in {aside}" in capsys.readouterr().err
    assert scores(copy) == scores(finished)


# Folders that are not ours


def test_a_file_in_the_way_is_refused(tmp_path, make):
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(UserError, match="out: is a file; --out names a folder"):
        run_experiment(make(), out)
    assert out.read_text() == "mine"


def test_another_stages_folder_is_refused_and_left_alone(tmp_path, make):
    write_manifest(tmp_path, Manifest.of("encode", {}, {}))
    with pytest.raises(UserError, match="holds the result of 'encode', not an experiment; choose another --out"):
        run_experiment(make(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
