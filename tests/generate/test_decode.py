"""The decoding loop against loops that read everything anew for each token, in float64."""

import itertools
import logging
import math
import warnings
from collections import Counter

import numpy as np
import pytest
import torch

from dateline.errors import UserError
from dateline.generate.decode import Guidance, Mixture, Request, Written, pieces, settled, steps, write
from dateline.generate.sampling import Sampling, gumbel
from dateline.model.load import load_subject

PROMPT = "TITLE: Rates rise\n\nCONTENT:"
LAGOS, KARACHI, NOWHERE = "URL: punchng.com\nCOUNTRY: ng\n", "COUNTRY: pk\n", ""
GREEDY = Sampling(max_tokens=12, temperature=0)


@pytest.fixture(scope="module")
def subject(llama):
    """In float64, so that rounding decides nothing."""
    loaded = load_subject(llama, device="cpu")
    loaded.model.double()
    return loaded


def ask(subject, *prefixes, prompt=PROMPT, key=("a",)):
    heads = subject.encode(list(prefixes))
    (body,) = subject.encode([prompt])
    return Request(tuple(np.array([subject.bos, *head, *body]) for head in heads), len(body), key)


def log_probabilities(subject, ids):
    """log p of the next token, by one pass over all tokens."""
    with torch.no_grad():
        return subject.model(torch.tensor([ids])).logits[0, -1].double().log_softmax(-1)


def brute_force(subject, asked, number, choose):
    """`choose` gets log p of every row and the tokens so far, and returns the next one."""
    written = []
    for _ in range(number):
        written.append(choose([log_probabilities(subject, [*row.tolist(), *written]) for row in asked.rows], written))
        if written[-1] == subject.tokenizer.eos_token_id:
            return written[:-1]
    return written


def test_greedy_text_is_that_of_a_naive_loop(subject):
    asked = ask(subject, LAGOS)
    wanted = brute_force(subject, asked, 12, lambda rows, _: int(rows[0].argmax()))
    (found,) = write(subject, [asked], GREEDY)
    assert found.ids == wanted
    assert len(set(wanted)) > 3
    assert found.text == subject.tokenizer.decode(wanted, skip_special_tokens=True)
    assert found.finish == "length"


def guided(strength, plausibility):
    def choose(rows, _):
        base, conditional = rows
        mixed = base + strength * (conditional - base)
        if not 0 <= strength <= 1:
            mixed[conditional.exp() < plausibility * conditional.exp().max()] = -math.inf
        return int(mixed.argmax())

    return choose


@pytest.mark.parametrize("strength", [-1.0, 0.5, 1.5, 4.0])
@pytest.mark.parametrize("base", [NOWHERE, KARACHI], ids=["none", "place"])
def test_guidance_is_that_of_a_naive_loop(subject, strength, base):
    asked = ask(subject, base, LAGOS)
    wanted = brute_force(subject, asked, 12, guided(strength, 0.1))
    (found,) = write(subject, [asked], GREEDY, blend=Guidance(strength))
    assert found.ids == wanted
    if strength == 4:
        assert found.ids != write(subject, [asked], GREEDY, blend=Guidance(strength, plausibility=0))[0].ids
        assert found.ids != write(subject, [ask(subject, LAGOS)], GREEDY)[0].ids


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(("strength", "prefix"), [(0.0, NOWHERE), (1.0, LAGOS)])
def test_guidance_of_one_is_the_place_and_of_zero_is_none(subject, temperature, strength, prefix):
    sampling = Sampling(max_tokens=12, temperature=temperature)
    (found,) = write(subject, [ask(subject, NOWHERE, LAGOS)], sampling, blend=Guidance(strength))
    assert found.ids == write(subject, [ask(subject, prefix)], sampling)[0].ids


def test_a_mixture_is_that_of_a_naive_loop(subject):
    """p(token) is the ratio of two joint probabilities: sums over places of prior times product over tokens."""
    prefixes, prior = (LAGOS, KARACHI, NOWHERE), np.array([0.5, 0.3, 0.2])
    asked = ask(subject, *prefixes)

    def joint(written):
        """log sum over places of p(place) p(prompt and text | place), and its terms."""
        terms = []
        for row, share in zip(asked.rows, prior, strict=True):
            ids = [*row.tolist(), *written]
            with torch.no_grad():
                log_p = subject.model(torch.tensor([ids])).logits[0].log_softmax(-1)
            start = len(row) - asked.prompt
            terms.append(math.log(share) + sum(float(log_p[at - 1, ids[at]]) for at in range(start, len(ids))))
        return np.logaddexp.reduce(terms), np.array(terms)

    blend = Mixture(np.log(prior))
    seen = []
    for texts in steps(subject, [asked], Sampling(max_tokens=6), blend):
        seen.append(list(texts[0].ids))
        total, terms = joint(seen[-1])
        np.testing.assert_allclose(texts[0].log_posterior, terms - total, atol=1e-9)
    # distribution of the token that comes next
    total, _ = joint(seen[2])
    history = [math.log(share) for share in prior]
    rows = torch.stack([log_probabilities(subject, [*row.tolist(), *seen[2]]) for row in asked.rows])
    _, terms = joint(seen[2])
    blend.begin([terms - history])
    mixed = blend.mix(rows[None])[0]
    assert float(mixed.exp().sum()) == pytest.approx(1, abs=1e-9)
    for token in (5, 77, 200):
        assert float(mixed[token]) == pytest.approx(joint([*seen[2], token])[0] - total, abs=1e-9)


