"""Two shares that tell prose from what only looks like an article; the recipe decides what is too much.

There is no list of bad words and no perplexity filter: each of these costs some countries more than others.
"""

from __future__ import annotations


def symbol_share(text: str, words: str) -> float:
    """Returns the share of the non-blank characters that are neither letters nor digits.

    Combining vowel signs, without which Indic scripts cannot be written, count as symbols; for English news the share
    is 0.02 to 0.05.

    Args:
        text: cleaned text, whose only blanks are spaces and line ends.
        words: its letters and digits in words (`words.plain_words`).
    """
    solid = len(text) - text.count(" ") - text.count("\n")
    letters = len(words) - words.count(" ")
    return max(0.0, 1 - letters / solid) if solid else 0.0


def repeated_share(text: str) -> float:
    """Returns the share of the characters that stand in lines which occurred before in the same text."""
    lines = text.split("\n")
    if len(lines) < 2:
        return 0.0
    seen: set[str] = set()
    repeated = total = 0
    for line in lines:
        total += len(line)
        if line in seen:
            repeated += len(line)
        else:
            seen.add(line)
    return repeated / total if total else 0.0
