"""The decoding loop: one text from one or several prefixes, many texts in a batch.

A text is written from one or more rows, each a prefix in front of the same prompt. A blend makes one distribution of
theirs (guidance, mixture), one token is chosen from it, and every row reads that token. All rows of all texts are one
batch with one cache, padded on the left. A sampled token depends on nothing but the model, the rows and the key of its
text, up to rounding: a text stays the same whatever else is decoded beside it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from dateline.errors import UserError
from dateline.generate.sampling import Sampling, gumbel
from dateline.model.load import Precision, Subject
from dateline.progress import Advance

if TYPE_CHECKING:
    import torch

Tokens = npt.NDArray[np.int32]
Finish = Literal["end", "stop", "length"]
"""Why a text ends: the end-of-text token, a stop string, or its length."""

BATCH_TOKENS = 16_384
"""Tokens in a batch, padding and tokens to come included."""
PLAUSIBILITY = 0.1
"""Share of the best token's conditional probability below which guidance does not raise a token."""


@dataclass(frozen=True)
class Request:
    """One text to write."""

    rows: tuple[Tokens, ...]
    """Tokens from BOS on, `<bos> prefix prompt`, one row a prefix."""
    prompt: int
    """The last so many tokens of every row are the prompt, the same in all."""
    key: tuple[str, ...] = ()
    """What the random numbers are a hash of, together with position and token; not needed at temperature 0."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A token of a text with its probability, before temperature and truncation."""

    token: int
    log_p: float
    top: tuple[tuple[int, float], ...]
    """The likeliest tokens at its position and their log p, likeliest first, as many as were asked for."""
    offset: int
    """Characters of the text in front of it."""


@dataclass
class Written:
    """A text that is being written, or is finished."""

    ids: list[int] = field(default_factory=list)
    """Tokens so far, without the end-of-text token."""
    text: str = ""
    """Without special tokens; cut before a stop string."""
    finish: Finish | None = None
    log_posterior: npt.NDArray[np.float64] | None = None
    """Of a mixture: log p(row | prompt and text so far), shape [rows]."""
    chosen: list[Chosen] = field(default_factory=list)
    """Where asked for: every token, the end-of-text token included."""


class Blend(Protocol):
    """Makes one distribution of the rows of a text."""

    def begin(self, history: Sequence[npt.NDArray[np.float64]]) -> None:
        """Takes log p(prompt | row) in nats of every text, each of shape [rows]; called once a batch."""

    def mix(self, logits: torch.Tensor) -> torch.Tensor:
        """Returns logits of shape [texts, vocabulary] from those of all rows, [texts, rows, vocabulary]."""

    def observe(self, logits: torch.Tensor, tokens: torch.Tensor) -> npt.NDArray[np.float64] | None:
        """Takes the chosen tokens, shape [texts]; returns the log posterior of the rows, where the blend has one."""


class Plain:
    """The only row as it is."""

    def begin(self, history: Sequence[npt.NDArray[np.float64]]) -> None:
        """Needs nothing."""

    def mix(self, logits: torch.Tensor) -> torch.Tensor:
        """Returns the logits of the only row."""
        return logits[:, 0]

    def observe(self, logits: torch.Tensor, tokens: torch.Tensor) -> None:
        """Learns nothing."""


@dataclass
class Guidance(Plain):
    """Classifier-free guidance: base + strength (conditional - base), with rows (base, conditional).

    0 is the base, 1 is plain conditioning. Outside of 0 to 1 the difference is extrapolated, which lifts absurd tokens
    with a small probability in both rows: tokens whose conditional probability is below `plausibility` times that of
    the best one stay out there. Between 0 and 1 nothing is extrapolated and nothing stays out.
    """

    strength: float
    plausibility: float = PLAUSIBILITY

    def __post_init__(self) -> None:
        if not isinstance(self.strength, int | float) or not math.isfinite(self.strength):
            raise UserError(
                f"guidance is {self.strength!r}; give a finite number: 0 for no place, 1 for plain use of it"
            )
        if not 0 <= self.plausibility <= 1:
            raise UserError(f"plausibility is {self.plausibility!r}; give a number from 0 (no mask) to 1")

    def mix(self, logits: torch.Tensor) -> torch.Tensor:
        """Returns the guided logits."""
        base, conditional = logits[:, 0], logits[:, 1]
        if 0 <= self.strength <= 1:
            return base + self.strength * (conditional - base)
        mixed = base + self.strength * (conditional - base)
        if self.plausibility > 0:
            lowest = conditional.amax(-1, keepdim=True) + math.log(self.plausibility)
            mixed = mixed.masked_fill(conditional < lowest, -math.inf)
        return mixed


