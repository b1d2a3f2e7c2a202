"""Parts of a document: where its losses arise (title, beginning, rest, position), and what its URL gives away.

A token's part depends on the body alone, never on the condition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt

from dateline.records import body_text

FIRST = 64
"""Tokens after the title that are looked at apart: what a reader sees of an article at first."""
EDGES = (0, *(2**power for power in range(4, 25)))
"""Borders of the positions, in tokens from the start of the body: 0-15, 16-31, 32-63, ..."""
PARTS: tuple[tuple[str, str], ...] = (
    ("part", "title"),
    ("part", f"first {FIRST}"),
    ("part", "rest"),
    *(("position", f"{low}-{high - 1}") for low, high in pairwise(EDGES)),
)
"""(slice_by, slice) of all parts, in the order in which they are shown."""

_MARK = body_text("", "").removeprefix("TITLE: ")


class Title(NamedTuple):
    """A document's title, and the tokens at the start of its body that write it, `TITLE: ` among them."""

    text: str
    num_tokens: int


def find_title(tokenizer: Any, body: npt.NDArray[np.int32]) -> Title:
    """Returns the title of a body; empty where there is none.

    A token that spans the border is the title's.

    Args:
        tokenizer: that the body is written in.
        body: tokens of the whole body.
    """

    def decode(count: int) -> str:
        text: str = tokenizer.decode(body[:count].tolist(), clean_up_tokenization_spaces=False)
        return text

    whole = decode(len(body))
    end = whole.find(_MARK)
    if end < 0:
        return Title("", 0)
    low, high = 0, len(body)  # the fewest tokens that reach the border
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decode(middle).startswith(whole[:end]) else (middle + 1, high)
    return Title(whole[:end].removeprefix("TITLE: "), low)


def spans(title_tokens: int, num_scored: int) -> list[tuple[int, int]]:
    """Returns the first token and the one after the last of each of `PARTS`; empty spans where there is none.

    Args:
        title_tokens: of the document's title.
        num_scored: tokens of the document that count, from its first on.
    """
    borders = [0, title_tokens, title_tokens + FIRST, num_scored]
    every = [*pairwise(borders), *pairwise(EDGES)]
    return [(min(low, num_scored), min(high, num_scored)) for low, high in every]


def sum_parts(
    losses: Sequence[npt.NDArray[np.float32]], titles: Sequence[Title]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Returns nats and numbers of tokens by document and part, both of shape [documents, len(PARTS)].

    Args:
        losses: of each document's scored tokens, in nats.
        titles: of the same documents.
    """
    nll = np.zeros((len(losses), len(PARTS)))
    counts = np.zeros((len(losses), len(PARTS)), dtype=np.int64)
    for row, (found, title) in enumerate(zip(losses, titles, strict=True)):
        before = np.concatenate([[0.0], np.cumsum(found, dtype=np.float64)])
        ends = np.array(spans(title.num_tokens, len(found)))
        nll[row] = before[ends[:, 1]] - before[ends[:, 0]]
        counts[row] = ends[:, 1] - ends[:, 0]
    return nll, counts


TITLE_IN_URL = "title_in_url"
_WORD = re.compile(r"[^\W_]+")


def title_words_in_url(title: str, url: str) -> tuple[int, int]:
    """Returns how many of the title's words stand in the URL after the host, and how many words it has.

    Case does not count; a word that is used twice counts twice.
    """
    words = _WORD.findall(title.casefold())
    try:
        parts = urlsplit(url)
    except ValueError:  # an address that no browser would open
        return 0, len(words)
    spelled = set(_WORD.findall(unquote(f"{parts.path} {parts.query}").casefold()))
    return sum(word in spelled for word in words), len(words)


def count_leaks(titles: Sequence[str], urls: Sequence[str]) -> npt.NDArray[np.float64]:
    """Returns words found in the URL and words of the title, shape [documents, 2]."""
    counts = [title_words_in_url(title, url) for title, url in zip(titles, urls, strict=True)]
    return np.array(counts, dtype=np.float64).reshape(-1, 2)


def leaks(fields: str) -> bool:
    """Says whether numbers under these fields (joined by `+`) need a warning: the prefix may spell out the title."""
    return "url" in fields.split("+")


LEAK_WARNING = (
    "the prefix shows the URL, whose slug spells out words of the title that is scored: a gain under it is in part "
    "copying; compare with domain or url_hash"
)
"""Where a number under `url` is shown, this is said."""
