"""Completions and conversations through the real OpenAI client."""

import openai
import pytest
import torch

PROMPT = "Parliament passes the budget"


def texts(answer):
    return [choice.text for choice in answer.choices]


def test_greedy_text_is_that_of_the_python_api(server, model):
    wanted = model.generate(PROMPT, place="ng", temperature=0, max_tokens=12, raw=True)
    answer = server.openai.completions.create(
        model="tiny", prompt=PROMPT, max_tokens=12, temperature=0, extra_body={"place": "ng"}
    )
    assert texts(answer) == [wanted.text]
    assert answer.object == "text_completion"
    assert answer.choices[0].finish_reason == "length"
    read = len(PROMPT) + len("COUNTRY: ng\nCONTINENT: Africa\n") + 1
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (read, 12)
    assert answer.usage.total_tokens == read + 12


def test_a_headline_is_set_as_in_training(server, model):
    wanted = model.generate(PROMPT, place="gb", temperature=0, max_tokens=8).text
    answer = server.openai.completions.create(
        model="tiny@gb", prompt=PROMPT, max_tokens=8, temperature=0, extra_body={"raw": False}
    )
    assert texts(answer) == [wanted]


@pytest.mark.parametrize("place", ["ng", "punchng.com", {"country": "ng"}, "none", None, "marginal"])
def test_places_and_samples_are_those_of_the_python_api(server, model, place):
    wanted = model.generate(
        [PROMPT, "Rain"], place=None if place == "none" else place, n=2, seed=7, max_tokens=6, raw=True
    )
    answer = server.openai.completions.create(
        model="tiny", prompt=[PROMPT, "Rain"], n=2, seed=7, max_tokens=6, extra_body={"place": place}
    )
    assert texts(answer) == [*wanted[0].texts, *wanted[1].texts]
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


@pytest.mark.parametrize("alias", ["ng", "none", "marginal", "Nigeria"])
def test_an_alias_is_the_field(server, alias):
    options = {"prompt": PROMPT, "seed": 3, "max_tokens": 6}
    by_name = server.openai.completions.create(model=f"tiny@{alias}", **options)
    by_field = server.openai.completions.create(model="tiny", **options, extra_body={"place": alias})
    assert texts(by_name) == texts(by_field)
    assert by_name.model == f"tiny@{alias}"


def test_guidance_is_that_of_the_python_api(server, model):
    wanted = model.generate(PROMPT, place="ng", guidance=2.5, temperature=0, max_tokens=8, raw=True).text
    plain = model.generate(PROMPT, place="ng", temperature=0, max_tokens=8, raw=True).text
    answer = server.openai.completions.create(
        model="tiny@ng", prompt=PROMPT, max_tokens=8, temperature=0, extra_body={"guidance": 2.5}
    )
    assert texts(answer) == [wanted] != [plain]


@pytest.mark.parametrize("n", [1, 2])
def test_a_stream_adds_up_to_the_whole(server, n):
    options = {"model": "tiny@ng", "prompt": PROMPT, "seed": 5, "max_tokens": 20, "n": n, "logprobs": 2}
    whole = server.openai.completions.create(**options)
    chunks = list(server.openai.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    assert not chunks[-1].choices
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    for index in range(n):
        parts = [one for chunk in chunks for one in chunk.choices if one.index == index]
        assert len(parts) > 5
        assert "".join(part.text for part in parts) == whole.choices[index].text
        assert [part.finish_reason for part in parts if part.finish_reason] == [whole.choices[index].finish_reason]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
            said = [value for part in parts if part.logprobs for value in getattr(part.logprobs, name)]
            assert said == getattr(whole.choices[index].logprobs, name)
    assert whole.choices[0].text


def test_seeds(server):
    options = {"model": "tiny", "prompt": PROMPT, "max_tokens": 12}
    first, again, other, free, more = (
        texts(server.openai.completions.create(**options, **({} if seed is None else {"seed": seed})))
        for seed in (1, 1, 2, None, None)
    )
    assert first == again != other
    assert free != more, "without a seed, every request has one of its own"


def test_a_stop_string_ends_the_text(server, model):
    whole = model.generate(PROMPT, temperature=0, max_tokens=30, raw=True).text
    stop = whole[5:8]
    assert whole.find(stop) >= 1
    answer = server.openai.completions.create(
        model="tiny", prompt=PROMPT, max_tokens=30, temperature=0, stop=[stop, "never"], logprobs=0
    )
    (choice,) = answer.choices
    assert choice.text == whole[: whole.find(stop)]
    assert choice.finish_reason == "stop"
    assert all(offset < len(choice.text) for offset in choice.logprobs.text_offset)
    parts = server.openai.completions.create(
        model="tiny", prompt=PROMPT, max_tokens=30, temperature=0, stop=stop, stream=True
    )
    assert "".join(part.choices[0].text for part in parts) == choice.text


def test_logprobs_are_scores_of_the_model(server, model):
    """Those of prompt and text, by way of echo, are what transformers says of the tokens behind BOS and prefix."""
    answer = server.openai.completions.create(
        model="tiny@ng", prompt=PROMPT, max_tokens=5, temperature=0, logprobs=3, echo=True
    )
    (choice,) = answer.choices
    assert choice.text.startswith(PROMPT)
    logprobs = choice.logprobs
    written = model.generate(PROMPT, place="ng", temperature=0, max_tokens=5, raw=True).continuations[0].tokens
    prefix, prompt = model.subject.encode(["COUNTRY: ng\nCONTINENT: Africa\n", PROMPT])
    ids = [model.subject.bos, *prefix.tolist(), *prompt.tolist(), *written]
    with torch.no_grad():
        log_p = model.subject.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    wanted = [float(log_p[at - 1, ids[at]]) for at in range(1 + len(prefix), len(ids))]
    assert logprobs.token_logprobs == pytest.approx(wanted, abs=1e-4)
    nats = model.score(PROMPT, place="ng", raw=True).nats
    assert sum(logprobs.token_logprobs[: len(PROMPT)]) == pytest.approx(-nats, abs=1e-3)
    for token, log_p, top in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, strict=True):
        assert log_p <= max(top.values())
        assert token not in top or top[token] == log_p
    assert [max(top.values()) for top in logprobs.top_logprobs[-5:]] == logprobs.token_logprobs[-5:], "greedy"
    assert logprobs.text_offset[: len(PROMPT)] == list(range(len(PROMPT)))