@dataclass
class Mixture:
    """p(token) = sum over rows of p(row | prompt and text so far) p(token | row), updated token by token."""

    log_prior: npt.NDArray[np.float64]
    """Of the rows, shape [rows]; minus infinity for none."""

    def begin(self, history: Sequence[npt.NDArray[np.float64]]) -> None:
        """Starts from the prior and what the prompt says."""
        self._log_joint = self.log_prior + np.stack(history)

    def mix(self, logits: torch.Tensor) -> torch.Tensor:
        """Returns the logarithm of the mixture."""
        import torch

        weights = torch.from_numpy(self._log_posterior()).to(logits.device)
        return (weights[..., None] + logits.log_softmax(-1)).logsumexp(1)

    def observe(self, logits: torch.Tensor, tokens: torch.Tensor) -> npt.NDArray[np.float64]:
        """Updates the posterior by Bayes' rule."""
        of_token = logits.log_softmax(-1).take_along_dim(tokens[:, None, None], -1).squeeze(-1)
        self._log_joint = self._log_joint + of_token.cpu().numpy()
        return self._log_posterior()

    def _log_posterior(self) -> npt.NDArray[np.float64]:
        result: npt.NDArray[np.float64] = self._log_joint - np.logaddexp.reduce(self._log_joint, axis=1, keepdims=True)
        return result


