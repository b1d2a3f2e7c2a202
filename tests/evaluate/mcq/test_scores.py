"""Points of items, the table of items, and scores with the right interval and the right test."""

import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from dateline.benchmark.tasks import letter_place
from dateline.errors import UserError
from dateline.evaluate.mcq.scores import (
    ITEMS,
    PUBLISHED,
    Answers,
    Origin,
    check_comparable,
    cloze_points,
    letter_points,
    matching_answers,
    read_answers,
    score_rows,
    share,
    shift_points,
    switch_points,
    winner,
    write_items,
)
from dateline.manifest import Manifest, write_manifest
from dateline.statistics import mcnemar, wilson

COSTS = st.lists(st.integers(0, 20).map(lambda n: n / 2), min_size=2, max_size=6)


@given(COSTS)
def test_one_point_is_shared_out_in_full_whichever_option_is_right(values):
    values = np.array(values)
    assert sum(share(values, answer) for answer in range(len(values))) == pytest.approx(1)


@given(COSTS, st.randoms())
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


@given(COSTS, st.integers(1, 3))
def test_a_model_that_ignores_the_place_gets_exactly_one_half(values, rotations):
    same = np.array([values] * rotations)
    assert switch_points(same, same, 0, 1) == 0.5
    assert shift_points(same, same, 0, 1) == 0.5


@given(COSTS, COSTS.map(lambda values: values[:2]))
def test_exchanging_the_places_turns_the_switch_round(first, second):
    first, second = np.array(first[:2]), np.array(second)
    assert switch_points(first, second, 0, 1) + switch_points(second, first, 0, 1) == 1
    assert shift_points(first, second, 0, 1) + shift_points(second, first, 0, 1) == 1


def test_following_the_place_earns_all_and_a_mere_shift_shows_only_in_the_shift():
    assert switch_points(np.array([1.0, 2.0]), np.array([2.0, 1.0]), 0, 1) == 1.0
    assert switch_points(np.array([2.0, 1.0]), np.array([1.0, 2.0]), 0, 1) == 0.0
    weaker = np.array([1.0, 3.0]), np.array([1.0, 2.0])
    assert (switch_points(*weaker, 0, 1), shift_points(*weaker, 0, 1)) == (0.5, 1.0)


ORIGIN = Origin("mcq-1", "paper-generative-1", model="m", data="q")


def answers(points, *, run="a", condition="gold", form="cloze", chosen=None, places=None):
    number = len(points)
    places = places or ["ng"] * number
    return Answers(
        run=run, condition=condition, form=form, ids=[f"i{at}" for at in range(number)], countries=places,
        continents=["Africa" if place == "ng" else "Europe" for place in places], points=[float(p) for p in points],
        chosen=chosen or [0] * number, costs=[[]] * number, written=[""] * number, shown="country",
    )  # fmt: skip


def rows(own, versus=(), by=()):
    return score_rows(own, versus, by=by, origin=ORIGIN, resamples=500, seed=0)


def test_whole_points_get_wilsons_interval_and_shared_ones_a_bootstrap():
    (score,) = rows([answers([1, 0, 1, 1, 0, 1])])
    assert (score.metric, score.value, score.n_documents) == ("accuracy_cloze", 4 / 6, 6)
    assert (score.ci_low, score.ci_high) == wilson(4, 6)[1:3]
    (shared,) = rows([answers([1, 0, 0.5, 1, 0, 1])])
    assert shared.value == pytest.approx(3.5 / 6)
    assert 0 <= shared.ci_low < shared.value < shared.ci_high <= 1
    assert shared.ci_low != wilson(4, 6).low


