"""The paths of the server: requests in OpenAI's form to the engine, and what it answers back into that form."""

from __future__ import annotations

import asyncio
import difflib
import json
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.sse import EventSourceResponse, format_sse_event
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from dateline import __version__
from dateline.api import Generation, Model, PlaceLike
from dateline.api.model import MARGINAL
from dateline.errors import UserError
from dateline.places import PAPER_COUNTRIES
from dateline.serve import work
from dateline.serve.bodies import (
    Body,
    ChatBody,
    ChatMessage,
    CompareBody,
    CompletionBody,
    DetokenizeBody,
    ErrorAnswer,
    LocateBody,
    Modelled,
    PlaceField,
    ScoreBody,
    Steered,
    StreamOptions,
    TextPart,
    TokenizeBody,
)
from dateline.serve.engine import Broken, Busy, Closing, Done, Engine, Job, OutOfTime
from dateline.serve.guard import Guard, error_body
from dateline.serve.settings import Limits
from dateline.serve.work import Delta, Spelled, Step

RETRY_SECONDS = 1
"""What a client that was refused for the load is asked to wait."""
NESTED: dict[str, type[Body]] = {"stream_options": StreamOptions, "messages": ChatMessage, "content": TextPart}
"""Bodies inside of bodies, by the name of their field."""
BODIES: dict[str, type[Body]] = {
    "/v1/completions": CompletionBody,
    "/v1/chat/completions": ChatBody,
    "/v1/locate": LocateBody,
    "/v1/score": ScoreBody,
    "/v1/compare": CompareBody,
    "/tokenize": TokenizeBody,
    "/detokenize": DetokenizeBody,
}


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": ErrorAnswer,
        "description": "400 for what is wrong with the request, 401 without the token, 403 for a foreign host, 404 "
        "for a model that is not here, 408 for a body that is too slow, 413 for one that is too large, 429 with "
        "Retry-After where too many wait",
    },
    "5XX": {
        "model": ErrorAnswer,
        "description": "500 for a mistake of the server, 503 while it shuts down, 504 for what takes too long",
    },
}
"""What the OpenAPI schema says of errors."""
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The text, in one piece or as server-sent events", "content": {"text/event-stream": {}}}
}
PAGE = Path(__file__).parent / "page"
"""Files of the page; the browser asks for each by its name under `/page/`."""
PAGE_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class Refusal(Exception):
    """An answer with an error."""

    def __init__(
        self, status: int, message: str, kind: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.body = status, error_body(message, kind, param, code)
        self.headers = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else {}


class Metrics:
    """Prometheus metrics of one server."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "dateline_requests", "Answers by path and status.", ("path", "status"), registry=self.registry
        )
        self.read = Counter("dateline_prompt_tokens", "Tokens of prompts.", registry=self.registry)
        self.written = Counter("dateline_generated_tokens", "Tokens written.", registry=self.registry)
        self.first = Histogram(
            "dateline_first_event_seconds", "From arrival to the first token or result.", registry=self.registry
        )
        active = Gauge("dateline_active_requests", "Requests that are worked on.", registry=self.registry)
        waiting = Gauge("dateline_waiting_requests", "Requests that wait.", registry=self.registry)
        active.set_function(lambda: engine.load[0])
        waiting.set_function(lambda: engine.load[1])

    def count(self, scope: Scope, status: int) -> None:
        """Counts an answer, under the path only where the server has it."""
        path = getattr(scope.get("route"), "path", "other")
        self.requests.labels(path, str(status)).inc()


def make_app(model: Model, name: str, limits: Limits, token: str | None = None) -> ASGIApp:
    """Returns the application for one model, with what guards it.

    Args:
        model: that is served; only the engine's thread uses it.
        name: under which clients ask for it.
        limits: of requests.
        token: that clients must show, or None.
    """
    engine = Engine(limits.concurrent, limits.waiting)
    metrics = Metrics(engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(engine.close)

    app = FastAPI(
        title="Dateline",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    _add_errors(app)
    server = _Server(model, name, limits, engine, metrics)
    for path, function, said in (
        ("/v1/completions", server.completions, ERRORS | STREAMED),
        ("/v1/chat/completions", server.chat, ERRORS | STREAMED),
        ("/v1/locate", server.locate, ERRORS),
        ("/v1/score", server.score, ERRORS),
        ("/v1/compare", server.compare, ERRORS),
        ("/tokenize", server.tokenize, ERRORS),
        ("/detokenize", server.detokenize, ERRORS),
    ):
        app.post(path, response_model=None, responses=said)(function)
    for path, reader in (
        ("/v1/models", server.models),
        ("/v1/models/{name:path}", server.model_named),
        ("/tokenizer_info", server.tokenizer_info),
        ("/healthz", server.healthz),
        ("/readyz", server.readyz),
    ):
        app.get(path, response_model=None, responses=ERRORS)(reader)
    app.get("/metrics", response_class=PlainTextResponse, responses=ERRORS)(server.metrics_page)
    _add_page(app)
    return Guard(app, token, limits.body_bytes, limits.seconds, metrics.count)


class _Server:
    """What each path does."""

    def __init__(self, model: Model, name: str, limits: Limits, engine: Engine, metrics: Metrics) -> None:
        self._model, self._name, self._limits, self._engine, self._metrics = model, name, limits, engine, metrics
        self._started = int(time.time())

    async def healthz(self) -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    async def readyz(self) -> JSONResponse:
        """The model takes requests."""
        ready = self._engine.ready
        return JSONResponse({"status": "ready" if ready else "closing"}, 200 if ready else 503)

    async def metrics_page(self) -> PlainTextResponse:
        """Prometheus metrics."""
        return PlainTextResponse(generate_latest(self._metrics.registry), media_type="text/plain; version=0.0.4")

    async def models(self) -> dict[str, Any]:
        """The model, and its aliases: the model at a place."""
        places = ("none", MARGINAL, *PAPER_COUNTRIES) if self._model.fields else ("none",)
        names = (self._name, *(f"{self._name}@{place}" for place in places))
        return {"object": "list", "data": [self._entry(name) for name in names]}

    async def model_named(self, name: str) -> dict[str, Any]:
        """One model or alias."""
        self._alias(name)
        return self._entry(name)

    async def completions(self, body: CompletionBody, request: Request) -> Response:
        """Continues prompts."""
        events = work.complete(self._model, body, self._place(body, body.place), self._limits)
        return await self._write(request, body, events, _Completion())

    async def chat(self, body: ChatBody, request: Request) -> Response:
        """Continues a conversation."""
        events = work.chat(self._model, body, self._place(body, body.place), self._limits)
        return await self._write(request, body, events, _Chat())

    async def locate(self, body: LocateBody, request: Request) -> Response:
        """Says where texts come from."""
        self._no_alias(body)
        found = await self._all(request, work.locate(self._model, body, self._limits))
        data = [{"index": at, **asdict(one)} for at, one in enumerate(found)]
        return JSONResponse({"object": "list", "model": body.model, "data": data})

    async def score(self, body: ScoreBody, request: Request) -> Response:
        """Says how well the model predicts texts."""
        place = self._place(body, body.place)
        if place == MARGINAL:
            raise Refusal(
                400, "a score is under one place; score the text under each", "invalid_request_error", param="place"
            )
        data = []
        for at, one in enumerate(await self._all(request, work.score(self._model, body, place, self._limits))):
            row = {"index": at, "nats": one.nats, "tokens": one.tokens, "bytes": one.bytes}
            row |= {"bits_per_byte": one.bits_per_byte}
            if body.per_token:
                row |= {"per_token": [asdict(token) for token in one.per_token]}
            data.append(row)
        return JSONResponse({"object": "list", "model": body.model, "data": data})

    async def compare(self, body: CompareBody, request: Request) -> Response:
        """Continues one headline under several places."""
        self._no_alias(body)
        found = await self._all(request, work.compare(self._model, body, self._limits))
        self._metrics.written.inc(sum(len(text.tokens) for one in found for text in one.continuations))
        data = [_compared(asked, one) for asked, one in zip(body.places, found, strict=True)]
        return JSONResponse({"object": "list", "model": body.model, "prompt": body.prompt, "data": data})

    async def tokenize(self, body: TokenizeBody, request: Request) -> Response:
        """Returns the tokens of a text."""
        if body.model is not None:
            self._alias(body.model)
        (ids,) = await self._all(request, work.tokenize(self._model, body))
        return JSONResponse({"count": len(ids), "max_model_len": self._model.subject.positions, "tokens": ids})

    async def detokenize(self, body: DetokenizeBody, request: Request) -> Response:
        """Returns the text of tokens."""
        if body.model is not None:
            self._alias(body.model)
        (text,) = await self._all(request, work.detokenize(self._model, body))
        return JSONResponse({"prompt": text})

    async def tokenizer_info(self) -> dict[str, Any]:
        """Special tokens and chat template."""
        return work.tokenizer_info(self._model)

    def _entry(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._started, "owned_by": "dateline"}

    def _alias(self, name: str) -> str | None:
        """Returns the place in a model's name, None where there is none."""
        if name == self._name:
            return None
        place = name.removeprefix(f"{self._name}@")
        if place == name or not place:
            shown = name[:80]
            raise Refusal(
                404,
                f"model {shown!r} is not served here; use {self._name!r}, or {self._name + '@ng'!r} for a place",
                "invalid_request_error",
                param="model",
                code="model_not_found",
            )
        return place

    def _no_alias(self, body: Modelled) -> None:
        if self._alias(body.model) is not None:
            raise Refusal(
                400, "this path names places in its own fields; ask for the model without one", "invalid_request_error",
                param="model",
            )  # fmt: skip

    def _place(self, body: Modelled, field: PlaceField) -> PlaceLike:
        """Returns the place that a request names in its model or in its field."""
        alias = self._alias(body.model)
        if alias is not None and "place" in body.model_fields_set:
            message = "the model's name and the field place both name a place; leave one of them out"
            raise Refusal(400, message, "invalid_request_error", param="place")
        return work.given_place(alias if alias is not None else field)

    async def _write(
        self, request: Request, body: Steered, events: Generator[Step, None, None], form: _Form
    ) -> Response:
        if body.stream_options is not None and not body.stream:
            message = "stream_options is of streams; set stream to true, or leave it out"
            raise Refusal(400, message, "invalid_request_error", param="stream_options")
        form.start(body.model)
        job, messages = self._submit(events)
        if not body.stream:
            for step in await self._collect(request, job, messages):
                form.add(step)
                self._count(step)
            return JSONResponse(form.whole())
        first = await self._while_there(request, job, messages.get())
        self._raise(first)
        usage = body.stream_options is not None and body.stream_options.include_usage

        async def chunks() -> AsyncIterator[bytes]:
            message = first
            while not isinstance(message, Done):
                if isinstance(message, Exception):
                    yield _event(_refusal(message).body)
                    return
                form.add(message)
                self._count(message)
                if message.deltas:
                    choices = [form.part(delta) for delta in message.deltas]
                    yield _event(form.frame(choices) | ({"usage": None} if usage else {}))
                await asyncio.sleep(0)  # a queue with messages and a socket with room would not let the loop go on
                message = await messages.get()
            if usage:
                yield _event(form.frame([]) | {"usage": form.usage()})
            yield format_sse_event(data_str="[DONE]")

        return _Stream(chunks(), job)

    async def _all(self, request: Request, events: Generator[Any, None, None]) -> list[Any]:
        job, messages = self._submit(events)
        return await self._collect(request, job, messages)

    def _submit(self, events: Generator[Any, None, None]) -> tuple[Job, asyncio.Queue[Any]]:
        messages: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        arrived = time.monotonic()
        fresh = True

        def send(message: Any) -> None:
            nonlocal fresh
            if fresh and not isinstance(message, Exception):
                self._metrics.first.observe(time.monotonic() - arrived)
            fresh = False
            with suppress(RuntimeError):  # of a closed event loop: no one is left to tell
                loop.call_soon_threadsafe(messages.put_nowait, message)

        try:
            return self._engine.submit(events, self._limits.seconds, send), messages
        except (Busy, Closing) as error:
            raise _refusal(error) from None

    async def _collect(self, request: Request, job: Job, messages: asyncio.Queue[Any]) -> list[Any]:
        async def collect() -> list[Any]:
            found = []
            while not isinstance(message := await messages.get(), Done):
                self._raise(message)
                found.append(message)
            return found

        return await self._while_there(request, job, collect())  # type: ignore[no-any-return]

    async def _while_there(self, request: Request, job: Job, waiting: Any) -> Any:
        """Awaits something of a job, and drops the job where the client goes away meanwhile."""
        wanted = asyncio.ensure_future(waiting)
        gone = asyncio.ensure_future(_disconnect(request))
        try:
            await asyncio.wait((wanted, gone), return_when=asyncio.FIRST_COMPLETED)
            if not wanted.done():
                raise Refusal(499, "the client is gone", "invalid_request_error")
            return wanted.result()
        except BaseException:
            job.cancel()
            raise
        finally:
            wanted.cancel()
            gone.cancel()

    def _raise(self, message: Any) -> None:
        if isinstance(message, Exception):
            raise _refusal(message)

    def _count(self, step: Step) -> None:
        self._metrics.read.inc(step.prompt_tokens)
        self._metrics.written.inc(step.new_tokens)


class _Stream(EventSourceResponse):
    """Server-sent events of a job, which is dropped when the client goes away."""

    def __init__(self, chunks: AsyncIterator[bytes], job: Job) -> None:
        super().__init__(chunks, headers={"X-Accel-Buffering": "no"})
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._job.cancel()


class _Form(ABC):
    """Puts together what a client sees, whole or in chunks."""

    prefix = whole_object = chunk_object = ""

    def start(self, model: str) -> None:
        """Begins an answer."""
        self.model, self.id, self.created = model, f"{self.prefix}-{uuid.uuid4().hex}", int(time.time())
        self.texts: dict[int, str] = {}
        self.tokens: dict[int, list[Spelled]] = {}
        self.finish: dict[int, str | None] = {}
        self.read = self.new = 0

    def add(self, step: Step) -> None:
        """Takes an event."""
        self.read, self.new = self.read + step.prompt_tokens, self.new + step.new_tokens
        for delta in step.deltas:
            self.texts[delta.index] = self.texts.get(delta.index, "") + delta.text
            self.tokens.setdefault(delta.index, []).extend(delta.tokens)
            if delta.finish is not None:
                self.finish[delta.index] = _reason(delta)

    def usage(self) -> dict[str, int]:
        """Returns how many tokens were read and written."""
        return {"prompt_tokens": self.read, "completion_tokens": self.new, "total_tokens": self.read + self.new}

    def frame(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """Returns a chunk of a stream."""
        return {
            "id": self.id,
            "object": self.chunk_object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }

    def whole(self) -> dict[str, Any]:
        """Returns the answer in one piece."""
        choices = [self.choice(index) for index in sorted(self.texts)]
        return self.frame(choices) | {"object": self.whole_object, "usage": self.usage()}

    @abstractmethod
    def choice(self, index: int) -> dict[str, Any]:
        """Returns a finished text."""

    @abstractmethod
    def part(self, delta: Delta) -> dict[str, Any]:
        """Returns what is new in a text."""


class _Completion(_Form):
    prefix, whole_object, chunk_object = "cmpl", "text_completion", "text_completion"

    def choice(self, index: int) -> dict[str, Any]:
        return self._choice(index, self.texts[index], self.tokens[index], self.finish[index])

    def part(self, delta: Delta) -> dict[str, Any]:
        return self._choice(delta.index, delta.text, list(delta.tokens), _reason(delta))

    def _choice(self, index: int, text: str, tokens: list[Spelled], finish: str | None) -> dict[str, Any]:
        logprobs = None
        if tokens:
            logprobs = {
                "tokens": [one.name for one in tokens],
                "token_logprobs": [one.log_p for one in tokens],
                "top_logprobs": [one.top for one in tokens],
                "text_offset": [one.offset for one in tokens],
            }
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


class _Chat(_Form):
    prefix, whole_object, chunk_object = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def choice(self, index: int) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.texts[index], "refusal": None}
        logprobs = self._logprobs(self.tokens[index])
        return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": self.finish[index]}

    def part(self, delta: Delta) -> dict[str, Any]:
        said = {"content": delta.text}
        if delta.index not in self._opened:
            said = {"role": "assistant", **said}
            self._opened.add(delta.index)
        logprobs = self._logprobs(list(delta.tokens))
        return {"index": delta.index, "delta": said, "logprobs": logprobs, "finish_reason": _reason(delta)}

    def start(self, model: str) -> None:
        super().start(model)
        self._opened: set[int] = set()

    def _logprobs(self, tokens: list[Spelled]) -> dict[str, Any] | None:
        if not tokens:
            return None
        content = [
            {
                "token": one.name,
                "logprob": one.log_p,
                "bytes": None,
                "top_logprobs": [
                    {"token": name, "logprob": log_p, "bytes": None} for name, log_p in (one.top or {}).items()
                ],
            }
            for one in tokens
        ]
        return {"content": content, "refusal": None}


def _reason(delta: Delta) -> str | None:
    return None if delta.finish is None else "length" if delta.finish == "length" else "stop"


def _event(body: Mapping[str, Any]) -> bytes:
    return format_sse_event(data_str=json.dumps(body, ensure_ascii=False, allow_nan=False))


def _compared(asked: PlaceField, one: Generation) -> dict[str, Any]:
    texts = [
        {"text": text.text, "finish": text.finish, "gains": [[token.text, token.nats] for token in text.gains]}
        for text in one.continuations
    ]
    return {"place": asked if asked is not None else work.NONE, "continuations": texts}


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _refusal(error: Exception) -> Refusal:
    """Returns the answer for something that the engine said."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, UserError):
        return Refusal(400, str(error), "invalid_request_error")
    if isinstance(error, Busy):
        message = "too many requests are waiting; try again in a moment"
        return Refusal(429, message, "rate_limit_error", code="rate_limit_exceeded")
    if isinstance(error, Closing):
        return Refusal(503, "the server is shutting down", "server_error")
    if isinstance(error, OutOfTime):
        message = "the request took longer than this server allows; ask for fewer tokens or texts"
        return Refusal(504, message, "timeout_error", code="timeout")
    assert isinstance(error, Broken)
    return Refusal(500, "something failed in the server; its log says where", "server_error")


def _add_page(app: FastAPI) -> None:
    """Serves the files of the page, and nothing else of its folder."""
    files = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.suffix in PAGE_TYPES}

    async def file(name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        kind = PAGE_TYPES[Path(name).suffix]
        return Response(files[name], media_type=kind, headers={"Content-Security-Policy": PAGE_POLICY})

    async def index() -> Response:
        return await file("index.html")

    app.get("/", include_in_schema=False, response_model=None)(index)
    app.get("/page/{name}", include_in_schema=False, response_model=None)(file)


def _add_errors(app: FastAPI) -> None:
    """Puts every error into OpenAI's form."""

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return JSONResponse(error.body, error.status, headers=error.headers)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        message, param = in_words(error.errors(), BODIES.get(request.scope["route"].path, Body))
        return JSONResponse(error_body(message, "invalid_request_error", param), 400)

    async def other(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        messages = {
            400: "the body is no JSON; send an object, with 'Content-Type: application/json'",
            404: f"there is no path {request.url.path[:80]}; the paths are in /openapi.json",
            405: f"{request.method} is not the method of this path",
            408: "the body did not arrive in the time of a request",
            413: "the body is larger than this server takes",
        }
        message = messages.get(error.status_code, str(error.detail))
        body = error_body(message, "invalid_request_error")
        return JSONResponse(body, error.status_code, headers=error.headers)

    async def broken(request: Request, error: Exception) -> Response:
        return await refuse(request, _refusal(Broken()))

    handlers: tuple[tuple[type[Exception], Callable[..., Any]], ...] = (
        (Refusal, refuse),
        (RequestValidationError, invalid),
        (HTTPException, other),
        (Exception, broken),
    )
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)


def in_words(errors: Any, body: type[Body]) -> tuple[str, str | None]:
    """Returns what is wrong with a body in one line, and the field that it is about."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return "the body is no JSON; send an object, with 'Content-Type: application/json'", None
    path = [one for one in first["loc"] if one != "body"]
    if not path and first["type"] == "value_error":
        return str(first["ctx"]["error"]), None
    if not path:
        return "the body is no JSON object; send one, with 'Content-Type: application/json'", None
    name = str(path[0])
    param = ".".join(str(one) for one in path)[:80] if first["type"] in ("missing", "extra_forbidden") else name
    if first["type"] == "missing":
        return f"field '{param}' is missing", param
    if first["type"] == "extra_forbidden":
        holder = next((NESTED[str(one)] for one in reversed(path[:-1]) if str(one) in NESTED), body)
        known = list(holder.model_fields)
        near = difflib.get_close_matches(str(path[-1])[:80], known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
        return f"field '{param}' is not known; {hint}", param
    told = [one for one in errors if one["loc"][1:2] == first["loc"][1:2]]
    wanted = body.model_fields[name].description if name in body.model_fields else None
    if len(told) > 1 and wanted:
        return f"field '{name}' has a value of the wrong form; it is: {wanted}", param
    said = first["msg"][0].lower() + first["msg"][1:]
    return f"field '{name}': {said}" + (f"; it is: {wanted}" if wanted else ""), param