def test_a_mixture_of_one_place_is_the_place(subject):
    sampling = Sampling(max_tokens=10)
    (found,) = write(subject, [ask(subject, LAGOS, KARACHI)], sampling, blend=Mixture(np.array([0, -math.inf])))
    assert found.ids == write(subject, [ask(subject, LAGOS)], sampling)[0].ids
    assert found.log_posterior.tolist() == [0, -math.inf]


TEXTS = ["Rates rise", "Cup finals", "The court said", "Rates rise again", "Rates fall"]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("blend", [None, Guidance(2.0), "mixture"], ids=["plain", "guidance", "mixture"])
def test_a_batch_changes_no_text_and_all_are_counted(subject, temperature, blend):
    def fresh():
        return Mixture(np.log([0.5, 0.5])) if blend == "mixture" else blend

    finished = []
    prefixes = (LAGOS,) if blend is None else (NOWHERE, LAGOS)
    asked = [ask(subject, *prefixes, prompt=text, key=("a", text)) for text in TEXTS]
    sampling = Sampling(max_tokens=8, temperature=temperature, repetition_penalty=1.2)
    alone = [write(subject, [one], sampling, blend=fresh())[0].ids for one in asked]
    count = {"advance": lambda amount=1, note="": finished.append(amount)}
    together = write(subject, asked, sampling, blend=fresh(), **count)
    assert [text.ids for text in together] == alone
    assert finished == [len(asked)]
    assert len({tuple(ids) for ids in alone}) > 1


@pytest.mark.parametrize("kind", ["gpt2", "mamba"])
def test_any_model_writes_without_warnings_what_a_naive_loop_writes(kind, request, caplog):
    subject = load_subject(request.getfixturevalue(kind), device="cpu")
    subject.model.double()
    asked = [ask(subject, NOWHERE, LAGOS, prompt=text) for text in TEXTS[:2]]
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        found = write(subject, asked, Sampling(max_tokens=6, temperature=0), blend=Guidance(1.5))
    for one, text in zip(asked, found, strict=True):
        assert text.ids == brute_force(subject, one, 6, guided(1.5, 0.1))
    assert [record for record in caplog.records if "kernels" not in record.name] == []


def test_a_text_ends_before_the_end_token(subject, monkeypatch):
    (whole,) = write(subject, [ask(subject, LAGOS)], GREEDY)
    end = next(at for at in range(2, 12) if whole.ids[at] not in whole.ids[:at])
    monkeypatch.setattr(type(subject.tokenizer), "eos_token_id", whole.ids[end], raising=False)
    first, other, third = write(subject, [ask(subject, prefix) for prefix in (LAGOS, KARACHI, LAGOS)], GREEDY)
    assert first.ids == third.ids == whole.ids[:end]
    assert first.finish == "end"
    assert len(other.ids) > 0


def test_a_text_ends_before_a_stop_string_and_pieces_never_show_it(subject):
    sampling = Sampling(max_tokens=30, temperature=1.0)
    (whole,) = write(subject, [ask(subject, LAGOS)], sampling)
    stop = next(char for at, char in enumerate(whole.text) if at > 2 and char.isascii() and char not in whole.text[:at])
    stopped = Sampling(max_tokens=30, temperature=1.0, stop=(stop, "never there"))
    shown = [settled(text, stopped.stop) for (text,) in steps(subject, [ask(subject, LAGOS)], stopped)]
    assert shown[-1] == whole.text[: whole.text.index(stop)]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(shown))


def test_half_a_character_and_a_begun_stop_string_are_held_back():
    assert settled(Written(text="caf\ufffd"), ()) == "caf"
    assert settled(Written(text="one END"), ("ENDE",)) == "one "
    assert settled(Written(text="one END", finish="length"), ("ENDE",)) == "one END"


def test_pieces_are_whole_characters_and_together_the_text(subject):
    (ids,) = subject.encode(["₦500 naïve 🙂!"])
    found = pieces(subject.tokenizer, ids.tolist())
    assert len(found) == len(ids)
    assert "".join(found) == "₦500 naïve 🙂!"
    assert next(piece for piece in found if piece) == "₦"


