"""Recipes: YAML and `--section.key value` pairs into frozen, validated sections; fingerprints and differences in words.

Every section's model lives beside the code that it configures; this module knows none of them. No default depends on
the machine, and no value is filled in after validation.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dateline.errors import UserError

Location = tuple[str | int, ...]


class Section(BaseModel):
    """A part of a recipe: immutable, and any key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


S = TypeVar("S", bound=Section)


def load_recipe(kind: type[S], path: Path | str, overrides: Sequence[str] = ()) -> S:
    """Reads a YAML recipe, applies overrides and validates it.

    Args:
        kind: the section model that the whole file must satisfy.
        path: the YAML file.
        overrides: command-line words such as `["--train.steps", "200", "--seed=1"]`; values are read as YAML.

    Raises:
        UserError: with file, line and the nearest known key.
    """
    data, lines = read_recipe(path, overrides)
    return validate_recipe(kind, data, source=str(path), lines=lines)


def read_recipe(path: Path | str, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], dict[Location, int]]:
    """Reads a YAML recipe and applies overrides, without validating it.

    Args:
        path: the YAML file.
        overrides: as in `load_recipe`.

    Returns:
        The recipe as plain data, and the line of every key in the file.

    Raises:
        UserError: where the file is not there, or is no YAML mapping, or an override cannot be applied.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such recipe; check the path or pick one from recipes/") from None
    except (IsADirectoryError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML recipe ({error})") from None
    data, lines = _parse(text, str(path))
    for location, value in parse_overrides(overrides):
        _set(data, location, value)
    return data, lines


def validate_recipe(
    kind: type[S], data: Mapping[str, Any], *, source: str = "recipe", lines: Mapping[Location, int] | None = None
) -> S:
    """Turns plain data into a validated section, with errors that name file, line and the nearest known key."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise UserError(_explain(error, kind, source, lines or {})) from None


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
            result.append((location, yaml.safe_load(value)))
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


def _set(data: Any, location: Location, value: Any) -> None:
    name = ".".join(map(str, location))
    for depth, part in enumerate(location[:-1]):
        if isinstance(data, list):
            if not (isinstance(part, int) and part < len(data)):
                raise UserError(f"--{name}: there is no item {part}; the list has {len(data)}")
            data = data[part]
        elif isinstance(data, dict):
            key = _key(data, part)
            if data.get(key) is None:
                data[key] = {}
            data = data[key]
        else:
            raise UserError(f"--{name}: {'.'.join(map(str, location[:depth]))} is a single value, not a section")
    last = location[-1]
    if isinstance(data, list):
        if not (isinstance(last, int) and last < len(data)):
            raise UserError(f"--{name}: there is no item {last}; the list has {len(data)}")
        data[last] = value
    elif isinstance(data, dict):
        data[_key(data, last)] = value
    else:
        raise UserError(f"--{name}: the part before the last dot is a single value, not a section")


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
        try:
            return loader.construct_object(node, deep=True)
        except ValueError as error:  # a date such as 2021-13-45
            raise UserError(
                f"{source}:{node.start_mark.line + 1}: cannot read '{node.value}' ({error}); quote it"
            ) from None

    try:
        loader = yaml.SafeLoader(text)
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


def _explain(error: ValidationError, kind: type[BaseModel], source: str, lines: Mapping[Location, int]) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    location: Location = first["loc"]
    line = next((lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in lines), 0)
    where = f"{source}:{line}" if line else source
    # of a union, pydantic names the branch as well: `weights.literal['equal','natural']`
    name = ".".join(str(part) for part in location if "[" not in str(part))
    if first["type"] == "extra_forbidden":
        known = _keys_at(kind, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(sorted(known))}"
        message = f"{where}: unknown key '{name}'; {hint}"
    elif first["type"] == "missing":
        message = f"{where}: '{name}' is missing; add it"
    else:
        given = repr(first["input"])
        shown = given if len(given) <= 60 else given[:57] + "..."
        text = first["msg"].removeprefix("Value error, ")
        message = f"{where}: {name}: {text} (given: {shown})" if name else f"{where}: {text}"
    return message + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")


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
