"""`dateline benchmark`: `build` makes questions from held-out articles, `review` lets people judge them, `apply` obeys.

The exit code of `build` and `apply` is 3 where the finished set fails its own audit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pydantic
import tyro

from dateline.benchmark.recipe import BuildOptions
from dateline.cli.audit import UNFIT
from dateline.cli.options import choose_action, read_arguments, read_options
from dateline.cli.tables import print_rows
from dateline.config import Section
from dateline.errors import UserError, one_line

if TYPE_CHECKING:
    from dateline.manifest import Manifest

ACTIONS = {
    "build": "questions from held-out articles, validated and audited: build CORPUS --out DIR",
    "review": "a page for people to accept, reject and edit questions: review DIR --reviewer NAME",
    "apply": "a new set without what reviewers rejected, and with their edits: apply DIR --out DIR",
}


class Build(Section):
    """Where the articles are, and where the questions go."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder made by dateline corpus or dateline newswire; only its test split is read."""
    out: Path
    """Folder to make."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


class Review(Section):
    """Serves a page on this machine for reviewing the questions of a benchmark with the keyboard, until Ctrl-C.

    Every decision is appended to a JSON Lines file of the reviewer at once, and the same command goes on where the
    last one ended. Two reviewers have a file each; how far they agree is printed in the end.
    """

    benchmark: Annotated[Path, tyro.conf.Positional]
    """Folder made by dateline benchmark build."""
    reviewer: Annotated[str, pydantic.Field(min_length=1, max_length=60, pattern=r"^[\w.-]+$")]
    """Your name: letters, digits, dots, hyphens and underscores."""
    reviews: Path | None = None
    """Folder of decisions, one file a reviewer; by default the benchmark's name with .reviews behind it."""
    port: Annotated[int, pydantic.Field(ge=0, le=65_535)] = 0
    """Of the loopback; 0 for a free one."""


class Apply(Section):
    """Makes a new benchmark without the questions that a reviewer rejects, and with the edits; it is audited again.

    Rejected questions go to rejected.parquet with reviewer and reason. Undecided ones stay.
    """

    benchmark: Annotated[Path, tyro.conf.Positional]
    """Folder made by dateline benchmark build."""
    out: Path
    """Folder to make."""
    reviews: Path | None = None
    """Folder of decisions; by default the benchmark's name with .reviews behind it."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    action, words = choose_action("dateline benchmark", ACTIONS, words, kind="action", rest="FOLDER")
    {"build": build, "review": review, "apply": apply}[action](words)


def build(words: list[str]) -> None:
    """Runs the action `build`."""
    args, options = read_options(
        "dateline benchmark build", BuildOptions, Build, words, description=BuildOptions.__doc__
    )
    from dateline.benchmark.build import benchmark_stage

    manifest = benchmark_stage(args.corpus, options, args.out).make(args.out, overwrite=args.overwrite)
    show(manifest, args.out)


def review(words: list[str]) -> None:
    """Runs the action `review`."""
    args = read_arguments("dateline benchmark review", Review, words)
    from dateline.benchmark.review import ReviewLog, read_benchmark
    from dateline.benchmark.review_page import ReviewServer

    _, rows = read_benchmark(args.benchmark)
    folder = reviews_of(args.benchmark, args.reviews)
    log = ReviewLog(folder / f"{args.reviewer}.jsonl", args.reviewer)
    try:
        server = ReviewServer(rows, log, port=args.port, name=args.benchmark.resolve().name)
    except OSError as error:
        raise UserError(f"--port {args.port}: cannot be used ({error.strerror}); choose another one, or 0") from None
    print(f"{len(rows):,} questions, {len(log.decisions):,} decided; open this address, and end with Ctrl-C:")
    print(server.url, flush=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        print()
    finally:
        server.close()
    counts = Counter(one.verdict for one in log.decisions.values())
    listed = ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items())) or "nothing decided"
    print(f"{log.path}: {listed} ({counts.total():,} of {len(rows):,})")
    show_agreement(sorted(folder.glob("*.jsonl")))


def apply(words: list[str]) -> None:
    """Runs the action `apply`."""
    args = read_arguments("dateline benchmark apply", Apply, words)
    from dateline.benchmark.review import reviewed_stage

    folder = reviews_of(args.benchmark, args.reviews)
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise UserError(f"{folder}: holds no file of decisions (NAME.jsonl); make one with: dateline benchmark review")
    manifest = reviewed_stage(args.benchmark, files, args.out).make(args.out, overwrite=args.overwrite)
    show_agreement(files)
    show(manifest, args.out)


def reviews_of(benchmark: Path, reviews: Path | None) -> Path:
    """Returns the folder of decisions about a benchmark."""
    whole = benchmark.resolve()
    return reviews or whole.with_name(f"{whole.name}.reviews")


def show_agreement(reviews: Sequence[Path]) -> None:
    """Prints Cohen's kappa of any two reviewers."""
    from dateline.benchmark.review import agreements

    for found in agreements(reviews):
        value, low, high, _ = found.kappa
        ends = "no interval" if math.isnan(low) else f"{low:.2f}, {high:.2f}"
        shown = "undefined, all decisions being alike" if math.isnan(value) else f"{value:.2f} [{ends}]"
        print(
            f"{found.first} and {found.second}: agree on {found.agreed:,} of {found.questions:,} questions, "
            f"Cohen's kappa {shown}"
        )


def show(manifest: Manifest, out: Path) -> None:
    """Prints how many questions there are, what was rejected and why, and how the set does in its own audit.

    Raises:
        SystemExit: with code 3 where the set fails it.
    """
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
                "": check["verdict"],
            }
            for check in facts["checks"]
        ],
        names=("check", ""),
    )
    print(f"\n{one_line(facts['sentence'])}")
    if not facts["fit"]:
        raise SystemExit(UNFIT)