def test_settings_of_the_folder_do_not_count_and_stay(subject, monkeypatch):
    (plain,) = write(subject, [ask(subject, LAGOS)], GREEDY)
    monkeypatch.setattr(subject.model.generation_config, "repetition_penalty", 5.0)
    assert write(subject, [ask(subject, LAGOS)], GREEDY)[0].ids == plain.ids
    assert subject.model.generation_config.repetition_penalty == 5.0


@pytest.mark.parametrize(
    "options",
    [{"top_k": 5}, {"top_p": 0.6}, {"min_p": 0.3}, {"temperature": 0.5}, {"top_k": 9, "top_p": 0.8, "min_p": 0.1}],
    ids=str,
)
def test_sampling_follows_the_probabilities_that_transformers_leaves(subject, options):
    from transformers import GenerationConfig

    asked = ask(subject, LAGOS)
    ids = torch.from_numpy(asked.rows[0][None].astype(np.int64))
    settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": None, **options}
    config = GenerationConfig(
        do_sample=True, max_new_tokens=1, output_scores=True, return_dict_in_generate=True, pad_token_id=2, **settings
    )
    mask = torch.ones_like(ids)
    wanted = subject.model.generate(ids, attention_mask=mask, generation_config=config).scores[0][0].softmax(-1)
    number = 400
    requests = [Request(asked.rows, asked.prompt, ("draw", str(at))) for at in range(number)]
    found = Counter(
        text.ids[0] if text.ids else 1 for text in write(subject, requests, Sampling(max_tokens=1, **options))
    )
    assert all(float(wanted[token]) > 0 for token in found)
    for token in wanted.topk(3).indices.tolist():
        share = float(wanted[token])
        spread = (share * (1 - share) / number) ** 0.5
        assert found[token] / number == pytest.approx(share, abs=4 * spread + 1e-9), token


def test_the_penalty_is_that_of_transformers(subject):
    asked = ask(subject, NOWHERE)
    ids = torch.from_numpy(asked.rows[0][None].astype(np.int64))
    output = subject.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=12,
        repetition_penalty=1.5,
        pad_token_id=2,
    )
    sampling = Sampling(max_tokens=12, temperature=0, repetition_penalty=1.5)
    wanted = output[0, ids.shape[1] :].tolist()
    assert write(subject, [asked], sampling)[0].ids == wanted
    assert wanted != write(subject, [asked], GREEDY)[0].ids


def test_noise_is_gumbel_and_depends_on_key_step_and_token():
    noise = gumbel([("a",), ("b",), ("a",)], 3, 50_000)
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0], gumbel([("a",)], 4, 50_000)[0])
    assert float(noise[0].mean()) == pytest.approx(0.5772, abs=0.03)
    assert float(noise[0].std()) == pytest.approx(math.pi / 6**0.5, abs=0.03)
    assert abs(float(torch.corrcoef(noise[:2])[0, 1])) < 0.02
    assert torch.equal(noise[0, :40], gumbel([("a",)], 3, 40)[0])


def test_sampling_leaves_the_random_state_of_torch_alone(subject):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    write(subject, [ask(subject, LAGOS)], Sampling(max_tokens=3))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 0}, "max_tokens is 0; give a whole number of 1 or more"),
        ({"max_tokens": 2.5}, "max_tokens is 2.5"),
        ({"temperature": -1.0}, "temperature is -1.0; give a number 0 or more"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"temperature": "hot"}, "temperature is 'hot'; give a number 0 or more"),
        ({"top_p": 0.0}, "top_p is 0.0; give a number above 0, up to 1"),
        ({"top_k": -1}, "top_k is -1; give a whole number of 0 or more"),
        ({"min_p": 2.0}, "min_p is 2.0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0"),
        ({"stop": "."}, "stop is '.'; give a sequence of strings"),
        ({"stop": ("",)}, "none of them empty"),
    ],
)
def test_an_option_without_sense_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        Sampling(**options)


@pytest.mark.parametrize(("values", "message"), [((math.nan,), "guidance is nan"), ((2.0, 1.5), "plausibility is 1.5")])
def test_guidance_without_sense_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        Guidance(*values)


def test_a_prompt_without_room_and_broken_weights_are_refused(subject, llama):
    with pytest.raises(
        UserError, match=r"takes 257 tokens with its prefix and leaves no room for 12 of the model's 256"
    ):
        write(subject, [ask(subject, NOWHERE, prompt="a" * 256)], GREEDY)
    broken = load_subject(llama, device="cpu")
    with torch.no_grad():
        broken.model.lm_head.weight[0, 0] = math.nan
    with pytest.raises(UserError, match="logits of the next token are not finite; the checkpoint holds broken weights"):
        write(broken, [ask(broken, NOWHERE)], GREEDY)
