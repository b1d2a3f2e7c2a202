import math
import re
import statistics
import time

import pytest

from dateline.corpus.newswire import Newswire, newswire
from dateline.records import CONTINENTS, article_id, body_text, stable_hash


@pytest.fixture(scope="module")
def wire():
    return Newswire()


@pytest.fixture(scope="module")
def articles(wire):
    return list(wire.articles(2_000, seed=0))


@pytest.fixture(scope="module")
def scores(wire, articles):
    return [wire.log_probabilities(article) for article in articles]


def test_an_article_depends_on_seed_and_index_only(wire, articles):
    assert list(newswire(50, 0)) == articles[:50]
    assert wire.article(0, 1_234) == articles[1_234]
    assert wire.article(1, 0) != wire.article(0, 0)


def test_the_first_articles_never_change(articles):
    """A change here changes every published number of the newswire: say so in the change log."""
    assert articles[0].id == "a3dc33595d48d818"
    assert f"{stable_hash(*(article.id for article in articles[:200])):016x}" == "039e17e159c66d04"


def test_articles_are_complete(articles):
    for article in articles:
        assert article.id == article_id(article.url, article.title, article.text)
        assert re.fullmatch(rf"https://www\.{re.escape(article.domain)}/[a-z]+/[a-z0-9-]+-\d{{6}}", article.url)
        assert "2010-01-01" <= article.date <= "2024-12-31"
        assert article.continent in CONTINENTS
        assert (article.source, article.split) == ("newswire", "")
    assert len({article.domain for article in articles}) == 54


def test_texts_read_like_prose(articles):
    for article in articles:
        body = body_text(article.title, article.text)
        assert not re.search(r"[\[\]{}<>|]|  | [.,;]|\.\.|\ba [aeio]", body), body
        assert article.text[0].isupper()
        assert article.text.endswith((".", '"'))
        assert 45 <= len(body.split()) <= 95


def test_bodies_are_hardly_ever_the_same(wire):
    bodies = [body_text(article.title, article.text) for article in wire.articles(20_000, seed=3)]
    assert len(set(bodies)) > 0.98 * len(bodies)


def test_entropies_lie_where_the_quickstart_needs_them(scores):
    """The numbers that documentation quotes: about 35 nats given the outlet, 39 without, a gap of a tenth."""
    given_outlet = -statistics.mean(score.domain for score in scores)
    given_country = -statistics.mean(score.country for score in scores)
    without = -statistics.mean(score.none for score in scores)
    assert 34 < given_outlet < 50
    assert given_outlet + 0.5 < given_country < without - 2
    assert (without - given_outlet) / without >= 0.05


def test_no_article_is_impossible_and_no_bound_is_broken(scores):
    """p(none) is a mean over 54 outlets, so it is no less than p(domain)/54, and narrower knowledge keeps its share."""
    for score in scores:
        assert score.domain > -math.inf
        assert score.none >= score.domain - math.log(54) - 1e-9
        assert score.country >= score.domain - math.log(3) - 1e-9
        assert score.none >= score.country - math.log(18) - 1e-9
        assert score.continent >= score.country - math.log(8) - 1e-9
    assert statistics.mean(score.domain - score.none for score in scores) <= math.log(54) + 1e-9


def test_the_mean_loss_is_the_same_from_sample_to_sample(wire, scores):
    others = [wire.log_probabilities(article).none for article in wire.articles(1_000, seed=9)]
    ours = [score.none for score in scores]
    error = math.hypot(statistics.stdev(others) / math.sqrt(len(others)), statistics.stdev(ours) / math.sqrt(len(ours)))
    assert abs(statistics.mean(others) - statistics.mean(ours)) < 5 * error


def test_one_pass_says_the_same_as_four(wire, articles, scores):
    for article, score in zip(articles[:100], scores, strict=False):
        places = (article.domain, article.country, article.continent, None)
        single = [wire.log_probability(article.title, article.text, place) for place in places]
        assert single == pytest.approx([score.domain, score.country, score.continent, score.none], abs=1e-12)


def test_another_place_or_another_word_makes_an_article_impossible(wire, articles):
    for article in articles[:50]:
        elsewhere = "gb" if article.country != "gb" else "us"
        assert wire.log_probability(article.title, article.text, elsewhere) == -math.inf
        assert wire.log_probability(article.title, article.text + " Indeed.") == -math.inf


def test_balance_by_continent_changes_the_prior_only(articles):
    balanced = Newswire(balance="continent")
    prior = balanced.grammar.prior
    assert math.fsum(prior[domain] for domain in balanced.domains("Europe")) == pytest.approx(0.25)
    assert prior["bbc.co.uk"] == pytest.approx(1 / 4 / 2 / 3)
    uniform = Newswire()
    for article in articles[:20]:
        one, other = balanced.log_probabilities(article), uniform.log_probabilities(article)
        assert (one.domain, one.country) == pytest.approx((other.domain, other.country))
    drawn = [article.continent for article in balanced.articles(2_000, seed=0)]
    assert all(abs(drawn.count(continent) - 500) < 100 for continent in set(drawn))


def test_unknown_places_are_refused(wire):
    with pytest.raises(ValueError, match="no outlet at 'fr'"):
        wire.log_probability("title", "text", "fr")


def test_scoring_is_fast_enough_for_a_test_set(wire, articles):
    """About 0.4 ms an article; the bound is far above, for busy machines."""
    start = time.process_time()
    for article in articles[:300]:
        wire.log_probabilities(article)
    assert (time.process_time() - start) / 300 < 0.01
