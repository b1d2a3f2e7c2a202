"""Prompts, prior and posterior, and nats of the same tokens under every place, whatever the batch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import dateline.evaluate.locate.locator as module
from dateline.conditions import Metadata, render
from dateline.errors import UserError
from dateline.evaluate.locate.locator import (
    by_continent,
    check_countries,
    choose_prior,
    country_prompts,
    default_countries,
    log_posterior,
    mixture,
    open_locator,
    order_places,
    outlet_prompts,
    place_fields,
    posterior,
    proportions,
    ranks,
    training_counts,
)
from dateline.evaluate.losses import score_bodies

CODES = ["gb", "ng", "ke"]
NATS = st.floats(0, 5000)
TEXTS = arrays(np.float64, (3, 4), elements=NATS)
PRIOR = arrays(np.float64, 4, elements=st.floats(0.01, 1)).map(lambda x: x / x.sum())


@pytest.fixture(scope="module")
def locator(llama):
    return open_locator(llama, ["ng", "pk", "gb"], num_tokens=None, device="cpu")


@pytest.fixture(scope="module")
def bodies(locator):
    return locator.subject.encode(["TITLE: river", "TITLE: vote\n\nCONTENT: " + "the city said of the river " * 48])


def alone(subject, prefix, body):
    """-log p(body | bos prefix) of one short sequence by plain cross-entropy."""
    head = [subject.bos, *subject.encode([prefix])[0].tolist()]
    ids = torch.tensor([head + body.tolist()])
    with torch.no_grad():
        logits = subject.model(input_ids=ids).logits[0].double()
    losses = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:], reduction="none")
    return float(losses[-len(body) :].sum())


def test_nats_are_those_of_the_text_after_the_country(locator, bodies):
    found = locator.nll(bodies[:1], ["a"])
    expected = [
        alone(locator.subject, render(Metadata(country=code), ("country",)), bodies[0]) for code in ("ng", "pk", "gb")
    ]
    assert found[0] == pytest.approx(expected, rel=1e-5)


def test_batches_and_neighbours_change_nothing(llama, locator, bodies):
    small = open_locator(llama, ["ng", "pk", "gb"], batch_tokens=1, num_tokens=None, device="cpu")
    together = locator.nll(bodies, ["a", "b"])
    assert small.nll(bodies[1:], ["b"])[0] == pytest.approx(together[1], rel=1e-5)


def test_few_texts_are_scored_at_a_time_and_progress_counts_them(locator, bodies, monkeypatch):
    together = locator.nll(bodies, ["a", "b"])
    sizes, done = [], []

    def score(subject, protocol, prefixes, bodies, **settings):
        sizes.append(len(bodies))
        return score_bodies(subject, protocol, prefixes, bodies, **settings)

    monkeypatch.setattr(module, "score_bodies", score)
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 1)
    apart = locator.nll(bodies, ["a", "b"], done.append)
    assert sizes == [3, 3]  # one text under three places
    assert done == [1, 1]
    assert apart == pytest.approx(together, rel=1e-5)


def test_a_text_longer_than_the_window_is_read_to_its_end(locator, bodies):
    assert len(bodies[1]) > locator.protocol.window
    half = locator.nll([bodies[1][:200]], ["b"])
    assert (locator.nll([bodies[1]], ["b"]) > half).all()


def test_the_first_tokens_alone_are_a_text_of_their_own(llama, bodies):
    short = open_locator(llama, ["ng", "gb"], num_tokens=20, device="cpu")
    whole = open_locator(llama, ["ng", "gb"], num_tokens=None, device="cpu")
    assert short.nll([bodies[1]], ["b"]) == pytest.approx(whole.nll([bodies[1][:20]], ["b"]), rel=1e-6)


def test_outlets_are_summed_over(llama, placed_corpus, bodies):
    found = open_locator(llama, ["ng", "gb"], outlets=2, corpus=placed_corpus, device="cpu")
    texts = ["URL: dailypost.ng\nCOUNTRY: ng\n", "URL: punchng.com\nCOUNTRY: ng\n"]
    nats = np.array([alone(found.subject, text, bodies[0]) for text in texts])
    expected = -np.logaddexp.reduce(np.log([0.5, 0.5]) - nats)
    assert found.nll(bodies[:1], ["a"])[0, 0] == pytest.approx(expected, rel=1e-5)


def test_mistakes(llama, trained_with, locator, bodies, placed_corpus):
    with pytest.raises(UserError, match="b: is empty"):
        locator.nll([bodies[0], bodies[0][:0]], ["a", "b"])
    with pytest.raises(UserError, match="the tokenizer does not fit"):
        locator.nll([np.array([5000], dtype=np.int32)], ["a"])
    for words, message in [
        ({"window": 4}, "no room for a text"),
        ({"window": 500}, "reads 256 tokens"),
        ({"num_tokens": 0}, "num_tokens is 0"),
        ({"outlets": 2}, "give --corpus"),
    ]:
        with pytest.raises(UserError, match=message):
            open_locator(llama, ["ng", "gb"], device="cpu", **words)
    with pytest.raises(UserError, match="was trained without any place"):
        open_locator(trained_with([]), ["ng", "gb"], device="cpu")


def test_fields_that_are_named_are_taken_at_their_word(gpt2):
    found = open_locator(gpt2, ["ng", "gb"], fields=["country"], device="cpu")
    assert found.prompts.fields == ("country",)


def test_broken_weights_are_no_number(llama, bodies):
    broken = open_locator(llama, ["ng", "gb"], device="cpu")
    with torch.no_grad():
        broken.subject.model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match=r"conditioned on ng: the nll of document 7 is nan .* broken weights"):
        broken.nll(bodies[:1], ["7"])


def test_a_folder_with_missing_files_is_refused(trained_with):
    folder = trained_with(["country"])
    (folder / "model" / "model.safetensors").unlink()
    with pytest.raises(UserError, match="not a loadable causal language model"):
        open_locator(folder, ["ng", "gb"], device="cpu")


def texts(prompts):
    return [render(place, prompts.fields) for place in prompts.places]


def test_one_prompt_a_country_without_outlet_and_date():
    found = country_prompts(["domain", "country", "continent", "date"], ["ng", "United Kingdom", "ng"])
    assert found.countries == ["ng", "gb"]
    assert found.continents == ["Africa", "Europe"]
    assert found.fields == ("country", "continent")
    assert texts(found) == ["COUNTRY: ng\nCONTINENT: Africa\n", "COUNTRY: gb\nCONTINENT: Europe\n"]
    assert found.weights.tolist() == [1, 1]


def test_outlets_of_a_country_share_its_weight(placed_corpus):
    found = outlet_prompts(["domain", "country"], ["ng", "gb"], placed_corpus, 5)
    assert found.fields == ("domain", "country")
    assert texts(found)[0] == "URL: dailypost.ng\nCOUNTRY: ng\n"
    assert found.place.tolist() == [0, 0, 1]
    assert found.weights.tolist() == [0.5, 0.5, 1]
    one = outlet_prompts(["domain", "country"], ["ng", "gb"], placed_corpus, 1)
    assert one.weights.tolist() == [1, 1]


def test_places_are_those_of_training_or_of_the_paper(placed_corpus):
    assert default_countries(placed_corpus) == ["gb", "ng", "pk"]
    assert training_counts(placed_corpus) == {"gb": 10, "ng": 20, "pk": 10}
    assert len(default_countries(None)) == 18


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda corpus: country_prompts(["domain"], ["ng", "gb"]), "--outlets 3 --corpus ENCODED"),
        (lambda corpus: country_prompts(["continent"], ["ng", "gb"]), "none of it is the country itself"),
        (lambda corpus: outlet_prompts(["country"], ["ng", "gb"], corpus, 2), "leave --outlets out"),
        (lambda corpus: outlet_prompts(["domain"], ["ng", "us"], corpus, 2), "no training document of us"),
        (lambda corpus: outlet_prompts(["domain"], ["ng", "gb"], corpus, 0), "give 1 or more"),
        (lambda corpus: check_countries(["ng", "atlantis"]), "'atlantis' is no country"),
        (lambda corpus: check_countries(["ng", "Nigeria"]), "at least two countries, not ng"),
        (lambda corpus: check_countries([]), "at least two countries, not none"),
    ],
)
def test_mistakes_in_places_name_the_cure(placed_corpus, call, message):
    with pytest.raises(UserError, match=message):
        call(placed_corpus)


def test_a_model_that_was_trained_without_places_is_refused(trained_with, gpt2, tmp_path):
    assert place_fields(trained_with(["country"])) == ("country",)
    with pytest.raises(UserError, match="was trained without any place"):
        place_fields(trained_with([]))
    with pytest.raises(UserError, match=r"no dateline.json says .* --fields country,continent"):
        place_fields(gpt2)
    with pytest.raises(UserError, match="no such folder"):
        place_fields(tmp_path / "gone")


def test_uniform_and_corpus():
    assert choose_prior("uniform", CODES).tolist() == pytest.approx([1 / 3] * 3)
    assert choose_prior("corpus", CODES, {"gb": 3, "ng": 1, "us": 9}).tolist() == [0.75, 0.25, 0]


@pytest.mark.parametrize("written", ["gb=3,ng=1", "Nigeria=0.5, uk=1.5", '{"gb": 6, "ng": 2}', "gb=3\nng=1\n"])
def test_numbers_inline_or_in_a_file(tmp_path, written):
    path = tmp_path / "prior.txt"
    path.write_text(written)
    assert choose_prior(str(path), CODES).tolist() == [0.75, 0.25, 0]
    if "{" not in written and "\n" not in written:
        assert choose_prior(written, CODES).tolist() == [0.75, 0.25, 0]


@given(st.lists(st.floats(0, 1e300), min_size=3, max_size=3).filter(any))
def test_proportions_sum_to_one(weights):
    found = proportions(CODES, dict(zip(CODES, weights, strict=True)), "here")
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("corpus", "give --corpus"),
        ("nonsense", "neither uniform nor corpus"),
        ("gb=much", "'much' is no number for gb"),
        ("atlantis=1", "'atlantis' is no country"),
        ("gb=-1", "finite number of zero or more"),
        ("gb=nan", "finite number of zero or more"),
        ("us=1", "gives nothing to any of gb, ng, ke"),
    ],
)
def test_a_prior_that_cannot_be_read_is_named(choice, message):
    with pytest.raises(UserError, match=message):
        choose_prior(choice, CODES)


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "prior.json"
    path.write_text('{"gb": ')
    with pytest.raises(UserError, match=r"prior\.json: not valid JSON"):
        choose_prior(str(path), CODES)


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
