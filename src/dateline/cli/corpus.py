"""`dateline corpus` builds a corpus folder, `inspect` shows one, `diff` compares two.

`dateline newswire` writes one from a grammar, `dateline encode` tokenizes one.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic
import tyro

from dateline.cli.options import read_arguments, read_options, read_words
from dateline.cli.tables import print_parts, print_rows
from dateline.conditions import DEFAULT_FIELDS, FIELDS, Field
from dateline.config import Section, apply_overrides, load_recipe, validate_recipe
from dateline.errors import UserError
from dateline.jobs import slurm_options
from dateline.tokens.recipe import EncodeRecipe

if TYPE_CHECKING:
    from dateline.corpus import CorpusRecipe
    from dateline.manifest import Manifest
    from dateline.records import Article


CHANGES = ("came", "went", "changed")
HUB = ("hf://", "hf-dataset://")


class Corpus(Section):
    """Builds a placed, cleaned, de-duplicated, split corpus with an audit.

    Takes a recipe (.yaml), or files, globs and folders: JSON Lines, CSV, Parquet, Arrow, WARC, HTML, feeds, NOW. Any
    value of the recipe can be given as --key VALUE, for example --language null or --columns.text body_text. A build
    that was stopped is continued by the same command. dateline corpus inspect DIR shows what is in one, dateline corpus
    diff OLD NEW what came and went.
    """

    source: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """One recipe, or paths."""
    out: Path
    """Folder to make."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""
    executor: Literal["local", "slurm", "ray"] = "local"
    """Who runs the tasks: this machine, or a cluster that shares its file system."""
    workers: Annotated[int, pydantic.Field(ge=0)] = 0
    """Tasks that run at once; 0 is one a core here, and all of them on a cluster."""
    slurm: str = ""
    """For Slurm, arguments of datatrove's executor: partition=cpu,time=04:00:00,mem_per_cpu_gb=4"""


def run(words: list[str]) -> None:
    """Runs the verb; a folder called `inspect` or `diff` is given as `./inspect`."""
    actions = {"inspect": inspect, "diff": diff}
    if words and words[0] in actions:
        actions[words[0]](words[1:])
        return
    if words and "--out" not in words and not Path(words[0]).exists():
        for meant in get_close_matches(words[0], actions, n=1):
            raise UserError(f"'{words[0]}' is neither a path nor an action; did you mean '{meant}'?")
    args, overrides = read_words("dateline corpus", Corpus, words)
    if args.slurm and args.executor != "slurm":
        raise UserError("--slurm: is for --executor slurm")
    recipe = read_recipe(args.source, overrides)
    if not any(path.startswith(HUB) for path in recipe.paths):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from dateline.corpus import build_corpus, submit_corpus

    if args.executor == "slurm":
        options = slurm_options(args.slurm)
        jobs = submit_corpus(recipe, args.out, overwrite=args.overwrite, workers=args.workers or -1, slurm=options)
        print(f"{args.out}: submitted as jobs {', '.join(jobs)}; the last one makes the folder")
        return
    workers = args.workers or len(os.sched_getaffinity(0))
    manifest = build_corpus(recipe, args.out, overwrite=args.overwrite, executor=args.executor, workers=workers)
    from dateline.report.corpus import write_corpus_page

    page = write_corpus_page(args.out)
    describe(manifest, args.out)
    print(f"  see {page}")


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
    data: dict[str, Any] = {"paths": list(source)}
    options = apply_overrides(data, overrides)
    return validate_recipe(CorpusRecipe, data, source="command line", options=options)


def describe(manifest: Manifest, out: Path) -> None:
    """Prints what went in, what was kept, and why the rest was not."""
    counts = manifest.counts
    print(f"{out}: {counts['kept']:,} of {counts['in']:,} documents kept")
    print("  " + ", ".join(f"{name} {counts[name]:,}" for name in ("train", "validation", "test")))
    for reason, number in sorted(manifest.drops.items(), key=lambda item: -item[1]):
        print(f"  dropped {number:,}: {reason}")
    if manifest.drops:
        print(f"  each of them is in {out / 'dropped'}")
    for problem in manifest.facts.get("problems", []):
        print(f"  problem: {problem}")


