"""Recipes: YAML and `--section.key value` pairs into frozen, validated sections; fingerprints and differences in words.

Every section's model lives beside the code that it configures; this module knows none of them. No default depends on
the machine, and no value is filled in after validation.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from dateline.errors import UserError

Location = tuple[str | int, ...]


class Loader(yaml.SafeLoader):
    """Reads YAML as its version 1.2 does: `no` is Norway, and only `true` and `false` are booleans."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")


class Section(BaseModel):
    """A part of a recipe: immutable, and any key that it does not know is an error.

    A list of single values may be written as one string: `gold,none` is `[gold, none]`, and `gold` is `[gold]`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {
            key: split_list(value)
            if key in cls.model_fields and takes_list(cls.model_fields[key].annotation)
            else value
            for key, value in data.items()
        }


def takes_list(annotation: Any) -> bool:
    """Tells whether a type is a tuple of any number of single values, or such a tuple or null."""
    inner = get_args(annotation)
    if get_origin(annotation) is tuple:
        return (
            len(inner) == 2 and inner[1] is Ellipsis and not _models_in(inner[0]) and get_origin(inner[0]) is not tuple
        )
    return len(inner) == 2 and type(None) in inner and any(takes_list(one) for one in inner)


def split_list(value: Any) -> Any:
    """Returns the items of a list that is written as one string or one number; anything else as it is."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                return yaml.load(value, Loader)
            except (yaml.YAMLError, ValueError):
                return value
        return [item.strip() for item in value.split(",") if item.strip()]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


S = TypeVar("S", bound=Section)


def load_recipe(kind: type[S], path: Path | str, overrides: Sequence[str] = ()) -> S:
    """Reads a YAML recipe, applies overrides and validates it.

    Args:
        kind: the section model that the whole file must satisfy.
        path: the YAML file.
        overrides: command-line words such as `["--train.steps", "200", "--seed=1"]`; values are read as YAML.

    Raises:
        UserError: with the option, or file and line, and the nearest known key.

    Example:
        >>> load_recipe(CorpusRecipe, "corpus.yaml", ["--newswire.articles", "200"]).newswire
        NewswireSource(articles=200, seed=0)
    """
    data, lines, options = _read(path, overrides)
    return validate_recipe(kind, data, source=str(path), lines=lines, options=options)


