import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.errors import UserError
from dateline.evaluate.statistics import paired_difference
from dateline.evaluate.table import (
    DOCUMENT_SCHEMA,
    differences,
    from_table,
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


def documents(run="a", number=40, *, shift=0.0, conditions=("gold", "none"), protocol="strict-1", extra_tokens=0):
    rng = np.random.default_rng(0)
    rows = []
    for condition in conditions:
        worse = 0.2 if condition == "none" else 0.0
        for i in range(number):
            tokens = 20 + i
            rows.append(
                {
                    "run": run, "condition": condition, "id": f"{i:016x}", "domain": f"d{i % 3}.com",
                    "country": ["ng", "gb", ""][i % 3], "continent": ["Africa", "Europe", ""][i % 3],
                    "nll": tokens * (3 + worse + shift) + rng.standard_normal(), "num_tokens": tokens + extra_tokens,
                    "num_bytes": 4 * tokens, "model": "m" + run, "protocol": protocol, "corpus": "c",
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=DOCUMENT_SCHEMA)


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


def test_differences_are_paired_and_grouped():
    table = documents()
    scores = differences(table, table, condition="gold", condition_versus="none", by=["continent", "country"])
    assert [(s.grouping, s.group) for s in scores] == [
        ("all", "all"), ("continent", "Africa"), ("continent", "Europe"), ("continent", "unknown"),
        ("country", "gb"), ("country", "ng"), ("country", "unknown"),
    ]  # fmt: skip
    total = scores[0]
    assert total.metric == "nll_difference"
    assert total.versus == "a/none"
    assert total.value == pytest.approx(-0.2, abs=0.02)
    assert total.num_documents == 40
    assert total.p_value == 1 / 10_001
    rows = table.to_pylist()
    gold, none = rows[:40], rows[40:]
    direct = paired_difference([r["nll"] for r in gold], [r["nll"] for r in none], [r["num_tokens"] for r in gold])
    assert total.value == pytest.approx(direct.value)
    assert (total.ci_low, total.ci_high) == pytest.approx((direct.low, direct.high))


def test_differences_align_documents_by_id():
    first, second = documents("a"), documents("b", shift=0.1, conditions=("none",))
    shuffled = second.take(np.random.default_rng(1).permutation(len(second)))
    forward = differences(first, second, condition="none", condition_versus="none")
    assert differences(first, shuffled, condition="none", condition_versus="none") == forward
    assert forward[0].value < 0
    assert forward[0].model == "ma"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (documents("b", extra_tokens=1), "different tokens were scored: document 0000000000000000 has 20 under a/gold"),
        (documents("b", number=39), "different documents .1 only on one side"),
        (documents("b", protocol="paper-1"), "protocol strict-1, b/gold with paper-1"),
        (documents("b", conditions=("none",)), "no documents under condition 'gold'; the table has: none"),
        (pa.concat_tables([documents("b"), documents("c")]), "several runs"),
    ],
)
def test_differences_refuse_what_is_not_comparable(other, message):
    with pytest.raises(UserError, match=message):
        differences(documents("a"), other, condition="gold", condition_versus="gold")


def test_summary_rows_have_a_column_for_each_group():
    none = replace(SCORE, condition="none", value=10.0)
    assert summary_rows([SCORE, AFRICA, none]) == [
        {"run": "r", "condition": "gold", "all": "9.50 [9.10, 9.90]", "Africa": "8.25"},
        {"run": "r", "condition": "none", "all": "10.00 [9.10, 9.90]", "Africa": ""},
    ]
    assert summary_rows([SCORE], interval=False)[0]["all"] == "9.50"
    assert summary_rows([SCORE], metric="nll") == []
