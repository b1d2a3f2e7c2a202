import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from dateline.evaluate.comparisons import across_seed_differences, correct, differences, family
from dateline.evaluate.table import DOCUMENT_SCHEMA

from dateline.errors import UserError
from dateline.records import Score
from dateline.statistics import holm, paired_difference


def documents(
    run="a", number=40, *, shift=0.0, conditions=("gold", "none"), protocol="strict-1", extra_tokens=0, **more
):
    rng = np.random.default_rng(0)
    rows = []
    for condition in conditions:
        worse = 0.2 if condition == "none" else 0.0
        for i in range(number):
            tokens = 20 + i
            row = {
                "run": run, "condition": condition, "fields": "" if condition == "none" else "domain+country",
                "id": f"{i:016x}", "domain": ["d0.com", "d1.com", ""][i % 3],
                "country": ["ng", "gb", ""][i % 3], "continent": ["Africa", "Europe", ""][i % 3],
                "nll": tokens * (3 + worse + shift) + rng.standard_normal(), "num_tokens": tokens + extra_tokens,
                "num_bytes": 4 * tokens, "model": "m" + run, "protocol": protocol, "corpus": "c",
            }  # fmt: skip
            rows.append(row | more)
    return pa.Table.from_pylist(rows, schema=DOCUMENT_SCHEMA)


def changed(table, name, at, value):
    rows = table.to_pylist()
    rows[at][name] = value
    return pa.Table.from_pylist(rows, schema=DOCUMENT_SCHEMA)


def gold_minus_none(table, **settings):
    return differences(table, table, condition="gold", condition_versus="none", **settings)


def test_differences_are_paired_and_grouped():
    table = documents()
    scores = gold_minus_none(table, by=["continent", "country"])
    assert [(s.grouping, s.group) for s in scores] == [
        ("all", "all"), ("continent", "Africa"), ("continent", "Europe"), ("continent", "unknown"),
        ("country", "gb"), ("country", "ng"), ("country", "unknown"),
    ]  # fmt: skip
    total = scores[0]
    assert total.metric == "nll_difference"
    assert total.versus == "a/none"
    assert total.value == pytest.approx(-0.2, abs=0.02)
    rows = table.to_pylist()
    gold, none = rows[:40], rows[40:]
    direct = paired_difference([r["nll"] for r in gold], [r["nll"] for r in none], [r["num_tokens"] for r in gold])
    assert total.value == pytest.approx(direct.value)
    assert (total.ci_low, total.ci_high, total.p_value) == pytest.approx((direct.low, direct.high, direct.p_value))


def test_a_row_says_on_what_how_much_and_what_could_not_have_been_found():
    total, africa = gold_minus_none(documents(), by=["continent"])[:2]
    assert (total.num_documents, total.num_outlets, total.num_seeds) == (40, 2, 1)
    assert (africa.num_documents, africa.num_outlets) == (14, 1)
    assert total.fields == "domain+country"
    assert total.p_holm is None
    assert 0 < total.mde < 0.02
    # half an interval is about two standard errors, the detectable effect 2.8
    assert total.mde == pytest.approx(1.4 * (total.ci_high - total.ci_low) / 2, rel=0.15)
    assert africa.mde > total.mde


def test_the_fields_of_both_sides_are_named():
    url = documents("b", conditions=("url",), fields="url")
    (row,) = differences(documents(), url, condition="gold", condition_versus="url")
    assert row.fields == "domain+country+url"


def test_differences_align_documents_by_id():
    first, second = documents("a"), documents("b", shift=0.1, conditions=("none",))
    shuffled = second.take(np.random.default_rng(1).permutation(len(second)))
    forward = differences(first, second, condition="none", condition_versus="none")
    assert differences(first, shuffled, condition="none", condition_versus="none") == forward
    assert forward[0].value < 0
    assert forward[0].model == "ma"


def test_outlets_are_drawn_on_request():
    table = documents()
    by_document, by_outlet = (gold_minus_none(table, by=["country"], cluster=unit) for unit in ("document", "outlet"))
    for one, other in zip(by_document, by_outlet, strict=True):
        assert one.value == pytest.approx(other.value)
        assert one.num_outlets == other.num_outlets
    # two outlets, and the documents without one, are three units
    assert by_outlet[0].ci_high - by_outlet[0].ci_low != by_document[0].ci_high - by_document[0].ci_low
    assert by_outlet[0].p_value > by_document[0].p_value


def test_a_group_of_one_outlet_has_no_interval_over_outlets():
    for row in gold_minus_none(documents(), by=["country"], cluster="outlet")[1:]:
        assert math.isfinite(row.value)
        assert all(math.isnan(number) for number in (row.ci_low, row.ci_high, row.p_value, row.mde))


def test_a_single_document_has_a_difference_without_an_interval():
    (row,) = gold_minus_none(documents(number=1))
    assert row.num_documents == 1
    assert math.isfinite(row.value)
    assert all(math.isnan(number) for number in (row.ci_low, row.ci_high, row.p_value, row.mde))


