"""A conditioned model, ready to be read backwards.

Enters: a model folder, places, and texts as tokens. Leaves: nats of every text under every place.
Deliberately not done: no sharing of the body's work between places: through attention its hidden states depend on the
prefix from the first layer on, so nothing beyond the embeddings is the same. What is shared is the overhead of a call:
all places of a text, and of several texts, go through the model in one padded batch (prefixes differ by a few tokens,
so that packing them without padding would save next to nothing). On one CPU thread that takes 18 places
of an 80-token text from 18 scorings to 12 (`pico`), 15 (`nano`) or 16 (`micro`); where one text keeps the processor
busy, only reading less of it helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dateline.conditions import Field
from dateline.errors import UserError
from dateline.evaluate.locate.posterior import mixture
from dateline.evaluate.locate.prompts import Prompts, country_prompts, outlet_prompts, told_fields
from dateline.evaluate.protocol import Protocol, Tokens
from dateline.evaluate.subject import Dtype, Subject, load_subject
from dateline.progress import Advance
from dateline.tokens.store import EncodedCorpus

BATCH_TOKENS = 2_048
"""What stays in a CPU's cache: 15% faster than 8,192 for texts of 700 tokens. A GPU wants more."""
NUM_TOKENS = 256
"""Tokens from the start of a text that are read unless told otherwise: 18 places then cost 5 to 6 scorings of a text of
700 tokens instead of 17. On real news (139 test articles of 17 countries, `pico` after 1.4 M tokens) the first
32, 64, 128, 256 and 512 tokens place 32%, 37%, 37%, 38% and 37% rightly: what follows adds nothing that shows."""
TEXTS_AT_ONCE = 64
"""Texts whose segments exist at a time, under all prompts."""


@dataclass(frozen=True)
class Locator:
    """A loaded model with the prompts that it is read under."""

    subject: Subject
    prompts: Prompts
    prefixes: list[Tokens]
    """Of the prompts, in the model's tokens."""
    protocol: Protocol
    """Strict, with room for the longest prefix."""
    num_tokens: int | None = NUM_TOKENS
    """Tokens from the start of each text that count; None for all. Exact for the part that is read."""
    batch_tokens: int = BATCH_TOKENS
    dtype: Dtype = "float32"

    def read(self, body: Tokens) -> Tokens:
        """Returns the part of a text that counts."""
        return body[: self.num_tokens]

    def nll(
        self, bodies: Sequence[Tokens], names: Sequence[str], advance: Advance | None = None
    ) -> npt.NDArray[np.float64]:
        """Returns -log p(text | place) in nats, shape [texts, places].

        The same body tokens in the same chunks count under every place.

        Args:
            bodies: tokens of the texts.
            names: of the texts, for messages.
            advance: told after each group of texts how many are done.

        Raises:
            UserError: where a text is empty, a token is unknown to the model, or a loss is not finite.
        """
        from dateline.model.scoring import Segment, score_segments

        for name, body in zip(names, bodies, strict=True):
            if not len(body):
                raise UserError(f"{name}: is empty; there is nothing to locate")
        largest = max((int(part.max()) for part in [*bodies, *self.prefixes] if len(part)), default=0)
        self.subject.check_fits(max(self.subject.bos, largest))
        result = np.zeros((len(bodies), len(self.prefixes)))
        for start in range(0, len(bodies), TEXTS_AT_ONCE):
            segments: list[Segment] = []
            at: list[tuple[int, int]] = []
            group = range(start, min(start + TEXTS_AT_ONCE, len(bodies)))
            for text in group:
                for prompt, prefix in enumerate(self.prefixes):
                    own = self.protocol.segments(self.subject.bos, prefix, self.read(bodies[text]))
                    segments += own
                    at += [(text, prompt)] * len(own)
            nats = score_segments(self.subject.model, segments, batch_tokens=self.batch_tokens, dtype=self.dtype)
            np.add.at(result, tuple(np.array(at).T), nats)
            if advance is not None:
                advance(len(group))
        bad = np.argwhere(~np.isfinite(result))
        if len(bad):
            hint = "use --precision float32" if self.dtype != "float32" else "the checkpoint holds broken weights"
            raise UserError(
                f"{self.subject.folder}: the log-probability of {names[int(bad[0, 0])]} is not finite "
                f"({len(bad)} of {result.size} numbers); {hint}"
            )
        return mixture(result, self.prompts.place, self.prompts.weights, len(self.prompts.countries))


def open_locator(
    model_folder: Path,
    countries: Sequence[str],
    *,
    fields: Sequence[Field] | None = None,
    outlets: int = 0,
    corpus: EncodedCorpus | None = None,
    window: int | None = None,
    num_tokens: int | None = NUM_TOKENS,
    batch_tokens: int = BATCH_TOKENS,
    device: str = "auto",
    dtype: Dtype = "float32",
) -> Locator:
    """Loads a model and prepares its prompts.

    Args:
        model_folder: the output of `dateline train`, or a Hugging Face folder.
        countries: among which texts are located.
        fields: of the prefix; None for those that the model was trained with.
        outlets: sum over at most this many training outlets of each country; 0 for one prefix a country.
        corpus: where the outlets are found.
        window: tokens of a segment; None for 2,048, or what the model can read where that is less.
        num_tokens: tokens from the start of each text that count; None for all.
        batch_tokens: padded tokens in a batch.
        device: `auto`, `cpu`, `cuda`.
        dtype: of weights and computation.

    Raises:
        UserError: where the model was told no place, or something does not fit together.
    """
    if num_tokens is not None and num_tokens < 1:
        raise UserError(f"--tokens {num_tokens}: give 1 or more, or 0 for whole texts")
    told = tuple(fields) if fields is not None else told_fields(model_folder)
    prompts = make_prompts(told, countries, outlets, corpus)
    subject = load_subject(model_folder, device=device, dtype=dtype)
    prefixes = subject.encode(prompts.texts(subject))
    protocol = fit_protocol(subject, prefixes, window)
    return Locator(subject, prompts, prefixes, protocol, num_tokens, batch_tokens, dtype)


def make_prompts(
    fields: Sequence[Field], countries: Sequence[str], outlets: int, corpus: EncodedCorpus | None
) -> Prompts:
    """Returns one prompt a country, or several where outlets are asked for."""
    if not outlets:
        return country_prompts(fields, countries)
    if corpus is None:
        raise UserError("--outlets: the outlets are those of a corpus's training documents; give --corpus")
    return outlet_prompts(fields, countries, corpus, outlets)


def fit_protocol(subject: Subject, prefixes: Sequence[Tokens], window: int | None) -> Protocol:
    """Returns the strict protocol with room for the longest prefix.

    Args:
        subject: the model.
        prefixes: of all prompts.
        window: tokens of a segment; None for 2,048, or for what the model can read where that is less.

    Raises:
        UserError: where the window is longer than the model can read, or too short for a prefix and a text.
    """
    room = max(map(len, prefixes))
    length = min(2048, subject.positions or 2048) if window is None else window
    if length < max(8, room + 2):
        raise UserError(f"a window of {length} tokens has no room for a text after a prefix of {room}; widen --window")
    protocol = Protocol(window=length, prefix_room=room)
    protocol.check_positions(subject.positions, str(subject.folder))
    return protocol
