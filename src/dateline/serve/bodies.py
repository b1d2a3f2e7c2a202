"""What clients send: the bodies of requests, in OpenAI's form and with the fields of Dateline.

Fields of OpenAI that change nothing here (`user`, `metadata`, `store`) are accepted. Fields that would change the text
and are not offered are accepted at the value that changes nothing and refused at any other.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Short = Annotated[str, Field(max_length=2_048)]
PlaceField = Short | Annotated[dict[str, Short], Field(max_length=8)] | None
Stop = Annotated[str, Field(min_length=1, max_length=256)]
Stops = Annotated[list[Stop], Field(max_length=16)]
Probability = Annotated[float, Field(gt=0, le=1)]


class Body(BaseModel):
    """A body whose fields are all known, with values of the right type."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _whole_characters(cls, data: Any) -> Any:
        """Refuses halves of characters, which JSON can write and UTF-8 cannot."""
        if not isinstance(data, dict):
            return data
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("the body holds half of a character (a lone surrogate); correct the text") from None
        return data


class Modelled(Body):
    """What all requests to the model have in common."""

    model: str
    """Name of the model, or of the model at a place: `name@ng`, `name@none`, `name@marginal`."""
    user: str | None = None
    """No effect."""
    metadata: dict[str, Any] | None = None
    """No effect; the place is `place`."""
    store: bool | None = None
    """No effect: nothing is stored."""


class StreamOptions(Body):
    """What a stream holds besides the text."""

    include_usage: bool = False
    """A last chunk says how many tokens were read and written."""
    include_obfuscation: bool = False
    """No effect."""


class Steered(Modelled):
    """How a text is written, and where it comes from."""

    place: PlaceField = None
    """A country, domain, URL, mapping of fields, `marginal`, or `none`; left out where the model's name says it."""
    guidance: float = 1.0
    """How much the place counts: 0 not at all, 1 as in training, more for more."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    """1 where it is left out; 0 takes the likeliest token each time."""
    top_p: Probability | None = None
    """Sample from the likeliest tokens that together have this probability."""
    n: Annotated[int, Field(ge=1)] | None = None
    """Continuations of each prompt."""
    stop: Stop | Stops | None = None
    """A string, or a list of at most 16, of at most 256 characters; the text ends before the first of these."""
    seed: int | None = None
    """The same seed, prompt and options give the same text; a random one where it is left out."""
    stream: bool | None = None
    """Send the text in pieces, as server-sent events."""
    stream_options: StreamOptions | None = None
    """With `stream` only."""
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    """Not offered: 0."""
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    """Not offered: 0."""
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    """Not offered: empty."""


class CompletionBody(Steered):
    """`/v1/completions`."""

    prompt: str | list[str] | list[int] | list[list[int]]
    """Text, a list of texts, token ids, or a list of lists of token ids."""
    raw: bool = True
    """Continue texts as they stand. With false they are headlines, and the article is asked for, as in training."""
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    """New tokens of each text; 16 where it is left out, 0 with `echo` only."""
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """Say the log probability of every token and of so many likeliest ones."""
    echo: bool | None = None
    """Give the prompt back in front of the text."""
    best_of: int | None = None
    """Not offered: 1, or the same as `n`."""
    suffix: Literal[""] | None = None
    """Not offered: empty."""


class TextPart(Body):
    """A part of a message."""

    type: Literal["text"]
    """Only text is offered."""
    text: str
    """What it says."""


class ChatMessage(Body):
    """A message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    """Who says it."""
    content: str | list[TextPart]
    """Text, or a list of text parts."""
    name: str | None = None
    """No effect."""


class ChatBody(Steered):
    """`/v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    """The conversation so far."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Older name of `max_completion_tokens`."""
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    """New tokens; 256 where it is left out, or what the model has room for."""
    logprobs: bool | None = None
    """Say the log probability of every token."""
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """And of so many likeliest ones; with `logprobs` only."""


class LocateBody(Modelled):
    """`/v1/locate`: where texts come from."""

    input: str | list[str]
    """A text, or a list of texts: a headline on the first line, the text behind it."""
    among: Annotated[list[Short], Field(max_length=300)] | None = None
    """Countries; the 18 of the paper where it is left out."""
    prior: Annotated[dict[str, float], Field(max_length=300)] | None = None
    """Probability of each country beforehand; equal where it is left out."""
    raw: bool = False
    """Read texts as they stand, not as headline and text."""


class ScoreBody(Modelled):
    """`/v1/score`: how well the model predicts texts under a place."""

    input: str | list[str]
    """A text, or a list of texts: a headline on the first line, the text behind it."""
    place: PlaceField = None
    """As in `/v1/completions`."""
    per_token: bool = False
    """Say the nats of each token, too."""
    raw: bool = False
    """Score texts as they stand, not as headline and text."""


class CompareBody(Modelled):
    """`/v1/compare`: one headline under several places, with the same random numbers."""

    prompt: str
    """A headline."""
    places: Annotated[list[PlaceField], Field(min_length=1)]
    """Places as in `/v1/completions`; null or `none` for none."""
    guidance: float = 1.0
    """As in `/v1/completions`."""
    max_tokens: Annotated[int, Field(ge=1)] = 60
    """New tokens of each text."""
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """0 takes the likeliest token each time."""
    top_p: Probability = 1.0
    """Sample from the likeliest tokens that together have this probability."""
    n: Annotated[int, Field(ge=1)] = 1
    """Continuations under each place."""
    stop: Stops = []
    """Each text ends before the first of these."""
    seed: int | None = None
    """A random one where it is left out."""
    raw: bool = False
    """Continue the prompt as it stands, not as a headline."""


class TokenizeBody(Body):
    """`/tokenize`, as vLLM has it."""

    prompt: str
    """A text. Unlike in all other paths, what spells a special token is that token."""
    add_special_tokens: bool = True
    """Put BOS in front, where the tokenizer does so."""
    model: str | None = None
    """Name of the model."""


class DetokenizeBody(Body):
    """`/detokenize`, as vLLM has it."""

    tokens: list[int]
    """Token ids."""
    model: str | None = None
    """Name of the model."""


class Problem(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str
    """What, where, and what to do, in one line."""
    type: str
    """`invalid_request_error`, `authentication_error`, `rate_limit_error`, `timeout_error` or `server_error`."""
    param: str | None
    """The field that it is about."""
    code: str | None
    """As OpenAI has it, where there is one."""


class ErrorAnswer(BaseModel):
    """Every answer with a status of 400 and above."""

    error: Problem
