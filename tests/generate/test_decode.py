"""Greedy and sampled text, alone and in batches."""

import logging
import warnings
from collections import Counter

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dateline.conditions import Metadata
from dateline.errors import UserError
from dateline.generate.decode import continuations, decode
from dateline.model.load import load_subject

LAGOS = Metadata(domain="punchng.com", country="ng", continent="Africa")
KARACHI = Metadata(domain="dawn.com", country="pk", continent="Asia")


def test_every_headline_is_continued_under_every_place(llama):
    result = continuations(llama, ["Rates rise", "Cup final"], [None, LAGOS], run="tiny", num_tokens=12, device="cpu")
    assert [(item["headline"], item["place"].get("country")) for item in result] == [
        ("Rates rise", None), ("Rates rise", "ng"), ("Cup final", None), ("Cup final", "ng"),
    ]  # fmt: skip
    assert result[1]["place"] == {"domain": "punchng.com", "country": "ng", "continent": "Africa"}
    assert result[0]["place"] == {}
    assert all(item["run"] == "tiny" for item in result)


def likeliest(model, prompt, number):
    """The likeliest tokens one after the other, by a plain forward pass over everything for each."""
    ids = list(prompt)
    for _ in range(number):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def test_greedy_text_is_that_of_a_naive_loop(llama):
    (result,) = continuations(llama, ["Rates rise"], [LAGOS], run="tiny", num_tokens=12, device="cpu")
    tokenizer = AutoTokenizer.from_pretrained(llama / "model")
    model = AutoModelForCausalLM.from_pretrained(llama / "model").eval()
    prompt = tokenizer("URL: punchng.com\nCOUNTRY: ng\nTITLE: Rates rise\n\nCONTENT:")["input_ids"]
    assert prompt[:2] == [tokenizer.bos_token_id, tokenizer.convert_tokens_to_ids("U")]
    written = likeliest(model, prompt, 12)
    assert tokenizer.eos_token_id not in written
    assert result["continuation"] == tokenizer.decode(written, skip_special_tokens=True)


def test_drawn_text_depends_on_seed_headline_and_place_only(llama):
    options = {"run": "tiny", "num_tokens": 12, "temperature": 1.0, "device": "cpu"}
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    both = continuations(llama, ["Rates rise"], [KARACHI, LAGOS], **options)
    assert torch.equal(torch.random.get_rng_state(), before)
    (alone,) = continuations(llama, ["Rates rise"], [LAGOS], **options)
    assert both[1] == alone
    (other,) = continuations(llama, ["Rates rise"], [LAGOS], seed=1, **options)
    assert other["continuation"] != alone["continuation"]


def test_any_model_writes_without_warnings(gpt2, caplog):
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        (result,) = continuations(gpt2, ["Rates rise"], [None], run="g", num_tokens=8, temperature=0.7, device="cpu")
    assert isinstance(result["continuation"], str)
    assert not caplog.records


def test_a_headline_without_room_is_refused(llama):
    with pytest.raises(UserError, match="leaves no room for 60 of the model's 256"):
        continuations(llama, ["rise and fall " * 40], [None], run="tiny", device="cpu")
    with pytest.raises(UserError, match="num_tokens must be 1 or more"):
        continuations(llama, ["a"], [None], run="tiny", num_tokens=0)


@pytest.fixture
def subject(llama):
    return load_subject(llama, device="cpu")


@pytest.fixture
def prompts(subject):
    texts = ["Rates rise", "Cup finals", "The court said", "Rates rise again", "Rates fall"]
    return [np.array([subject.bos, *tokens], dtype=np.int32) for tokens in subject.encode(texts)]


KEYS = [("a", str(number)) for number in range(5)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_batch_changes_no_text_and_all_are_counted(subject, prompts, temperature):
    finished = []
    settings = {"num_tokens": 10, "temperature": temperature}
    alone = [decode(subject, [prompt], keys=[key], **settings)[0] for prompt, key in zip(prompts, KEYS, strict=True)]
    together = decode(
        subject, prompts, keys=KEYS, batch_tokens=4_000, advance=lambda amount=1, note="": finished.append(amount),
        **settings,
    )  # fmt: skip
    assert together == alone
    assert sum(finished) == len(prompts)
    assert len(set(alone)) > 1


def test_a_text_ends_before_the_end_token(subject, prompts):
    tokens = likeliest(subject.model, prompts[0].tolist(), 10)
    end = next(position for position in range(2, 10) if tokens[position] not in tokens[:position])
    subject.tokenizer.eos_token = subject.tokenizer.convert_ids_to_tokens(tokens[end])
    other = decode(subject, prompts[1:2], num_tokens=10)
    assert decode(subject, [prompts[0], prompts[1], prompts[0]], num_tokens=10, batch_tokens=500) == [
        subject.tokenizer.decode(tokens[:end]), *other, subject.tokenizer.decode(tokens[:end]),
    ]  # fmt: skip


def test_settings_of_the_folder_do_not_count_and_stay(subject, prompts):
    plain = decode(subject, prompts, num_tokens=10)
    subject.model.generation_config.repetition_penalty = 5.0
    subject.model.generation_config.no_repeat_ngram_size = 1
    assert decode(subject, prompts, num_tokens=10) == plain
    assert subject.model.generation_config.repetition_penalty == 5.0


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_samples_follow_the_probabilities_of_the_model(subject, prompts, temperature):
    with torch.no_grad():
        logits = subject.model(torch.from_numpy(prompts[0][None].astype(np.int64))).logits[0, -1].double()
    wanted = Counter()
    for token, probability in enumerate((logits / temperature).softmax(-1).tolist()):
        ends = token == subject.tokenizer.eos_token_id
        wanted["" if ends else subject.tokenizer.decode([token], skip_special_tokens=True)] += probability
    number = 600
    keys = [("draw", str(at)) for at in range(number)]
    settings = {"num_tokens": 1, "temperature": temperature, "batch_tokens": 20_000}
    found = Counter(decode(subject, [prompts[0]] * number, keys=keys, **settings))
    for text, probability in wanted.most_common(3):
        spread = (probability * (1 - probability) / number) ** 0.5
        assert found[text] / number == pytest.approx(probability, abs=4 * spread), text
