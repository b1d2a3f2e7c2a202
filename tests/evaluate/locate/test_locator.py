"""Nats of the same tokens under every place, whatever the batch; mistakes before anything is scored."""

import numpy as np
import pytest
import torch

from dateline.conditions import Metadata, render
from dateline.errors import UserError
from dateline.evaluate.locate.locator import open_locator

FIELDS = ("domain", "country")


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


def test_mistakes(llama, told, locator, bodies, placed_corpus):
    with pytest.raises(UserError, match="b: is empty"):
        locator.nll([bodies[0], bodies[0][:0]], ["a", "b"])
    with pytest.raises(UserError, match="the tokenizer does not fit"):
        locator.nll([np.array([5000], dtype=np.int32)], ["a"])
    for words, message in [
        ({"window": 4}, "no room for a text"),
        ({"window": 500}, "reads 256 tokens"),
        ({"num_tokens": 0}, "--tokens 0"),
        ({"outlets": 2}, "give --corpus"),
    ]:
        with pytest.raises(UserError, match=message):
            open_locator(llama, ["ng", "gb"], device="cpu", **words)
    with pytest.raises(UserError, match="was trained without any place"):
        open_locator(told([]), ["ng", "gb"], device="cpu")


def test_fields_that_are_named_are_taken_at_their_word(gpt2):
    found = open_locator(gpt2, ["ng", "gb"], fields=["country"], device="cpu")
    assert found.prompts.fields == ("country",)


def test_broken_weights_are_no_number(llama, bodies):
    broken = open_locator(llama, ["ng", "gb"], device="cpu")
    with torch.no_grad():
        broken.subject.model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match=r"log-probability of document 7 is not finite .* broken weights"):
        broken.nll(bodies[:1], ["document 7"])


def test_a_folder_with_missing_files_is_refused(told):
    folder = told(["country"])
    (folder / "model" / "model.safetensors").unlink()
    with pytest.raises(UserError, match="not a loadable causal language model"):
        open_locator(folder, ["ng", "gb"], device="cpu")