def read_recipe(path: Path | str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Reads a YAML recipe and applies overrides, without validating it.

    Args:
        path: the YAML file.
        overrides: as in `load_recipe`.

    Returns:
        The recipe as plain data.

    Raises:
        UserError: where the file is not there, or is no YAML mapping, or an override cannot be applied.
    """
    return _read(path, overrides)[0]


def _read(
    path: Path | str, overrides: Sequence[str]
) -> tuple[dict[str, Any], dict[Location, int], dict[Location, str]]:
    """Returns the data, the line of every key in the file, and the option that gave a value."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such recipe; check the path or pick one from recipes/") from None
    except (IsADirectoryError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML recipe ({error})") from None
    data, lines = _parse(text, str(path))
    return data, lines, apply_overrides(data, overrides)


def validate_recipe(
    kind: type[S],
    data: Mapping[str, Any],
    *,
    source: str = "recipe",
    lines: Mapping[Location, int] | None = None,
    options: Mapping[Location, str] | None = None,
) -> S:
    """Turns plain data into a validated section.

    Args:
        kind: the section model.
        data: keys and values.
        source: where the data are from, for messages.
        lines: the line of every key, where the source is a file.
        options: location -> option of the command line; a wrong value there is blamed on the option.

    Raises:
        UserError: which names option, or source and line, and the nearest known key.
    """
    lines, options = lines or {}, options or {}
    for location, value in _numbers(data):
        if LARGEST < abs(value) < math.inf:
            key = ".".join(map(str, location))
            given = next((options[at] for n in range(len(location), 0, -1) if (at := location[:n]) in options), "")
            line = f":{lines[location]}" if location in lines else ""
            where = given or f"{source}{line}: {key}"
            raise UserError(f"{where}: must be at most {LARGEST:.0e} (given: {value:.3g})")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise UserError(_explain(error, kind, source, lines, options)) from None


LARGEST = 10**18
"""No number of a recipe may be larger: a slip of the finger, which would overflow somewhere later."""
_EXPONENT = re.compile(r"[-+]?\d+(?:\.\d*)?[eE]\+?\d+")
"""A number that YAML takes for text, and pydantic for a number."""


def _numbers(value: Any, at: Location = ()) -> Iterator[tuple[Location, int | float]]:
    """Yields every number in plain data with its location."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, (*at, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _numbers(inner, (*at, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield at, value
    elif isinstance(value, str) and _EXPONENT.fullmatch(value):
        yield at, float(value)


def apply_overrides(data: dict[str, Any], words: Sequence[str]) -> dict[Location, str]:
    """Puts the values of `--a.b value` words into plain data, in place.

    Returns:
        For every location that was set, the option as it was written.

    Raises:
        UserError: where a word is no option, or names a place that the data do not have.
    """
    options = {}
    for location, value in parse_overrides(words):
        options[_set(data, location, value)] = f"--{'.'.join(map(str, location))}"
    return options


def parse_overrides(words: Sequence[str]) -> list[tuple[Location, Any]]:
    """Splits `--a.b value` and `--a.b=value` into locations and YAML values; `--a.0.b` reaches into lists."""
    result: list[tuple[Location, Any]] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or len(word) == 2:
            raise UserError(f"unexpected argument '{word}'; recipe values are given as --section.key VALUE")
        key, equals, value = word[2:].partition("=")
        if not equals:
            if not rest or (rest[0].startswith("--") and len(rest[0]) > 2):
                raise UserError(f"--{key} has no value; recipe values are given as --section.key VALUE")
            value = rest.pop(0)
        location = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
        try:
            result.append((location, yaml.load(value, Loader)))
        except (yaml.YAMLError, ValueError):
            raise UserError(f"--{key}: cannot read '{value}' as a YAML value; quote it") from None
    return result


def canonical(value: BaseModel | Mapping[str, Any]) -> str:
    """Returns the one JSON text that stands for a value: sorted keys, no spaces."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def fingerprint(*values: BaseModel | Mapping[str, Any]) -> str:
    """Returns 16 hex digits that change whenever any value changes."""
    return hashlib.sha256("\n".join(canonical(value) for value in values).encode()).hexdigest()[:16]


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Says in words how two plain recipes differ: `train.steps: 100 -> 200`."""
    before, after = dict(_flatten(old)), dict(_flatten(new))
    return [
        f"{key}: {before.get(key, '(absent)')} -> {after.get(key, '(absent)')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key, "(absent)") != after.get(key, "(absent)")
    ]


def _flatten(value: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or not prefix):
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple) and value:
        for index, inner in enumerate(value):
            yield from _flatten(inner, f"{prefix}.{index}")
    else:
        yield prefix, value


def _set(data: Any, location: Location, value: Any) -> Location:
    """Sets a value, and returns its location in the keys of the data."""
    name = ".".join(map(str, location))
    resolved: list[str | int] = []
    for depth, part in enumerate(location[:-1]):
        if isinstance(data, list):
            if not (isinstance(part, int) and part < len(data)):
                raise UserError(f"--{name}: there is no item {part}; the list has {len(data)}")
            data = data[part]
            resolved.append(part)
        elif isinstance(data, dict):
            key = _key(data, part)
            if data.get(key) is None:
                data[key] = {}
            data = data[key]
            resolved.append(key)
        else:
            raise UserError(f"--{name}: {'.'.join(map(str, location[:depth]))} is a single value, not a section")
    last = location[-1]
    if isinstance(data, list):
        if not (isinstance(last, int) and last < len(data)):
            raise UserError(f"--{name}: there is no item {last}; the list has {len(data)}")
        data[last] = value
        return (*resolved, last)
    if not isinstance(data, dict):
        raise UserError(f"--{name}: the part before the last dot is a single value, not a section")
    key = _key(data, last)
    data[key] = value
    return (*resolved, key)


def _key(data: Mapping[str, Any], part: str | int) -> str:
    """Returns the key that a word means: itself where it is known, else with the underscores that all keys have."""
    name = str(part)
    return name if name in data else name.replace("-", "_")


def _parse(text: str, source: str) -> tuple[dict[str, Any], dict[Location, int]]:
    """Returns the data and the line of every key, and refuses keys written twice."""
    lines: dict[Location, int] = {}

    def walk(node: yaml.Node, at: Location) -> Any:
        lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            result: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                line = key_node.start_mark.line + 1
                if key in result:
                    raise UserError(f"{source}:{line}: key '{key}' is written twice; keep one")
                lines[(*at, key)] = line
                result[key] = walk(value_node, (*at, key))
            return result
        if isinstance(node, yaml.SequenceNode):
            return [walk(item, (*at, index)) for index, item in enumerate(node.value)]
        if at and not node.value and isinstance(node, yaml.ScalarNode) and node.style is None:
            key = ".".join(map(str, at))
            raise UserError(
                f"{source}:{node.start_mark.line + 1}: '{key}' has no value; give one, or write null for none, "
                "{} for a section of defaults"
            )
        try:
            return loader.construct_object(node, deep=True)
        except ValueError as error:  # a date such as 2021-13-45
            raise UserError(
                f"{source}:{node.start_mark.line + 1}: cannot read '{node.value}' ({error}); quote it"
            ) from None

    try:
        loader = Loader(text)
        root = loader.get_single_node()
        data = walk(root, ()) if root is not None else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{source}:{line}: not valid YAML: {problem}") from None
    if not isinstance(data, dict):
        raise UserError(f"{source}:1: a recipe is a mapping of sections, not a {type(data).__name__}")
    return data, lines


def _explain(
    error: ValidationError,
    kind: type[BaseModel],
    source: str,
    lines: Mapping[Location, int],
    options: Mapping[Location, str],
) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    # of a union, pydantic names the branch as well: `weights.literal['equal','natural']`
    location: Location = tuple(part for part in first["loc"] if "[" not in str(part))
    if not location and (named := _NAMED.match(first["msg"])):
        return f"{_whence(named, source, lines, options)}: {first['msg'].removeprefix('Value error, ')}"
    given = next((location[:n] for n in range(len(location), 0, -1) if location[:n] in options), ())
    below = [option for at, option in options.items() if location and at[: len(location)] == location]
    if given:
        where, name = options[given], ".".join(str(part) for part in location[len(given) :] if isinstance(part, str))
    elif below and not lines:  # a check of the whole section
        where, name = " and ".join(below), ""
    else:
        line = next((lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in lines), 0)
        where, name = f"{source}:{line}" if line else source, ".".join(map(str, location))
        where += f" with {' and '.join(below)}" if below else ""
    if first["type"] == "extra_forbidden":
        known = _keys_at(kind, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(sorted(known))}"
        message = f"{where}: unknown key" + (f" '{name}'" if name else "") + f"; {hint}"
    elif first["type"] == "missing":
        message = f"{where}: '{name}' is missing; add it" if name else f"{where} is missing; add it"
    else:
        shown = repr(first["input"])
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        text = _plain_words(first["type"], first["msg"], options.get(given, "") if given == location else "")
        whole = not location or (below and not given)  # a check of several values says itself which they are
        message = f"{where}: {name}: {text}" if name else f"{where}: {text}"
        message += "" if whole else f" (given: {shown})"
    return message + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")


_KEY = r"[\w-]+(?:\.[\w-]+)*"
_NAMED = re.compile(rf"Value error, ({_KEY})(?:[:,] ({_KEY}):)? ?")
"""The keys that the message of a check begins with: `evaluate.compare:`, `runs.plain: model.size:`."""


def _whence(named: re.Match[str], source: str, lines: Mapping[Location, int], options: Mapping[Location, str]) -> str:
    """Returns the option, or the file and the line where one is certain, that a check of the whole recipe speaks of."""
    whole, inner = tuple(named[1].split(".")), tuple((named[2] or "").split("."))
    parts = [whole[:n] for n in range(len(whole), 0, -1)]
    ends = [at for at in (*options, *lines) if named[2] and at[-len(inner) :] == inner]
    if option := next((options[at] for at in (*ends, *parts) if at in options), ""):
        return option
    at = ends[0] if len(ends) == 1 else None if ends else next((at for at in parts if at in lines), None)
    return source if at is None else f"{source}:{lines[at]}"


_KINDS = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "must be a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false"),
    "tuple_type": "must be a list, written a,b or [a, b]",
    "string_type": "must be text",
}
_SECTIONS = ("model_type", "model_attributes_type", "dict_type")


def _plain_words(kind: str, message: str, option: str) -> str:
    """Returns what a validator says, for people who have never seen one."""
    if kind in _SECTIONS:
        return f"is a section; give its values as {option or '--section'}.KEY VALUE" if option else "must be a section"
    return _KINDS.get(kind) or message.removeprefix("Value error, ").replace("Input should be", "must be")


def _keys_at(kind: type[BaseModel], location: Location) -> list[str]:
    current: list[type[BaseModel]] = [kind]
    for part in location:
        if isinstance(part, int):
            continue
        inner: list[type[BaseModel]] = []
        for model in current:
            field = model.model_fields.get(str(part))
            if field is not None:
                inner.extend(_models_in(field.annotation))
        current = inner or current
    return [name for model in current for name in model.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
