"""What real models read and answer: every form and condition, the numbers of a plain forward pass, sampled letters."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from dateline.benchmark.questions import read_questions
from dateline.benchmark.tasks import cloze_prompt, letter_place, letter_prompt
from dateline.errors import UserError
from dateline.evaluate.mcq.ask import (
    Asked,
    ask,
    continuation_nats,
    encode_prompts,
    is_pair,
    letter_nats,
    named_letter,
    option_nats,
    prefix_texts,
    question_conditions,
    write_answers,
)
from dateline.evaluate.mcq.scores import nats_per_byte
from dateline.evaluate.recipe import Mcq
from dateline.model.load import load_subject

ALL_FIELDS = ("domain", "country", "continent")


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


def test_prefixes_show_country_and_continent_and_never_a_url(subject, questions):
    gold, none, wrong, swap = question_conditions(["gold", "none", "wrong", "swap:ke"], ALL_FIELDS)
    assert prefix_texts(subject, questions, gold, 0)[0] == "COUNTRY: ng\nCONTINENT: Africa\n"
    assert set(prefix_texts(subject, questions, none, 0)) == {""}
    assert set(prefix_texts(subject, questions, swap, 0)) == {"COUNTRY: ke\nCONTINENT: Africa\n"}
    for question, prefix in zip(questions, prefix_texts(subject, questions, wrong, 0), strict=True):
        assert question.continent not in prefix
        assert prefix.startswith("COUNTRY: ")
    assert prefix_texts(subject, questions, wrong, 0) == prefix_texts(subject, questions, wrong, 0)


@pytest.mark.parametrize(
    ("names", "fields", "message"),
    [
        ([], ALL_FIELDS, "no conditions"),
        (["silver"], ALL_FIELDS, "unknown condition 'silver'"),
        (["gold", "gold"], ALL_FIELDS, "names 'gold' twice"),
        (["marginal"], ALL_FIELDS, "stands for many prefixes"),
        (["swap:all"], ALL_FIELDS, "stands for many prefixes"),
        (["gold"], ("url_hash",), "shows only url_hash, of which a question has none"),
        (["domain"], ALL_FIELDS, "shows only domain, of which a question has none"),
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


PREFIX = "COUNTRY: ng\n"


def plainly(subject, context, continuation):
    """-log p of a continuation, by one forward pass over everything."""
    ids = torch.tensor([[*context, *continuation]])
    with torch.no_grad():
        logp = subject.model(input_ids=ids).logits[0].double().log_softmax(-1)
    return -sum(float(logp[len(context) + i - 1, token]) for i, token in enumerate(continuation))


def no_progress(amount=1, note=""):
    pass


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def either(request):
    return load_subject(request.getfixturevalue(request.param), device="cpu")


def test_options_and_letters_have_the_probability_of_a_plain_forward_pass(either, questions):
    prompts = encode_prompts(either, questions, ["", PREFIX], "question")
    asked = [Asked(prefix, at) for prefix in ("", PREFIX) for at in range(len(questions))]
    how = {"batch_tokens": 300, "precision": "float32"}
    options = option_nats(either, prompts, asked, **how)
    letters = letter_nats(either, prompts, asked, **how)
    for one, per_option, per_letter in zip(asked, options, letters, strict=True):
        question = questions[one.question]
        head = [either.bos, *prompts.prefixes[one.prefix]]
        context = [*head, *prompts.cloze[one.question]]
        expected = [plainly(either, context, tokens) for tokens in prompts.options[one.question]]
        assert per_option == pytest.approx(expected, abs=1e-3)
        number = len(question.options)
        assert per_letter.shape == (number, number)
        for turn in range(number):
            lines = letter_prompt(question, "question", turn).splitlines()
            for option, text in enumerate(question.options):
                place = next(at for at, line in enumerate(lines[1:]) if line[3:] == text)
                nats = plainly(either, [*head, *prompts.letter[one.question][turn]], prompts.letters[place])
                assert per_letter[turn, option] == pytest.approx(nats, abs=1e-3)


def test_batches_do_not_change_numbers(either, questions):
    prompts = encode_prompts(either, questions, [""], "question")
    asked = [Asked("", at) for at in range(len(questions))]
    small, large = (option_nats(either, prompts, asked, batch_tokens=size, precision="float32") for size in (1, 10_000))
    assert np.concatenate(small) == pytest.approx(np.concatenate(large), abs=1e-4)


def read_tokens(subject, monkeypatch):
    """Records the shape of every batch that the model reads."""
    shapes = []
    body = subject.model.base_model
    real = body.forward

    def forward(*given, **options):
        shapes.append(tuple((options["input_ids"] if "input_ids" in options else given[0]).shape))
        return real(*given, **options)

    monkeypatch.setattr(body, "forward", forward)
    return shapes


def test_a_context_is_read_once_for_all_its_continuations(either, monkeypatch):
    shapes = read_tokens(either, monkeypatch)
    context = np.array([either.bos, 7, 8, 9], dtype=np.int32)
    one, other, long, longest = (np.array(ids, dtype=np.int32) for ids in ([5], [6], [5, 6], [6, 6, 5]))
    nats = continuation_nats(
        either,
        [context, context, context],
        [[one, other], [one, long], [long, longest]],
        batch_tokens=64,
        precision="float32",
    )
    assert shapes == [(1, 4), (2, 2)]
    assert nats[0][0] == nats[1][0]
    assert nats[1][1] == nats[2][0]
    for tokens, found in zip((one, other, long, longest), (*nats[0], *nats[2]), strict=True):
        assert found == pytest.approx(plainly(either, context.tolist(), tokens.tolist()), abs=1e-4)


@pytest.mark.parametrize("kind", ["mamba", "mistral"])
def test_models_that_keep_no_copies_read_every_continuation_anew(either, kind):
    """A state-space model, and one whose window slides over the context."""
    settings = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2}
    if kind == "mistral":
        settings |= {"num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 32, "sliding_window": 3}
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **settings)).eval()
    subject = SimpleNamespace(model=model, bos=1)
    contexts = [np.array([1, *ids], dtype=np.int32) for ids in ([7, 8, 9, 3, 4], [9, 9, 2, 5, 3])]
    choices = [[np.array(ids, dtype=np.int32) for ids in ([5], [5, 6, 9, 10], [8, 2])]] * 2
    nats = continuation_nats(subject, contexts, choices, batch_tokens=64, precision="float32")
    for context, found in zip(contexts, nats, strict=True):
        expected = [plainly(subject, context.tolist(), tokens.tolist()) for tokens in choices[0]]
        assert found == pytest.approx(expected, abs=1e-4)


def test_bfloat16_is_the_precision_of_letters_and_options_alike(either, questions):
    prompts = encode_prompts(either, questions, [PREFIX], "question")
    asked = [Asked(PREFIX, at) for at in range(len(questions))]
    for measure in (option_nats, letter_nats):
        fine, coarse = (
            np.concatenate(
                [np.ravel(nats) for nats in measure(either, prompts, asked, batch_tokens=300, precision=precision)]
            )
            for precision in ("float32", "bfloat16")
        )
        assert not np.array_equal(fine, coarse)
        assert coarse == pytest.approx(fine, rel=0.05, abs=0.3)


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


def written(subject, questions, asked, **options):
    prompts = encode_prompts(subject, questions, ["", "COUNTRY: ng\n"], "question")
    ids = [question.id for question in questions]
    return write_answers(subject, prompts, asked, ids, Mcq(questions="", **{"batch_tokens": 500, **options}))


def test_a_draw_depends_on_seed_item_and_prefix_and_not_on_its_neighbours(llama, questions):
    subject = load_subject(llama, device="cpu")
    asked = [Asked(prefix, at) for prefix in ("", "COUNTRY: ng\n") for at in range(len(questions))]
    together = written(subject, questions, asked)
    assert together == written(subject, questions, asked, batch_tokens=1)
    assert together[3:5] == written(subject, questions, asked[3:5])
    assert together != written(subject, questions, asked, seed=1)
    assert len(set(together)) > 1


def test_near_zero_temperature_takes_the_likeliest_token(llama, questions):
    subject = load_subject(llama, device="cpu")
    prompts = encode_prompts(subject, questions, [""], "question")
    (text,) = written(subject, questions, [Asked("", 0)], temperature=1e-4, num_tokens=3)
    ids = [subject.bos, *prompts.letter[0][0].tolist()]
    start = len(ids)
    for _ in range(3):
        with torch.no_grad():
            ids.append(int(subject.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    assert text == subject.tokenizer.decode(ids[start:], skip_special_tokens=True)


FIELDS = ("country", "continent")


@pytest.fixture(scope="module")
def subject(llama):
    return load_subject(llama, device="cpu")


def asked(subject, questions, names=("gold", "none", "wrong"), **options):
    found = ask(subject, questions, question_conditions(names, FIELDS), Mcq(questions="", **options), "a")
    return {(answers.form, answers.condition): answers for answers in found.answers}, found.too_long


def test_every_form_has_every_item_under_every_condition(subject, questions):
    found, too_long = asked(subject, questions)
    assert too_long == []
    forms = {"cloze", "letter"}
    paired = {"switch_cloze", "shift_cloze", "switch_letter", "shift_letter"}
    assert set(found) == {(form, condition) for form in forms for condition in ("gold", "none", "wrong")} | {
        (form, condition) for form in paired for condition in ("gold", "none")
    }
    for (form, _), answers in found.items():
        wanted = [q.id for q in questions if form in forms or is_pair(q)]
        assert answers.ids == wanted
        assert all(0 <= point <= 1 for point in answers.points)
    assert found["cloze", "gold"].shown == "country+continent"
    assert found["cloze", "none"].shown == ""


def test_the_choice_is_the_option_with_the_fewest_nats_per_byte(subject, questions):
    found, _ = asked(subject, questions, ["none"])
    answers = found["cloze", "none"]
    for question, point, chosen, costs in zip(questions, answers.points, answers.chosen, answers.costs, strict=True):
        assert len(costs) == len(question.options)
        assert chosen == int(np.argmin(costs))
        assert point == float(chosen == question.answer)
        assert nats_per_byte(np.ones(len(costs)), question.options)[0] == 1 / len(question.options[0].encode())


def test_without_a_place_both_times_the_switch_is_one_half_on_every_item(subject, questions):
    found, _ = asked(subject, questions, ["none"])
    for form in ("switch_cloze", "shift_cloze", "switch_letter", "shift_letter"):
        assert found[form, "none"].points == [0.5, 0.5]


def test_a_model_that_cannot_see_the_prefix_gets_one_half_on_every_item(llama, questions, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(llama / "model")
    for layer in model.model.layers:  # without attention a token knows only the token before it
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
    blind = load_subject(llama, device="cpu")
    blind.model.load_state_dict(model.state_dict())
    found, _ = asked(blind, questions, ["gold"])
    for form in ("switch_cloze", "shift_cloze", "switch_letter", "shift_letter"):
        assert found[form, "gold"].points == [0.5, 0.5], form


def test_where_the_places_look_the_same_no_switch_is_earned(subject, questions):
    same = [replace(q, contrast_country="ke") if q.id == "capital" else q for q in questions]
    found = ask(subject, same, question_conditions(["continent"], FIELDS), Mcq(questions=""), "a")
    (switch,) = [answers for answers in found.answers if answers.form == "switch_cloze"]
    assert switch.points[switch.ids.index("capital")] == 0.5


def test_the_letter_form_does_not_see_the_order_of_options(subject, questions):
    turned = [
        replace(q, options=(*q.options[1:], q.options[0]), answer=(q.answer - 1) % len(q.options), contrast_country="")
        for q in questions
    ]
    for form in ("cloze", "letter"):
        first, second = (asked(subject, items, ["none"])[0][form, "none"].points for items in (questions, turned))
        assert first == second


def test_long_items_stop_the_evaluation_or_are_wrong_everywhere(subject, questions):
    long = [replace(questions[0], question="What is " + "the capital " * 200), *questions[1:]]
    with pytest.raises(
        UserError, match=r"item 'capital' takes \d+ tokens with its prefix, the model reads 256; .*--long"
    ):
        asked(subject, long)
    found, too_long = asked(subject, long, long="wrong")
    assert too_long == ["capital"]
    for answers in found.values():
        assert answers.points[0] == 0.0
        assert answers.chosen[0] == -1
    short, _ = asked(subject, questions)
    assert found["cloze", "gold"].points[1:] == short["cloze", "gold"].points[1:]
    assert found["cloze", "gold"].ids == short["cloze", "gold"].ids


def test_probabilities_that_are_no_numbers_are_an_error(llama, questions):
    broken = load_subject(llama, device="cpu")
    with torch.no_grad():
        broken.model.lm_head.weight[5] = float("nan")
    with pytest.raises(UserError, match=r"probabilities for item 'capital' are not finite .* use float32"):
        asked(broken, questions, ["none"])


def test_sampled_answers_stand_beside_the_strict_forms(subject, questions):
    found, _ = asked(subject, questions, ["none"], answers="paper-generative", num_tokens=3)
    published, strict = found["paper_generative", "none"], found["paper_generative_strict", "none"]
    assert published.points == strict.points
    assert published.ids == [q.id for q in questions]
    assert any(strict.written)
    assert ("cloze", "none") in found
