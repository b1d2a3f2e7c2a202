"""The scorer: from a model, bodies and prefixes to nats a token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.errors import UserError
from dateline.evaluate.documents import Documents
from dateline.evaluate.protocol import Protocol, Tokens
from dateline.evaluate.recipe import Efficiency, Perplexity
from dateline.model.load import Precision, Subject
from dateline.progress import progress


def score_bodies(
    subject: Subject,
    protocol: Protocol,
    prefixes: Sequence[Tokens],
    bodies: Sequence[Tokens],
    *,
    batch_tokens: int,
    precision: Precision,
    what: str = "",
) -> list[npt.NDArray[np.float32]]:
    """Returns -log p of each scored token in nats: an array for each document, in the order of its body.

    Args:
        subject: the model.
        protocol: which body tokens count, and in which segments.
        prefixes: tokens of each document's prefix; empty for none.
        bodies: tokens of each document's body; an empty one has no losses.
        batch_tokens: padded tokens in a batch.
        precision: of the forward pass.
        what: is scored, for the progress line; no line where it is empty.
    """
    from dateline.model.scoring import score_tokens

    owners, segments = [], []
    for position, (prefix, body) in enumerate(zip(prefixes, bodies, strict=True)):
        for segment in protocol.segments(subject.bos, prefix, body):
            owners.append(position)
            segments.append(segment)
    shown = progress(f"score {what}", len(segments), "segments") if what else nullcontext()
    with shown as advance:
        losses = score_tokens(subject.model, segments, batch_tokens=batch_tokens, dtype=precision, advance=advance)
    chunks = [[np.zeros(0, dtype=np.float32)] for _ in bodies]
    for owner, chunk in zip(owners, losses, strict=True):
        chunks[owner].append(chunk)
    return [np.concatenate(several) for several in chunks]


class ConditionLosses(NamedTuple):
    """What a sample costs under one condition; all have one entry a document."""

    losses: list[npt.NDArray[np.float32]]
    """-log p of each scored token in nats."""
    nll: npt.NDArray[np.float64]
    """Their sums."""
    num_tokens: npt.NDArray[np.int64]


def score_conditions(
    subject: Subject,
    documents: Documents,
    prefixes: Mapping[str, Sequence[Tokens]],
    options: Perplexity | Efficiency,
    run: str,
) -> Iterator[tuple[str, ConditionLosses]]:
    """Scores a sample under several conditions, and what is the same under two of them once.

    `gold` of a Nigerian document is `swap:ng` of it where the prefix shows no more than the country.

    Args:
        subject: the model.
        documents: the sample.
        prefixes: condition -> tokens of each document's prefix.
        options: protocol, batch and precision.
        run: for messages.

    Yields:
        Conditions in their order, with what was found.

    Raises:
        UserError: where a loss is not finite.
    """
    keys = {name: [(at, head.tobytes()) for at, head in enumerate(heads)] for name, heads in prefixes.items()}
    left = Counter(key for several in keys.values() for key in several)
    kept: dict[tuple[int, bytes], npt.NDArray[np.float32]] = {}
    for name, heads in prefixes.items():
        new = [at for at, key in enumerate(keys[name]) if key not in kept]
        found = score_bodies(
            subject,
            options.protocol,
            [heads[at] for at in new],
            [documents.bodies[at] for at in new],
            batch_tokens=options.batch_tokens,
            precision=options.precision,
            what=name if new else "",
        )
        kept.update(zip((keys[name][at] for at in new), found, strict=True))
        losses = [kept[key] for key in keys[name]]
        left.subtract(keys[name])
        for key in keys[name]:
            if not left[key]:
                del kept[key]
        nll = sum_finite(losses, documents.ids, f"run '{run}' under '{name}'", options.precision)
        yield name, ConditionLosses(losses, nll, np.array([len(part) for part in losses], dtype=np.int64))


def sum_finite(
    losses: Sequence[npt.NDArray[np.float32]], names: Sequence[str], whose: str, precision: Precision
) -> npt.NDArray[np.float64]:
    """Returns the nats of each document, shape [documents].

    Args:
        losses: of the scored tokens of each document.
        names: of the documents, for the message.
        whose: run and condition, for the message.
        precision: of the forward pass.

    Raises:
        UserError: where a loss is not finite.
    """
    nll = np.array([part.sum(dtype=np.float64) for part in losses])
    bad = np.flatnonzero(~np.isfinite(nll))
    if len(bad):
        hint = "use float32" if precision != "float32" else "the checkpoint holds broken weights"
        raise UserError(
            f"{whose}: the nll of document {names[int(bad[0])]} is {nll[bad[0]]} ({len(bad)} of {len(nll)} documents); "
            f"{hint}"
        )
    return nll
