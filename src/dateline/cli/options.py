"""Command lines into sections: the fields of a pydantic section are the options of a verb, their docstrings its help.

tyro splits the words and writes the help; pydantic reads the values, so that a value means the same on a command line
and in a recipe, and what is wrong is said in one line that names the option.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

import tyro
import yaml
from pydantic.fields import FieldInfo
from tyro.constructors import PrimitiveConstructorSpec

from dateline.config import Loader, Location, Section, takes_list, validate_recipe
from dateline.errors import UserError
from dateline.manifest import check_outside

A = TypeVar("A", bound=Section)
S = TypeVar("S", bound=Section)
HELP = ("-h", "--help")
LIST_OPTIONS = "--list-options"
"""Prints the names of a verb's options; completion.py asks for them."""


def read_arguments(verb: str, arguments: type[A], words: Sequence[str]) -> A:
    """Reads the command line of a verb that has arguments of its own only.

    Args:
        verb: `dateline watch`, for help and messages.
        arguments: a section whose fields are the arguments; its docstring is the description.
        words: the words after the verb.

    Raises:
        UserError: in one line that names the option.
    """
    found = _split(verb, [arguments], words)
    found.refuse_rest(verb)
    return found.section(arguments)


def read_words(verb: str, arguments: type[A], words: Sequence[str]) -> tuple[A, list[str]]:
    """Reads the arguments of a verb, and returns the words that are left: values of its recipe (`--train.steps 200`).

    Args:
        verb: as in `read_arguments`.
        arguments: as in `read_arguments`.
        words: as in `read_arguments`.

    Raises:
        UserError: in one line that names the option.
    """
    found = _split(verb, [arguments], words)
    return found.section(arguments), found.rest


def read_options(
    verb: str, section: type[S], arguments: type[A], words: Sequence[str], *, description: str | None = None
) -> tuple[A, S]:
    """Reads the command line of a verb whose options are the fields of a recipe's section.

    Args:
        verb: as in `read_arguments`.
        section: its fields are options; those of a section inside are `--protocol.window`.
        arguments: what the verb needs besides, such as the folder to make.
        words: the words after the verb.
        description: stands above the options in the help; without it, the docstring of `arguments`.

    Returns:
        The arguments and the section.

    Raises:
        UserError: in one line that names the option.

    Example:
        >>> arguments, options = read_options(
        ...     "dateline eval perplexity", Perplexity, Arguments,
        ...     ["runs/first", "--corpus", "runs/encoded", "--out", "scores", "--conditions", "gold,none"],
        ... )
        >>> options.conditions
        ('gold', 'none')
    """
    found = _split(verb, [arguments, section], words, description)
    found.refuse_rest(verb)
    return found.section(arguments), found.section(section)


def choose_action(
    verb: str, actions: Mapping[str, str], words: Sequence[str], *, kind: str, rest: str
) -> tuple[str, list[str]]:
    """Returns the action that the first word names, and the words behind it; without words, or for help, lists all.

    Args:
        verb: `dateline eval`.
        actions: name -> a line of help.
        words: the words after the verb.
        kind: what an action is called: `measure`.
        rest: what stands behind it: `MODEL --out DIR`.

    Raises:
        UserError: where there is no such action.
        SystemExit: after the list; with code 2 where an action is missing.
    """
    if not words or words[0] in HELP:
        width = max(map(len, actions))
        listed = "\n".join(f"  {name:<{width}}  {text}" for name, text in actions.items())
        print(f"usage: {verb} {kind.upper()} {rest} ...\n\n{listed}\n\n{verb} {kind.upper()} --help shows its options.")
        raise SystemExit(0 if words else 2)
    name = words[0]
    if name not in actions:
        near = difflib.get_close_matches(name, actions, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(actions)}"
        if not near and len(actions) == 1:
            hint = f"write: {verb} {next(iter(actions))} {name}"
        raise UserError(f"unknown {kind} '{name}'; {hint}")
    return name, list(words[1:])


