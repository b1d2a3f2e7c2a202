"""A page on the loopback for reviewing questions with the keyboard; every decision is on the disk before the next one.

The address holds a random token, without which every request is answered with 404; a name other than the loopback's in
the header `Host` is refused, so that no page of another site can reach it through a name of its own.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from pydantic import ValidationError

from dateline.benchmark.review import Decision, ReviewLog

MOST_BYTES = 64 * 1024
"""Of a decision."""
SHOWN = (
    "id", "question", "options", "correct_answer", "country", "topic", "kind", "pair_id", "option_countries",
    "evidence", "domain", "date", "expires", "notes",
)  # fmt: skip
"""Columns that the page gets."""


class ReviewServer:
    """Serves the questions of a benchmark to one reviewer.

    Args:
        rows: of the questions.
        log: where the decisions go.
        port: of the loopback; 0 for a free one.
        name: of the benchmark, for the heading.

    Example:
        >>> with ReviewServer(rows, ReviewLog(Path("runs/set.reviews/ama.jsonl"), "ama")) as server:
        ...     print(server.url)
        http://127.0.0.1:40123/5yD1wq8eQ1n2p0GkLhvVJw/
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], log: ReviewLog, *, port: int = 0, name: str = "") -> None:
        self._rows = [{column: row[column] for column in SHOWN} for row in rows]
        self._known = {row["id"] for row in rows}
        self._log, self._name = log, name
        self._token = secrets.token_urlsafe(16)
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._get(self)

            def do_POST(self) -> None:
                outer._post(self)

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing: the address holds the token."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._hosts = {f"{host}:{self._server.server_port}" for host in ("127.0.0.1", "localhost")}
        self.url = f"http://127.0.0.1:{self._server.server_port}/{self._token}/"

    def serve(self) -> None:
        """Serves until the process is interrupted."""
        self._server.serve_forever(poll_interval=0.2)

    def __enter__(self) -> ReviewServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def close(self) -> None:
        """Frees the port."""
        self._server.server_close()

    def _may(self, request: BaseHTTPRequestHandler) -> str | None:
        """Returns what is asked for behind the token; None where the request has no business here."""
        if request.headers.get("host", "") not in self._hosts:
            return None
        _, token, *rest = request.path.split("/", 2)
        if not rest or not secrets.compare_digest(token.encode(), self._token.encode()):
            return None
        return rest[0]

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        what = self._may(request)
        if what == "":
            nonce = secrets.token_urlsafe(12)
            page = resources.files("dateline.benchmark").joinpath("review.html").read_text(encoding="utf-8")
            policy = (
                f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
                "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
            _send(request, HTTPStatus.OK, page.replace("NONCE", nonce), "text/html; charset=utf-8", policy)
        elif what == "state":
            with self._lock:
                decisions = {name: one.model_dump(mode="json") for name, one in self._log.decisions.items()}
            state = {"name": self._name, "reviewer": self._log.reviewer, "items": self._rows, "decisions": decisions}
            _send_json(request, HTTPStatus.OK, state)
        else:
            _send_json(request, HTTPStatus.NOT_FOUND, {"error": "not found"})

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        if self._may(request) != "decide":
            _send_json(request, HTTPStatus.NOT_FOUND, {"error": "not found"})
            return
        length = request.headers.get("content-length", "")
        if request.headers.get("content-type") != "application/json" or not length.isdecimal():
            _send_json(request, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"error": "send JSON"})
            return
        if int(length) > MOST_BYTES:
            _send_json(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "too long"})
            return
        try:
            told = json.loads(request.rfile.read(int(length)))
            decision = Decision.model_validate({**told, "reviewer": self._log.reviewer, "time": ""})
        except ValidationError as error:
            words = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            _send_json(request, HTTPStatus.BAD_REQUEST, {"error": words})
            return
        except (ValueError, TypeError):
            _send_json(request, HTTPStatus.BAD_REQUEST, {"error": "not a decision"})
            return
        if decision.id not in self._known:
            _send_json(request, HTTPStatus.BAD_REQUEST, {"error": f"no question {decision.id}"})
            return
        with self._lock:
            try:
                self._log.add(decision)
            except OSError as error:
                _send_json(request, HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"not kept: {error.strerror}"})
                return
            decided = len(self._log.decisions)
        _send_json(request, HTTPStatus.OK, {"decided": decided, "questions": len(self._rows)})


def _send_json(request: BaseHTTPRequestHandler, status: HTTPStatus, content: Mapping[str, Any]) -> None:
    _send(request, status, json.dumps(content), "application/json")


def _send(request: BaseHTTPRequestHandler, status: HTTPStatus, text: str, kind: str, policy: str = "") -> None:
    content = text.encode()
    request.send_response(status)
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(content)),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": policy or "default-src 'none'",
    }
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(content)
