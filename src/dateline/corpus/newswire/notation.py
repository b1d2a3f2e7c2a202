"""The notation of the newswire: templates with slots, choices and named parts, parsed into pieces.

`{city}` draws from the table `city` at its first use and repeats that value afterwards. `{city2}` is another variable
over the same table: variables of one table never share a value within a document. `{City}` is the value of `city` with
its first letter raised. `[a|b|c]` takes one branch, each equally likely, and may hold slots and further brackets;
`[way:rises|falls]` and later `[way:rose|fell]` take the same branch. `<name>` stands for a named part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable over a table; `capital` raises the first letter of what it writes."""

    variable: str
    table: str
    capital: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """Branches of which one is taken, each equally likely; choices of one label take the branch of the same number."""

    branches: tuple[Pieces, ...]
    label: str = ""


Pieces = tuple["str | Slot | Choice", ...]
"""A parsed template."""


_MARKS = re.compile(r"\{[A-Za-z_]+[0-9]*\}|\[(?:[a-z]+:)?|[\]|{}<>]")
_PART = re.compile(r"<([a-z_]+)>")


def parse(template: str, parts: Mapping[str, str] | None = None) -> Pieces:
    """Returns the pieces of a template after expanding its parts.

    Raises:
        ValueError: if a bracket, slot or part is malformed or unknown, with the template in the message.
    """
    expanded = template
    for _ in range(8):  # parts may hold parts; eight levels are more than any person should write
        try:
            expanded = _PART.sub(lambda match: (parts or {})[match[1]], expanded)
        except KeyError as error:
            raise ValueError(f"unknown part <{error.args[0]}> in template: {template!r}") from None
    levels: list[list[list[str | Slot | Choice]]] = [[[]]]  # open brackets; their branches; the pieces of a branch
    labels = [""]
    start = 0
    for mark in _MARKS.finditer(expanded):
        if mark.start() > start:
            levels[-1][-1].append(expanded[start : mark.start()])
        start = mark.end()
        symbol = mark[0]
        if symbol[0] == "[":
            levels.append([[]])
            labels.append(symbol[1:-1])
        elif symbol == "|" and len(levels) > 1:
            levels[-1].append([])
        elif symbol == "]" and len(levels) > 1:
            branches = levels.pop()
            levels[-1][-1].append(Choice(tuple(tuple(branch) for branch in branches), labels.pop()))
        elif len(symbol) > 1:
            variable = symbol[1:-1].lower()
            levels[-1][-1].append(Slot(variable, variable.rstrip("0123456789"), symbol[1].isupper()))
        else:
            raise ValueError(f"stray {symbol!r} in template: {template!r}")
    if len(levels) > 1:
        raise ValueError(f"unclosed '[' in template: {template!r}")
    if start < len(expanded):
        levels[-1][-1].append(expanded[start:])
    return tuple(levels[0][0])


def walk(pieces: Pieces) -> Iterator[Slot | Choice]:
    """Yields the slots and choices of a template at every depth, from left to right."""
    for piece in pieces:
        if not isinstance(piece, str):
            yield piece
        if isinstance(piece, Choice):
            for branch in piece.branches:
                yield from walk(branch)


def longest_literal(pieces: Pieces) -> str:
    """Returns a string that everything written from the pieces contains: a cheap test of what cannot have been."""
    return max((piece for piece in pieces if isinstance(piece, str)), key=len, default="")
