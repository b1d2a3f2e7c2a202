"""Sampled answers: a letter is a letter and not an article, and a draw depends on nothing around it."""

import pytest

from dateline.evaluate.mcq.generative import named_letter, write_answers
from dateline.evaluate.mcq.likelihood import Asked
from dateline.evaluate.mcq.prompts import encode_prompts
from dateline.evaluate.subject import load_subject


@pytest.mark.parametrize(
    "text", ["B", " B", "B.", "B)", "(B)", "(B) Abuja", "B. Abuja", "B: Abuja", "B\nQuestion:", "Answer: B", "answer B",
             "The answer is B.", "The correct answer is (B) Abuja", "b is wrong, the answer is B"],
)  # fmt: skip
def test_these_name_the_second_option(text):
    assert named_letter(text, 4) == 1


@pytest.mark.parametrize(
    "text", ["", "a", "A man called", "A capital city", "a capital", "The answer is a river", "The answer is A river",
             "Abuja", "B Abuja", "It is B", "(A man)", "E", "Because", "Answer:", "1", "Á."],
)  # fmt: skip
def test_these_name_none(text):
    assert named_letter(text, 4) == -1


def written(subject, questions, asked, batch_tokens=500, **settings):
    prompts = encode_prompts(subject, questions, ["", "COUNTRY: ng\n\n"], "question")
    ids = [question.id for question in questions]
    settings |= {"batch_tokens": batch_tokens, "advance": lambda amount=1, note="": None}
    return write_answers(subject, prompts, asked, ids, **settings)


def test_a_draw_depends_on_seed_item_and_prefix_and_not_on_its_neighbours(llama, questions):
    subject = load_subject(llama, device="cpu")
    asked = [Asked(prefix, at) for prefix in ("", "COUNTRY: ng\n\n") for at in range(len(questions))]
    together = written(subject, questions, asked)
    assert together == written(subject, questions, asked, batch_tokens=1)
    assert together[3:5] == written(subject, questions, asked[3:5])
    assert together != written(subject, questions, asked, seed=1)
    assert len(set(together)) > 1


def test_near_zero_temperature_takes_the_likeliest_token(llama, questions):
    import torch

    subject = load_subject(llama, device="cpu")
    prompts = encode_prompts(subject, questions, [""], "question")
    (text,) = written(subject, questions, [Asked("", 0)], temperature=1e-4, num_tokens=3)
    ids = [subject.bos, *prompts.letter[0][0].tolist()]
    start = len(ids)
    for _ in range(3):
        with torch.no_grad():
            ids.append(int(subject.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    assert text == subject.tokenizer.decode(ids[start:], skip_special_tokens=True)
