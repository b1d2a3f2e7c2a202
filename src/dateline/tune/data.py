"""Instruction data: rows of a file in one of four shapes become examples that carry their real place, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dateline.benchmark.questions import Row, read_rows
from dateline.conditions import Metadata
from dateline.errors import UserError
from dateline.places import country, resolve
from dateline.places.lookup import place as find_place
from dateline.records import Place

ROLES = ("system", "user", "assistant")
_SHAREGPT = {
    "system": "system", "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant",
    "assistant": "assistant", "model": "assistant",
}  # fmt: skip
"""Who speaks in ShareGPT's `from`, by role."""
SHAPES = "messages, prompt and completion, instruction and output (alpaca), or conversations (ShareGPT)"


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str
    """One of `ROLES`."""
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation, or a prompt with its completion, and where it comes from."""

    where: str
    """File and row, for messages: `news.jsonl:3`."""
    place: Metadata
    """Its real place; all fields empty where the row has none."""
    messages: tuple[Message, ...] = ()
    """Written by the chat template; empty for a prompt and a completion."""
    prompt: str = ""
    """Written as it stands, directly behind the prefix."""
    completion: str = ""
    """Written as it stands, directly behind the prompt; a blank between the two belongs to the completion."""


def read_examples(path: Path) -> list[Example]:
    """Reads instruction data.

    A row has `messages` (role and content), `prompt` and `completion`, alpaca's `instruction`, `input` and `output`, or
    ShareGPT's `conversations` (from and value). Its place comes from `place` (what `dateline.places.lookup.place`
    takes), or else from `url` and `country`. Blanks around a message's content are dropped, as most templates do.

    Args:
        path: JSON Lines, JSON or Parquet.

    Raises:
        UserError: which names file, row and problem of the first row that cannot be used, or where there is no row.

    Example:
        >>> read_examples(Path("news.jsonl"))[0].messages
        (Message(role='user', content='Which currency is used?'), Message(role='assistant', content='the naira'))
    """
    examples = []
    for where, row in read_rows(path, what="instruction data", columns=SHAPES):
        if isinstance(row, str):
            raise UserError(f"{where}: {row}; correct it")
        try:
            examples.append(_example(where, row))
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    if not examples:
        raise UserError(f"{path}: holds no row; give rows with {SHAPES}")
    return examples


def _example(where: str, row: Row) -> Example:
    place = _place(row)
    if row.get("messages") is not None:
        turns = _turns(row["messages"], "messages", "role", "content", {role: role for role in ROLES})
    elif row.get("conversations") is not None:
        turns = _turns(row["conversations"], "conversations", "from", "value", _SHAREGPT)
    elif "prompt" in row and "completion" in row:
        for name in ("prompt", "completion"):
            if not isinstance(row[name], str):
                raise UserError(f"{name} is not text; write conversations as `messages`")
        completion = _text(row, "completion")
        if not completion.strip():
            raise UserError("completion is empty, so there is nothing to learn; remove the row")
        return Example(where, place, prompt=_text(row, "prompt"), completion=completion)
    elif "instruction" in row and "output" in row:
        asked = "\n\n".join(part for name in ("instruction", "input") if (part := _text(row, name).strip()))
        turns = (Message("user", asked), Message("assistant", _text(row, "output").strip()))
    else:
        raise UserError(f"has the columns {', '.join(map(str, row))}; rows need {SHAPES}")
    if not any(turn.role == "assistant" for turn in turns):
        raise UserError("no turn of the assistant, so there is nothing to learn; remove the row")
    if not all(turn.content for turn in turns):
        raise UserError("a turn is empty; remove it, or the row")
    return Example(where, place, messages=turns)


def _turns(value: object, column: str, who: str, what: str, roles: Mapping[str, str]) -> tuple[Message, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise UserError(f"{column} is not a list of turns; each needs {who} and {what}")
    turns = []
    for number, turn in enumerate(value, 1):
        if not isinstance(turn, Mapping) or not isinstance(turn.get(who), str) or not isinstance(turn.get(what), str):
            raise UserError(f"turn {number} of {column} needs {who} and {what}, both of them text")
        role = roles.get(turn[who].strip().lower())
        if role is None:
            raise UserError(f"turn {number} of {column}: {who} '{turn[who]}' is not one of {', '.join(roles)}")
        turns.append(Message(role, turn[what].strip()))
    return tuple(turns)


def _place(row: Row) -> Metadata:
    """Returns where a row comes from: from `place`, or else from `url` and `country`."""
    named = row.get("place")
    if isinstance(named, Mapping):
        named = {key: value for key, value in named.items() if value is not None} or None
    elif named is not None and not isinstance(named, str):
        raise UserError("place is neither text nor a mapping of fields")
    if named:
        place = find_place(named)
        url = str(named.get("url", "")) if isinstance(named, Mapping) else ""
        return _metadata(place, url)
    url, declared = _text(row, "url").strip(), _text(row, "country").strip()
    if declared and country(declared) is None:
        raise UserError(f"country '{declared}' is not a country; write a code such as ng, or a name")
    if not url and not declared:
        return Metadata()
    place = resolve(url, declared)
    if url and not place.domain:
        raise UserError(f"url '{url}': {place.reason}; correct it, or leave it empty")
    return _metadata(place, url)


def _metadata(place: Place, url: str) -> Metadata:
    return Metadata(url, place.domain, place.country, place.continent)


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{name} is not text")
    return value
