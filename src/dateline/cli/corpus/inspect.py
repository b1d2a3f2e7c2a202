"""`dateline corpus inspect`: what is in a corpus folder, in the terminal.

Enters: a corpus folder. Leaves: its audit as text, or some articles as a model would see them.
Deliberately not done: nothing is computed again: the numbers are those of the build.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import tyro

from dateline.errors import UserError

if TYPE_CHECKING:
    from dateline.records import Article


@dataclass(frozen=True)
class Inspect:
    """Prints what a corpus covers, or some of its articles as a model sees them: prefix and body."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder that dateline corpus has built."""
    sample: int = 0
    """Print this many articles instead of the audit."""
    country: str = ""
    """Of this country only: a code or a name."""
    split: str = ""
    """Of this split only: train, validation or test."""
    fields: tuple[str, ...] = ("domain", "country", "continent")
    """Metadata in front of the body."""
    seed: int = 0
    """Draws the sample; the same seed gives the same articles."""
    html: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write corpus.html again."""


def run(words: list[str]) -> None:
    """Runs the action."""
    args = tyro.cli(Inspect, prog="dateline corpus inspect", args=words)
    from dateline.manifest import require_manifest

    require_manifest(args.corpus, "corpus", f"dateline corpus RECIPE --out {args.corpus}")
    if args.sample < 0:
        raise UserError(f"--sample {args.sample}: give a number of articles")
    if args.sample:
        for shown in samples(args):
            print(shown)
        return
    if args.country or args.split:
        raise UserError("--country and --split choose articles; add --sample N")
    from rich.console import Console

    from dateline.report.corpus import describe, read_audit, write_corpus_page

    if args.html:
        print(f"wrote {write_corpus_page(args.corpus)}")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=100)
    for part in describe(read_audit(args.corpus), args.corpus.name):
        console.print(part)


def samples(args: Inspect) -> Iterator[str]:
    """Yields articles as text: where they come from, then what a model reads, with the prefix marked.

    Raises:
        UserError: where country, split or field is unknown, or no article fits.
    """
    from dateline.conditions import Field, Metadata, render
    from dateline.corpus import read_articles
    from dateline.places import country
    from dateline.records import body_text

    known_fields: tuple[Field, ...] = get_args(Field)
    if unknown := [name for name in args.fields if name not in known_fields]:
        raise UserError(f"--fields {' '.join(unknown)}: no such field; known are {', '.join(known_fields)}")
    fields = [name for name in known_fields if name in args.fields]
    code = ""
    if args.country:
        known = country(args.country)
        if known is None:
            raise UserError(f"--country '{args.country}': is no country; write an ISO code such as ng, or a name")
        code = known.alpha2
    chosen = draw(
        (article for article in read_articles(args.corpus, split=args.split or None) if code in ("", article.country)),
        args.sample,
        args.seed,
    )
    if not chosen:
        raise UserError(f"{args.corpus}: holds no article of {args.country or 'any country'} {args.split}".rstrip())
    for article in chosen:
        place = Metadata(article.url, article.domain, article.country, article.continent, article.date)
        prefix = render(place, fields)
        yield "\n".join(
            (
                f"--- {article.id}  {article.split}  {article.source}",
                *(f"also at {url}" for url in article.also_at),
                *(f"| {line}" for line in prefix.rstrip("\n").split("\n") if prefix),
                "",
                body_text(article.title, article.text),
                "",
            )
        )


def draw(articles: Iterator[Article], number: int, seed: int) -> list[Article]:
    """Returns the articles with the smallest hashes of seed and id, in the order of the corpus."""
    import heapq

    from dateline.records import stable_hash

    drawn = heapq.nsmallest(
        number,
        ((stable_hash("inspect", str(seed), article.id), place, article) for place, article in enumerate(articles)),
    )
    return [article for _, _, article in sorted(drawn, key=lambda item: item[1])]
