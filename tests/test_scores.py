"""The long tables: what their columns are, what survives a file, what is not merged, and how p-values are corrected."""

import ast
import inspect
import math
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.scores import (
    LOSSES_SCHEMA,
    RUNS_SCHEMA,
    SCORES_SCHEMA,
    Run,
    Score,
    correct,
    merge_scores,
    read_losses,
    read_runs,
    read_scores,
    slices,
    summary_rows,
    write_losses,
    write_runs,
    write_scores,
)

SCORE = Score(
    run="r",
    measure="perplexity",
    metric="ppl",
    condition="gold",
    slice_by="all",
    slice="all",
    unit="perplexity",
    n_documents=20,
    n_tokens=1000,
    value=9.5,
    ci_low=9.1,
    ci_high=9.9,
    protocol="strict-1a2b3c4d",
    data="c",
    model="m",
)
AFRICA = replace(SCORE, slice_by="continent", slice="Africa", value=8.25, ci_low=math.nan, ci_high=math.nan)
DIFFERENCE = replace(
    SCORE,
    metric="nll_difference",
    unit="nats/token",
    shown="domain+country",
    versus_run="p",
    versus_condition="none",
    p=0.01,
    p_holm=0.02,
    family_of_tests="perplexity country",
    mde=0.1,
    n_outlets=7,
    n_seeds=3,
)
RUN = Run(
    "conditioned-seed1",
    "conditioned",
    "nano",
    "Africa+Asia",
    "",
    "domain+country",
    0.1,
    0.0,
    "natural",
    "same_steps",
    1,
    300,
    12345,
    "m",
)


def columns(schema):
    return [f"{field.name}: {field.type}" for field in schema]


def test_columns_of_runs():
    assert columns(RUNS_SCHEMA) == [
        "run: string", "family: string", "size: string", "trained_on: string", "left_out: string", "fields: string",
        "dropout: double", "cooldown: double", "mix: string", "budget: string",
        "seed: int64", "step: int64", "body_tokens: int64", "model: string",
    ]  # fmt: skip


def test_runs_of_one_kind_differ_in_name_seed_and_training_only():
    again = replace(RUN, run="b", family="c", seed=7, step=9, body_tokens=1, model="other")
    assert again.kind() == RUN.kind()
    for column in ("size", "trained_on", "left_out", "fields", "mix", "budget"):
        assert replace(RUN, **{column: "else"}).kind() != RUN.kind()
    assert replace(RUN, dropout=0.3).kind() != RUN.kind()
    plain = replace(RUN, fields="", dropout=1.0, cooldown=0.1)
    assert plain.kind() == RUN.kind().plain() == RUN.plain().kind()


def test_columns_of_scores():
    assert columns(SCORES_SCHEMA) == [
        "run: string", "measure: string", "metric: string", "condition: string", "slice_by: string", "slice: string",
        "unit: string", "n_documents: int64", "n_tokens: int64", "value: double", "ci_low: double", "ci_high: double",
        "protocol: string", "data: string", "model: string", "shown: string", "versus_run: string",
        "versus_condition: string", "p: double", "p_holm: double", "family_of_tests: string", "mde: double",
        "n_outlets: int64", "n_seeds: int64", "equivalent_within: double",
    ]  # fmt: skip


def test_columns_of_losses():
    assert columns(LOSSES_SCHEMA) == [
        "run: string", "condition: string", "shown: string", "id: string", "domain: string", "country: string",
        "continent: string", "slice_by: string", "slice: string", "nll: double", "n_tokens: int64", "n_bytes: int64",
        "model: string", "protocol: string", "data: string",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [Run, Score])
