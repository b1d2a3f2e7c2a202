"""Tokens, hosts, load, time, disconnection, metrics, and the process itself."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import openai
import pytest

from dateline.cli import main
from dateline.serve.engine import Broken, Busy, Closing, Done, Engine, OutOfTime
from dateline.serve.settings import Limits, read_token
from dateline.serve.work import Delta, Step

TOKEN = "0123456789abcdef-token"
PATHS = ("/v1/models", "/v1/completions", "/v1/locate", "/metrics", "/readyz", "/openapi.json", "/", "/nothing")


def test_a_token_is_required_everywhere_but_for_health(start):
    with start(Limits(), TOKEN) as server:
        bare = httpx2.Client(base_url=server.url)
        for path in (*PATHS, "/healthz/", "//healthz", "/healthz/../metrics", "/HEALTHZ"):
            assert bare.get(path).status_code == 401, path
            assert bare.post(path, json={}).status_code == 401, path
        assert bare.get("/healthz").json() == {"status": "ok"}
        for wrong in ("Bearer", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"):
            answer = bare.get("/v1/models", headers={"Authorization": wrong})
            assert answer.status_code == 401, wrong
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert bare.get("/v1/models", headers={"Authorization": b"Bearer \xfc"}).status_code == 401
        assert next(iter(server.openai.models.list())).id == "tiny"
        with pytest.raises(openai.AuthenticationError, match="a token is required"):
            openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0).models.list()


def test_headers_and_no_cors(server):
    answer = server.http.get("/healthz", headers={"Origin": "https://example.com"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert "server" not in answer.headers
    assert server.http.options("/v1/completions", headers={"Origin": "https://example.com"}).status_code == 405


def test_without_a_token_only_names_of_this_machine_are_answered(server):
    for host, status in (("localhost:1", 200), ("[::1]:80", 200), ("rebound.example.com", 403), ("", 403)):
        assert server.http.get("/v1/models", headers={"Host": host}).status_code == status, host


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_the_engine(server, stream):
    asked = {"model": "tiny", "prompt": "Rain", "max_tokens": 240, "n": 900, "seed": 1, "stream": stream}
    before = server.metric("dateline_generated_tokens_total")
    if stream:
        with server.http.stream("POST", "/v1/completions", json=asked) as answer:
            next(answer.iter_lines())
    else:
        with pytest.raises(httpx2.ReadTimeout):
            server.http.post("/v1/completions", json=asked, timeout=0.3)
    server.eventually("dateline_active_requests", 0)
    assert server.metric("dateline_waiting_requests") == 0
    assert server.metric("dateline_generated_tokens_total") - before < 900 * 240 / 2, "it was not written to the end"
    assert server.post("/v1/completions", prompt="Rain", max_tokens=2).status_code == 200


def test_fifty_clients_that_go_away_leave_nothing_behind(server, caplog):
    asked = {"model": "tiny", "prompt": "Rain", "max_tokens": 240, "n": 4, "stream": True}
    end = time.monotonic() + 60
    for seed in range(50):
        with server.http.stream("POST", "/v1/completions", json={**asked, "seed": seed}) as answer:
            assert answer.status_code == 200
            next(answer.iter_lines())
        assert time.monotonic() < end, f"{seed} clients were served in a minute"
    server.eventually("dateline_active_requests", 0)
    assert server.metric("dateline_waiting_requests") == 0
    assert not caplog.records


def test_a_stream_with_much_to_say_lets_others_in(start, model, monkeypatch, caplog):
    """Its messages are there before they are sent, so nothing in the sending waits by itself."""
    total = 20_000
    step = Step((Delta(0, "word ", (), None),), 0, 1)
    monkeypatch.setattr("dateline.serve.work.complete", lambda *given: (step for _ in range(total)))
    with start(Limits()) as server:
        asked = {"model": "tiny", "prompt": "Rain", "stream": True}
        with server.http.stream("POST", "/v1/completions", json=asked) as answer:
            next(answer.iter_lines())
            assert server.metric("dateline_generated_tokens_total") < total / 2
        server.eventually("dateline_active_requests", 0)
        assert server.metric("dateline_generated_tokens_total") < total, "no one was there to read the rest"
    assert not [one for one in caplog.records if "socket.send" in one.message]


def opened(server, words=b""):
    """A connection that has sent so much and no more."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(words)
    return connection


HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_two_hundred_idle_connections(start, model):
    """Silent ones, half a head, half a body: the others are served, and the server ends in time."""
    with start(Limits()) as server:
        kinds = (b"", HEAD, HEAD + b'Content-Length: 50\r\n\r\n{"model"')
        idle = [opened(server, kinds[number % 3]) for number in range(201)]
        before = time.monotonic()
        for _ in range(3):
            assert server.post("/v1/completions", prompt="Rain", max_tokens=3).status_code == 200
        assert time.monotonic() - before < 10
        for connection in idle[:100]:
            connection.close()
        assert server.post("/v1/completions", prompt="Rain", max_tokens=3).status_code == 200
    for connection in idle:
        connection.close()


def test_a_body_that_does_not_arrive_is_a_408(start):
    with start(Limits(seconds=0.3)) as server, opened(server, HEAD + b"Content-Length: 50\r\n\r\n{") as connection:
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"did not arrive in the time of a request" in answer + connection.recv(4096)


def test_a_slow_reader_gets_all_and_holds_up_no_one(start, model, monkeypatch):
    total = 40_000
    step = Step((Delta(0, "word ", (), None),), 0, 1)
    body = json.dumps({"model": "tiny", "prompt": "Rain", "stream": True}).encode()
    with start(Limits()) as server:
        with monkeypatch.context() as patch:
            patch.setattr("dateline.serve.work.complete", lambda *given: (step for _ in range(total)))
            connection = opened(server, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            said = connection.recv(1000)
        assert said.startswith(b"HTTP/1.1 200 ")
        server.eventually("dateline_active_requests", 0)
        assert server.post("/v1/completions", prompt="Rain", max_tokens=3).status_code == 200
        assert server.metric("dateline_generated_tokens_total") < total, "it waits for its reader"
        while not said.endswith(b"0\r\n\r\n"):
            more = connection.recv(1 << 20)
            assert more, "it broke off"
            said += more
        connection.close()
    assert said.count(b'"text": "word "') == total
    assert b"data: [DONE]" in said


def test_a_full_queue_is_a_429(start):
    with start(Limits(concurrent=1, waiting=0, texts=900)) as server:
        asked = {"model": "tiny", "prompt": "Rain", "max_tokens": 240, "n": 900, "seed": 1, "stream": True}
        with server.http.stream("POST", "/v1/completions", json=asked) as answer:
            lines = answer.iter_lines()
            next(lines)
            refused = server.post("/v1/completions", prompt="Rain")
            assert refused.status_code == 429
            assert refused.headers["Retry-After"] == "1"
            assert refused.json()["error"]["code"] == "rate_limit_exceeded"
            with pytest.raises(openai.RateLimitError):
                server.openai.completions.create(model="tiny", prompt="Rain")
        server.eventually("dateline_active_requests", 0)
        assert server.post("/v1/completions", prompt="Rain").status_code == 200


def test_a_request_has_a_time_limit(start):
    with start(Limits(seconds=0.2, texts=900)) as server:
        asked = {"prompt": "Rain", "max_tokens": 240, "n": 900, "seed": 1}
        answer = server.post("/v1/completions", **asked)
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "timeout"
        with pytest.raises(openai.APIError, match="took longer than this server allows"):
            list(server.openai.completions.create(model="tiny", stream=True, **asked))
        server.eventually("dateline_active_requests", 0)


def test_a_short_text_does_not_wait_for_a_long_one(server):
    asked = {"model": "tiny", "prompt": "Rain", "max_tokens": 240, "n": 900, "seed": 1, "stream": True}
    with server.http.stream("POST", "/v1/completions", json=asked) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert server.post("/v1/completions", prompt="Rain", max_tokens=3).status_code == 200
        assert server.metric("dateline_active_requests") == 1


def test_metrics_count(server):
    name = 'dateline_requests_total{path="/v1/tokenize",status="404"}'
    assert name not in server.http.get("/metrics").text
    server.http.get("/nowhere")
    before = server.metric("dateline_generated_tokens_total")
    server.post("/v1/completions", prompt="Rain", max_tokens=3, temperature=0)
    assert server.metric("dateline_generated_tokens_total") == before + 3
    text = server.http.get("/metrics").text
    assert 'dateline_requests_total{path="/v1/completions",status="200"}' in text
    assert 'dateline_requests_total{path="other",status="404"}' in text
    assert server.http.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("where", ["in the engine", "in a path"])
def test_a_failure_is_a_500_and_the_log_has_no_prompt(start, model, monkeypatch, caplog, where):
    def fail(*given):
        raise RuntimeError(f"secret {given}")

    with start(Limits()) as server, caplog.at_level(logging.DEBUG):
        with monkeypatch.context() as patch:
            if where == "in the engine":
                patch.setattr(type(model.subject), "encode", fail)
            else:
                patch.setattr("dateline.serve.work.complete", fail)
            answer = server.post("/v1/completions", prompt="a private prompt")
        assert answer.status_code == 500
        assert answer.json()["error"]["message"] == "something failed in the server; its log says where"
        assert server.post("/v1/completions", prompt="a private prompt").status_code == 200
    assert "RuntimeError at" in caplog.text
    assert "private" not in caplog.text
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


def test_the_engine_takes_turns_and_finishes_what_it_took():
    engine, said, gate = Engine(concurrent=2, waiting=1), [], threading.Event()

    def work(name):
        for number in range(2):
            gate.wait(10)
            yield f"{name}{number}"

    for name in "abc":
        engine.submit(work(name), 10, said.append)
    with pytest.raises(Busy):
        engine.submit(work("d"), 10, said.append)
    gate.set()
    engine.close()
    texts = [one for one in said if isinstance(one, str)]
    assert texts.index("b0") < texts.index("a1"), "in turn"
    assert sorted(texts) == ["a0", "a1", "b0", "b1", "c0", "c1"]
    assert sum(isinstance(one, Done) for one in said) == 3
    with pytest.raises(Closing):
        engine.submit(work("d"), 10, said.append)
    assert not engine.ready


def test_the_engine_closes_what_it_drops():
    engine, closed, said = Engine(concurrent=1, waiting=1), threading.Event(), []

    def endless():
        try:
            while True:
                time.sleep(0.005)
                yield 1
        finally:
            closed.set()

    engine.submit(endless(), 10, said.append).cancel()
    closed.clear()
    job = engine.submit(endless(), 10, said.append)
    while not said:
        time.sleep(0.01)
    job.cancel()
    assert closed.wait(10)
    engine.submit(endless(), 0.05, said.append)
    engine.close()
    assert isinstance(said[-1], OutOfTime)


def test_the_engine_outlives_what_fails_in_it(caplog):
    engine, said = Engine(concurrent=1, waiting=3), []

    def stubborn():
        try:
            while True:
                time.sleep(0.005)
                yield "still here"
        finally:
            raise RuntimeError("no end")

    def hopeless():
        raise SystemExit
        yield

    engine.submit(stubborn(), 0.05, said.append)
    engine.submit(hopeless(), 10, said.append)
    engine.submit(iter(["well"]), 10, said.append)
    engine.close()
    assert [type(one) for one in said if one != "still here"] == [Broken, Broken, str, Done]
    assert [record.message.split()[0] for record in caplog.records] == ["RuntimeError", "SystemExit"]


def test_tokens_from_file_and_environment(tmp_path, capsys, folder):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    assert read_token(file, {}) == read_token(None, {"DATELINE_TOKEN": TOKEN}) == TOKEN
    assert read_token(None, {}) is None
    for words, said in (
        (["--host", "0.0.0.0"], "--host 0.0.0.0 is reached from other machines, so a token is required"),
        (["--host", "0.0.0.0", "--token-file", str(tmp_path / "none")], "no readable token"),
        (["--name", "a@b"], "'a@b' cannot be a name"),
        (["--port", "70000"], "--port"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["serve", str(folder), *words])
        assert caught.value.code == 2
        assert said in capsys.readouterr().err
    file.write_text("short", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["serve", str(folder), "--host", "0.0.0.0", "--token-file", str(file)])
    assert "a token is one word of at least 16" in capsys.readouterr().err


def test_the_process_drains_on_sigterm(folder):
    source = str(Path(__file__).parents[2] / "src")
    process = subprocess.Popen(
        [sys.executable, "-m", "dateline", "serve", str(folder), "--port", "0", "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("tiny is served at http://127.0.0.1:")
        url = line.split()[4].removesuffix("/v1")
        asked = {"model": "tiny", "prompt": "Rain", "max_tokens": 200, "n": 2, "seed": 1, "stream": True}
        with httpx2.stream("POST", f"{url}/v1/completions", json=asked, timeout=60) as answer:
            lines = answer.iter_lines()
            said = [next(lines)]
            process.send_signal(signal.SIGTERM)
            said += list(lines)
        said = [line for line in said if line]
        assert said[-1] == "data: [DONE]"
        choices = [choice for line in said[:-1] for choice in json.loads(line[6:])["choices"]]
        assert sum(choice["finish_reason"] is not None for choice in choices) == 2, (
            "both texts were written to their ends"
        )
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
