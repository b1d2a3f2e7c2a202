"""What the model reads of an example, and on which tokens it is trained."""

import pytest

from dateline.conditions import DEFAULT_FIELDS, Metadata, chat_template, render
from dateline.errors import UserError
from dateline.testing import byte_tokenizer
from dateline.tokens.tokenizer import encode_texts, train_tokenizer
from dateline.tune.data import Example, Message
from dateline.tune.rendering import Renderer, marked_template

LAGOS = Metadata("https://punchng.com/a", "punchng.com", "ng", "Africa")
TALK = (
    Message("user", "Which currency is used?"),
    Message("assistant", "the naira"),
    Message("user", "And in Ghana?"),
    Message("assistant", "the cedi"),
)
WORDS = ["TITLE: Rain in Lagos\n\nCONTENT: The currency is used by all in Ghana and the naira is not.\n"] * 20


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([*WORDS, render(LAGOS, DEFAULT_FIELDS)], 400)


def tokenize(tokenizer, example, fields=DEFAULT_FIELDS, template=None):
    return Renderer(tokenizer, template or chat_template(marks=True)).tokenize(example, example.place, fields)


def learned(tokenizer, found):
    return tokenizer.decode([label for label in found.labels if label != -100])


@pytest.mark.parametrize("fields", [DEFAULT_FIELDS, ("country",), ()])
@pytest.mark.parametrize("system", [(), (Message("system", "Be brief."),)])
def test_the_template_that_is_saved_gives_the_same_ids_and_marks(tokenizer, fields, system, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.chat_template = marked_template(tokenizer, with_place=True)
    tokenizer.save_pretrained(tmp_path)
    found = tokenize(tokenizer, Example("row", LAGOS, (*system, *TALK)), fields)
    place = {field: getattr(LAGOS, field) for field in fields}
    said = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(
        [turn._asdict() for turn in (*system, *TALK)],
        place=place, return_dict=True, return_assistant_tokens_mask=True,
    )  # fmt: skip
    assert found.input_ids == said["input_ids"]
    assert [int(label != -100) for label in found.labels] == said["assistant_masks"]
    assert all(label in (-100, token) for label, token in zip(found.labels, found.input_ids, strict=True))


def test_the_prefix_is_that_of_pre_training(tokenizer):
    (prefix,) = encode_texts(tokenizer, [render(LAGOS, DEFAULT_FIELDS)])
    for example in (Example("row", LAGOS, TALK), Example("row", LAGOS, prompt="Question:", completion=" B")):
        head = tokenize(tokenizer, example).input_ids[: len(prefix) + 1]
        assert head == [tokenizer.bos_token_id, *prefix.tolist()]


def test_the_loss_is_on_the_words_of_the_assistant_and_the_end(tokenizer):
    found = tokenize(tokenizer, Example("row", LAGOS, TALK))
    assert learned(tokenizer, found) == " the naira<eos> the cedi<eos>"
    found = tokenize(tokenizer, Example("row", LAGOS, prompt="Question: which?\nAnswer:", completion=" B"))
    assert learned(tokenizer, found) == " B<eos>"


@pytest.mark.parametrize("content", ["<eos>", "a<eos>b <bos>", "\ue000 0"])
def test_special_tokens_spelled_out_stay_text(content):
    tokenizer = byte_tokenizer()
    talk = (Message("user", content), Message("assistant", content))
    for example in (Example("row", LAGOS, talk), Example("row", LAGOS, prompt=content, completion=content)):
        found = tokenize(tokenizer, example)
        assert found.input_ids.count(tokenizer.bos_token_id) == 1
        assert found.input_ids.count(tokenizer.eos_token_id) == 1
        assert tokenizer.decode(found.input_ids).count(content) >= 2


def test_a_template_of_the_model_is_used_where_it_has_marks_and_place(tokenizer):
    own = (
        "{{ bos_token }}{% if place %}COUNTRY: {{ place.country }}\n{% endif %}{% for m in messages %}<|{{ m.role }}|>"
        "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}"
        "{{ m.content }}<|end|>{% endif %}{% endfor %}"
    )
    tokenizer.chat_template = own
    assert marked_template(tokenizer, with_place=True) == own
    found = tokenize(tokenizer, Example("row", LAGOS, TALK[:2]), ("country",), own)
    assert learned(tokenizer, found) == "the naira<|end|>"
    assert tokenizer.convert_tokens_to_ids("<|user|>") in found.input_ids
    said = tokenizer.apply_chat_template(
        [turn._asdict() for turn in TALK[:2]], place={"country": "ng"}, return_dict=False
    )
    assert found.input_ids == said


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "has no generation marks"),
        (
            "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
            "has no variable `place`",
        ),
        ({"a": "x", "b": "y"}, "several chat templates"),
    ],
)
def test_a_template_that_cannot_be_tuned_with_is_refused(own, problem):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = own
    with pytest.raises(UserError, match=problem):
        marked_template(tokenizer, with_place=True)


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        (
            "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content }}{% endif %}"
            "{% generation %}{% endgeneration %}{% endfor %}",
            "row 7: the chat template marks nothing of it",
        ),
        (
            "{% for m in messages %}{% generation %}{{ m.content | upper }}{% endgeneration %}{% endfor %}",
            "row 7: the chat template changes what a turn says",
        ),
        ("{{ raise_exception('no system turn') }}", r"row 7: the chat template cannot write it \(no system turn\)"),
    ],
)
def test_an_example_that_the_template_cannot_write_is_named(tokenizer, own, problem):
    with pytest.raises(UserError, match=problem):
        tokenize(tokenizer, Example("row 7", LAGOS, TALK), template=own)
