"""What a model reads, as text and as tokens."""

import numpy as np
import pytest

from dateline.errors import UserError
from dateline.evaluate.mcq.prompts import (
    cloze_prompt,
    encode_prompts,
    letter_place,
    letter_prompt,
    question_conditions,
    told,
)
from dateline.evaluate.subject import load_subject

FIELDS = ("domain", "country", "continent")


def test_the_prompts_word_for_word(questions):
    river = questions[2]
    assert cloze_prompt(river, "question") == "Question: Which river?\nAnswer:"
    assert cloze_prompt(river, "article") == "TITLE: Which river?\n\nCONTENT:"
    assert letter_prompt(river, "question") == "Question: Which river?\nA. Thames\nB. Indus\nC. Niger\nAnswer:"
    assert letter_prompt(river, "question", 1) == "Question: Which river?\nA. Indus\nB. Niger\nC. Thames\nAnswer:"
    assert letter_prompt(river, "article").startswith("TITLE: Which river?\n\nCONTENT: A. Thames\n")


def test_every_option_stands_at_every_letter_once(questions):
    for question in questions:
        number = len(question.options)
        for option, text in enumerate(question.options):
            places = []
            for turn in range(number):
                line = f"{'ABCDEF'[letter_place(option, turn, number)]}. {text}"
                assert line in letter_prompt(question, "question", turn).splitlines()
                places.append(letter_place(option, turn, number))
            assert sorted(places) == list(range(number))


def test_prefixes_show_country_and_continent_and_never_a_url(llama, questions):
    subject = load_subject(llama, device="cpu")
    gold, none, wrong, swap = question_conditions(["gold", "none", "wrong", "swap:ke"], FIELDS)
    assert told(subject, questions, gold, 0)[0] == "COUNTRY: ng\nCONTINENT: Africa\n"
    assert set(told(subject, questions, none, 0)) == {""}
    assert set(told(subject, questions, swap, 0)) == {"COUNTRY: ke\nCONTINENT: Africa\n"}
    for question, prefix in zip(questions, told(subject, questions, wrong, 0), strict=True):
        assert question.continent not in prefix
        assert prefix.startswith("COUNTRY: ")
    assert told(subject, questions, wrong, 0) == told(subject, questions, wrong, 0)


@pytest.mark.parametrize(
    ("names", "fields", "message"),
    [
        ([], FIELDS, "no conditions"),
        (["silver"], FIELDS, "unknown condition 'silver'"),
        (["gold", "gold"], FIELDS, "names 'gold' twice"),
        (["marginal"], FIELDS, "stands for many prefixes"),
        (["swap:all"], FIELDS, "stands for many prefixes"),
        (["gold"], ("url_hash",), "shows only url_hash, of which a question has none"),
        (["domain"], FIELDS, "shows only domain, of which a question has none"),
    ],
)
def test_conditions_that_a_question_cannot_have_are_refused(names, fields, message):
    with pytest.raises(UserError, match=message):
        question_conditions(names, fields)


@pytest.mark.parametrize("model", ["llama", "gpt2"])
def test_prompt_and_option_are_the_tokens_of_the_text_as_a_whole(model, questions, request):
    subject = load_subject(request.getfixturevalue(model), device="cpu")
    prompts = encode_prompts(subject, questions, ["", "COUNTRY: ng\n"], "question")
    for at, question in enumerate(questions):
        for option, text in enumerate(question.options):
            (whole,) = subject.encode([f"{cloze_prompt(question, 'question')} {text}"])
            assert np.array_equal(whole, np.concatenate([prompts.cloze[at], prompts.options[at][option]]))
        assert len(prompts.letter[at]) == len(question.options)
    assert subject.tokenizer.decode(prompts.letters[1].tolist()) == " B"


def test_more_options_than_letters_are_refused(llama, write_questions, tmp_path):
    from dateline.evaluate.mcq.questions import read_questions

    many = {
        "id": "many",
        "question": "Which?",
        "options": [f"o{n}" for n in range(27)],
        "answer": "o1",
        "country": "ng",
    }
    questions = read_questions(write_questions(tmp_path / "many.jsonl", [many]))
    with pytest.raises(UserError, match="item 'many' has 27 options; at most 26 have a letter"):
        encode_prompts(load_subject(llama, device="cpu"), questions, [""], "question")
