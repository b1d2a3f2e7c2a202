"""`dateline corpus`: files into a corpus folder.

Enters: a recipe or paths. Leaves: a corpus folder with its page, and a few lines on what is in it.
Deliberately not done: nothing is read from the network unless a path names a remote scheme.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dateline.config import load_recipe, parse_overrides, validate_recipe
from dateline.errors import UserError

if TYPE_CHECKING:
    from dateline.corpus import CorpusRecipe
    from dateline.manifest import Manifest

HUB = ("hf://", "hf-dataset://")


@dataclass(frozen=True)
class Corpus:
    """Builds a placed, cleaned, de-duplicated, split corpus with an audit.

    Takes a recipe (.yaml), or files, globs and folders: JSON Lines, CSV, Parquet, Arrow, WARC, HTML, feeds, NOW. Any
    value of the recipe can be given as --key VALUE, for example --language null or --columns.text body_text. A build
    that was stopped is continued by the same command. dateline corpus inspect DIR shows what is in one.
    """

    source: Annotated[tuple[str, ...], tyro.conf.Positional]
    """One recipe, or paths."""
    out: Path
    """Folder to make."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""
    executor: Literal["local", "slurm", "ray"] = "local"
    """Who runs the tasks: this machine, or a cluster that shares its file system."""
    workers: int = 0
    """Tasks that run at once; 0 is one a core here, and all of them on a cluster."""
    slurm: str = ""
    """For Slurm, arguments of datatrove's executor: partition=cpu,time=04:00:00,mem_per_cpu_gb=4"""


def run(words: list[str]) -> None:
    """Runs the verb."""
    if words and "--out" not in words and get_close_matches(words[0], ["inspect"]) and not Path(words[0]).exists():
        raise UserError(f"'{words[0]}' is neither a path nor an action; did you mean 'inspect'?")
    args, overrides = tyro.cli(Corpus, prog="dateline corpus", args=words, return_unknown_args=True)
    if args.workers < 0:
        raise UserError(f"--workers {args.workers}: give a number of processes, or 0 for one a core")
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


def slurm_options(written: str) -> dict[str, object]:
    """Returns `partition=cpu,time=04:00:00` as arguments; whole numbers are numbers.

    Raises:
        UserError: where an item is no `key=value`, or partition or time is missing.
    """
    options: dict[str, object] = {}
    for item in filter(None, written.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise UserError(f"--slurm: '{item}' is no key=value; write partition=NAME,time=HH:MM:SS")
        options[key.strip()] = int(value) if value.isdecimal() else value
    missing = [key for key in ("partition", "time") if key not in options]
    if missing:
        raise UserError(f"--slurm: {' and '.join(missing)} missing; write partition=NAME,time=HH:MM:SS")
    return options


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
        print(f"  each of them is in {out / 'dropped'}")
    for problem in manifest.facts.get("problems", []):
        print(f"  problem: {problem}")
