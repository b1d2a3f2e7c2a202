"""What a server says to bad requests: one line in OpenAI's form, and never a traceback."""

import openai
import pytest

COMPLETE, CHAT = "/v1/completions", "/v1/chat/completions"
ASK = {"prompt": "Rain", "max_tokens": 2}
TALK = {"messages": [{"role": "user", "content": "Rain"}]}

BAD = {
    "unknown field": (COMPLETE, {**ASK, "guidence": 2}, "field 'guidence' is not known; did you mean 'guidance'?"),
    "nothing near": (COMPLETE, {**ASK, "xyzzy": 1}, "field 'xyzzy' is not known; known are model, user, metadata"),
    "nested": (
        COMPLETE,
        {**ASK, "stream": True, "stream_options": {"include_usages": True}},
        "field 'stream_options.include_usages' is not known; did you mean 'include_usage'?",
    ),
    "in a message": (
        CHAT,
        {"messages": [{"role": "user", "contents": "Rain", "content": "x"}]},
        "field 'messages.0.contents' is not known; did you mean 'content'?",
    ),
    "role": (CHAT, {"messages": [{"role": "tool", "content": "x"}]}, "field 'messages': input should be 'system', "),
    "no messages": (CHAT, {"messages": []}, "field 'messages'"),
    "empty message": (CHAT, {"messages": [{"role": "user", "content": " "}]}, "the last message is empty"),
    "both lengths": (CHAT, {**TALK, "max_tokens": 2, "max_completion_tokens": 2}, "give one of them"),
    "top without": (CHAT, {**TALK, "top_logprobs": 2}, "set logprobs to true"),
    "missing": (COMPLETE, {"max_tokens": 2}, "field 'prompt' is missing"),
    "wrong type": (COMPLETE, {**ASK, "max_tokens": "2"}, "field 'max_tokens': input should be a valid integer"),
    "bool": (COMPLETE, {**ASK, "n": True}, "field 'n': input should be a valid integer"),
    "union": (COMPLETE, {"prompt": {"a": 1}}, "field 'prompt' has a value of the wrong form; it is: Text, a list"),
    "mixed": (COMPLETE, {"prompt": ["a", 1]}, "field 'prompt' has a value of the wrong form"),
    "empty": (COMPLETE, {"prompt": ""}, "the prompt is empty; give words"),
    "blank": (COMPLETE, {"prompt": ["a", " "]}, "prompt 2 is empty; give words"),
    "none at all": (COMPLETE, {"prompt": []}, "prompt is empty"),
    "no ids": (COMPLETE, {"prompt": [[]]}, "the prompt is empty"),
    "foreign id": (COMPLETE, {"prompt": [5, 259]}, "the prompt has token 259; the model knows tokens 0 to 258"),
    "negative id": (COMPLETE, {"prompt": [-1]}, "the prompt has token -1"),
    "huge id": (COMPLETE, {"prompt": [2**70]}, "the prompt has token"),
    "long for the model": (COMPLETE, {"prompt": "a" * 255, "max_tokens": 2}, "leaves no room for 2 of the model's 256"),
    "long for the server": (COMPLETE, {"prompt": "a" * 301}, "the prompt has 301 tokens; this server reads at most"),
    "many tokens": (COMPLETE, {**ASK, "max_tokens": 241}, "max_tokens is 241; this server writes at most 240"),
    "many texts": (COMPLETE, {**ASK, "n": 901}, "901 continuations are asked for; this server takes 1 to 900"),
    "no tokens": (COMPLETE, {**ASK, "max_tokens": 0}, "nothing to answer"),
    "place": (COMPLETE, {**ASK, "place": "Nigerai"}, "place 'Nigerai' is not known; did you mean 'nigeria'"),
    "place field": (COMPLETE, {**ASK, "place": {"contry": "ng"}}, "did you mean 'country'"),
    "place type": (COMPLETE, {**ASK, "place": 5}, "field 'place' has a value of the wrong form"),
    "guidance alone": (COMPLETE, {**ASK, "guidance": 2}, "leads to a place, and none is given"),
    "guided mixture": (COMPLETE, {**ASK, "guidance": 2, "place": "marginal"}, "a mixture of places takes neither"),
    "echoed mixture": (COMPLETE, {**ASK, "place": "marginal", "echo": True, "logprobs": 1}, "mixture of places"),
    "temperature": (COMPLETE, {**ASK, "temperature": -1}, "field 'temperature': input should be greater"),
    "top_p": (COMPLETE, {**ASK, "top_p": 0}, "field 'top_p'"),
    "same texts": (COMPLETE, {**ASK, "n": 2, "temperature": 0}, "at temperature 0 all continuations are the same"),
    "empty stop": (COMPLETE, {**ASK, "stop": ""}, "field 'stop' has a value of the wrong form"),
    "long stop": (COMPLETE, {**ASK, "stop": "a" * 257}, "field 'stop' has a value of the wrong form"),
    "penalty": (COMPLETE, {**ASK, "frequency_penalty": 0.5}, "field 'frequency_penalty'"),
    "bias": (COMPLETE, {**ASK, "logit_bias": {"5": 1}}, "field 'logit_bias'"),
    "best of": (COMPLETE, {**ASK, "best_of": 3}, "best_of is not offered"),
    "suffix": (COMPLETE, {**ASK, "suffix": "end"}, "field 'suffix'"),
    "stream options": (COMPLETE, {**ASK, "stream_options": {"include_usage": True}}, "set stream to true"),
    "place twice": (COMPLETE, {**ASK, "model": "tiny@ng", "place": "gb"}, "both name a place"),
    "alias": (COMPLETE, {**ASK, "model": "tiny@nowhere"}, "place 'nowhere' is not known"),
    "locate": ("/v1/locate", {"input": "Rain", "among": ["ng"]}, "two"),
    "located texts": ("/v1/locate", {"input": []}, "0 texts are asked for"),
    "located prior": ("/v1/locate", {"input": "Rain", "among": ["ng", "gb"], "prior": {"ng": 0, "gb": 0}}, "prior"),
    "located alias": ("/v1/locate", {"input": "Rain", "model": "tiny@ng"}, "names places in its own fields"),
    "score": ("/v1/score", {"input": ["Rain", ""]}, "text 2 is empty"),
    "score of many": ("/v1/score", {"input": "Rain", "place": "marginal"}, "a score is under one place"),
    "compare": ("/v1/compare", {"prompt": "Rain", "places": []}, "field 'places'"),
    "compared mixture": ("/v1/compare", {"prompt": "Rain", "places": ["marginal"]}, "many places at once"),
    "foreign tokens": ("/detokenize", {"tokens": [259]}, "tokens has token 259; the model knows tokens 0 to 258"),
    "compared length": ("/v1/compare", {"prompt": "Rain", "places": ["ng"], "max_tokens": 900}, "at most 240"),
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_body_is_a_400_in_words(server, case, stream):
    path, body, words = BAD[case]
    if stream:
        if path not in (COMPLETE, CHAT) or "stream_options" in body:
            return
        body = {**body, "stream": True}
    answer = server.post(path, **body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert words in error["message"]
    assert error["message"].count("\n") == 0
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"model": "tiny", "prompt": ', "the body is no JSON"),
        (b"", "no JSON object"),
        (b"[1, 2]", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b"\xff\xfe\x00", "the body is no JSON"),
        (b'{"model": "tiny", "prompt": "a\\ud800"}', "half of a character"),
        (b"[" * 100_000, "the body is no JSON"),
        (b'{"model": "tiny", "prompt": "a", "guidance": NaN}', "field 'guidance': input should be a finite number"),
        (b'{"model": "tiny", "prompt": "a", "guidance": 1e999}', "field 'guidance': input should be a finite number"),
        (b'{"model": "tiny", "prompt": "a", "temperature": Infinity}', "field 'temperature'"),
        (b'{"model": "tiny", "prompt": "a", "max_tokens": ' + b"9" * 6_000 + b"}", "the body is no JSON"),
    ],
)
def test_a_body_that_is_none(server, content, words):
    answer = server.http.post(COMPLETE, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]["message"]


