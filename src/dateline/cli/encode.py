"""`dateline encode`: a corpus into tokens, with a tokenizer from a local folder or one trained on the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from dateline.cli.options import read_options
from dateline.config import Section
from dateline.errors import UserError
from dateline.tokens.recipe import EncodeRecipe


class Encode(Section):
    """Tokenizes every article once; metadata stays beside the tokens as columns."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder made by dateline corpus or dateline newswire."""
    out: Path
    """Folder to make."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
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
