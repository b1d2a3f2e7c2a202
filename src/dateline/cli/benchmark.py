"""`dateline benchmark build`: questions from the held-out articles of a corpus; exit code 3 where they are unfit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dateline.benchmark.recipe import BuildOptions
from dateline.cli.audit import UNFIT
from dateline.cli.options import choose_action, read_options
from dateline.cli.tables import print_rows
from dateline.config import Section
from dateline.errors import one_line

if TYPE_CHECKING:
    from dateline.manifest import Manifest

ACTIONS = {"build": "questions from held-out articles, validated and audited"}


class Build(Section):
    """Where the articles are, and where the questions go."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder made by dateline corpus or dateline newswire; only its test split is read."""
    out: Path
    """Folder to make."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    _, words = choose_action("dateline benchmark", ACTIONS, words, kind="action", rest="CORPUS --out DIR")
    args, options = read_options(
        "dateline benchmark build", BuildOptions, Build, words, description=BuildOptions.__doc__
    )
    from dateline.benchmark.build import benchmark_stage

    manifest = benchmark_stage(args.corpus, options, args.out).make(args.out, overwrite=args.overwrite)
    show(manifest, args.out)
    if not manifest.facts["fit"]:
        raise SystemExit(UNFIT)


def show(manifest: Manifest, out: Path) -> None:
    """Prints how many questions there are, what was rejected and why, and how the set does in its own audit."""
    counts, facts = manifest.counts, manifest.facts
    print(f"{out}: {counts['kept']:,} questions about {len(facts['countries'])} countries, of {counts['in']:,} drafts")
    for reason, number in manifest.drops.items():
        print(f"  rejected {number:,}: {reason}")
    if manifest.drops:
        print(f"  each of them is in {out / 'rejected.parquet'}")
    if "cost" in facts["generator"]:
        spent = facts["generator"]
        print(
            f"  {spent['requests']:,} requests, {spent['from_cache']:,} answers from the cache, "
            f"{spent['tokens_read']:,} tokens read, {spent['tokens_written']:,} written, cost {spent['cost']:.2f}"
        )
    print_rows(
        [
            {
                "check": check["name"],
                "value": f"{check['value']:.3f}",
                "limit": f"{check['limit']:g}",
                "": "kept" if check["fit"] else "not kept",
            }
            for check in facts["checks"]
        ],
        names=("check", ""),
    )
    print(f"\n{one_line(facts['sentence'])}")
