"""`dateline tune`: supervised fine-tuning on instruction data with true places, and such data from the newswire."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from dateline.cli.options import read_arguments, read_options
from dateline.config import Section
from dateline.tune.recipe import TuneOptions


class Tune(Section):
    """What is tuned, on what, and where the result goes."""

    model: Annotated[Path, tyro.conf.Positional]
    """Model folder."""
    data: Annotated[Path, tyro.conf.Positional]
    """Instruction data."""
    out: Path
    """Folder to make; the Hugging Face folder is model/ in it."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


class Facts(Section):
    """Writes instruction data from the training articles of the embedded newswire, offline and deterministic.

    Questions about its facts, each with its country, as conversations, with the answer behind them, and with lettered
    options; headlines; articles. No question has the words of dateline benchmark build.
    """

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder made by dateline newswire or dateline corpus; only its training split is read."""
    out: Path
    """File *.jsonl to write."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb; `facts` is a word, not a path: a model of that name is given as `./facts`."""
    if words[:1] == ["facts"]:
        write(read_arguments("dateline tune facts", Facts, words[1:]))
        return
    args, options = read_options("dateline tune", TuneOptions, Tune, words, description=TuneOptions.__doc__)
    from dateline.tune.run import tune_stage

    manifest = tune_stage(args.model, args.data, options).make(args.out, overwrite=args.overwrite)
    counts, facts = manifest.counts, manifest.facts
    print(
        f"{args.out}: {counts['kept']:,} examples, {counts['with_place']:,} with a place; {counts['steps']:,} steps, "
        f"loss {facts['loss_first']:.3f} at first, {facts['loss_last']:.3f} at last"
    )


def write(args: Facts) -> None:
    """Writes the instruction set of a corpus."""
    from dateline.tune.instructions import write_instructions

    counts = write_instructions(args.corpus, args.out, overwrite=args.overwrite)
    articles = counts["headline"] + counts["article"]
    print(f"{args.out}: {counts.total() - articles:,} rows about facts and {articles:,} about articles")
