"""Asks OpenAI-compatible servers for JSON of a given form: retried, limited in rate and cost, and kept on disk.

What a request brought is kept in a folder under a hash of the request, so that a build that was stopped pays nothing
twice. Only the model's name, the messages, the form and the settings of sampling are in the hash. The key is in no file
and no message.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dateline.benchmark.recipe import Endpoint, LlmOptions
from dateline.config import canonical
from dateline.errors import Interrupted, UserError, one_line
from dateline.manifest import write_atomically
from dateline.records import stable_hash

LONGEST_PAUSE = 120.0
"""Seconds that one pause between two attempts takes at most, whatever a server asks for."""
_KEY_LIKE = re.compile(r"\b(sk|pk|key)-[\w-]{6,}")


class Reply(BaseModel):
    """Base of the forms that a model is asked for; the fields are the schema, and nothing else is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)


R = TypeVar("R", bound=Reply)


@dataclass(frozen=True, slots=True)
class Answered(Generic[R]):
    """What a request brought: a reply, or why there is none."""

    reply: R | None
    failure: str = ""


@dataclass(slots=True)
class Ledger:
    """What all requests of a build have cost so far; several threads write into it."""

    requests: int = 0
    retries: int = 0
    from_cache: int = 0
    tokens_read: int = 0
    tokens_written: int = 0
    cost: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when the build ends early: nobody waits for another attempt then."""

    def add(self, **amounts: float) -> None:
        """Adds to the counts."""
        with self.lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)

    def as_plain(self) -> dict[str, Any]:
        """Returns the counts for the manifest."""
        return {
            "requests": self.requests,
            "retries": self.retries,
            "from_cache": self.from_cache,
            "tokens_read": self.tokens_read,
            "tokens_written": self.tokens_written,
            "cost": round(self.cost, 6),
        }


class RateLimit:
    """Lets requests through at even distances.

    Args:
        per_minute: at most; None for no limit.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._distance = 60 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Waits for one's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._distance
        if turn > now:
            time.sleep(turn - now)


def read_names(endpoint: Endpoint, role: str) -> tuple[str, str]:
    """Returns address and model of an endpoint from the environment.

    Raises:
        UserError: where one of them is not set.
    """
    for name, what in (
        (endpoint.base_url_env, "the address of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1"),
        (endpoint.model_env, "the name of the model"),
    ):
        if not os.environ.get(name):
            raise UserError(f"the environment variable {name} is not set; the {role} needs {what} there")
    return os.environ[endpoint.base_url_env], os.environ[endpoint.model_env]