def test_tokens_of_a_part_are_compared_under_its_name():
    table = changed(changed(documents(), "num_tokens", 3, 0), "num_tokens", 43, 0)
    table = changed(changed(table, "nll", 3, 0.0), "nll", 43, 0.0)
    table = table.append_column("group", [["title"] * len(table)])
    (row,) = gold_minus_none(table, token_group=("part", "title"))
    assert (row.grouping, row.group) == ("part", "title")
    assert row.num_documents == 39
    with pytest.raises(UserError, match="without by="):
        gold_minus_none(table, token_group=("part", "title"), by=["country"])
    empty = documents(number=2, num_tokens=0)
    with pytest.raises(UserError, match="no document has tokens in part 'rest'"):
        gold_minus_none(empty, token_group=("part", "rest"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (documents("b", extra_tokens=1), "different tokens were scored: document 0000000000000000 has 20 under a/gold"),
        (documents("b", number=39), "different documents .1 only on one side"),
        (documents("b", protocol="paper-1"), "protocol strict-1, b/gold with paper-1"),
        (documents("b", conditions=("none",)), "no documents under condition 'gold'; the table has: none"),
        (pa.concat_tables([documents("b"), documents("c")]), "several runs"),
        (pa.concat_tables([documents("b"), documents("b")]), "0000000000000000 is there twice; choose one group"),
        (changed(documents("b"), "nll", 2, math.nan), "b/gold: the nll of document 0000000000000002 is nan .1 of 40"),
        (changed(documents("b"), "nll", 2, math.inf), "is inf .1 of 40 documents.; evaluate again, in float32"),
        (documents("b", number=0), "the table has: none at all"),
    ],
)
def test_differences_refuse_what_is_not_comparable(other, message):
    with pytest.raises(UserError, match=message) as caught:
        differences(documents("a"), other, condition="gold", condition_versus="gold")
    assert "\n" not in str(caught.value)


def trainings(shifts=(0.0, 0.02, -0.02)):
    return [
        (documents(f"conditioned-seed{seed}", shift=shift), documents(f"plain-seed{seed}"))
        for seed, shift in enumerate(shifts)
    ]


def test_seeds_are_pooled_under_the_names_of_their_families():
    pairs = trainings()
    found = across_seed_differences(pairs, condition="gold", condition_versus="none", by=["continent"])
    assert [s.group for s in found] == ["all", "Africa", "Europe", "unknown"]
    total = found[0]
    assert (total.run, total.condition, total.versus) == ("conditioned", "gold", "plain/none")
    assert (total.num_seeds, total.num_documents, total.num_outlets) == (3, 40, 2)
    assert total.model == "mconditioned-seed0+mconditioned-seed1+mconditioned-seed2"
    single = [differences(*pair, condition="gold", condition_versus="none")[0] for pair in pairs]
    assert total.value == pytest.approx(sum(row.value for row in single) / 3)
    assert total.num_tokens == single[0].num_tokens
    assert total.ci_high - total.ci_low > max(row.ci_high - row.ci_low for row in single)
    assert total.mde > max(row.mde for row in single)
    assert total.ci_high < 0
    assert total.p_value < 0.05


def test_two_seeds_are_enough_for_an_interval_and_say_little():
    found = across_seed_differences(trainings()[:2], condition="gold", condition_versus="none")[0]
    assert math.isfinite(found.ci_low)
    assert found.ci_high - found.ci_low > 0.1


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (trainings()[:1], "1 pair of runs: the spread over seeds needs two or more"),
        ([trainings()[0], trainings()[0]], "run 'conditioned-seed0' is there twice"),
        (
            [trainings()[0], (documents("other-seed1"), documents("plain-seed1"))],
            "several families .conditioned, other",
        ),
        ([trainings()[0], (documents("conditioned-seed1", 39), documents("plain-seed1", 39))], "different documents"),
    ],
)
def test_seeds_that_are_no_repetitions_are_refused(pairs, message):
    with pytest.raises(UserError, match=message):
        across_seed_differences(pairs, condition="gold", condition_versus="none")


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("plain-seed0", "plain"),
        ("plain_seed=12", "plain"),
        ("plain", "plain"),
        ("seed3", "seed3"),
        ("a-seeds", "a-seeds"),
    ],
)
def test_a_family_is_a_run_without_its_seed(run, name):
    assert family(run) == name


ROW = Score(
    "r", "gold", "all", "all", "nll_difference", -0.1, -0.2, 0.0, 9, 99, "p", "m", "c", versus="r/none", p_value=0.01
)  # fmt: skip


def test_families_are_the_groups_of_a_comparison_and_the_totals_of_all():
    totals = [replace(ROW, p_value=0.01), replace(ROW, condition="wrong", p_value=0.04)]
    groups = [
        replace(ROW, grouping="country", group=g, p_value=p) for g, p in (("gb", 0.02), ("ng", 0.5), ("us", 0.01))
    ]
    others = [replace(row, condition="wrong", p_value=0.03) for row in groups[:2]]
    pooled = replace(ROW, num_seeds=3, p_value=0.04)
    level = replace(ROW, metric="nll", versus="", p_value=None)
    table = [level, *totals, *groups, *others, pooled]
    found = correct(table)
    assert [replace(row, p_holm=None) for row in found] == table
    assert [row.p_holm for row in found] == pytest.approx(
        [None, *holm([0.01, 0.04]), *holm([0.02, 0.5, 0.01]), *holm([0.03, 0.03]), 0.04]
    )
    assert correct(found) == found


def test_tests_that_could_not_be_made_do_not_count():
    rows = [replace(ROW, grouping="country", group=g, p_value=p) for g, p in (("gb", 0.02), ("ng", math.nan))]
    first, second = correct(rows)
    assert first.p_holm == 0.02
    assert math.isnan(second.p_holm)


def test_all_swaps_of_a_run_are_one_family():
    def cell(home, other, p):
        return Score("a", f"swap:{other}", "country", home, "nll_difference", 0.1, 0, 0.2, 9, 90, "s", "m", "c",
                     f"a/swap:{home}", p)  # fmt: skip

    cells = [cell("ng", "gb", 0.01), cell("gb", "ng", 0.02), cell("ng", "ke", 0.5)]
    assert [score.p_holm for score in correct(cells)] == [0.03, 0.04, 0.5]
