"""Values of the protocol on a command line, and limits of numbers.

Enters: `--protocol.window 1024` and the like. Leaves: a `Protocol`, or a refusal.
Deliberately not done: no other section; a measure that has more settings of this kind takes a recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dateline.config import parse_overrides, validate_recipe
from dateline.errors import UserError

if TYPE_CHECKING:
    from dateline.evaluate.protocol import Protocol


def read_protocol(name: str, words: Sequence[str], verb: str) -> Protocol:
    """Returns a protocol by name, with the values of the command line laid over it.

    Args:
        name: `strict` or `paper`.
        words: what the verb's own options have left.
        verb: for the message.

    Raises:
        UserError: where a word is no value of the protocol.
    """
    from dateline.evaluate.protocol import Protocol

    settings: dict[str, object] = {"name": name}
    for location, value in parse_overrides(list(words)):
        if len(location) != 2 or location[0] != "protocol":
            raise UserError(f"unknown option '--{'.'.join(map(str, location))}'; see {verb} --help")
        settings[str(location[1])] = value
    return validate_recipe(Protocol, settings, source="--protocol")


def at_least(least: int, **values: int) -> None:
    """Refuses a number on the command line that is too small, before anything is loaded.

    Raises:
        UserError: which names the option.
    """
    for name, value in values.items():
        if value < least:
            raise UserError(f"--{name.replace('_', '-')} {value}: give {least} or more")
