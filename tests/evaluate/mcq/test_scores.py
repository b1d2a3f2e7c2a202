"""Shares with the right interval, paired differences with the right test, nothing lost from a denominator."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from dateline.evaluate.mcq.scores import PUBLISHED, Answers, score_rows
from dateline.statistics import mcnemar, wilson

ORIGIN = {"model": "m", "corpus": "q", "protocol": "mcq-1", "generative": "paper-generative-1"}


def answers(points, *, run="a", condition="gold", form="cloze", chosen=None, places=None):
    number = len(points)
    places = places or ["ng"] * number
    return Answers(
        run=run, condition=condition, form=form, ids=[f"i{at}" for at in range(number)], countries=places,
        continents=["Africa" if place == "ng" else "Europe" for place in places], points=[float(p) for p in points],
        chosen=chosen or [0] * number, costs=[[]] * number, written=[""] * number, fields="country",
    )  # fmt: skip


def rows(own, versus=(), by=()):
    return score_rows(own, versus, by=by, origin=ORIGIN, resamples=500, seed=0)


def test_whole_points_get_wilsons_interval_and_shared_ones_a_bootstrap():
    (score,) = rows([answers([1, 0, 1, 1, 0, 1])])
    assert (score.metric, score.value, score.num_documents) == ("accuracy_cloze", 4 / 6, 6)
    assert (score.ci_low, score.ci_high) == wilson(4, 6)[1:3]
    (shared,) = rows([answers([1, 0, 0.5, 1, 0, 1])])
    assert shared.value == pytest.approx(3.5 / 6)
    assert 0 <= shared.ci_low < shared.value < shared.ci_high <= 1
    assert shared.ci_low != wilson(4, 6).low


def test_every_group_has_its_share_and_groups_add_up():
    places = ["ng", "ng", "gb", "gb", "gb"]
    scores = rows([answers([1, 0, 1, 1, 0], places=places)], by=["continent", "country"])
    by_group = {(s.grouping, s.group): s for s in scores}
    assert set(by_group) == {("all", "all"), ("continent", "Africa"), ("continent", "Europe"), ("country", "ng"),
                             ("country", "gb")}  # fmt: skip
    weighted = sum(by_group["country", code].value * by_group["country", code].num_documents for code in ("ng", "gb"))
    assert weighted / 5 == pytest.approx(by_group["all", "all"].value)


def test_a_difference_of_whole_points_has_mcnemars_p_value():
    gold, none = [1] * 9 + [0, 0, 1], [0] * 7 + [1, 1, 1, 0, 1]
    scores = rows([answers(gold), answers(none, condition="none")])
    (difference,) = [s for s in scores if s.versus]
    assert (difference.metric, difference.versus) == ("accuracy_cloze_difference", "a/none")
    assert difference.value == pytest.approx(np.mean(gold) - np.mean(none))
    assert difference.p_value == mcnemar(7, 1) == pytest.approx(binomtest(1, 8).pvalue)
    assert difference.ci_low < difference.value < difference.ci_high
    assert difference.mde > 0


def test_another_model_is_compared_under_the_same_condition_and_holm_corrects_the_family():
    own = [answers([1, 1, 1, 1, 1, 0]), answers([0, 1, 0, 0, 1, 0], condition="none")]
    other = [answers([0, 0, 0, 1, 0, 0], run="b"), answers([0, 1, 0, 0, 1, 0], run="b", condition="silver")]
    differences = [s for s in rows(own, other) if s.versus]
    assert [(s.condition, s.versus) for s in differences] == [("gold", "a/none"), ("gold", "b/gold")]
    assert all(s.p_holm >= s.p_value for s in differences)
    assert max(s.p_holm / s.p_value for s in differences) == pytest.approx(2)


def test_averages_over_rotations_are_resampled_and_never_counted():
    scores = rows([answers([1, 0, 1, 1], form="letter"), answers([0, 0, 0.25, 1], form="letter", condition="none")])
    assert [s.metric for s in scores] == ["accuracy_letter", "accuracy_letter", "accuracy_letter_difference"]
    assert (scores[0].ci_low, scores[0].ci_high) != wilson(3, 4)[1:3]


def test_the_published_ratio_leaves_out_what_the_strict_one_counts_as_wrong():
    points, chosen = [1, 0, 0, 0], [0, 2, -1, -1]
    published, strict = rows(
        [answers(points, form=PUBLISHED, chosen=chosen), answers(points, form=f"{PUBLISHED}_strict", chosen=chosen)]
    )
    assert (published.metric, published.value, published.num_documents) == ("accuracy_paper_generative", 0.5, 2)
    assert (strict.metric, strict.value, strict.num_documents) == ("accuracy_paper_generative_strict", 0.25, 4)
    assert published.protocol == strict.protocol == "paper-generative-1"


def test_where_nothing_was_answered_the_published_ratio_is_no_number():
    (score,) = rows([answers([0, 0], form=PUBLISHED, chosen=[-1, -1])])
    assert math.isnan(score.value)
    assert score.num_documents == 0


def test_no_certainty_is_claimed_where_every_item_differs_by_the_same():
    scores = rows([answers([1, 1, 1], form="switch_cloze"), answers([0.5] * 3, form="switch_cloze", condition="none")])
    (difference,) = [s for s in scores if s.versus]
    assert (difference.value, difference.p_value, difference.p_holm, difference.mde) == (0.5, None, None, None)


def test_a_group_of_one_item_has_no_bootstrap_interval():
    (score,) = rows([answers([0.5], form="letter")])
    assert score.value == 0.5
    assert math.isnan(score.ci_low)