class Chat:
    """One model behind one server.

    Args:
        endpoint: where it is.
        role: `writer` or `judge`, for messages.
        options: retries, time-out, budget.
        cache: folder of earlier answers.
        ledger: shared by all models of a build.
        limit: shared by all models of a build.

    Raises:
        UserError: where the endpoint is not named, or the package openai is not installed.
    """

    def __init__(
        self, endpoint: Endpoint, role: str, options: LlmOptions, cache: Path, ledger: Ledger, limit: RateLimit
    ) -> None:
        self._endpoint, self._role, self._options = endpoint, role, options
        self._cache, self._ledger, self._limit = cache, ledger, limit
        address, self.model = read_names(endpoint, role)
        self._key = os.environ.get(endpoint.key_env, "")
        try:
            import openai
        except ImportError:
            raise UserError("the generator 'llm' needs the package openai: pip install 'dateline[benchmark]'") from None
        self._client: Any = openai.OpenAI(
            base_url=address, api_key=self._key or "none", max_retries=0, timeout=options.timeout
        )

    def ask(self, system: str, user: str, kind: type[R], *, seed: int) -> Answered[R]:
        """Returns what the model says, in the form that was asked for.

        Args:
            system: the system message.
            user: the user's message.
            kind: the form of the reply.
            seed: of sampling; each further attempt takes another one.

        Raises:
            UserError: where the server refuses the request, or fails at every attempt, or the budget is spent.
        """
        request = {
            "model": self.model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "temperature": self._endpoint.temperature,
            "max_tokens": self._endpoint.max_tokens,
            "form": kind.__name__,
            "schema": kind.model_json_schema(),
            "seed": seed,
        }
        name = hashlib.sha256(canonical(request).encode()).hexdigest()
        path = self._cache / name[:2] / f"{name}.json"
        if (kept := _read(path, kind)) is not None:
            self._ledger.add(from_cache=1)
            return kept
        answered = self._try(request, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        reply = None if answered.reply is None else answered.reply.model_dump(mode="json")
        write_atomically(path, json.dumps({"reply": reply, "failure": answered.failure}) + "\n")
        return answered

    def _try(self, request: Mapping[str, Any], kind: type[R]) -> Answered[R]:
        """Makes a request until an answer can be used; the last thing that was wrong with it is the failure."""
        import openai

        failure, down = "", ""
        for attempt in range(self._options.attempts):
            budget = self._options.budget
            if budget is not None and self._ledger.cost >= budget:
                raise UserError(
                    f"--llm.budget: {self._ledger.cost:.2f} of {budget:.2f} are spent; answers so far are kept in "
                    f"{self._cache}: raise the budget and run the same command again"
                )
            if self._ledger.stopped.is_set():
                raise Interrupted("stopped")
            if attempt:
                self._ledger.add(retries=1)
            self._limit.wait()
            self._ledger.add(requests=1)
            down = ""
            try:
                said = self._client.chat.completions.create(
                    model=request["model"],
                    messages=request["messages"],
                    temperature=request["temperature"],
                    max_tokens=request["max_tokens"],
                    seed=request["seed"] + attempt,
                    response_format={
                        "type": "json_schema",
                        "json_schema": {"name": request["form"], "schema": request["schema"], "strict": True},
                    },
                )
            except openai.APIStatusError as error:
                if error.status_code not in (408, 409, 429) and error.status_code < 500:
                    raise UserError(
                        f"the {self._role} ({self.model}) refuses the request with {error.status_code}: "
                        f"{self._without_key(error.message)}; check {self._endpoint.base_url_env}, "
                        f"{self._endpoint.model_env} and {self._endpoint.key_env}"
                    ) from None
                down = f"answers {error.status_code}"
                self._pause(attempt, error.response.headers.get("retry-after"))
                continue
            except openai.APITimeoutError:
                down = f"does not answer within {self._options.timeout:g} s"
                self._pause(attempt)
                continue
            except openai.APIConnectionError as error:
                down = f"cannot be reached ({self._without_key(str(error.__cause__ or error))})"
                self._pause(attempt)
                continue
            except (openai.OpenAIError, ValueError, TypeError):  # an answer that is no answer of this protocol
                failure = "broken JSON"
                continue
            answered = self._read_reply(said, kind)
            if answered.reply is not None:
                return answered
            failure = answered.failure
        if down:
            raise UserError(
                f"the {self._role} ({self.model}) {down}, {self._options.attempts} times in a row; answers so far are "
                f"kept in {self._cache}: run the same command again later"
            )
        return Answered(None, f"no usable answer of the {self._role}: {failure}")

    def _read_reply(self, said: Any, kind: type[R]) -> Answered[R]:
        """Counts what an answer has cost, and returns it where it has the form that was asked for."""
        usage = getattr(said, "usage", None)
        read, written = (getattr(usage, name, None) or 0 for name in ("prompt_tokens", "completion_tokens"))
        prices = self._endpoint.input_price, self._endpoint.output_price
        self._ledger.add(
            tokens_read=read, tokens_written=written, cost=(read * prices[0] + written * prices[1]) / 1_000_000
        )
        choices = getattr(said, "choices", None)
        message = getattr(choices[0], "message", None) if choices else None
        if message is None:
            return Answered(None, "broken JSON")
        if getattr(message, "refusal", None):
            return Answered(None, "refused")
        if choices and choices[0].finish_reason == "length":
            return Answered(None, "cut off at max_tokens")
        if choices and choices[0].finish_reason == "content_filter":
            return Answered(None, "refused")
        try:
            loaded = json.loads(_bare(message.content or ""))
        except ValueError:
            return Answered(None, "broken JSON")
        try:
            return Answered(kind.model_validate(loaded))
        except ValidationError:
            return Answered(None, "another form than was asked for")

    def _pause(self, attempt: int, asked: str | None = None) -> None:
        """Waits before the next attempt: as long as the server asks for, else twice as long each time."""
        if attempt + 1 == self._options.attempts:
            return
        try:
            seconds = float(asked or "")
        except ValueError:
            spread = stable_hash("pause", self._role, str(time.monotonic_ns())) % 1000 / 1000
            seconds = self._options.pause * 2**attempt * (0.5 + spread)
        self._ledger.stopped.wait(min(max(seconds, 0.0), LONGEST_PAUSE))

    def _without_key(self, text: str) -> str:
        text = text.replace(self._key, "***") if self._key else text
        return one_line(_KEY_LIKE.sub("***", text))[:300]


def _bare(text: str) -> str:
    """Returns JSON without the fence that some models put around it."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    return fenced[1] if fenced else text


def _read(path: Path, kind: type[R]) -> Answered[R] | None:
    """Returns what was kept of a request; None where nothing was, or the file is damaged."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        reply = None if kept["reply"] is None else kind.model_validate(kept["reply"])
        return Answered(reply, str(kept["failure"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
