"""What the engine computes for each kind of request, an event at a time."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dateline.api import Generation, Location, Model, PlaceLike, Score
from dateline.api.model import MARGINAL, prepare
from dateline.conditions import chat_template
from dateline.errors import UserError
from dateline.generate.decode import (
    BATCH_TOKENS,
    Blend,
    Chosen,
    Finish,
    Mixture,
    Request,
    check_room,
    decode_tokens,
    read_prompt,
    settled,
    steps,
)
from dateline.generate.sampling import Sampling
from dateline.serve.bodies import (
    ChatBody,
    CompareBody,
    CompletionBody,
    DetokenizeBody,
    LocateBody,
    PlaceField,
    ScoreBody,
    Steered,
    TokenizeBody,
)
from dateline.serve.settings import Limits

NONE = "none"
COMPLETION_TOKENS = 16
"""New tokens where a request does not say, as OpenAI's completions have it."""
CHAT_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Spelled:
    """A token with its probability, as a client sees it."""

    name: str
    log_p: float | None
    """None for BOS, which has no probability."""
    top: dict[str, float] | None
    offset: int


@dataclass(frozen=True, slots=True)
class Delta:
    """What is new in one text."""

    index: int
    text: str
    tokens: tuple[Spelled, ...]
    """Where log probabilities were asked for."""
    finish: Finish | None


@dataclass(frozen=True, slots=True)
class Step:
    """An event of a request that writes."""

    deltas: tuple[Delta, ...]
    prompt_tokens: int
    """Read since the event before, with BOS and prefix; a prompt counts once, however many texts it has."""
    new_tokens: int
    """Written since the event before."""


def given_place(place: PlaceField) -> PlaceLike:
    """Returns a place as the Python API takes it."""
    return None if place == NONE else place


