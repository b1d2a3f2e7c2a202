"""Ideal losses against brute force: the mixture of outlets written out."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dateline.corpus import CorpusRecipe
from dateline.corpus.newswire import Newswire, newswire
from dateline.errors import UserError
from dateline.experiment.ideal import IdealLearner
from dateline.tokens.mix import Mix

ARTICLES = list(newswire(12, seed=4))
WIRE = Newswire()
NATURAL = Mix(weights="natural")


def recipe(**values):
    return CorpusRecipe(newswire={"articles": 12}, **values)


@pytest.fixture(scope="module")
def ideal():
    return IdealLearner(ARTICLES, recipe())


def brute_force(article, weights):
    """-log of the weighted mean probability over outlets: {domain: weight}."""
    mass = sum(
        weight * math.exp(WIRE.log_probability(article.title, article.text, domain))
        for domain, weight in weights.items()
    )
    return -math.log(mass / sum(weights.values()))


def outlets(**where):
    return [one for one in WIRE.outlets if all(getattr(one, key) in values for key, values in where.items())]


def test_without_a_prefix_every_outlet_is_possible(ideal):
    expected = [brute_force(article, {outlet.domain: 1 for outlet in WIRE.outlets}) for article in ARTICLES]
    np.testing.assert_allclose(ideal.losses(NATURAL, ()), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("fields", "known"),
    [(("domain",), "domain"), (("url_hash",), "domain"), (("continent", "country"), "country"),
     (("continent",), "continent"), (("date", "continent"), "continent")],
)  # fmt: skip
def test_the_prefix_leaves_those_outlets_possible_that_it_describes(ideal, fields, known):
    expected = [
        brute_force(article, {one.domain: 1 for one in outlets(**{known: [getattr(article, known)]})})
        for article in ARTICLES
    ]
    np.testing.assert_allclose(ideal.losses(NATURAL, fields), expected, rtol=1e-9)


def test_equal_continents_weigh_their_outlets(ideal):
    sizes = {one.continent: len(outlets(continent=[one.continent])) for one in WIRE.outlets}
    weights = {one.domain: 1 / sizes[one.continent] for one in WIRE.outlets}
    expected = [brute_force(article, weights) for article in ARTICLES]
    np.testing.assert_allclose(ideal.losses(Mix(), ()), expected, rtol=1e-9)


def test_weights_by_name(ideal):
    shares = {"Africa": 4.0, "America": 3.0, "Asia": 2.0, "Europe": 1.0}
    sizes = {one.continent: len(outlets(continent=[one.continent])) for one in WIRE.outlets}
    weights = {one.domain: shares[one.continent] / sizes[one.continent] for one in WIRE.outlets}
    expected = [brute_force(article, weights) for article in ARTICLES]
    np.testing.assert_allclose(ideal.losses(Mix(weights=shares), ()), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("mix", "continents"),
    [(Mix(weights="natural", include=("Asia", "Europe")), ("Asia", "Europe")),
     (Mix(weights="natural", exclude=("Africa", "America")), ("Asia", "Europe"))],
)  # fmt: skip
def test_a_local_model_knows_its_own_outlets_and_has_no_ideal_elsewhere(ideal, mix, continents):
    found = ideal.losses(mix, ())
    weights = {one.domain: 1 for one in outlets(continent=continents)}
    assert {article.continent in continents for article in ARTICLES} == {True, False}
    for article, loss in zip(ARTICLES, found, strict=True):
        if article.continent in continents:
            assert loss == pytest.approx(brute_force(article, weights), rel=1e-9)
        else:
            assert math.isnan(loss)
    assert "not in the training text" in ideal.undefined(())


def test_what_the_corpus_keeps_from_training_is_not_known():
    article = ARTICLES[0]
    for kept in ({"held_out": [article.country]}, {"held_out_outlets": [article.domain]}):
        learner = IdealLearner(ARTICLES, recipe(**kept))
        assert math.isnan(learner.losses(NATURAL, ())[0])
        assert article.domain not in learner.prior(NATURAL)
    only = IdealLearner(ARTICLES[:1], recipe(countries=[article.country]))
    expected = brute_force(article, {one.domain: 1 for one in outlets(country=[article.country])})
    assert only.losses(Mix(), ())[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("fields", "splits", "reason"),
    [(("url", "country"), {}, "spells out the title"), ((), {"by": "outlet"}, "splits.by")],
)
def test_no_ideal_is_known_where_prefix_or_split_say_more(fields, splits, reason):
    learner = IdealLearner(ARTICLES, recipe(splits=splits))
    assert np.isnan(learner.losses(NATURAL, fields)).all()
    assert reason in learner.undefined(fields)


def test_the_prior_sums_to_one(ideal):
    for mix in (NATURAL, Mix(), Mix(by="country"), Mix(include=("gb", "Africa"))):
        assert math.fsum(ideal.prior(mix).values()) == pytest.approx(1)
    assert ideal.prior(Mix(include=("gb", "Africa"))).keys() == {
        one.domain for one in WIRE.outlets if one.country == "gb" or one.continent == "Africa"
    }


def test_a_foreign_article_is_refused():
    with pytest.raises(UserError, match="cannot write it; build the corpus again"):
        IdealLearner([replace(ARTICLES[0], text="Nobody's grammar writes this.")], recipe())
    with pytest.raises(UserError, match="cannot write it"):
        IdealLearner([replace(ARTICLES[0], domain="example.com")], recipe())
