"""Who wins, what ties share, and what a model earns that ignores everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.evaluate.mcq.points import cloze_points, letter_points, share, shift_points, switch_points, winner
from dateline.evaluate.mcq.prompts import letter_place

costs = st.lists(st.integers(0, 20).map(lambda n: n / 2), min_size=2, max_size=6)


@given(costs)
def test_one_point_is_shared_out_in_full_whichever_option_is_right(values):
    values = np.array(values)
    assert sum(share(values, answer) for answer in range(len(values))) == pytest.approx(1)


@given(costs, st.randoms())
def test_the_order_of_options_does_not_matter(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    values = np.array(values)
    assert share(values[order], order.index(0)) == share(values, 0)


def test_ties_have_no_winner_and_rounding_is_a_tie():
    assert winner(np.array([2.0, 1.0, 3.0])) == 1
    assert winner(np.array([1.0, 1.0 + 1e-7, 3.0])) == -1
    assert share(np.array([1.0, 1.0 + 1e-7, 3.0]), 1) == 0.5


def test_bytes_and_not_characters_are_counted():
    # 3 characters each, but 9 bytes and 3: per character the first would be worse, per byte it is better
    nats = np.array([6.0, 3.0])
    assert cloze_points(nats, ("कखग", "abc"), 0) == 1.0


@pytest.mark.parametrize("number", [2, 3, 4, 5])
@pytest.mark.parametrize("liked", [0, 1])
def test_a_model_that_always_says_the_same_letter_gets_chance_wherever_the_answer_stands(number, liked):
    nats = np.array(
        [[0.0 if letter_place(option, turn, number) == liked else 5.0 for option in range(number)]
         for turn in range(number)]
    )  # fmt: skip
    assert [letter_points(nats, answer) for answer in range(number)] == pytest.approx([1 / number] * number)


@given(costs, st.integers(1, 3))
def test_a_model_that_ignores_what_it_is_told_gets_exactly_one_half(values, rotations):
    told = np.array([values] * rotations)
    assert switch_points(told, told, 0, 1) == 0.5
    assert shift_points(told, told, 0, 1) == 0.5


@given(costs, costs.map(lambda values: values[:2]))
def test_exchanging_the_tellings_turns_the_switch_round(first, second):
    first, second = np.array(first[:2]), np.array(second)
    assert switch_points(first, second, 0, 1) + switch_points(second, first, 0, 1) == 1
    assert shift_points(first, second, 0, 1) + shift_points(second, first, 0, 1) == 1


def test_following_the_place_earns_all_and_a_mere_shift_shows_only_in_the_shift():
    assert switch_points(np.array([1.0, 2.0]), np.array([2.0, 1.0]), 0, 1) == 1.0
    assert switch_points(np.array([2.0, 1.0]), np.array([1.0, 2.0]), 0, 1) == 0.0
    weaker = np.array([1.0, 3.0]), np.array([1.0, 2.0])
    assert (switch_points(*weaker, 0, 1), shift_points(*weaker, 0, 1)) == (0.5, 1.0)
