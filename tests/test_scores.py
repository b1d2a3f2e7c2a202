import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.errors import UserError
from dateline.evaluate.table import (
    DOCUMENT_SCHEMA,
    from_table,
    groups,
    merge_scores,
    read_documents,
    read_scores,
    summary_rows,
    to_table,
    write_scores,
)
from dateline.records import Score

SCORE = Score(
    "r", "gold", "all", "all", "ppl", 9.5, 9.1, 9.9, 20, 1000, "strict-1a2b3c4d", "m", "c"
)  # fmt: skip
AFRICA = replace(SCORE, grouping="continent", group="Africa", value=8.25, ci_low=math.nan, ci_high=math.nan)


def test_scores_survive_the_table_and_the_file(tmp_path):
    difference = replace(SCORE, metric="nll_difference", versus="p/none", p_value=0.01)
    scores = [SCORE, difference]
    assert from_table(to_table(scores)) == scores
    write_scores(tmp_path / "scores.parquet", scores)
    assert read_scores(tmp_path) == scores == read_scores(tmp_path / "scores.parquet")
    write_scores(tmp_path / "nan.parquet", [AFRICA])
    assert math.isnan(read_scores(tmp_path / "nan.parquet")[0].ci_low)
    assert read_scores(tmp_path)[0].p_value is None


def test_missing_or_foreign_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such table; make it with"):
        read_scores(tmp_path)
    (tmp_path / "scores.parquet").write_text("no parquet")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        read_scores(tmp_path)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(UserError, match="column 'run' is missing"):
        read_scores(tmp_path / "other.parquet")
    with pytest.raises(UserError, match="column 'run' is missing"):
        read_documents(tmp_path / "other.parquet")


@pytest.mark.parametrize("kind", ["protocol", "corpus"])
def test_merging_refuses_different_protocols_and_corpora(tmp_path, kind):
    for name, score in (("a", SCORE), ("b", replace(SCORE, run="s", **{kind: "other"}))):
        (tmp_path / name).mkdir()
        write_scores(tmp_path / name / "scores.parquet", [score])
    with pytest.raises(UserError, match=f"run 'r' was scored with {kind} .*, run 's' with other"):
        merge_scores([tmp_path / "a", tmp_path / "b"])


def test_merging_refuses_a_run_that_is_there_twice(tmp_path):
    for name, score in (("a", SCORE), ("b", replace(SCORE, run="s")), ("c", replace(SCORE, model="n"))):
        (tmp_path / name).mkdir()
        write_scores(tmp_path / name / "scores.parquet", [score])
    assert [score.run for score in merge_scores([tmp_path / "a", tmp_path / "b"])] == ["r", "s"]
    with pytest.raises(UserError, match="give each evaluation its own --run name"):
        merge_scores([tmp_path / "a", tmp_path / "c"])


def test_documents_say_what_the_prefix_showed(tmp_path):
    row = dict.fromkeys(DOCUMENT_SCHEMA.names, "x") | {"nll": 1.5, "num_tokens": 3, "num_bytes": 9}
    row["fields"] = "domain+country"
    table = pa.Table.from_pylist([row], schema=DOCUMENT_SCHEMA)
    pq.write_table(table.append_column("extra", [["y"]]), tmp_path / "documents.parquet")
    assert read_documents(tmp_path).to_pylist() == [row]
    pq.write_table(table.drop_columns(["fields"]), tmp_path / "documents.parquet")
    with pytest.raises(UserError, match="column 'fields' is missing; evaluate again"):
        read_documents(tmp_path)


def test_groups_hold_every_document_once_and_name_the_unknown():
    columns = {"id": np.array(["1", "2", "3"]), "country": np.array(["ng", "", "gb"])}
    found = [(grouping, group, rows.tolist()) for grouping, group, rows in groups(columns, ["country"])]
    assert found == [
        ("all", "all", [0, 1, 2]), ("country", "gb", [2]), ("country", "ng", [0]), ("country", "unknown", [1]),
    ]  # fmt: skip


def test_summary_rows_have_a_column_for_each_group():
    none = replace(SCORE, condition="none", value=10.0)
    assert summary_rows([SCORE, AFRICA, none]) == [
        {"run": "r", "condition": "gold", "all": "9.50 [9.10, 9.90]", "Africa": "8.25 [no interval]"},
        {"run": "r", "condition": "none", "all": "10.00 [9.10, 9.90]", "Africa": ""},
    ]
    assert summary_rows([SCORE], interval=False)[0]["all"] == "9.50"
    assert summary_rows([SCORE], metric="nll") == []