def test_text_is_no_json(server):
    answer = server.http.post(COMPLETE, content=b'{"model": "tiny"}', headers={"Content-Type": "text/plain"})
    assert answer.status_code == 400
    assert "application/json" in answer.json()["error"]["message"]


def test_a_body_of_10_megabytes(server):
    answer = server.post(COMPLETE, prompt="a" * 10_000_000)
    assert answer.status_code == 413
    assert answer.json()["error"]["message"] == "the body is larger than this server takes"
    chunks = (b"a" * 100_000 for _ in range(100))
    answer = server.http.post(COMPLETE, content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413, "without a Content-Length, too"


def test_unknown_models_and_paths(server):
    with pytest.raises(openai.NotFoundError, match="model 'gpt-4' is not served here; use 'tiny'") as caught:
        server.openai.completions.create(model="gpt-4", prompt="Rain")
    assert caught.value.code == "model_not_found"
    assert server.http.get("/v1/models/other").status_code == 404
    for path in ("/v1/none", "/v1/../etc/passwd", "//v1/models", "/docs", "/v1/completions/"):
        answer = server.http.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["type"] == "invalid_request_error"
    assert server.http.get(COMPLETE).status_code == 405
    assert server.http.get(COMPLETE).json()["error"]["message"] == "GET is not the method of this path"


def test_the_server_still_answers(server):
    assert server.post(COMPLETE, **ASK).status_code == 200
