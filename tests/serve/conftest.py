"""A server in a thread of its own, on a free port, in front of a tiny model with random weights."""

import threading
import time
from contextlib import contextmanager

import httpx2
import openai
import pytest

import dateline
from dateline.serve.app import make_app
from dateline.serve.run import listen, serve
from dateline.serve.settings import Limits

NAME = "tiny"


@pytest.fixture(scope="session")
def folder(tmp_path_factory, save_llama):
    return save_llama(tmp_path_factory.mktemp("served") / NAME, layers=1, dropout=0.1)


@pytest.fixture(scope="session")
def model(folder):
    return dateline.load(folder, device="cpu")


class Running:
    """Address and clients of a server."""

    def __init__(self, url, token=None):
        self.url, headers = url, {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx2.Client(base_url=url, headers=headers, timeout=30)
        self.openai = openai.OpenAI(base_url=f"{url}/v1", api_key=token or "unused", max_retries=0, timeout=30)

    def post(self, path, **body):
        return self.http.post(path, json={"model": NAME, **body})

    def metric(self, name):
        for line in self.http.get("/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")

    def eventually(self, name, value, seconds=10):
        end = time.monotonic() + seconds
        while self.metric(name) != value:
            assert time.monotonic() < end, f"{name} is {self.metric(name)}"
            time.sleep(0.02)


@contextmanager
def running(model, limits, token=None):
    """Serves in a thread until the block ends."""
    bound = listen("127.0.0.1", 0)
    started, servers = threading.Event(), []
    app = make_app(model, NAME, limits, token)

    def ready(server):
        servers.append(server)
        started.set()

    thread = threading.Thread(target=serve, args=(app, bound, 5, ready))
    thread.start()
    assert started.wait(10)
    try:
        yield Running(f"http://127.0.0.1:{bound.getsockname()[1]}", token)
    finally:
        servers[0].should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def server(model):
    with running(model, Limits(new_tokens=240, prompt_tokens=300, texts=900)) as found:
        yield found


@pytest.fixture
def start(model):
    """A function that serves with limits and a token of the test's own."""
    return lambda limits, token=None: running(model, limits, token)
