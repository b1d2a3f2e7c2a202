"""Write docs/cli.md from each verb's --help, and docs/recipes.md from the recipe models.

Enters: the command `dateline` of this environment, and the docstrings of every recipe section. Leaves: two pages of
docs/, the same bytes every time.
Deliberately not done: no prose of its own beyond a heading; what a key or an option means is written beside its code.

Run: `python scripts/make_cli_reference.py`; `--check` writes nothing and exits 1 where a page is out of date.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from dateline.cli import VERBS
from dateline.config import Section
from dateline.evaluate.recipe import MEASURES

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTE = "<!-- Written by scripts/make_cli_reference.py; change the code, not this page. -->\n"
PLAIN = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
"""Environment in which help has one width and no colour, whatever the terminal."""
NESTED = {
    "eval": tuple(f"eval {measure}" for measure in MEASURES),
    "audit": ("audit mcq",),
    "benchmark": ("benchmark build", "benchmark review", "benchmark apply"),
    "corpus": ("corpus inspect", "corpus diff"),
    "outlets": ("outlets learn",),
    "tune": ("tune facts",),
    "export": ("export check",),
}
"""Verbs that take a second word."""
LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def cli_page() -> str:
    """Returns docs/cli.md: the overview, then the help of every verb in the order of the overview."""
    commands = ["", *(name for verb in VERBS for name in (verb, *NESTED.get(verb, ())))]
    with ThreadPoolExecutor(max_workers=2) as pool:
        helps = list(pool.map(help_of, commands))
    parts = [NOTE, "# Command line\n", fenced(helps[0])]
    for command, text in zip(commands[1:], helps[1:], strict=True):
        parts.append(f"## dateline {command}\n\n{fenced(text)}")
    return "\n".join(parts)


def help_of(command: str) -> str:
    """Returns what `dateline COMMAND --help` prints, without blanks at the ends of lines."""
    done = subprocess.run(
        [sys.executable, "-m", "dateline", *command.split(), "--help"],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **PLAIN},
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def fenced(text: str) -> str:
    """Returns a text as a block that is shown as it is."""
    return f"```text\n{text}\n```\n"


def recipes_page() -> str:
    """Returns docs/recipes.md: each kind of recipe with its sections, a table of keys for each."""
    from dateline.corpus import CorpusRecipe
    from dateline.experiment import ExperimentRecipe
    from dateline.train.recipe import TrainRecipe

    parts = [
        NOTE,
        "# Recipe reference\n",
        "Every key of every recipe, with its default and its meaning. "
        "[Recipes](guide/recipes.md) tells how they are written and read.\n",
    ]
    kinds: tuple[tuple[str, str, type[Section]], ...] = (
        ("Corpus recipe", "For `dateline corpus`, and the section `corpus` of an experiment.", CorpusRecipe),
        (
            "Training recipe",
            "For `dateline train`. An experiment writes the same sections under `defaults` and `runs.NAME`, "
            "and sets `data` and `seed` itself.",
            TrainRecipe,
        ),
        (
            "Experiment recipe",
            "For `dateline experiment`. The section `corpus` is a corpus recipe; "
            "`defaults` and each of `runs` hold sections of a training recipe.",
            ExperimentRecipe,
        ),
    )
    known: set[type[Section]] = set()
    sizes = f"### Sizes\n\n{sizes_table()}"
    for title, words, kind in kinds:
        parts.append(f"## {title}\n\n{words}\n")
        parts += [section(name, model, top=not name) for name, model in walk(kind) if model not in known]
        known |= {model for _, model in walk(kind)}
        parts += [sizes] if kind is TrainRecipe else []
    return "\n".join(parts)


def sizes_table() -> str:
    """Returns the shapes behind the names of `model.size`, with parameters at two vocabularies."""
    from dateline.model.sizes import SIZES, ModelRecipe, num_parameters

    lines = [
        "| `model.size` | Layers | Width | Heads | Feed-forward | Parameters, 32,768 tokens | 128,256 tokens |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, shape in SIZES.items():
        recipe = ModelRecipe.model_validate({"size": name})
        counts = " | ".join(f"{num_parameters(recipe, vocabulary):,}" for vocabulary in (32_768, 128_256))
        lines.append(
            f"| `{name}` | {shape.num_layers} | {shape.hidden_size:,} | {shape.num_heads} "
            f"| {shape.intermediate_size:,} | {counts} |"
        )
    return "\n".join(lines) + "\n\nInput and output embeddings are counted once: `tie_embeddings` is on.\n"


def walk(model: type[Section], name: str = "") -> Iterator[tuple[str, type[Section]]]:
    """Yields a section and all sections below it with their dotted names, in the order of the code."""
    yield name, model
    for key, field in model.model_fields.items():
        for inner in sections_in(field.annotation):
            yield from walk(inner, f"{name}.{key}" if name else key)


def sections_in(annotation: Any) -> list[type[Section]]:
    """Returns the sections that a field's type names."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [inner for argument in get_args(annotation) for inner in sections_in(argument)]


def section(name: str, model: type[Section], *, top: bool) -> str:
    """Returns a heading, the model's own words and the table of its keys."""
    lines = [] if top else [f"### `{name}`\n"]
    lines += [f"{cell(model.__doc__ or '')}\n", "| Key | Value | Default | Meaning |", "|---|---|---|---|"]
    for key, field in model.model_fields.items():
        inner = sections_in(field.annotation)
        meaning = field.description or (inner[0].__doc__ if inner else "") or ""
        row = (f"`{key}`", value_of(field), default_of(field, inner), cell(meaning))
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def value_of(field: Any) -> str:
    """Says what may be written: a type in words, and the limits."""
    limits = [
        f"{words} {bound:g}"
        for each in field.metadata
        for mark, words in LIMITS.items()
        if (bound := getattr(each, mark, None)) is not None
    ]
    return ", ".join([type_of(field.annotation), *limits])


def type_of(annotation: Any) -> str:
    """Says a type in the words of YAML."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if sections_in(annotation):
        return "section" + (" or `null`" if type(None) in arguments else "")
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(type_of(argument) for argument in arguments)
    if hasattr(annotation, "__metadata__"):
        return type_of(arguments[0])
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"list of {type_of(arguments[0])}"
        return "list of " + ", ".join(type_of(argument) for argument in arguments)
    if origin is dict:
        return f"mapping of {type_of(arguments[0])} to {type_of(arguments[1])}"
    names = {
        str: "text",
        int: "integer",
        float: "number",
        bool: "`true`, `false`",
        type(None): "`null`",
        Any: "any value",
    }
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def default_of(field: Any, inner: list[type[Section]]) -> str:
    """Returns the default as it would be written in a recipe, or says that the key is required."""
    if field.is_required():
        return "required"
    if inner and field.default is not None:
        return "its defaults"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{json.dumps(value, default=str)}`"


def cell(text: str) -> str:
    """Returns a docstring as one line that a table cell can hold."""
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Writes the pages, or checks them; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/cli.md and docs/recipes.md from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is out of date")
    check = parser.parse_args().check
    stale = []
    for path, text in ((DOCS / "cli.md", cli_page()), (DOCS / "recipes.md", recipes_page())):
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and stale:
        named = ", ".join(f"docs/{name}" for name in stale)
        print(f"{named}: out of date; run python scripts/make_cli_reference.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
