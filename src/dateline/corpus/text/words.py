"""The one notion of a word on which exact keys and near-duplicates agree: without case and punctuation.

Titles and URLs do not count, because a syndicated story keeps its text and changes both.
"""

from __future__ import annotations

import re

from dateline.records import stable_hash

_WORD = re.compile(r"[^\W_]+")
_BLANKS = bytes(byte if byte > 127 or chr(byte).isalnum() else 0x20 for byte in range(256))
"""Turns all ASCII but letters and digits into blanks and leaves the bytes of other UTF-8 characters alone."""
_ASCII = bytes(range(128))
_MANY_MARKS = 50
"""Different characters beyond ASCII that are no letters; with more of them the slower way is the faster one."""


def text_key(text: str, words: str | None = None) -> int:
    """Returns 64 bits that are the same for texts with the same words.

    Among ten million different texts the expected number of pairs that share a key by chance is 3e-6.

    Args:
        text: A cleaned text; one without a letter or a digit is its own key.
        words: `plain_words(text)` where it is at hand already, so that it is not computed twice.
    """
    return stable_hash("text", (plain_words(text) if words is None else words) or text)


def plain_words(text: str) -> str:
    """Returns the case-folded runs of letters and digits, joined by single blanks; "" where there are none.

    The one notion of a word on which exact keys and the shingles of near-duplicates agree: 0.05 ms for 730 words.
    """
    encoded = text.casefold().encode("utf-8", "surrogatepass")
    if not encoded.isascii():
        beyond = set(encoded.translate(None, _ASCII).decode("utf-8", "surrogatepass"))
        marks = [letter for letter in beyond if not letter.isalnum()]
        if len(marks) > _MANY_MARKS:
            return " ".join(_WORD.findall(text.casefold()))
        for mark in marks:
            encoded = encoded.replace(mark.encode("utf-8", "surrogatepass"), b" ")
    return b" ".join(encoded.translate(_BLANKS).split()).decode()
