from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dateline.errors import UserError
from dateline.evaluate.comparisons import family
from dateline.report.scoretable import Comparison, ScoreTable, country_name, read_scores

from .helpers import score, scores, write_scores


def test_seeds_are_one_family() -> None:
    assert [family(run) for run in ("plain-seed0", "plain_seed12", "plain", "seedling", "a.seed=3")] == [
        "plain", "plain", "plain", "seedling", "a",
    ]  # fmt: skip


def test_two_protocols_are_refused(tmp_path: Path) -> None:
    table = scores(("gh", "ie"))
    mixed = [*table, dataclasses.replace(table[0], protocol="paper-00000000")]
    write_scores(tmp_path, mixed)
    with pytest.raises(UserError, match=r"scores\.parquet: .*mixes 2 protocols .*paper-00000000"):
        read_scores(tmp_path / "scores.parquet")


def test_bad_tables_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    with pytest.raises(UserError, match="no score table"):
        read_scores(path)
    path.write_text("not parquet")
    with pytest.raises(UserError, match="not a Parquet file"):
        read_scores(path)
    pq.write_table(pa.table({"run": ["a"]}), path)
    with pytest.raises(UserError, match="no column 'condition'"):
        read_scores(path)
    pq.write_table(pa.table({"run": pa.array([], pa.string())}), path)
    with pytest.raises(UserError, match="empty"):
        read_scores(path)


def test_order_baseline_and_comparisons() -> None:
    table = ScoreTable(scores(("gh", "ie", "us")))
    assert table.baseline == ("plain", "none")
    assert table.cells == [(run, c) for run in ("plain", "conditioned") for c in ("gold", "none", "wrong")]
    assert table.main() == Comparison(("conditioned", "gold"), ("plain", "none"))
    assert [c.this[1] for c in table.comparisons] == ["gold", "none", "wrong", "gold"]
    assert table.countries() == {"Africa": ["gh"], "America": ["us"], "Europe": ["ie"]}
    assert table.continents() == ["Africa", "America", "Europe"]


def test_baseline_without_a_plain_run_is_the_first_that_was_told_nothing() -> None:
    table = ScoreTable([score("b", "gold", "nll", 2.0, 0.1), score("b", "none", "nll", 2.1, 0.1)])
    assert table.baseline == ("b", "none")
    assert table.main() is None
    assert ScoreTable([score("b", "gold", "nll", 2.0, 0.1)]).baseline == ("b", "gold")


def test_several_seeds_give_the_mean_and_the_hull() -> None:
    comparison = Comparison(("b", "gold"), ("a", "none"))
    rows = [
        score(f"b-seed{n}", "gold", "nll_difference", v, 0.01, versus=f"a-seed{n}/none", p_value=p)
        for n, (v, p) in enumerate([(-0.1, 0.001), (-0.2, 0.03)])
    ]
    estimate = ScoreTable(rows).difference(comparison)
    assert estimate is not None
    assert estimate.value == pytest.approx(-0.15)
    assert (estimate.low, estimate.high, estimate.p_value) == (pytest.approx(-0.21), pytest.approx(-0.09), 0.03)
    assert estimate.seeds == (-0.1, -0.2)
    assert estimate.clear


def test_an_interval_that_is_unknown_for_one_seed_is_unknown_for_all() -> None:
    rows = [
        score("b-seed0", "gold", "nll_difference", -0.1, 0.01, versus="a/none", p_value=0.001),
        score("b-seed1", "gold", "nll_difference", -0.1, math.nan, versus="a/none", p_value=math.nan),
    ]
    estimate = ScoreTable(rows).difference(Comparison(("b", "gold"), ("a", "none")))
    assert estimate is not None
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert estimate.p_value is not None
    assert math.isnan(estimate.p_value)
    assert not estimate.clear


def test_nulls_and_unknown_places_survive_the_round_trip(tmp_path: Path) -> None:
    rows = [
        score("a", "none", "nll", math.nan, 0.1),
        score("a", "none", "nll", 2.0, 0.1, grouping="country", group="unknown"),
    ]
    write_scores(tmp_path, rows)
    table = read_scores(tmp_path / "scores.parquet")
    assert table.scores[1] == rows[1]
    assert math.isnan(table.scores[0].value)
    assert table.scores[0].p_value is None
    assert table.countries() == {"Other": ["unknown"]}
    assert (country_name("gh"), country_name("<b>")) == ("Ghana", "<b>")


def test_a_run_name_may_hold_slashes() -> None:
    table = ScoreTable([score("x", "gold", "nll_difference", 0.1, 0.2, versus="a/b/none", p_value=0.5)])
    assert table.comparisons == [Comparison(("x", "gold"), ("a/b", "none"))]


def test_older_tables_lack_columns_and_are_read_all_the_same(tmp_path: Path) -> None:
    write_scores(tmp_path, scores(("gh",)))
    path = tmp_path / "scores.parquet"
    new = ("p_holm", "mde", "num_outlets", "num_seeds", "fields")
    pq.write_table(pq.read_table(path).drop_columns(list(new)), path)
    table = read_scores(path)
    assert {(s.p_holm, s.mde, s.num_outlets, s.num_seeds, s.fields) for s in table.scores} == {(None, None, 0, 1, "")}


def test_the_new_columns_survive_the_round_trip(tmp_path: Path) -> None:
    rows = [
        score("a", "gold", "nll_difference", -0.1, 0.02, versus="b/none", p_value=0.01, p_holm=0.04, mde=0.03,
              num_outlets=54, num_seeds=3, fields="url+country"),
        score("a", "gold", "nll", 2.0, 0.1),
    ]  # fmt: skip
    write_scores(tmp_path, rows)
    table = read_scores(tmp_path / "scores.parquet")
    assert table.scores == rows
    found = table.difference(table.comparisons[0])
    assert found is not None
    assert (found.p_holm, found.mde, found.num_outlets, found.num_seeds) == (0.04, 0.03, 54, 3)
    assert table.leaks(("a", "gold"))


def test_only_perplexity_makes_a_cell_and_swaps_are_apart() -> None:
    rows = [score("", "", "title_in_url", 0.6, 0.1), score("a", "none", "nll", 2.0, 0.1)]
    rows += [score("a", f"swap:{code}", "nll", 2.1, 0.1) for code in ("gh", "ie")]
    rows += [score("a", "swap:gh", "nll_difference", 0.1, 0.1, versus="a/swap:ie", p_value=0.5)]
    table = ScoreTable(rows)
    assert table.cells == [("a", "none")]
    assert table.swaps == {"a": ["gh", "ie"]}
    assert table.comparisons == []
    assert table.main() is None


def test_a_table_of_swaps_alone_still_has_cells() -> None:
    assert ScoreTable([score("a", "swap:gh", "nll", 2.1, 0.1)]).baseline == ("a", "swap:gh")


def test_a_pooled_row_speaks_and_its_seeds_are_kept() -> None:
    rows = [score(f"a-seed{n}", "gold", "nll", 2.0 + 0.1 * n, 0.01) for n in range(2)]
    table = ScoreTable([*rows, score("a", "gold", "nll", 2.05, 0.09, num_seeds=2)])
    found = table.level(("a", "gold"), "nll")
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((2.05, 1.96, 2.14))
    assert (found.seeds, found.num_seeds) == ((2.0, 2.1), 2)