def test_every_column_has_a_docstring(kind):
    body = ast.parse(inspect.getsource(kind)).body[0].body
    said = {
        one.target.id
        for one, after in pairwise(body)
        if isinstance(one, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }
    assert [field.name for field in fields(kind) if field.name not in said] == []


def test_scores_come_back_from_the_file_as_they_were(tmp_path):
    uncounted = replace(SCORE, metric="title_in_url", n_tokens=None)
    infinite = replace(SCORE, ci_high=math.inf)
    scores = [SCORE, DIFFERENCE, uncounted, infinite]
    write_scores(tmp_path, scores)
    assert read_scores(tmp_path) == scores
    assert (scores[0].p, scores[0].p_holm, scores[0].mde, scores[2].n_tokens) == (None, None, None, None)
    write_scores(tmp_path, [AFRICA, replace(DIFFERENCE, p=math.nan)])
    africa, difference = read_scores(tmp_path)
    assert math.isnan(africa.ci_low)
    assert math.isnan(africa.ci_high)
    assert math.isnan(difference.p)
    assert replace(africa, ci_low=0, ci_high=0) == replace(AFRICA, ci_low=0, ci_high=0)
    write_scores(tmp_path, [])
    assert read_scores(tmp_path) == []


@given(
    value=st.floats(), low=st.floats(allow_nan=False), tokens=st.none() | st.integers(0, 2**62), text=st.text(),
    p=st.none() | st.floats(0, 1),
)  # fmt: skip
def test_any_number_survives(tmp_path_factory, value, low, tokens, text, p):
    folder = tmp_path_factory.mktemp("scores")
    text = text.encode("utf-8", "ignore").decode()
    score = replace(SCORE, value=value, ci_low=low, n_tokens=tokens, slice=text, p=p)
    write_scores(folder, [score])
    (found,) = read_scores(folder)
    assert found == score or (math.isnan(found.value) and math.isnan(value))
    assert (found.ci_low, found.n_tokens, found.slice, found.p) == (low, tokens, text, p)


def test_runs_come_back_with_the_names_that_they_have(tmp_path):
    """Identity is in columns; a name that looks as if it held a seed is a name."""
    runs = [RUN, *(replace(RUN, run=name, family=name, seed=0) for name in ("noseed1", "reseed2", "seed3"))]
    write_runs(tmp_path, runs)
    assert read_runs(tmp_path) == runs
    scores = [replace(SCORE, run=run.run, p=0.02, family_of_tests="f") for run in runs]
    write_scores(tmp_path, correct(scores))
    found = read_scores(tmp_path)
    assert [score.run for score in found] == ["conditioned-seed1", "noseed1", "reseed2", "seed3"]
    assert [row["run"] for row in summary_rows(found)] == ["conditioned-seed1", "noseed1", "reseed2", "seed3"]


def losses(**changes):
    row = dict.fromkeys(LOSSES_SCHEMA.names, "x") | {"nll": 1.5, "n_tokens": 3, "n_bytes": 9} | changes
    return pa.Table.from_pylist([row], schema=LOSSES_SCHEMA), row


def test_losses_come_back_and_other_columns_do_not(tmp_path):
    whole, row = losses()
    part, other = losses(slice_by="part", slice="title", n_bytes=None)
    write_losses(tmp_path, pa.concat_tables([whole, part]))
    assert read_losses(tmp_path).to_pylist() == [row, other]
    pq.write_table(whole.append_column("extra", [["y"]]), tmp_path / "losses.parquet")
    assert read_losses(tmp_path).to_pylist() == [row]


@pytest.mark.parametrize(("read", "name"), [(read_scores, "scores"), (read_losses, "losses"), (read_runs, "runs")])
def test_missing_and_damaged_files_are_refused_in_one_line(tmp_path, read, name):
    with pytest.raises(UserError, match=rf"{name}\.parquet: no such table; make it with: dateline ") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / f"{name}.parquet").write_text("no parquet")
    with pytest.raises(UserError, match=rf"{name}\.parquet: not a readable Parquet file") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


