"""Remains of the page or feed that a text was taken from: marks of a text cut off, sign-up lines, repeated headlines.

Only what stands at an end of the text is looked at, and joints between paragraphs; what is said inside stays.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dateline.corpus.text.words import plain_words

CUT_OFF, SIGN_UP, HEADLINE, JOINTS, NOTHING_ELSE = (
    "cut off",
    "sign-up text",
    "repeated headline",
    "joined paragraphs",
    "nothing but a sign-up text",
)
TAIL = 200
"""Characters at the end in which marks of a cut are looked for."""
LONGEST_BIO = 600
"""Characters that an author's note behind a sign-up text may have."""
_CUT = re.compile(
    r"\s*(?:"
    r"(?:…|\.{3,})?\s*\[\s*\+?\s*[\d,]+\s*(?:more\s+)?char(?:acter)?s?\s*\]"
    r"|\[(?:…|\.{3,})\]|(?:…|\.{3,})[\"”’]?"
    r"|(?:(?<=[.!?…\"”’)\]])\s|(?<=\n)|(?<=\A))(?i:read more|continue reading|read (?:the )?full (?:story|article))"
    r"(?: the main story)?[\s.…>»:→]*"
    r")\Z"
)
_SIGN_UP = re.compile(
    r"\A(?:[*\s]*(?:Stay informed|Sign up (?:here|for|to)|Subscribe (?:to|for)|By (?:signing up|subscribing)"
    r"|(?:Get (?:all )?(?:the|our)|Want) [^\n.!?]*\b(?:inbox|newsletters?))\b[^\n.!?]*(?:[.!?*]+|\n|\Z)\s*"
    r"(?:Sign up here[.*]*\s*)?)+",
    re.IGNORECASE,
)
_BIO = re.compile(
    r"\b(?:is|was) (?:an?|the|our) [^.\n]{0,80}\b(?:reporter|correspondent|journalist|editor|columnist|writer)\b"
)
_JOINT = re.compile(r"([.!?][\"”’]?),(?=[A-Z\"“‘])(?!(?<=[A-Z]\.,)[A-Z])")
"""`end.,Begin`: the items of a list joined by commas. After an initial (`U.S.,EU`) it may be meant."""


class Remains(NamedTuple):
    """What was found in a text, and the text without it."""

    text: str
    kinds: tuple[str, ...]


def find_remains(text: str, title: str) -> Remains:
    """Finds remains of the page in a cleaned text.

    Args:
        text: cleaned.
        title: the cleaned headline; a first line of the same words repeats it.

    Example:
        >>> find_remains("Rain fell in Lagos on Tuesday… [+1136 chars]", "")
        Remains(text='Rain fell in Lagos on Tuesday', kinds=('cut off',))
    """
    kinds = []
    while found := _CUT.search(text, max(0, len(text) - TAIL)):
        if not found.group():
            break
        text = text[: found.start()]
        kinds.append(CUT_OFF)
    first, _, rest = text.partition("\n")
    if rest and title and (words := plain_words(first)) and words == plain_words(title):
        text = rest.lstrip()
        kinds.append(HEADLINE)
    if found := _SIGN_UP.match(text):
        text = text[found.end() :]
        bio = len(text) <= LONGEST_BIO and _BIO.search(text)
        kinds.append(NOTHING_ELSE if bio or not text else SIGN_UP)
    text, joints = _JOINT.subn(r"\1\n\n", text)
    if joints:
        kinds.append(JOINTS)
    return Remains(text, tuple(dict.fromkeys(kinds)))
