"""`dateline serve`: one model behind OpenAI's HTTP interface."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic
import tyro

from dateline.cli.options import read_arguments
from dateline.config import Section
from dateline.errors import UserError
from dateline.evaluate.recipe import Precision

Count = Annotated[int, pydantic.Field(ge=1)]


class Serve(Section):
    """Serves a model over HTTP, with OpenAI's interface and the place as a further field.

    MODEL is the output of dateline train, a Hugging Face folder, or a model of the hub that is on this machine. The
    server listens on this machine only. To listen on a network (--host), a token is required, from --token-file or the
    variable DATELINE_TOKEN; clients send it as 'Authorization: Bearer TOKEN'. SIGTERM and Ctrl-C finish
    what is in work.
    """

    model: Annotated[str, tyro.conf.Positional]
    """Model folder."""
    name: str = ""
    """Name of the model for clients; the folder's name where it is left out."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, pydantic.Field(ge=0, le=65_535)] = 8000
    """Port to listen on; 0 takes a free one."""
    token_file: Path | None = None
    """File with the token that clients must send."""
    max_body: Count = 1_000_000
    """Bytes of a request, at most."""
    max_prompt_tokens: Count = 8_192
    """Tokens of a prompt or text, at most."""
    max_new_tokens: Count = 1_024
    """Tokens of a continuation, at most."""
    max_texts: Count = 64
    """Continuations, or texts to score or locate, of one request, at most."""
    max_seconds: Annotated[float, pydantic.Field(gt=0)] = 120.0
    """Of a request, waiting included."""
    concurrent: Count = 8
    """Requests that are worked on in turn."""
    waiting: Annotated[int, pydantic.Field(ge=0)] = 64
    """Further requests that may wait; more are refused with status 429."""
    precision: Precision = "float32"
    """Of the forward pass."""
    device: str = "auto"
    """auto, cpu or cuda."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = read_arguments("dateline serve", Serve, words)
    from dateline.serve.settings import Limits, check_exposure, read_token

    token = read_token(args.token_file)
    check_exposure(args.host, token)
    try:
        from dateline.serve.app import make_app
        from dateline.serve.run import listen, serve
    except ModuleNotFoundError as error:
        raise UserError(f"the server needs {error.name}; install it with: pip install 'dateline[serve]'") from None
    from dateline.api import load

    name = args.name or served_name(args.model)
    if "@" in name or not name.isprintable():
        raise UserError(f"'{name}' cannot be a name, because what is behind an @ is a place; give another --name")
    bound = listen(args.host, args.port)
    model = load(args.model, device=args.device, precision=args.precision)
    limits = Limits(
        body_bytes=args.max_body,
        prompt_tokens=args.max_prompt_tokens,
        new_tokens=args.max_new_tokens,
        texts=args.max_texts,
        seconds=args.max_seconds,
        concurrent=args.concurrent,
        waiting=args.waiting,
    )
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    serve(
        make_app(model, name, limits, token),
        bound,
        args.max_seconds,
        lambda server: print(f"{name} is served at {address}/v1 (Ctrl-C ends it)", flush=True),
    )


def served_name(model: str) -> str:
    """Returns the last part of a model's path or hub name, without a `model` at its end.

    Example:
        >>> served_name("runs/conditioned/model")
        'conditioned'
    """
    parts = [part for part in Path(model).parts if part not in ("model", "/", ".", "..")]
    return parts[-1] if parts else "model"
