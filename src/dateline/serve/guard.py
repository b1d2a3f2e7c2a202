"""What stands in front of every path: token, host, size of the body, security headers, a net for exceptions."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dateline.serve.engine import log_failure

OPEN_PATHS = ("/healthz",)
"""What needs no token."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Returns an error in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


class Guard:
    """Lets a request through to the application, or answers it.

    Args:
        app: the application.
        token: that clients must show, or None. Without one, the server is on a loopback address, and only requests that
            name this machine as their host are let through: a web page elsewhere cannot reach it by a name of its own.
        body_bytes: of a request, at most.
        seconds: in which a body must be there.
        count: called with scope and status of every answer.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, body_bytes: int, seconds: float, count: Callable[[Scope, int], None]
    ) -> None:
        self.app, self.token, self.body_bytes, self.seconds, self.count = app, token, body_bytes, seconds, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        started = finished = False

        async def guarded(message: Message) -> None:
            nonlocal started, finished
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)  # the page has a content-security policy of its own
                self.count(scope, message["status"])
            await send(message)
            finished = message["type"] == "http.response.body" and not message.get("more_body")

        taken, whole = 0, False
        deadline = asyncio.get_running_loop().time() + self.seconds

        async def limited() -> Message:
            nonlocal taken, whole
            try:
                async with asyncio.timeout_at(None if whole else deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408) from None
            whole = not message.get("more_body")
            taken += len(message.get("body", b""))
            if taken > self.body_bytes:
                raise HTTPException(413)
            return message

        refusal = self._refusal(scope)
        if refusal is not None:
            status, body, extra = refusal
            await _answer(guarded, status, body, extra)
            return
        try:
            await self.app(scope, limited, guarded)
        except Exception as error:
            log_failure(error)
            if not started:
                message = "something failed in the server; its log says where"
                await _answer(guarded, 500, error_body(message, "server_error"))
            elif not finished:
                raise ConnectionAbortedError("the answer broke off") from None

    def _refusal(self, scope: Scope) -> tuple[int, dict[str, Any], dict[str, str]] | None:
        headers = Headers(scope=scope)
        if scope["path"] in OPEN_PATHS:
            return None
        if self.token is None:
            host = headers.get("host", "").lower()
            name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
            if name in LOCAL_NAMES:
                return None
            message = "this server answers to the names of this machine only (localhost, 127.0.0.1)"
            return 403, error_body(message, "invalid_request_error", code="host_not_allowed"), {}
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(shown.strip().encode("latin-1"), self.token.encode())
        if right and scheme.lower() == "bearer":
            return None
        message = "a token is required: send the header 'Authorization: Bearer TOKEN'"
        challenge = {"WWW-Authenticate": "Bearer"}
        return 401, error_body(message, "authentication_error", code="invalid_api_key"), challenge


async def _answer(send: Send, status: int, body: dict[str, Any], extra: dict[str, str] | None = None) -> None:
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **(extra or {})}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})
