"""`dateline newswire`: the embedded corpus.

Enters: a number of articles and a seed. Leaves: a corpus folder like any other.
Deliberately not done: no other settings; `dateline corpus` with a recipe has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Newswire:
    """Writes an English newswire for 18 countries from a grammar and a table of facts.

    Because the grammar is known, so is the exact probability of every article with and without its place.
    """

    out: Path
    """Folder to make."""
    articles: int = 10_000
    """How many articles are written, before duplicates are removed."""
    seed: int = 0
    """The same seed gives the same articles."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = tyro.cli(Newswire, prog="dateline newswire", args=words)
    from dateline.cli.corpus.build import describe
    from dateline.config import validate_recipe
    from dateline.corpus import CorpusRecipe, build_corpus

    data = {"newswire": {"articles": args.articles, "seed": args.seed}}
    recipe = validate_recipe(CorpusRecipe, data, source="command line")
    describe(build_corpus(recipe, args.out, overwrite=args.overwrite), args.out)