def test_every_group_has_its_share_and_groups_add_up():
    places = ["ng", "ng", "gb", "gb", "gb"]
    scores = rows([answers([1, 0, 1, 1, 0], places=places)], by=["continent", "country"])
    by_group = {(s.slice_by, s.slice): s for s in scores}
    assert set(by_group) == {("all", "all"), ("continent", "Africa"), ("continent", "Europe"), ("country", "ng"),
                             ("country", "gb")}  # fmt: skip
    weighted = sum(by_group["country", code].value * by_group["country", code].n_documents for code in ("ng", "gb"))
    assert weighted / 5 == pytest.approx(by_group["all", "all"].value)


def test_a_difference_of_whole_points_has_mcnemars_p_value():
    gold, none = [1] * 9 + [0, 0, 1], [0] * 7 + [1, 1, 1, 0, 1]
    scores = rows([answers(gold), answers(none, condition="none")])
    (difference,) = [s for s in scores if s.versus]
    assert (difference.measure, difference.unit, difference.n_tokens) == ("mcq", "share", None)
    assert (difference.metric, difference.versus) == ("accuracy_cloze_difference", "a/none")
    assert difference.value == pytest.approx(np.mean(gold) - np.mean(none))
    assert difference.p == mcnemar(7, 1) == pytest.approx(binomtest(1, 8).pvalue)
    assert difference.ci_low < difference.value < difference.ci_high
    assert difference.mde > 0


def test_another_model_is_compared_under_the_same_condition_and_holm_corrects_the_family():
    own = [answers([1, 1, 1, 1, 1, 0]), answers([0, 1, 0, 0, 1, 0], condition="none")]
    other = [answers([0, 0, 0, 1, 0, 0], run="b"), answers([0, 1, 0, 0, 1, 0], run="b", condition="silver")]
    differences = [s for s in rows(own, other) if s.versus]
    assert [(s.condition, s.versus) for s in differences] == [("gold", "a/none"), ("gold", "b/gold")]
    assert all(s.p_holm >= s.p for s in differences)
    assert max(s.p_holm / s.p for s in differences) == pytest.approx(2)


def test_averages_over_rotations_are_resampled_and_never_counted():
    scores = rows([answers([1, 0, 1, 1], form="letter"), answers([0, 0, 0.25, 1], form="letter", condition="none")])
    assert [s.metric for s in scores] == ["accuracy_letter", "accuracy_letter", "accuracy_letter_difference"]
    assert (scores[0].ci_low, scores[0].ci_high) != wilson(3, 4)[1:3]


def test_the_published_ratio_leaves_out_what_the_strict_one_counts_as_wrong():
    points, chosen = [1, 0, 0, 0], [0, 2, -1, -1]
    published, strict = rows(
        [answers(points, form=PUBLISHED, chosen=chosen), answers(points, form=f"{PUBLISHED}_strict", chosen=chosen)]
    )
    assert (published.metric, published.value, published.n_documents) == ("accuracy_paper_generative", 0.5, 2)
    assert (strict.metric, strict.value, strict.n_documents) == ("accuracy_paper_generative_strict", 0.25, 4)
    assert published.protocol == strict.protocol == "paper-generative-1"


def test_where_nothing_was_answered_the_published_ratio_is_no_number():
    (score,) = rows([answers([0, 0], form=PUBLISHED, chosen=[-1, -1])])
    assert math.isnan(score.value)
    assert score.n_documents == 0


def test_no_certainty_is_claimed_where_every_item_differs_by_the_same():
    scores = rows([answers([1, 1, 1], form="switch_cloze"), answers([0.5] * 3, form="switch_cloze", condition="none")])
    (difference,) = [s for s in scores if s.versus]
    assert (difference.value, difference.p, difference.p_holm, difference.mde) == (0.5, None, None, None)


def test_a_group_of_one_item_has_no_bootstrap_interval():
    (score,) = rows([answers([0.5], form="letter")])
    assert score.value == 0.5
    assert math.isnan(score.ci_low)


def stored(condition="gold", ids=("i", "j")):
    return Answers("a", condition, "cloze", list(ids), ["ng", ""], ["Africa", ""], [0.25, 1.0], [-1, 2],
                   [[0.5, 0.25], []], ["", "\x1b"], "country")  # fmt: skip