EARLIER = {
    "run": ["a"], "condition": ["gold"], "grouping": ["all"], "group": ["all"], "metric": ["ppl"], "value": [9.5],
    "ci_low": [9.1], "ci_high": [9.9], "num_documents": [20], "num_tokens": [1000], "protocol": ["strict-1a2b3c4d"],
    "model": ["m"], "corpus": ["c"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("read", "name", "missing"),
    [(read_scores, "scores", "measure"), (read_losses, "losses", "shown"), (read_runs, "runs", "family")],
)
def test_files_of_an_earlier_version_are_refused_in_one_line(tmp_path, read, name, missing):
    pq.write_table(pa.table(EARLIER), tmp_path / f"{name}.parquet")
    message = (
        f"{tmp_path / name}.parquet: has no column '{missing}'; it was written by another version of Dateline: "
        "evaluate again"
    )
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    assert str(caught.value) == message


def test_a_column_of_another_type_is_of_another_version_too(tmp_path):
    write_scores(tmp_path, [SCORE])
    table = pq.read_table(tmp_path / "scores.parquet")
    at = table.column_names.index("value")
    pq.write_table(table.set_column(at, "value", pa.array(["much"])), tmp_path / "scores.parquet")
    with pytest.raises(UserError, match=r"column 'value' holds string instead of double; it was written by another"):
        read_scores(tmp_path)


@pytest.fixture
def put(tmp_path):
    def write(**folders):
        for name, scores in folders.items():
            (tmp_path / name).mkdir()
            write_scores(tmp_path / name, scores)
        return [tmp_path / name for name in folders]

    return write


@pytest.mark.parametrize("kind", ["protocol", "data"])
def test_merging_refuses_different_protocols_and_data(put, kind):
    folders = put(a=[SCORE], b=[replace(SCORE, run="s", **{kind: "other"})])
    with pytest.raises(UserError, match=f"run 'r' was scored with {kind} .*, run 's' with other; .* not comparable"):
        merge_scores(folders)


def test_measures_have_protocols_and_data_of_their_own(put):
    question = replace(SCORE, measure="mcq", metric="accuracy_cloze", protocol="cloze-1", data="questions")
    assert merge_scores(put(a=[SCORE], b=[question])) == [SCORE, question]


def test_merging_refuses_a_run_that_is_there_twice(put):
    gb = replace(SCORE, slice_by="country", slice="gb")
    a, b, c = put(a=[SCORE, gb], b=[replace(SCORE, run="s"), DIFFERENCE], c=[replace(SCORE, model="n")])
    assert merge_scores([a, b]) == [SCORE, gb, replace(SCORE, run="s"), DIFFERENCE]
    with pytest.raises(UserError, match=f"run 'r' under 'gold' is in {a} and in {c}; give each evaluation its own"):
        merge_scores([a, c])


def naive_holm(p_values):
    """Straight from the definition: the largest of what the p-values up to a test's own are multiplied to."""
    ranked = sorted(p_values)
    return [max(min(1.0, (len(ranked) - at) * ranked[at]) for at in range(ranked.index(p) + 1)) for p in p_values]


tests = st.lists(
    st.tuples(
        st.none() | st.just(math.nan) | st.floats(0, 1),
        st.sampled_from(["perplexity country", "mcq country", "seeds"]),
        st.sampled_from(["nll_difference", "accuracy_difference"]),
        st.sampled_from(["noseed1", "reseed2", "a"]),
    ),
    max_size=12,
)


@given(tests)
def test_p_values_are_corrected_once_in_each_family_of_tests(chosen):
    scores = [replace(DIFFERENCE, p=p, p_holm=0.5, family_of_tests=f, metric=m, run=r) for p, f, m, r in chosen]
    corrected = correct(scores)
    for family in {score.family_of_tests for score in scores}:
        made = [s for s in corrected if s.family_of_tests == family and s.p is not None and not math.isnan(s.p)]
        assert [s.p_holm for s in made] == pytest.approx(naive_holm([s.p for s in made]))
    for before, after in zip(scores, corrected, strict=True):
        assert replace(after, p_holm=0.5, p=0.1) == replace(before, p_holm=0.5, p=0.1)
        if before.p is None or math.isnan(before.p):
            assert after.p_holm is None or math.isnan(after.p_holm)
    again = correct(corrected)
    assert repr(again) == repr(corrected)


def test_correction_by_hand():
    p = {"a": 0.01, "b": 0.03, "c": 0.02, "d": 0.04}
    scores = [replace(DIFFERENCE, slice=name, p=value, p_holm=None, family_of_tests="ab" if name in "ab" else "cd")
              for name, value in p.items()]  # fmt: skip
    assert [score.p_holm for score in correct([*scores, SCORE])] == [0.02, 0.03, 0.04, 0.04, None]


def test_slices_hold_every_document_once_and_name_the_unknown():
    found = slices({"id": np.array(["1", "2", "3"]), "country": np.array(["ng", "", "gb"])}, ["country"])
    assert [(by, value, rows.tolist()) for by, value, rows in found] == [
        ("all", "all", [0, 1, 2]), ("country", "gb", [2]), ("country", "ng", [0]), ("country", "unknown", [1]),
    ]  # fmt: skip


def test_versus_names_run_and_condition():
    assert (SCORE.versus, DIFFERENCE.versus) == ("", "p/none")


def test_summary_rows_have_a_column_for_each_slice():
    none = replace(SCORE, condition="none", value=10.0)
    assert summary_rows([SCORE, AFRICA, none]) == [
        {"run": "r", "condition": "gold", "all": "9.50 [9.10, 9.90]", "Africa": "8.25 [no interval]"},
        {"run": "r", "condition": "none", "all": "10.00 [9.10, 9.90]", "Africa": ""},
    ]
    assert summary_rows([SCORE], interval=False)[0]["all"] == "9.50"
    assert summary_rows([replace(AFRICA, n_documents=1)])[0]["Africa"] == "8.25 [one document]"
    assert summary_rows([SCORE], metric="nll") == []
    (row,) = summary_rows([replace(DIFFERENCE, shown="url+country")], metric="nll_difference")
    assert row == {"run": "r", "condition": "gold [leak]", "versus": "p/none", "all": "9.5000 [9.1000, 9.9000]"}


def test_a_table_from_before_equivalence_was_tested_is_read(tmp_path):
    write_scores(tmp_path, [replace(SCORE, equivalent_within=0.01)])
    table = pq.read_table(tmp_path / "scores.parquet")
    assert read_scores(tmp_path)[0].equivalent_within == 0.01
    pq.write_table(table.drop_columns(["equivalent_within"]), tmp_path / "scores.parquet")
    assert read_scores(tmp_path) == [SCORE]
    pq.write_table(table.drop_columns(["mde"]), tmp_path / "scores.parquet")
    with pytest.raises(UserError, match="has no column 'mde'"):
        read_scores(tmp_path)
