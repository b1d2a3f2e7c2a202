import logging
import warnings

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dateline.conditions import Metadata
from dateline.errors import UserError
from dateline.evaluate.samples import continuations

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


def test_greedy_text_is_that_of_a_naive_loop(llama):
    (result,) = continuations(llama, ["Rates rise"], [LAGOS], run="tiny", num_tokens=12, device="cpu")
    tokenizer = AutoTokenizer.from_pretrained(llama / "model")
    model = AutoModelForCausalLM.from_pretrained(llama / "model").eval()
    ids = [tokenizer.bos_token_id]
    for part in ("URL: punchng.com\nCOUNTRY: ng\n\n", "TITLE: Rates rise\n\nCONTENT:"):
        ids += tokenizer(part, add_special_tokens=False)["input_ids"]
    written = []
    while len(written) < 12:
        with torch.no_grad():
            token = int(model(torch.tensor([ids + written])).logits[0, -1].argmax())
        if token == tokenizer.eos_token_id:
            break
        written.append(token)
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
