"""The server process: a listening socket, and an orderly end on SIGTERM."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from dateline.errors import UserError


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens on an address; port 0 takes a free one.

    Raises:
        UserError: where the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(128)
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{port} ({error.strerror}); choose another --host or --port") from None
    return bound


def serve(app: ASGIApp, bound: socket.socket, drain_seconds: float, ready: Callable[[uvicorn.Server], None]) -> None:
    """Serves until SIGTERM or Ctrl-C: no new connections then, and those in work are finished.

    Args:
        app: the application.
        bound: a listening socket.
        drain_seconds: after which connections are closed all the same.
        ready: called before the first request is taken.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
    )
    server = uvicorn.Server(config)
    ready(server)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has drained
        server.run(sockets=[bound])
