"""What a model answers: continuations, comparisons, scores, locations; small and frozen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dateline.generate.decode import Finish
from dateline.records import Place


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text, and a number of nats."""

    text: str
    """What the token adds to the text; a character of several tokens stands at the last of them."""
    nats: float
    """In a score, -log p(token). In a continuation, what the place bought: log p(token | place) - log p(token)."""


@dataclass(frozen=True, slots=True)
class Score:
    """How well a model predicts a text: the sum over the tokens of its body, never of the prefix."""

    nats: float
    """-log p(text | place)."""
    tokens: int
    bytes: int
    """Of the body in UTF-8."""
    per_token: tuple[Token, ...] = ()
    """Of each token, where asked for."""

    @property
    def bits_per_byte(self) -> float:
        """What does not depend on the tokenizer: nats / (bytes log 2)."""
        return self.nats / (self.bytes * math.log(2))


@dataclass(frozen=True, slots=True)
class Location:
    """Where a model thinks that a text comes from."""

    country: str
    """The most probable one."""
    posterior: dict[str, float]
    """p(country | text), most probable first; sums to 1. What the model implies by Bayes' rule, nothing smoothed."""
    tokens: int
    """How many tokens of the text were read."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """One text behind a prompt."""

    text: str
    """With the blank that it begins with; without special tokens, cut before a stop string."""
    tokens: tuple[int, ...]
    finish: Finish
    """`end` (the model ended it), `stop` (a stop string) or `length`."""
    gains: tuple[Token, ...] = ()
    """What the place bought at each token, in nats, where asked for."""
    posterior: dict[str, float] | None = None
    """Of a mixture: p(place | prompt and text), most probable first."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The continuations of one prompt under one place."""

    prompt: str
    place: Place | None
    """What the prefix showed; None for a mixture."""
    continuations: tuple[Continuation, ...]

    @property
    def text(self) -> str:
        """The first continuation."""
        return self.continuations[0].text

    @property
    def texts(self) -> tuple[str, ...]:
        """All continuations."""
        return tuple(one.text for one in self.continuations)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One prompt under several places, written with the same random numbers."""

    prompt: str
    generations: tuple[Generation, ...]
    """One a place, in the order asked for."""


@dataclass(frozen=True, slots=True)
class Leakage:
    """Which countries the continuations of neutral prompts name under one place."""

    place: Place
    """What the prefix showed; empty for none."""
    texts: int
    any: float
    """Share of texts that name at least one country. Without a place, this is what leaks."""
    named: dict[str, float]
    """Share of texts that name each country, most often named first. With a place, its own share is how often the
    model follows; the others leak."""
