"""Nats of continuations: the numbers of a plain forward pass, whatever the batch."""

import numpy as np
import pytest
import torch

from dateline.evaluate.mcq.likelihood import Asked, continuation_nats, letter_nats, next_logits, option_nats
from dateline.evaluate.mcq.prompts import encode_prompts, letter_prompt
from dateline.evaluate.subject import load_subject

PREFIX = "COUNTRY: ng\n\n"


def plainly(subject, context, continuation):
    """-log p of a continuation, by one forward pass over everything."""
    ids = torch.tensor([[*context, *continuation]])
    with torch.no_grad():
        logp = subject.model(input_ids=ids).logits[0].double().log_softmax(-1)
    return -sum(float(logp[len(context) + i - 1, token]) for i, token in enumerate(continuation))


def no_progress(amount=1, note=""):
    pass


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def subject(request):
    return load_subject(request.getfixturevalue(request.param), device="cpu")


def test_options_and_letters_have_the_probability_of_a_plain_forward_pass(subject, questions):
    prompts = encode_prompts(subject, questions, ["", PREFIX], "question")
    asked = [Asked(prefix, at) for prefix in ("", PREFIX) for at in range(len(questions))]
    how = {"batch_tokens": 300, "dtype": "float32", "advance": no_progress}
    options = option_nats(subject, prompts, asked, **how)
    letters = letter_nats(subject, prompts, asked, **how)
    for one, per_option, per_letter in zip(asked, options, letters, strict=True):
        question = questions[one.question]
        head = [subject.bos, *prompts.prefixes[one.prefix]]
        context = [*head, *prompts.cloze[one.question]]
        expected = [plainly(subject, context, tokens) for tokens in prompts.options[one.question]]
        assert per_option == pytest.approx(expected, abs=1e-3)
        number = len(question.options)
        assert per_letter.shape == (number, number)
        for turn in range(number):
            lines = letter_prompt(question, "question", turn).splitlines()
            for option, text in enumerate(question.options):
                place = next(at for at, line in enumerate(lines[1:]) if line[3:] == text)
                nats = plainly(subject, [*head, *prompts.letter[one.question][turn]], prompts.letters[place])
                assert per_letter[turn, option] == pytest.approx(nats, abs=1e-3)


def test_batches_do_not_change_numbers(subject, questions):
    prompts = encode_prompts(subject, questions, [""], "question")
    asked = [Asked("", at) for at in range(len(questions))]
    small, large = (
        option_nats(subject, prompts, asked, batch_tokens=size, dtype="float32", advance=no_progress)
        for size in (1, 10_000)
    )
    assert np.concatenate(small) == pytest.approx(np.concatenate(large), abs=1e-4)


def test_one_token_is_read_from_one_pass_and_equal_pairs_are_scored_once(subject, monkeypatch):
    from dateline.model import scoring

    sizes = []
    real = scoring.score_segments
    monkeypatch.setattr(scoring, "score_segments", lambda m, s, **k: sizes.append(len(s)) or real(m, s, **k))
    context = np.array([subject.bos, 7, 8, 9], dtype=np.int32)
    one, other, long = (np.array(ids, dtype=np.int32) for ids in ([5], [6], [5, 6]))
    nats = continuation_nats(
        subject, [context, context, context], [[one, other], [one, long], [long]], batch_tokens=64, dtype="float32"
    )
    assert sizes == [1]
    assert nats[0][0] == nats[1][0]
    assert nats[1][1] == nats[2][0]
    expected = [plainly(subject, context.tolist(), tokens.tolist()) for tokens in (one, other)]
    assert nats[0] == pytest.approx(expected, abs=1e-4)


def test_next_logits_come_for_every_context_once(subject):
    contexts = [np.arange(3, 3 + length, dtype=np.int32) for length in (4, 2, 4, 4, 3)]
    seen = [at for positions, logits in next_logits(subject, contexts, batch_tokens=8) for at in positions]
    assert sorted(seen) == [0, 1, 2, 3, 4]
