"""What a server is started with: addresses, token, limits."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dateline.errors import UserError

TOKEN_VARIABLE = "DATELINE_TOKEN"


@dataclass(frozen=True)
class Limits:
    """What one request, and all together, may take."""

    body_bytes: int = 1_000_000
    prompt_tokens: int = 8_192
    """Of each prompt or text."""
    new_tokens: int = 1_024
    """Of each continuation."""
    texts: int = 64
    """Continuations, or texts to score or locate, of one request."""
    seconds: float = 120.0
    """From arrival to the last token, waiting included."""
    concurrent: int = 8
    """Requests that are worked on in turn."""
    waiting: int = 64
    """Further requests that may wait; more get status 429."""


def is_loopback(host: str) -> bool:
    """Says whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Returns the token that clients must show, from a file or else from the environment; None where neither is given.

    Raises:
        UserError: where the file cannot be read, or the token is empty or no single word.
    """
    if file is not None:
        try:
            token, where = file.read_text(encoding="utf-8").strip(), str(file)
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file}: no readable token ({type(error).__name__}); correct --token-file") from None
    elif TOKEN_VARIABLE in environment:
        token, where = environment[TOKEN_VARIABLE].strip(), TOKEN_VARIABLE
    else:
        return None
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(
            f"{where}: a token is one word of at least 16 ASCII characters; make one with 'openssl rand -hex 32'"
        )
    return token


def check_exposure(host: str, token: str | None) -> None:
    """Refuses to listen on a network without a token.

    Raises:
        UserError: which says how to give one.
    """
    if token is None and not is_loopback(host):
        raise UserError(
            f"--host {host} is reached from other machines, so a token is required; give --token-file FILE or set "
            f"{TOKEN_VARIABLE}, or listen on 127.0.0.1"
        )
