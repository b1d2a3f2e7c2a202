"""How much of a title stands in the URL: what a prefix that shows the URL gives away.

Enters: titles and URLs. Leaves: the share of title words that the URL spells out, by group, with intervals.
Deliberately not done: no stemming, no search beyond whole words: the share is what can be copied letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt

METRIC = "title_in_url"
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


WARNING = (
    "the prefix shows the URL, whose slug spells out words of the title that is scored: a gain under it is in part "
    "copying; compare with domain or url_hash"
)
"""Where a number under `url` is shown, this is said."""