FACTS = {"protocol": "mcq-1", "sampled_protocol": "paper-generative-1"}


@pytest.fixture
def folder(tmp_path):
    write_items(tmp_path, [stored(), stored("none")], ORIGIN)
    write_manifest(tmp_path, Manifest.of("mcq", {"run": "a"}, {"questions": "q"}, facts=FACTS))
    return tmp_path


def test_what_is_written_is_read_back(folder):
    assert read_answers(folder) == [stored(), stored("none")]


def test_only_the_same_conditions_on_the_same_items_match(folder):
    assert matching_answers(folder, [stored("none"), stored("wrong")]) == [stored("none")]
    with pytest.raises(UserError, match="was asked under gold, none; a comparison needs a condition in common"):
        matching_answers(folder, [stored("wrong")])


@pytest.mark.parametrize(
    ("run", "change", "message"),
    [
        ("b", {"data": "other"}, "run 'a' was asked other questions"),
        ("b", {"protocol": "mcq-2"}, "run 'a' was asked in another way"),
        ("b", {"sampled_protocol": "paper-generative-2"}, "run 'a' was asked for samples in another way"),
        ("a", {}, "holds a run that is called 'a' too"),
    ],
)
def test_what_cannot_be_compared_is_refused(folder, run, change, message):
    check_comparable(folder, "b", ORIGIN)
    check_comparable(folder, "b", ORIGIN._replace(sampled_protocol=""))  # likelihoods are compared all the same
    with pytest.raises(UserError, match=message):
        check_comparable(folder, run, ORIGIN._replace(**change))


def test_a_folder_without_items_is_refused(tmp_path, folder):
    with pytest.raises(UserError, match="no such folder; make it with: dateline eval mcq"):
        read_answers(tmp_path / "nowhere")
    (folder / ITEMS).write_text("no table")
    with pytest.raises(UserError, match="not a readable table of items"):
        read_answers(folder)


def test_a_table_of_another_version_is_refused_in_one_line(folder):
    old = pq.read_table(folder / ITEMS).rename_columns({"points": "correct", "shown": "fields", "data": "corpus"})
    pq.write_table(old.drop_columns("cost_unit"), folder / ITEMS)
    for read in (read_answers, lambda folder: check_comparable(folder, "b", ORIGIN)):
        with pytest.raises(
            UserError, match=r"has no column 'shown'; it was written by another version .* eval mcq"
        ) as e:
            read(folder)
        assert "\n" not in str(e.value)


def test_every_row_names_its_own_protocol_and_unit_of_costs(tmp_path):
    write_items(tmp_path, [answers([1], form=form) for form in ("cloze", "letter", PUBLISHED)], ORIGIN)
    rows = pq.read_table(tmp_path / ITEMS).to_pylist()
    assert [(row["form"], row["protocol"], row["cost_unit"]) for row in rows] == [
        ("cloze", "mcq-1", "nats/byte"), ("letter", "mcq-1", "nats"), (PUBLISHED, "paper-generative-1", ""),
    ]  # fmt: skip


def test_slices_of_one_metric_are_a_family_of_tests():
    places = ["ng", "gb"] * 6
    own = [answers([1] * 10 + [0, 1], places=places), answers([0, 1] * 6, condition="none", places=places)]
    differences = [s for s in rows(own, by=["country"]) if s.versus]
    assert [(s.slice_by, s.family_of_tests) for s in differences] == [
        ("all", "mcq: accuracy_cloze_difference of a by all"),
        ("country", "mcq: accuracy_cloze_difference of a by country"),
        ("country", "mcq: accuracy_cloze_difference of a by country"),
    ]
    assert differences[0].p_holm == differences[0].p
    assert min(s.p_holm / s.p for s in differences[1:]) >= 1
    assert max(s.p_holm for s in differences[1:]) > min(s.p for s in differences[1:])
