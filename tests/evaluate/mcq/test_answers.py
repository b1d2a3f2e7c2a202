"""Real models are asked: every form, every condition, and what must come out of a model that ignores places."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from dateline.errors import UserError
from dateline.evaluate.mcq.answers import Settings, ask, is_pair
from dateline.evaluate.mcq.points import nats_per_byte
from dateline.evaluate.mcq.prompts import question_conditions
from dateline.evaluate.subject import load_subject

FIELDS = ("country", "continent")


@pytest.fixture(scope="module")
def subject(llama):
    return load_subject(llama, device="cpu")


def asked(subject, questions, names=("gold", "none", "wrong"), **settings):
    found = ask(subject, questions, question_conditions(names, FIELDS), Settings(run="a", **settings))
    return {(answers.form, answers.condition): answers for answers in found.answers}, found.too_long


def test_every_form_has_every_item_under_every_condition(subject, questions):
    found, too_long = asked(subject, questions)
    assert too_long == []
    forms = {"cloze", "letter"}
    paired = {"switch_cloze", "shift_cloze", "switch_letter", "shift_letter"}
    assert set(found) == {(form, told) for form in forms for told in ("gold", "none", "wrong")} | {
        (form, told) for form in paired for told in ("gold", "none")
    }
    for (form, _), answers in found.items():
        wanted = [q.id for q in questions if form in forms or is_pair(q)]
        assert answers.ids == wanted
        assert all(0 <= point <= 1 for point in answers.points)
    assert found["cloze", "gold"].fields == "country+continent"
    assert found["cloze", "none"].fields == ""


def test_the_choice_is_the_option_with_the_fewest_nats_per_byte(subject, questions):
    found, _ = asked(subject, questions, ["none"])
    answers = found["cloze", "none"]
    for question, point, chosen, costs in zip(questions, answers.points, answers.chosen, answers.costs, strict=True):
        assert len(costs) == len(question.options)
        assert chosen == int(np.argmin(costs))
        assert point == float(chosen == question.answer)
        assert nats_per_byte(np.ones(len(costs)), question.options)[0] == 1 / len(question.options[0].encode())


def test_told_nothing_both_times_the_switch_is_one_half_on_every_item(subject, questions):
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
    found = ask(subject, same, question_conditions(["continent"], FIELDS), Settings(run="a"))
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
    found, too_long = asked(subject, long, long_is_wrong=True)
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
    found, _ = asked(subject, questions, ["none"], generative=True, num_tokens=3)
    published, strict = found["paper_generative", "none"], found["paper_generative_strict", "none"]
    assert published.points == strict.points
    assert published.ids == [q.id for q in questions]
    assert any(strict.written)
    assert ("cloze", "none") in found