class Inspect(Section):
    """Prints what a corpus covers, or some of its articles as a model sees them: prefix and body."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder that dateline corpus has built."""
    sample: Annotated[int, pydantic.Field(ge=0)] = 0
    """Print this many articles instead of the audit."""
    country: str = ""
    """Of this country only: a code or a name."""
    split: Literal["train", "validation", "test"] | None = None
    """Articles of this split only."""
    fields: tuple[Field, ...] = DEFAULT_FIELDS
    """Metadata in front of the body."""
    seed: int = 0
    """Draws the sample; the same seed gives the same articles."""
    html: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write corpus.html again."""


def inspect(words: list[str]) -> None:
    """Runs the action `inspect`."""
    args = read_arguments("dateline corpus inspect", Inspect, words)
    from dateline.manifest import require_manifest

    require_manifest(args.corpus, "corpus", f"dateline corpus RECIPE --out {args.corpus}")
    if args.sample:
        for shown in samples(args):
            print(shown)
        return
    if args.country or args.split:
        raise UserError("--country and --split choose articles; add --sample N")
    from dateline.report.audit import read_audit
    from dateline.report.corpus import describe as describe_audit
    from dateline.report.corpus import write_corpus_page

    if args.html:
        print(f"wrote {write_corpus_page(args.corpus)}")
        return
    print_parts(describe_audit(read_audit(args.corpus), args.corpus.name), log_width=100)


def samples(args: Inspect) -> Iterator[str]:
    """Yields articles as text: where they come from, then what a model reads, with the prefix marked.

    Raises:
        UserError: where the country is unknown, or no article fits.
    """
    from dateline.conditions import Metadata, render
    from dateline.corpus import read_articles
    from dateline.places import country
    from dateline.records import body_text

    fields = [name for name in FIELDS if name in args.fields]
    code = ""
    if args.country:
        known = country(args.country)
        if known is None:
            raise UserError(f"--country '{args.country}': is no country; write an ISO code such as ng, or a name")
        code = known.alpha2
    chosen = draw(
        (article for article in read_articles(args.corpus, split=args.split) if code in ("", article.country)),
        args.sample,
        args.seed,
    )
    if not chosen:
        raise UserError(
            f"{args.corpus}: holds no article of {args.country or 'any country'} {args.split or ''}".rstrip()
        )
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
    from dateline.records import stable_hash

    drawn = heapq.nsmallest(
        number,
        ((stable_hash("inspect", str(seed), article.id), place, article) for place, article in enumerate(articles)),
    )
    return [article for _, _, article in sorted(drawn, key=lambda item: item[1])]


class Diff(Section):
    """Compares two versions of a corpus: what came, what went, what changed, by country and outlet.

    Documents are known by address, headline and text; one whose address has another headline or text is changed.
    """

    before: Annotated[Path, tyro.conf.Positional]
    """Folder of the earlier corpus."""
    after: Annotated[Path, tyro.conf.Positional]
    """Folder of the later one."""
    outlets: Annotated[int, pydantic.Field(ge=0)] = 20
    """Print this many outlets, those with most changes first; --json gives all."""
    as_json: tyro.conf.FlagCreatePairsOff[bool] = pydantic.Field(default=False, alias="json")
    """Print everything as one JSON object."""


def diff(words: list[str]) -> None:
    """Runs the action `diff`."""
    args = read_arguments("dateline corpus diff", Diff, words)
    from dateline.corpus import diff_corpora

    found = diff_corpora(args.before, args.after)
    if args.as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    counts = found["documents"]
    print(f"{args.before}: {counts['before']:,} documents; {args.after}: {counts['after']:,}")
    print(f"  {counts['same']:,} same, {counts['came']:,} came, {counts['went']:,} went, {counts['changed']:,} changed")
    for name, moves in found["moved"].items():
        if moves:
            print(f"  another {name}: " + ", ".join(f"{move} {number:,}" for move, number in list(moves.items())[:10]))
    print(f"  {found['why'] or 'the same recipe and inputs'}")
    for heading, parts, most in (
        ("country", found["countries"], len(found["countries"])),
        ("outlet", found["outlets"], args.outlets),
    ):
        touched = sorted(
            (name for name, cells in parts.items() if any(cells[change] for change in CHANGES)),
            key=lambda name: (-sum(parts[name][change] for change in CHANGES), name),
        )
        if touched[:most]:
            print()
            rows = [
                {heading: name or "(none)", **{column: f"{number:,}" for column, number in parts[name].items()}}
                for name in touched[:most]
            ]
            print_rows(rows, names=(heading,))
        if len(touched) > most:
            print(f"{len(touched) - most:,} more {heading}s; --outlets N prints more, --json all")


class Newswire(Section):
    """Writes an English newswire for 18 countries from a grammar and a table of facts.

    Because the grammar is known, so is the exact probability of every article with and without its place.
    """

    out: Path
    """Folder to make."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def newswire(words: list[str]) -> None:
    """Runs the verb `newswire`."""
    from dateline.corpus import CorpusRecipe, NewswireSource

    args, source = read_options("dateline newswire", NewswireSource, Newswire, words)
    from dateline.corpus import corpus_stage

    describe(corpus_stage(CorpusRecipe(newswire=source)).make(args.out, overwrite=args.overwrite), args.out)


class Encode(Section):
    """Tokenizes every article once; metadata stays beside the tokens as columns."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder made by dateline corpus or dateline newswire."""
    out: Path
    """Folder to make."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def encode(words: list[str]) -> None:
    """Runs the verb `encode`."""
    args, recipe = read_options("dateline encode", EncodeRecipe, Encode, words)
    if recipe.tokenizer is not None and "vocab_size" in recipe.model_fields_set:
        raise UserError("--vocab-size is for training a tokenizer; --tokenizer brings its own vocabulary: drop one")
    from dateline.tokens.encode import encode_stage

    manifest = encode_stage(recipe, args.corpus).make(args.out, overwrite=args.overwrite)
    counts, facts = manifest.counts, manifest.facts
    ratio = "unknown" if facts["bytes_per_token"] is None else facts["bytes_per_token"]
    print(
        f"{args.out}: {counts['tokens']:,} tokens in {counts['kept']:,} documents, "
        f"{ratio} bytes per token, vocabulary {facts['vocab_size']:,}"
    )