def complete(model: Model, body: CompletionBody, place: PlaceLike, limits: Limits) -> Generator[Step, None, None]:
    """Writes what `/v1/completions` asks for."""
    prompts, opened = _prompts(model, body.prompt)
    if body.best_of not in (None, body.n or 1):
        raise UserError("best_of is not offered; leave it out, and choose among n texts by their logprobs")
    max_tokens = COMPLETION_TOKENS if body.max_tokens is None else body.max_tokens
    if max_tokens == 0 and not body.echo:
        raise UserError("max_tokens is 0, so there is nothing to answer; give 1 or more, or echo")
    sampling, requests, blend = _prepared(model, body, prompts, place, limits, max(max_tokens, 1), raw=body.raw)
    check_room(model.subject, requests, max_tokens)
    written = _Writer(model, requests, sampling, blend, body.logprobs, n=body.n or 1)
    offsets = [0] * len(requests)
    if body.echo:
        if body.logprobs is not None and isinstance(blend, Mixture):
            raise UserError("log probabilities of the prompt are not offered for a mixture of places; name one place")
        for number, request in enumerate(requests):
            given = prompts[number // (body.n or 1)]
            exact = isinstance(given, str) and body.raw
            text = str(given) if exact else written.text(request.rows[0][len(request.rows[0]) - request.prompt :])
            tokens = written.read(request, opened=opened[number // (body.n or 1)])
            offsets[number] = len(text)
            finish: Finish | None = None if max_tokens else "length"
            yield Step((Delta(number, text, tokens, finish),), 0 if max_tokens else written.prompt_tokens(number), 0)
    if max_tokens:
        yield from written.run(offsets)


def chat(model: Model, body: ChatBody, place: PlaceLike, limits: Limits) -> Generator[Step, None, None]:
    """Writes what `/v1/chat/completions` asks for."""
    if body.top_logprobs is not None and not body.logprobs:
        raise UserError("top_logprobs is of logprobs; set logprobs to true, or leave top_logprobs out")
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise UserError("max_tokens is the older name of max_completion_tokens; give one of them")
    prompt = _conversation(model, body, place)
    asked = body.max_completion_tokens or body.max_tokens
    positions = model.subject.positions
    max_tokens = asked or min(CHAT_TOKENS, limits.new_tokens)
    sampling, requests, blend = _prepared(model, body, [prompt], place, limits, max_tokens, raw=True)
    if asked is None and positions is not None:
        room = positions - max(len(row) for row in requests[0].rows)
        if 0 < room < max_tokens:
            sampling, requests, blend = _prepared(model, body, [prompt], place, limits, room, raw=True)
    check_room(model.subject, requests, sampling.max_tokens)
    top = (body.top_logprobs or 0) if body.logprobs else None
    yield from _Writer(model, requests, sampling, blend, top, n=body.n or 1).run([0] * len(requests))


def locate(model: Model, body: LocateBody, limits: Limits) -> Generator[Location, None, None]:
    """Infers the country of one text after the other."""
    for text in _texts(model, body.input, limits):
        yield model.locate(text, body.among, prior=body.prior, raw=body.raw)


def score(model: Model, body: ScoreBody, place: PlaceLike, limits: Limits) -> Generator[Score, None, None]:
    """Scores one text after the other."""
    for text in _texts(model, body.input, limits):
        yield model.score(text, place=place, per_token=body.per_token, raw=body.raw)


def compare(model: Model, body: CompareBody, limits: Limits) -> Generator[Generation, None, None]:
    """Continues a headline under one place after the other, with the same random numbers."""
    _check_size(body.n * len(body.places), "continuations", limits)
    _check_new_tokens(body.max_tokens, limits)
    _texts(model, body.prompt, limits)
    seed = body.seed if body.seed is not None else secrets.randbits(32)
    for place in body.places:
        (made,) = model.compare(
            body.prompt,
            [given_place(place)],
            guidance=body.guidance,
            n=body.n,
            seed=seed,
            raw=body.raw,
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            stop=body.stop,
        ).generations
        yield made


def tokenize(model: Model, body: TokenizeBody) -> Generator[list[int], None, None]:
    """Returns the tokens of a text as the tokenizer has them, special ones among them."""
    yield [
        int(one) for one in model.subject.tokenizer(body.prompt, add_special_tokens=body.add_special_tokens).input_ids
    ]


def detokenize(model: Model, body: DetokenizeBody) -> Generator[str, None, None]:
    """Returns the text of tokens, special ones among them."""
    _check_ids(model, body.tokens, "tokens")
    yield str(model.subject.tokenizer.decode(body.tokens, clean_up_tokenization_spaces=False))


def tokenizer_info(model: Model) -> dict[str, Any]:
    """Returns what a client has to know to put prompts together."""
    tokenizer = model.subject.tokenizer
    tokens = {name: getattr(tokenizer, name) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    template = tokenizer.chat_template if has_chat_template(model) else None
    return {
        "tokenizer_class": type(tokenizer).__name__,
        **tokens,
        "chat_template": template,
        "model_max_length": model.subject.positions,
    }


def has_chat_template(model: Model) -> bool:
    """Says whether a conversation can be written for the model."""
    return bool(getattr(model.subject.tokenizer, "chat_template", None))


class _Writer:
    """Writes texts and says what is new in them after every token."""

    def __init__(
        self,
        model: Model,
        requests: Sequence[Request],
        sampling: Sampling,
        blend: Blend | None,
        logprobs: int | None,
        n: int,
    ) -> None:
        self.model, self.subject = model, model.subject
        self.requests, self.sampling, self.blend, self.logprobs, self.n = requests, sampling, blend, logprobs, n
        self.name = lru_cache(maxsize=4_096)(self._name)

    def text(self, tokens: npt.NDArray[np.int32]) -> str:
        return decode_tokens(self.subject.tokenizer, tokens.tolist())

    def prompt_tokens(self, number: int) -> int:
        return 0 if number % self.n else max(len(row) for row in self.requests[number].rows)

    def read(self, request: Request, opened: bool) -> tuple[Spelled, ...]:
        """Returns the tokens of a prompt with their probabilities; `opened` for one that began with BOS."""
        if self.logprobs is None:
            return ()
        found = read_prompt(self.subject, request, top=self.logprobs, blend=self.blend, precision=self.model.precision)
        first = (Spelled(self.name(self.subject.bos), None, None, 0),) if opened else ()
        return (*first, *(self._spell(one, 0) for one in found))

    def run(self, offsets: Sequence[int]) -> Iterator[Step]:
        """Writes all texts; `offsets` are the characters of the prompt in front of each."""
        width = max(len(row) for request in self.requests for row in request.rows) + self.sampling.max_tokens
        size = max(1, BATCH_TOKENS // (width * len(self.requests[0].rows)))
        for start in range(0, len(self.requests), size):
            yield from self._batch(start, self.requests[start : start + size], offsets[start : start + size])

    def _batch(self, start: int, requests: Sequence[Request], offsets: Sequence[int]) -> Iterator[Step]:
        shown, told = [0] * len(requests), [0] * len(requests)
        finished = [False] * len(requests)
        counted = 0
        read = sum(self.prompt_tokens(start + at) for at in range(len(requests)))
        for texts in steps(self.subject, requests, self.sampling, self.blend, self.model.precision, top=self.logprobs):
            deltas = []
            for at, text in enumerate(texts):
                if finished[at]:
                    continue
                sure = settled(text, self.sampling.stop)
                sure = text.text[: max(len(sure), shown[at])]
                ready = told[at]
                while ready < len(text.chosen) and (
                    text.chosen[ready].offset < len(sure) or text.finish in ("end", "length")
                ):
                    ready += 1
                finished[at] = text.finish is not None
                if len(sure) > shown[at] or ready > told[at] or finished[at]:
                    tokens = tuple(self._spell(one, offsets[at]) for one in text.chosen[told[at] : ready])
                    deltas.append(Delta(start + at, sure[shown[at] :], tokens, text.finish))
                    shown[at], told[at] = len(sure), ready
            total = sum(len(text.ids) for text in texts)
            yield Step(tuple(deltas), read, total - counted)
            read, counted = 0, total

    def _spell(self, chosen: Chosen, offset: int) -> Spelled:
        top: dict[str, float] = {}
        for token, log_p in chosen.top:
            top.setdefault(self.name(token), log_p)
        return Spelled(self.name(chosen.token), chosen.log_p, top, offset + chosen.offset)

    def _name(self, token: int) -> str:
        """Returns the text of a token, or where it is none by itself (half a character, BOS) its vocabulary's entry."""
        text = decode_tokens(self.subject.tokenizer, [token])
        return text if text and "\ufffd" not in text else str(self.subject.tokenizer.convert_ids_to_tokens(token))


def _prepared(
    model: Model,
    body: Steered,
    prompts: Sequence[str | npt.NDArray[np.int32]],
    place: PlaceLike,
    limits: Limits,
    max_tokens: int,
    raw: bool,
) -> tuple[Sampling, list[Request], Blend | None]:
    n = body.n or 1
    _check_size(n * len(prompts), "continuations", limits)
    _check_new_tokens(max_tokens, limits)
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    sampling, _, requests, blend = prepare(
        model,
        prompts,
        place=place,
        guidance=body.guidance,
        n=n,
        seed=body.seed if body.seed is not None else secrets.randbits(32),
        raw=raw,
        max_tokens=max_tokens,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        stop=stop,
    )
    for request in requests:
        _check_prompt(request.prompt, limits)
    if place == MARGINAL and not all(request.prompt for request in requests):
        raise UserError("a place is inferred from the prompt, and it is empty; give words, or name a place")
    return sampling, requests, blend


def _prompts(
    model: Model, given: str | list[str] | list[int] | list[list[int]]
) -> tuple[list[str | npt.NDArray[np.int32]], list[bool]]:
    """Returns each prompt as text or as token ids without BOS, and whether it began with BOS."""
    several: list[Any] = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else list(given)
    if not several:
        raise UserError("prompt is empty; give text, token ids, or a list of them")
    prompts: list[str | npt.NDArray[np.int32]] = []
    opened = []
    for number, one in enumerate(several):
        which = "the prompt" if len(several) == 1 else f"prompt {number + 1}"
        if not (one.strip() if isinstance(one, str) else one):
            raise UserError(f"{which} is empty; give words")
        if isinstance(one, str):
            prompts.append(one)
            opened.append(False)
            continue
        _check_ids(model, one, which)
        opened.append(one[0] == model.subject.bos)
        prompts.append(np.array(one[opened[-1] :], dtype=np.int32))
    return prompts, opened


def _check_ids(model: Model, ids: Sequence[int], what: str) -> None:
    wrong = next((token for token in ids if not 0 <= token < model.subject.vocabulary), None)
    if wrong is not None:
        raise UserError(f"{what} has token {wrong}; the model knows tokens 0 to {model.subject.vocabulary - 1}")


def _conversation(model: Model, body: ChatBody, place: PlaceLike) -> npt.NDArray[np.int32]:
    """Returns the tokens of a conversation by the model's chat template, without BOS."""
    tokenizer = model.subject.tokenizer
    if not has_chat_template(model):
        raise UserError("this model has no chat template; use /v1/completions")
    messages = []
    for message in body.messages:
        parts = [message.content] if isinstance(message.content, str) else [part.text for part in message.content]
        content = "".join(parts)
        special = next((one for one in tokenizer.get_added_vocab() if one in content), None)
        if special is not None:
            raise UserError(f"a message spells the special token {special}, which would end it; leave it out")
        messages.append({"role": "system" if message.role == "developer" else message.role, "content": content})
    if not messages[-1]["content"].strip():
        raise UserError("the last message is empty; give words")
    if place is not None and tokenizer.chat_template == chat_template() and messages[0]["role"] == "system":
        raise UserError("a system message holds the prefix of a place, and a place is given; leave one of them out")
    try:
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
    except Exception as error:  # a template raises what it likes
        raise UserError(f"the chat template refuses this conversation ({str(error)[:200]}); change the roles") from None
    return np.array(ids[1:] if ids and ids[0] == model.subject.bos else ids, dtype=np.int32)


def _texts(model: Model, given: str | list[str], limits: Limits) -> list[str]:
    """Returns the texts of a request, none of them empty or too long."""
    texts = [given] if isinstance(given, str) else given
    _check_size(len(texts), "texts", limits)
    for number, text in enumerate(texts):
        if not text.strip():
            raise UserError("the text is empty; give words" if len(texts) == 1 else f"text {number + 1} is empty")
    for tokens in model.subject.encode(texts):
        _check_prompt(len(tokens), limits)
    return texts


def _check_size(number: int, what: str, limits: Limits) -> None:
    if not 1 <= number <= limits.texts:
        raise UserError(f"{number} {what} are asked for; this server takes 1 to {limits.texts} in a request")


def _check_new_tokens(number: int, limits: Limits) -> None:
    if number > limits.new_tokens:
        raise UserError(f"max_tokens is {number}; this server writes at most {limits.new_tokens}")


def _check_prompt(number: int, limits: Limits) -> None:
    if number > limits.prompt_tokens:
        raise UserError(f"the prompt has {number} tokens; this server reads at most {limits.prompt_tokens}")
