"""How probable a model finds each option and each letter.

Enters: a model, questions as tokens, the prefix that each is asked under. Leaves: nats.
Deliberately not done: no right and wrong here, and no window: what is too long for the model has been taken out before.

Where every continuation is one token, as letters mostly are, one forward pass over the context answers for all of them.
Contexts of one length are read together, so that there is no padding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from dateline.evaluate.mcq.prompts import Prompts, Tokens, letter_place
from dateline.evaluate.subject import Subject

if TYPE_CHECKING:
    import torch

    from dateline.progress import Advance

Floats = npt.NDArray[np.float64]

BLOCK = 2048
"""Questions whose contexts are in memory at once."""


class Asked(NamedTuple):
    """One question under one prefix."""

    prefix: str
    question: int
    """Position of the question."""


def option_nats(
    subject: Subject, prompts: Prompts, asked: Sequence[Asked], *, batch_tokens: int, dtype: str, advance: Advance
) -> list[Floats]:
    """Returns -log p of each option as the continuation of its question, for each of `asked` shape [options]."""
    result: list[Floats] = []
    for start in range(0, len(asked), BLOCK):
        block = asked[start : start + BLOCK]
        contexts = [_context(subject, prompts, one.prefix, prompts.cloze[one.question]) for one in block]
        choices = [prompts.options[one.question] for one in block]
        result += continuation_nats(subject, contexts, choices, batch_tokens=batch_tokens, dtype=dtype)
        advance(len(block))
    return result


def letter_nats(
    subject: Subject, prompts: Prompts, asked: Sequence[Asked], *, batch_tokens: int, dtype: str, advance: Advance
) -> list[Floats]:
    """Returns -log p of the letter at which each option stands, for each of `asked` shape [rotations, options]."""
    result: list[Floats] = []
    for start in range(0, len(asked), BLOCK):
        block = asked[start : start + BLOCK]
        turns = [(one.prefix, turned) for one in block for turned in prompts.letter[one.question]]
        contexts = [_context(subject, prompts, prefix, turned) for prefix, turned in turns]
        numbers = [len(prompts.letter[one.question]) for one in block]
        choices = [prompts.letters[:number] for number in numbers for _ in range(number)]
        nats = iter(continuation_nats(subject, contexts, choices, batch_tokens=batch_tokens, dtype=dtype))
        for number in numbers:
            places = [[letter_place(option, turn, number) for option in range(number)] for turn in range(number)]
            result.append(np.stack([next(nats)[at] for at in places]))
        advance(len(block))
    return result


def continuation_nats(
    subject: Subject, contexts: Sequence[Tokens], choices: Sequence[Sequence[Tokens]], *, batch_tokens: int, dtype: str
) -> list[Floats]:
    """Returns -log p in nats of each continuation of each context; equal pairs are scored once.

    Args:
        subject: the model.
        contexts: tokens from BOS on.
        choices: of each context, the tokens of its continuations.
        batch_tokens: tokens of a batch.
        dtype: of the computation.
    """
    from dateline.model.scoring import Segment, score_segments

    single: dict[bytes, int] = {}
    wanted: defaultdict[bytes, dict[int, None]] = defaultdict(dict)
    longer: dict[tuple[bytes, bytes], int] = {}
    segments: list[Segment] = []
    heads: list[Tokens] = []
    for context, several in zip(contexts, choices, strict=True):
        key = context.tobytes()
        for tokens in several:
            if len(tokens) == 1:
                if key not in single:
                    single[key] = len(heads)
                    heads.append(context)
                wanted[key][int(tokens[0])] = None
            elif (key, tokens.tobytes()) not in longer:
                longer[key, tokens.tobytes()] = len(segments)
                segments.append(Segment(np.concatenate([context, tokens]).astype(np.int64), len(tokens)))
    nats = score_segments(subject.model, segments, batch_tokens=batch_tokens, dtype=dtype)
    found: dict[tuple[bytes, int], float] = {}
    for positions, logits in next_logits(subject, heads, batch_tokens=batch_tokens):
        keys = [heads[position].tobytes() for position in positions]
        column = {token: at for at, token in enumerate(sorted({token for key in keys for token in wanted[key]}))}
        losses = (logits.logsumexp(-1, keepdim=True) - logits[:, list(column)]).cpu().numpy()
        for row, key in enumerate(keys):
            found.update({(key, token): float(losses[row, column[token]]) for token in wanted[key]})

    def look_up(key: bytes, tokens: Tokens) -> float:
        return found[key, int(tokens[0])] if len(tokens) == 1 else float(nats[longer[key, tokens.tobytes()]])

    return [
        np.array([look_up(context.tobytes(), tokens) for tokens in several])
        for context, several in zip(contexts, choices, strict=True)
    ]


def next_logits(
    subject: Subject, contexts: Sequence[Tokens], *, batch_tokens: int
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Yields positions in `contexts`, all of one length, and the logits of the token after each, in float32.

    The logits have shape [positions, vocabulary].
    """
    import torch

    lengths: defaultdict[int, list[int]] = defaultdict(list)
    for position, context in enumerate(contexts):
        lengths[len(context)].append(position)
    for length, members in sorted(lengths.items(), reverse=True):
        size = max(1, batch_tokens // length)
        for start in range(0, len(members), size):
            chosen = members[start : start + size]
            ids = torch.from_numpy(np.stack([contexts[position] for position in chosen]).astype(np.int64))
            with torch.no_grad():
                output = subject.model(input_ids=ids.to(subject.model.device), use_cache=False, logits_to_keep=1)
            yield chosen, output.logits[:, -1].float()


def _context(subject: Subject, prompts: Prompts, prefix: str, prompt: Tokens) -> Tokens:
    """Returns `<bos> prefix prompt`."""
    return np.concatenate([np.array([subject.bos], dtype=np.int32), prompts.prefixes[prefix], prompt])