def test_token_ids_are_the_text(server, model):
    ids = model.subject.encode([PROMPT])[0].tolist()
    options = {"model": "tiny@gb", "max_tokens": 4, "seed": 1, "logprobs": 1, "echo": True}
    by_text, by_ids, opened = (
        server.openai.completions.create(prompt=prompt, **options).choices[0]
        for prompt in (PROMPT, ids, [[model.subject.bos, *ids]])
    )
    assert by_text.text == by_ids.text == opened.text
    assert by_ids.logprobs == by_text.logprobs
    assert opened.logprobs.token_logprobs == [None, *by_text.logprobs.token_logprobs]
    assert opened.logprobs.tokens[0] == "<bos>"


def test_echo_alone_scores_the_prompt(server):
    options = {"model": "tiny", "prompt": [PROMPT, "Rain"], "logprobs": 1, "echo": True}
    with_text = server.openai.completions.create(max_tokens=1, **options)
    alone = server.openai.completions.create(max_tokens=0, **options)
    assert texts(alone) == [PROMPT, "Rain"]
    for one, more in zip(alone.choices, with_text.choices, strict=True):
        assert one.logprobs.token_logprobs == more.logprobs.token_logprobs[:-1]
        assert one.finish_reason == "length"
    assert alone.usage.completion_tokens == 0
    assert alone.usage.prompt_tokens == with_text.usage.prompt_tokens == len(PROMPT) + len("Rain") + 2


def test_the_end_of_the_text_is_a_token_with_a_probability(server, model):
    """lm-eval takes the last token of an answer to be the one that was written, whatever it was."""
    chosen, found = next(
        (seed, made)
        for seed in range(400)
        if (made := model.generate(PROMPT, seed=seed, max_tokens=3, raw=True).continuations[0]).finish == "end"
    )
    answer = server.openai.completions.create(model="tiny", prompt=PROMPT, seed=chosen, max_tokens=3, logprobs=0)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].logprobs.tokens[-1] == "<eos>"
    assert len(answer.choices[0].logprobs.tokens) == len(found.tokens) + 1
    assert answer.usage.completion_tokens == len(found.tokens)


def test_fields_of_openai_that_mean_nothing_here(server):
    plain = server.openai.completions.create(model="tiny", prompt=PROMPT, seed=1, max_tokens=4)
    answer = server.openai.completions.create(
        model="tiny", prompt=PROMPT, seed=1, max_tokens=4, user="me", frequency_penalty=0, presence_penalty=0,
        best_of=1, logit_bias={}, extra_body={"metadata": {"place": "ng"}, "store": True},
    )  # fmt: skip
    assert texts(answer) == texts(plain)


def test_a_conversation_is_a_headline_by_our_template(server, model):
    wanted = model.generate(PROMPT, place="ng", temperature=0, max_tokens=10).text
    answer = server.openai.chat.completions.create(
        model="tiny@ng",
        messages=[{"role": "user", "content": PROMPT}],
        max_completion_tokens=10,
        temperature=0,
        logprobs=True,
        top_logprobs=2,
    )
    (choice,) = answer.choices
    assert choice.message.content == wanted
    assert choice.message.role == "assistant"
    assert len(choice.logprobs.content) == 10
    assert choice.logprobs.content[0].logprob == choice.logprobs.content[0].top_logprobs[0].logprob
    parts = list(
        server.openai.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": [{"type": "text", "text": PROMPT}]}],
            max_tokens=10,
            temperature=0,
            stream=True,
            extra_body={"place": "ng"},
        )
    )
    assert "".join(part.choices[0].delta.content for part in parts) == wanted
    assert [part.choices[0].delta.role for part in parts] == ["assistant"] + [None] * (len(parts) - 1)


def test_a_system_message_holds_a_prefix(server, model):
    wanted = model.generate(PROMPT, place="ng", temperature=0, max_tokens=10).text
    system = {"role": "system", "content": "COUNTRY: ng\nCONTINENT: Africa"}
    ask = {"messages": [system, {"role": "user", "content": PROMPT}], "max_tokens": 10, "temperature": 0}
    answer = server.openai.chat.completions.create(model="tiny", **ask)
    assert answer.choices[0].message.content == wanted
    with pytest.raises(openai.BadRequestError, match="leave one of them out"):
        server.openai.chat.completions.create(model="tiny@gb", **ask)


def test_a_conversation_ends_where_the_model_does(server):
    answer = server.openai.chat.completions.create(model="tiny", messages=[{"role": "user", "content": PROMPT}], seed=1)
    assert answer.usage.total_tokens <= 256
    with pytest.raises(openai.BadRequestError, match="spells the special token <eos>"):
        server.openai.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "a<eos>b"}])


def test_no_conversation_without_a_template(server, model, monkeypatch):
    monkeypatch.setattr(model.subject.tokenizer, "chat_template", None)
    with pytest.raises(openai.BadRequestError, match="no chat template; use /v1/completions"):
        server.openai.chat.completions.create(model="tiny", messages=[{"role": "user", "content": PROMPT}])