class _Leaf(NamedTuple):
    """One value on a command line."""

    location: Location
    field: FieldInfo

    @property
    def default(self) -> Any:
        return None if self.field.is_required() else self.field.default

    @property
    def positional(self) -> bool:
        return tyro.conf.Positional in self.field.metadata

    @property
    def flag(self) -> bool:
        return self.field.annotation is bool

    @property
    def option(self) -> str:
        """Its name in messages and on the command line."""
        if self.positional:
            return str(self.location[-1]).upper()
        return "--" + ".".join(map(str, self.location)).replace("_", "-")

    def read(self, given: Any) -> Any:
        """Returns what pydantic is to look at: text where the field takes text, else a YAML value."""
        if not isinstance(given, str):
            return given
        kinds = _branches(self.field.annotation)
        if given == "null" and type(None) in kinds:
            return None
        if any(kind in (str, Path) or takes_list(kind) for kind in kinds):
            return given
        try:
            return yaml.load(given, Loader)
        except (yaml.YAMLError, ValueError):
            return given

    def for_tyro(self, *, required: bool) -> tuple[str, Any, Any]:
        """Returns the field of a dataclass that tyro reads: name, type and default."""
        help_text = " ".join((self.field.description or "").split())
        name = str(self.location[-1])
        if self.flag:
            hint = "(default: True)" if self.default else ""
            flag = Annotated[bool, *self.field.metadata, tyro.conf.arg(help=help_text, help_behavior_hint=hint)]
            return name, flag, field(default=self.default)
        several = self.positional and takes_list(self.field.annotation)
        place = f"{self.option} ..." if several else self.option if self.positional else None
        spec: PrimitiveConstructorSpec[Any] = PrimitiveConstructorSpec(
            nargs="*" if several else 1,
            metavar=_metavar(self.field.annotation, null=self.default is not None),
            instance_from_str=list if several else lambda words: words[0],
            is_instance=lambda value: True,
            str_from_instance=lambda value: [] if value is None else [str(value)],
        )
        needed = self.field.is_required()
        hint = "(required)" if needed else _default(self.default)
        marks = [tyro.conf.Positional] if self.positional else []
        shown = tyro.conf.arg(name=name, metavar=place, help=help_text, help_behavior_hint=hint)
        kind = Annotated[object, spec, *marks, shown]
        return name, kind, field(default=tyro.MISSING if needed and required else None)


class _Found(NamedTuple):
    """A command line, split."""

    kinds: Sequence[type[Section]]
    leaves: Sequence[Sequence[_Leaf]]
    given: Mapping[Location, Any]
    """What was given, by location; all locations differ."""
    rest: list[str]

    def refuse_rest(self, verb: str) -> None:
        """Refuses words that are no option."""
        if not self.rest:
            return
        word = self.rest[0].partition("=")[0]
        if not word.startswith("--"):
            raise UserError(f"unexpected argument '{word}'; see {verb} --help")
        known = [leaf.option for leaves in self.leaves for leaf in leaves if not leaf.positional]
        near = difflib.get_close_matches(word.replace("_", "-"), known, n=1, cutoff=0.7)
        raise UserError(f"unknown option '{word}'; " + (f"did you mean {near[0]}?" if near else f"see {verb} --help"))

    def section(self, kind: type[S]) -> S:
        """Returns one of the sections, validated."""
        leaves = self.leaves[self.kinds.index(kind)]
        data: dict[str, Any] = {}
        for leaf in leaves:
            if (value := self.given.get(leaf.location)) is not None:
                inner = data
                for part in leaf.location[:-1]:
                    inner = inner.setdefault(str(part), {})
                inner[str(leaf.location[-1])] = leaf.read(value)
        options = {leaf.location: leaf.option for leaf in leaves}
        given = {at: option for at, option in options.items() if at in self.given and self.given[at] is not None}
        missing = {leaf.location: leaf.option for leaf in leaves if leaf.field.is_required()}
        found = validate_recipe(kind, data, source="command line", options={**missing, **given})
        if isinstance(out := getattr(found, "out", None), Path):
            check_outside(out)
        return found