def write(
    subject: Subject,
    requests: Sequence[Request],
    sampling: Sampling,
    *,
    blend: Blend | None = None,
    batch_tokens: int = BATCH_TOKENS,
    precision: Precision = "float32",
    advance: Advance | None = None,
) -> list[Written]:
    """Writes texts, in batches of similar length.

    Args:
        subject: the model.
        requests: what is continued; all with the same number of rows.
        sampling: how tokens are chosen.
        blend: what makes one distribution of several rows; None where there is one row.
        batch_tokens: tokens in a batch; 1 writes every text by itself.
        precision: of the forward pass; distributions are computed in float64 in any case.
        advance: progress callback, called with the number of texts that are finished.

    Returns:
        A finished text for each request.

    Raises:
        UserError: where a row and the text do not fit into the model, or its logits are not finite.

    Example:
        >>> prompt = np.array([subject.bos, *subject.encode(["TITLE: Rates rise\\n\\nCONTENT:"])[0]])
        >>> write(subject, [Request((prompt,), len(prompt) - 1)], Sampling(max_tokens=5, temperature=0))[0].text
        ' The central bank said on'
    """
    if not requests:
        return []
    check_room(subject, requests, sampling.max_tokens)
    order = sorted(range(len(requests)), key=lambda at: -_width(requests[at]))
    results = [Written() for _ in requests]
    while order:
        room = (_width(requests[order[0]]) + sampling.max_tokens) * len(requests[order[0]].rows)
        size = max(1, batch_tokens // room)
        members, order = order[:size], order[size:]
        *_, texts = steps(subject, [requests[at] for at in members], sampling, blend, precision)
        for at, text in zip(members, texts, strict=True):
            results[at] = text
        if advance is not None:
            advance(len(members))
    return results


def check_room(subject: Subject, requests: Sequence[Request], max_tokens: int) -> None:
    """Refuses requests that do not fit into the model.

    Raises:
        UserError: which shows the prompt and the numbers.
    """
    subject.check_fits(max(int(row.max()) for request in requests for row in request.rows))
    for request in requests:
        if subject.positions is not None and _width(request) + max_tokens > subject.positions:
            shown = subject.tokenizer.decode(request.rows[0][-request.prompt :][:20].tolist())
            raise UserError(
                f"the prompt {shown[:40]!r} takes {_width(request)} tokens with its prefix and leaves no room for "
                f"{max_tokens} of the model's {subject.positions}; shorten one of them"
            )


def steps(
    subject: Subject,
    requests: Sequence[Request],
    sampling: Sampling,
    blend: Blend | None = None,
    precision: Precision = "float32",
    top: int | None = None,
) -> Iterator[list[Written]]:
    """Writes texts as one batch and yields them after every token, the same objects each time, until all are finished.

    Arguments are those of `write`, and `top`: say the probability of every token and of so many likeliest ones.
    """
    import torch

    blend = blend if blend is not None else Plain()
    num_rows = len(requests[0].rows)
    assert all(len(request.rows) == num_rows for request in requests), "all texts of a batch have equally many rows"
    model, eos = subject.model, subject.tokenizer.eos_token_id
    rows = _Rows(model, [row for request in requests for row in request.rows], precision)
    first = rows.read(max(request.prompt for request in requests) + 1 if isinstance(blend, Mixture) else 1)
    blend.begin(_prompt_log_probabilities(first, requests) if isinstance(blend, Mixture) else [])
    logits = first[:, -1].double()
    vocabulary = logits.shape[-1]
    processors = sampling.processors()
    seen = [request.rows[0][-request.prompt :] if request.prompt else request.rows[0][:0] for request in requests]
    history = torch.full((len(requests), max(map(len, seen))), vocabulary)  # which the penalty takes for no token
    for at, own in enumerate(seen):
        history[at, : len(own)] = torch.from_numpy(own.astype(np.int64))
    history = history.to(model.device)
    texts = [Written() for _ in requests]
    for step in range(sampling.max_tokens):
        if not bool(torch.isfinite(logits).all()):
            hint = "use float32" if precision != "float32" else "the checkpoint holds broken weights"
            raise UserError(f"{subject.folder}: the logits of the next token are not finite; {hint}")
        by_text = logits.view(len(requests), num_rows, vocabulary)
        scores = blend.mix(by_text)
        log_p = scores.log_softmax(-1) if top is not None else None
        for processor in processors:
            scores = processor(history, scores)
        if sampling.temperature > 0:
            scores = scores + gumbel([request.key for request in requests], step, vocabulary).to(scores.device)
        tokens = scores.argmax(-1)
        posteriors = blend.observe(by_text, tokens)
        for at, (text, token) in enumerate(zip(texts, tokens.tolist(), strict=True)):
            if text.finish is None:
                if log_p is not None:
                    offset = len(text.text.rstrip("\ufffd"))
                    text.chosen.append(_chosen(log_p[at], token, top or 0, offset))
                _add(text, token, subject.tokenizer, eos, sampling)
                text.log_posterior = None if posteriors is None else posteriors[at]
        yield texts
        if all(text.finish is not None for text in texts):
            return
        history = torch.cat([history, tokens[:, None]], dim=1)
        logits = rows.add(tokens.repeat_interleave(num_rows))[:, -1].double()


def read_prompt(
    subject: Subject, request: Request, *, top: int, blend: Blend | None = None, precision: Precision = "float32"
) -> list[Chosen]:
    """Returns the probability of every token of a prompt, given the prefix and the tokens in front of it.

    Args:
        subject: the model.
        request: whose prompt is read.
        top: how many of the likeliest tokens are named at each position.
        blend: as in `write`, but no mixture.
        precision: of the forward pass.
    """
    assert not isinstance(blend, Mixture), "a mixture has a state; it reads a prompt in order"
    blend = blend if blend is not None else Plain()
    logits = _Rows(subject.model, request.rows, precision).read(request.prompt + 1)
    tokens = [int(token) for token in request.rows[0][len(request.rows[0]) - request.prompt :]]
    result, offset = [], 0
    for at, (token, piece) in enumerate(zip(tokens, pieces(subject.tokenizer, tokens), strict=True)):
        log_p = blend.mix(logits[None, :, at - request.prompt - 1].double()).log_softmax(-1)[0]
        result.append(_chosen(log_p, token, top, offset))
        offset += len(piece)
    return result


def pieces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Returns what each token adds to a text; a character of several tokens stands at the last of them."""
    result: list[str] = []
    start = read = 0  # tokens before `start` are left out, those before `read` have been shown
    for end in range(1, len(ids) + 1):
        shown, text = decode_tokens(tokenizer, ids[start:read]), decode_tokens(tokenizer, ids[start:end])
        if text.endswith("\ufffd") and end < len(ids):
            result.append("")
            continue
        result.append(text[len(shown) :])
        start, read = read, end
    return result


def decode_tokens(tokenizer: Any, ids: Sequence[int]) -> str:
    """Returns the text of tokens without special ones, blanks as they are."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def settled(text: Written, stop: Sequence[str]) -> str:
    """Returns the part of an unfinished text that no later token changes: no half characters, no begun stop string."""
    if text.finish is not None:
        return text.text
    sure = text.text.rstrip("\ufffd")
    held = max((n for one in stop for n in range(1, len(one)) if sure.endswith(one[:n])), default=0)
    return sure[: len(sure) - held]


def _chosen(log_p: torch.Tensor, token: int, top: int, offset: int) -> Chosen:
    """Returns a token with its probability, from those of all tokens, shape [vocabulary]."""
    values, tokens = log_p.topk(min(top, len(log_p)))
    likeliest = zip(tokens.tolist(), values.tolist(), strict=True)
    return Chosen(
        token, float(log_p[token]), tuple((one, value) for one, value in likeliest if math.isfinite(value)), offset
    )


def _add(text: Written, token: int, tokenizer: Any, eos: int | None, sampling: Sampling) -> None:
    """Adds a token to a text, or ends it."""
    if token == eos:
        text.finish = "end"
        return
    text.ids.append(token)
    text.text = decode_tokens(tokenizer, text.ids)
    places = [found for one in sampling.stop if (found := text.text.find(one)) >= 0]
    if places:
        text.text, text.finish = text.text[: min(places)], "stop"
    elif len(text.ids) == sampling.max_tokens:
        text.finish = "length"


def _width(request: Request) -> int:
    return max(map(len, request.rows))


def _prompt_log_probabilities(logits: torch.Tensor, requests: Sequence[Request]) -> list[npt.NDArray[np.float64]]:
    """Returns log p(prompt | row) in nats of each request's rows, from the logits of the last positions of all rows."""
    import torch

    result = []
    for request, rows in zip(requests, logits.view(len(requests), -1, *logits.shape[1:]), strict=True):
        assert request.prompt, "the posterior of a mixture needs a prompt"
        labels = torch.from_numpy(request.rows[0][-request.prompt :].astype(np.int64)).to(rows.device)
        log_p = rows[:, -request.prompt - 1 : -1].double().log_softmax(-1)
        chosen = log_p.take_along_dim(labels[None, :, None], -1).squeeze(-1)
        result.append(chosen.sum(-1).cpu().numpy())
    return result


class _Rows:
    """Sequences that grow by a token at a time, in one batch padded on the left, with a cache where the model has one.

    Models that keep no keys and values (state-space models) would read the padding: each of their rows is read by
    itself, from the start each time.
    """

    def __init__(self, model: Any, rows: Sequence[Tokens], precision: Precision) -> None:
        import torch

        self.model, self.precision = model, precision
        self.known = set(inspect.signature(model.forward).parameters)
        width = max(map(len, rows))
        ids = np.zeros((len(rows), width), dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for at, row in enumerate(rows):
            ids[at, width - len(row) :] = row
            mask[at, width - len(row) :] = 1
        self.ids, self.mask = torch.from_numpy(ids).to(model.device), torch.from_numpy(mask).to(model.device)
        self.cache: Any = None

    def read(self, keep: int) -> torch.Tensor:
        """Reads all rows; returns the logits of their last positions, at least `keep` of them."""
        if "past_key_values" not in self.known:
            import torch

            found = [self._forward(ids[None, -int(mask.sum()) :])[:, -keep:] for ids, mask in self._each()]
            width = max(part.shape[1] for part in found)
            return torch.cat([torch.nn.functional.pad(part, (0, 0, width - part.shape[1], 0)) for part in found])
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        return self._forward(
            self.ids, positions, **({"logits_to_keep": keep} if "logits_to_keep" in self.known else {})
        )

    def add(self, tokens: torch.Tensor) -> torch.Tensor:
        """Adds a token to every row, shape [rows]; returns the logits of the last positions."""
        import torch

        self.ids = torch.cat([self.ids, tokens[:, None]], dim=1)
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        if "past_key_values" not in self.known:
            return self.read(1)
        return self._forward(tokens[:, None], self.mask.sum(-1, keepdim=True) - 1)

    def _each(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return zip(self.ids, self.mask, strict=True)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor | None = None, **options: Any) -> torch.Tensor:
        import torch

        if "past_key_values" in self.known:
            options |= {"attention_mask": self.mask, "past_key_values": self.cache, "use_cache": True}
        if "position_ids" in self.known and positions is not None:
            options["position_ids"] = positions
        with torch.no_grad(), torch.autocast(ids.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            output = self.model(input_ids=ids, **options)
        self.cache = getattr(output, "past_key_values", None)
        logits: torch.Tensor = output.logits
        return logits
