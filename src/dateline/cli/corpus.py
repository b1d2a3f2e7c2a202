"""`dateline corpus`: files into a corpus folder.

Enters: a recipe or paths. Leaves: a corpus folder and a few lines on what is in it.
Deliberately not done: nothing is read from the network unless a path names a remote scheme.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dateline.config import load_recipe, parse_overrides, validate_recipe
from dateline.errors import UserError

if TYPE_CHECKING:
    from dateline.corpus import CorpusRecipe
    from dateline.manifest import Manifest


@dataclass(frozen=True)
class Corpus:
    """Builds a placed, cleaned, de-duplicated (exact), split corpus with an audit.

    Takes a recipe (.yaml), or JSON Lines, CSV, TSV and Parquet files, globs and folders. Any value of the recipe can be
    given as --key VALUE, for example --language null or --columns.text body_text.
    """

    source: Annotated[tuple[str, ...], tyro.conf.Positional]
    """One recipe, or paths."""
    out: Path
    """Folder to make."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args, overrides = tyro.cli(Corpus, prog="dateline corpus", args=words, return_unknown_args=True)
    from dateline.corpus import build_corpus

    recipe = read_recipe(args.source, overrides)
    describe(build_corpus(recipe, args.out, overwrite=args.overwrite), args.out)


def read_recipe(source: tuple[str, ...], overrides: list[str]) -> CorpusRecipe:
    """Returns the corpus recipe of a YAML file, or one for the paths themselves."""
    from dateline.corpus import CorpusRecipe

    recipes = [name for name in source if name.endswith((".yaml", ".yml"))]
    if recipes and len(source) > 1:
        raise UserError(f"{recipes[0]}: give one recipe, or paths without a recipe")
    if recipes:
        return load_recipe(CorpusRecipe, recipes[0], overrides)
    if not source:
        raise UserError("no recipe and no path given; name a .yaml recipe, or files, globs or folders")
    data: dict[str, object] = {"paths": list(source)}
    for location, value in parse_overrides(overrides):
        inner = data
        for part in location[:-1]:
            below = inner.setdefault(str(part), {})
            if not isinstance(below, dict):
                raise UserError(f"--{'.'.join(map(str, location))}: {part} is no section; give --{part} VALUE")
            inner = below
        inner[str(location[-1])] = value
    return validate_recipe(CorpusRecipe, data, source="command line")


def describe(manifest: Manifest, out: Path) -> None:
    """Prints what went in, what was kept, and why the rest was not."""
    counts = manifest.counts
    print(f"{out}: {counts['kept']:,} of {counts['in']:,} documents kept")
    print("  " + ", ".join(f"{name} {counts[name]:,}" for name in ("train", "validation", "test")))
    for reason, number in sorted(manifest.drops.items(), key=lambda item: -item[1]):
        print(f"  dropped {number:,}: {reason}")
    if manifest.drops:
        print(f"  see {out / 'dropped.jsonl'} for each of them")
    for problem in manifest.facts.get("problems", []):
        print(f"  problem: {problem}")
