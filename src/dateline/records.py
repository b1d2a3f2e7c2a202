"""The nouns that cross the boundaries between packages: articles, places, training rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CONTINENTS = ("Africa", "America", "Asia", "Europe", "Oceania")
"""The five-way convention of the paper (arXiv 2601.15236): both Americas are one continent."""

SPLITS = ("train", "validation", "test")

EvidenceKind = Literal["declared", "outlet", "suffix", "hint"]
"""Where a statement about a country comes from, strongest first."""

Verified = Literal["agree", "single", "conflict", "none"]
"""Whether two independent pieces of evidence agree, one stands alone, some conflict, or there is none."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement about where a URL comes from."""

    kind: EvidenceKind
    country: str
    """ISO 3166 alpha-2, lower case; empty when the evidence names a continent only (`/world/africa`)."""
    continent: str
    detail: str
    """What was seen, for people: `suffix .co.za`, `outlet table: Daily Maverick`."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is known about the origin of a URL. Unknown parts are empty strings, never None."""

    domain: str = ""
    """Registered domain in lower case, without `www.` (`bbc.co.uk`)."""
    country: str = ""
    """ISO 3166 alpha-2, lower case (`gb`)."""
    continent: str = ""
    """One of `CONTINENTS`."""
    decided_by: EvidenceKind | Literal[""] = ""
    verified: Verified = "none"
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""
    """Why a part is empty, for people; empty when nothing is missing."""


@dataclass(frozen=True, slots=True)
class Article:
    """One news article. Empty strings stand for what is unknown."""

    id: str
    url: str
    domain: str
    country: str
    continent: str
    date: str
    """ISO 8601 day (`2021-03-04`) or empty."""
    title: str
    text: str
    source: str
    """The file or generator that the article came from."""
    split: str = ""
    """One of `SPLITS` once the corpus is built."""
    also_at: tuple[str, ...] = ()
    """Where the same story also stood: addresses of the copies that were removed as duplicates of this one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One training sequence of `sequence_length` tokens, made of whole segments and padding at the end.

    A segment is `<bos> prefix body-chunk [<eos>]`. Arrays have shape [sequence_length].
    """

    input_ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    """The token to predict at each position (already shifted), or -100 where no loss is taken."""
    position_ids: npt.NDArray[np.int64]
    """Restart at 0 with every segment."""
    segment_lengths: tuple[int, ...]
    """Token counts of the segments in order; padding, if any, is a last segment of its own."""
    num_tokens: int
    """Tokens that are not padding."""
    num_body_tokens: int
    """Body tokens: neither BOS, prefix, EOS nor padding."""


def stable_hash(*parts: str) -> int:
    """Returns a 64-bit integer that depends on nothing but the parts: the same on every machine and Python."""
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def mix_bits(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Returns numbers through the finalizer of splitmix64, a bijection that spreads every bit over all."""
    import numpy as np  # here, because options and recipes need the nouns and no numpy

    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = numbers ^ (numbers >> np.uint64(31))
    return mixed


def article_id(url: str, title: str, text: str) -> str:
    """Returns the identity of an article, 16 hex digits, from what it says and where it stood."""
    return f"{stable_hash(url, title, text):016x}"


def body_text(title: str, text: str) -> str:
    """Returns what the model is trained to write: the same bytes under every condition.

    Example:
        >>> body_text("Budget passed", "Parliament in Accra")
        'TITLE: Budget passed\\n\\nCONTENT: Parliament in Accra'
    """
    return f"{prompt_text(title)} {text}"


def prompt_text(title: str) -> str:
    """Returns what a model continues with the text of an article; its tokens begin those of the whole body.

    There is no blank at the end. In training the first word of the text brings its own (` The`); a blank at the end of
    a prompt would be a token of its own, which no training document has there.

    Example:
        >>> prompt_text("Budget passed")
        'TITLE: Budget passed\\n\\nCONTENT:'
    """
    return f"TITLE: {title}\n\nCONTENT:"


__all__ = [
    "CONTINENTS",
    "SPLITS",
    "Article",
    "Evidence",
    "EvidenceKind",
    "Place",
    "Row",
    "Verified",
    "article_id",
    "body_text",
    "prompt_text",
    "stable_hash",
]
