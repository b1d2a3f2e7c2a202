"""Bayes' rule keeps its laws whatever the numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dateline.evaluate.locate.posterior import by_continent, log_posterior, mixture, order_places, posterior, ranks

NATS = st.floats(0, 5000)
TEXTS = arrays(np.float64, (3, 4), elements=NATS)
PRIOR = arrays(np.float64, 4, elements=st.floats(0.01, 1)).map(lambda x: x / x.sum())


@given(TEXTS, PRIOR)
def test_probabilities_sum_to_one_however_unlikely_the_texts(nll, prior):
    found = posterior(nll, prior)
    assert found.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-12)
    assert (found >= 0).all()


@given(TEXTS, PRIOR, arrays(np.float64, (3, 1), elements=st.floats(-1000, 1000)))
def test_what_all_places_of_a_text_have_in_common_changes_nothing(nll, prior, constant):
    assert posterior(nll + constant, prior) == pytest.approx(posterior(nll, prior), abs=1e-9)


@given(TEXTS, PRIOR)
def test_a_continent_has_the_probability_of_its_countries(nll, prior):
    found = posterior(nll, prior)
    names, summed = by_continent(found, ["Europe", "Africa", "Europe", "Asia"])
    assert names == ["Africa", "Asia", "Europe"]
    assert summed[:, 2] == pytest.approx(found[:, 0] + found[:, 2], abs=1e-12)
    assert summed.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-12)


@given(TEXTS, PRIOR)
def test_logarithms_say_the_same_and_stay_finite(nll, prior):
    logs = log_posterior(nll, prior)
    assert np.isfinite(logs).all()
    assert np.exp(logs) == pytest.approx(posterior(nll, prior), abs=1e-9)


def test_bayes_by_hand():
    nll = -np.log([[0.2, 0.1, 0.4]])
    assert posterior(nll, np.array([0.5, 0.5, 0.0])) == pytest.approx(np.array([[2 / 3, 1 / 3, 0]]))
    assert log_posterior(nll, np.array([0.5, 0.5, 0.0]))[0, 2] == -math.inf


def test_a_mixture_is_the_weighted_mean_of_probabilities():
    nll = -np.log([[0.2, 0.1, 0.4]])
    found = mixture(nll, np.array([0, 0, 1]), np.array([0.25, 0.75, 1.0]), 2)
    assert np.exp(-found) == pytest.approx(np.array([[0.25 * 0.2 + 0.75 * 0.1, 0.4]]))


@given(TEXTS)
def test_one_prompt_a_place_is_no_mixture(nll):
    assert mixture(nll, np.arange(4), np.ones(4), 4) == pytest.approx(nll, rel=1e-14)


@given(arrays(np.float64, (3, 4), elements=NATS), arrays(np.float64, 2, elements=st.floats(0.01, 1)))
def test_a_mixture_lies_between_its_parts(nll, weights):
    found = mixture(nll[:, :2], np.zeros(2, dtype=np.int64), weights / weights.sum(), 1)[:, 0]
    assert (found >= nll[:, :2].min(axis=1) - 1e-9).all()
    assert (found <= nll[:, :2].max(axis=1) + 1e-9).all()


def test_places_in_order_and_the_rank_of_the_truth():
    logs = np.array([[-1.0, -3.0, -2.0], [-1.0, -1.0, -1.0]])
    assert order_places(logs).tolist() == [[0, 2, 1], [0, 1, 2]]
    assert ranks(logs, np.array([1, 2])).tolist() == [3, 3]
