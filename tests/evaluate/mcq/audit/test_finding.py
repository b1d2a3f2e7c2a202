"""Findings: intervals around credits, and the bounds of verdicts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.evaluate.mcq.audit.finding import chance_of, credit, credit_share, judge_guesser, judge_share, share_words
from dateline.statistics import wilson


def test_credits_of_zero_and_one_have_the_interval_of_a_count():
    assert credit_share([1, 0, 0, 1, 1]) == wilson(3, 5)


@given(st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]), min_size=1, max_size=60))
def test_the_expected_share_lies_in_its_interval(credits):
    found = credit_share(credits)
    assert 0 <= found.low <= found.value + 0.5 / len(credits)
    assert found.value - 0.5 / len(credits) <= found.high <= 1
    assert found.value == pytest.approx(sum(credits) / len(credits))


def test_ties_share_the_credit():
    assert credit([1, 3, 3, 0], 1) == 0.5
    assert credit([1, 3, 3, 0], 0) == 0
    assert credit([1, 3, 2, 0], 1) == 1


def test_chance_is_the_mean_over_items(make_questions):
    two = make_questions(2, lambda place: {"options": ("a", "b")} if place else {})
    two = [two[0], two[1]]
    assert chance_of(two) == pytest.approx((1 / 4 + 1 / 2) / 2)


@pytest.mark.parametrize(("right", "verdict"), [(25, "fit"), (37, "fit"), (41, "look"), (46, "unfit")])
def test_a_guesser_is_judged_by_the_lower_end_of_its_interval(right, verdict):
    found = judge_guesser("x", "y", [1.0] * right + [0.0] * (100 - right), 0.25, sentence="")
    excess = found.low - 0.25
    assert found.verdict == verdict
    assert (excess > 0.05, excess > 0.10) == (verdict != "fit", verdict == "unfit")


def test_a_share_is_judged_by_its_bounds():
    def verdict(bad, look, unfit):
        found = judge_share("x", "y", bad, 100, look=look, unfit=unfit, sentence="")
        return found.verdict, found.rule

    assert verdict(1, 0.01, 0.05) == ("fit", "look if more than 1%, unfit if more than 5%")
    assert verdict(5, 0.01, 0.05)[0] == "look"
    assert verdict(6, 0.01, 0.05)[0] == "unfit"
    assert verdict(100, 0, 1) == ("look", "look if any")
    assert verdict(1, 0, 0) == ("unfit", "unfit if any")


def test_shares_are_said_with_their_counts():
    assert share_words(780, 800) == "780 of 800 (97.5%)"
    assert share_words(0, 0) == "none of none"
