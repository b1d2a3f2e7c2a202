"""Counting words places texts by their words, from the prior that it is given."""

import sys

import numpy as np
import pytest

from dateline.errors import UserError
from dateline.evaluate.locate.baseline import place_by_words

TRAIN = ["naira oil senate", "naira oil Lagos", "senate naira Lagos"] * 4 + ["pound rail rain", "rail rain London"] * 2
COUNTRIES = ["ng"] * 12 + ["gb"] * 4
UNIFORM = np.array([0.5, 0.5])


def test_words_tell_the_country_and_rows_sum_to_one():
    pytest.importorskip("sklearn")
    found = place_by_words(TRAIN, COUNTRIES, ["rail and rain", "the naira"], ["ng", "gb"], UNIFORM)
    assert found.log_probabilities.argmax(axis=1).tolist() == [1, 0]
    assert np.exp(found.log_probabilities).sum(axis=1) == pytest.approx([1, 1])
    assert found.facts["train_documents"] == 16
    assert found.facts["converged"]


def test_the_prior_takes_the_place_of_the_training_proportions():
    pytest.importorskip("sklearn")
    shares = np.array([0.75, 0.25])
    even = place_by_words(TRAIN, COUNTRIES, ["rain"], ["ng", "gb"], UNIFORM).log_probabilities[0]
    trained = place_by_words(TRAIN, COUNTRIES, ["rain"], ["ng", "gb"], shares).log_probabilities[0]
    assert (trained[0] - trained[1]) - (even[0] - even[1]) == pytest.approx(np.log(3))


def test_documents_of_other_places_are_left_out():
    pytest.importorskip("sklearn")
    found = place_by_words([*TRAIN, "euro"], [*COUNTRIES, "ie"], ["rain"], ["ng", "gb"], UNIFORM)
    assert found.facts["train_documents"] == 16


def test_mistakes(monkeypatch):
    pytest.importorskip("sklearn")
    with pytest.raises(UserError, match="cannot learn us: no training document"):
        place_by_words(TRAIN, COUNTRIES, ["x"], ["ng", "us"], UNIFORM)
    with pytest.raises(UserError, match="finds no words"):
        place_by_words(["?", "!"], ["ng", "gb"], ["x"], ["ng", "gb"], UNIFORM)
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)
    with pytest.raises(UserError, match=r"dateline\[eval\].*--no-baseline"):
        place_by_words(TRAIN, COUNTRIES, ["x"], ["ng", "gb"], UNIFORM)