def _split(verb: str, kinds: Sequence[type[Section]], words: Sequence[str], description: str | None = None) -> _Found:
    """Splits the words of a command line; `--help` prints the help and exits."""
    leaves = [list(_leaves(kind)) for kind in kinds]
    everything = sorted((leaf for group in leaves for leaf in group), key=lambda leaf: not leaf.field.is_required())
    if list(words) == [LIST_OPTIONS]:
        print("\n".join(leaf.option for leaf in everything if not leaf.positional))
        raise SystemExit(0)
    asks = any(word in HELP for word in words)
    tyro._experimental_options["ansi_codes"] = not os.environ.get("NO_COLOR")
    parsed: Any
    parsed, rest = tyro.cli(
        _dataclass("Arguments", everything, 0, required=asks),
        prog=verb,
        description=inspect.cleandoc(description or kinds[0].__doc__ or ""),
        args=_with_values(words, everything),
        return_unknown_args=True,
    )
    given = {}
    for leaf in everything:
        value = parsed
        for part in leaf.location:
            value = getattr(value, str(part))
        given[leaf.location] = value
    return _Found(kinds, leaves, given, rest)


def _with_values(words: Sequence[str], leaves: Sequence[_Leaf]) -> list[str]:
    """Returns the words with `--flag false` as `--no-flag`, and refuses an option without its value."""
    known = {leaf.option: leaf for leaf in leaves if not leaf.positional}
    result: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        leaf = known.get(name.replace("_", "-"))
        if leaf is None or (equals and not leaf.flag):
            result.append(word)
        elif leaf.flag:
            if not equals and leaf.default and rest and rest[0] in ("true", "false"):
                value = rest.pop(0)
            result.append(f"--no-{name[2:]}" if value == "false" else name)
        elif not rest or (rest[0].startswith("--") and len(rest[0]) > 2):
            raise UserError(f"{name} has no value; give one behind it")
        else:
            result.append(f"{name}={rest.pop(0)}")  # so that a value may begin with a dash
    return result


def _leaves(kind: type[Section], at: Location = ()) -> Iterator[_Leaf]:
    """Yields the values of a section and of the sections inside, in the order of the code."""
    for key, found in kind.model_fields.items():
        location = (*at, found.alias or key)
        if isinstance(found.annotation, type) and issubclass(found.annotation, Section):
            yield from _leaves(found.annotation, location)
        else:
            yield _Leaf(location, found)


def _dataclass(name: str, leaves: Sequence[_Leaf], depth: int, *, required: bool) -> type:
    """Returns the dataclass that tyro reads: leaves as fields, sections as dataclasses inside."""
    made: list[tuple[str, Any, Any]] = []
    for key in dict.fromkeys(str(leaf.location[depth]) for leaf in leaves):
        inside = [leaf for leaf in leaves if str(leaf.location[depth]) == key]
        if len(inside[0].location) == depth + 1:
            made.append(inside[0].for_tyro(required=required))
        else:
            inner = _dataclass(key, inside, depth + 1, required=required)
            made.append((key, inner, field(default_factory=inner)))
    return make_dataclass(name, made, kw_only=True)


def _branches(annotation: Any) -> tuple[Any, ...]:
    """Returns the types that a field takes: `(int, None)` of `int | None`."""
    if hasattr(annotation, "__metadata__"):
        return _branches(get_args(annotation)[0])
    if annotation is None or isinstance(annotation, type) or get_origin(annotation) in (tuple, Literal, dict, list):
        return (annotation,)
    return tuple(kind for one in get_args(annotation) for kind in _branches(one))


def _metavar(annotation: Any, *, null: bool = True) -> str:
    """Returns the kind of value that help shows: INT, {strict,paper}, STR,...; `null` where that is not the default."""
    names = []
    for kind in _branches(annotation):
        if kind is type(None) and not null:
            continue
        if get_origin(kind) is Literal:
            names.append("{" + ",".join(map(str, get_args(kind))) + "}")
        elif takes_list(kind):
            names.append(f"{_metavar(get_args(kind)[0])},...")
        else:
            names.append("null" if kind is type(None) else getattr(kind, "__name__", str(kind)).upper())
    return "|".join(names)


def _default(value: Any) -> str:
    if value is None:  # what that means is in the help text
        return ""
    shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"(default: {shown})" if shown else ""
