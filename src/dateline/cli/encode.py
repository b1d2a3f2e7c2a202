"""`dateline encode`: a corpus into tokens, by a trained tokenizer or one from a local folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dateline.config import validate_recipe
from dateline.errors import UserError


@dataclass(frozen=True)
class Encode:
    """Tokenizes every article once; metadata stays beside the tokens as columns."""

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder made by dateline corpus or dateline newswire."""
    out: Path
    """Folder to make."""
    tokenizer: str | None = None
    """Folder with a Hugging Face tokenizer; without it a byte-level BPE is trained on the training split."""
    vocab_size: int | None = None
    """Size of the trained vocabulary (default 32768)."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args = tyro.cli(Encode, prog="dateline encode", args=words)
    if args.tokenizer is not None and args.vocab_size is not None:
        raise UserError("--vocab-size is for training a tokenizer; --tokenizer brings its own vocabulary: drop one")
    from dateline.tokens.encode import EncodeRecipe, encode_corpus

    given = {"tokenizer": args.tokenizer, "vocab_size": args.vocab_size}
    data = {name: value for name, value in given.items() if value is not None}
    recipe = validate_recipe(EncodeRecipe, data, source="command line")
    manifest = encode_corpus(recipe, args.corpus, args.out, overwrite=args.overwrite)
    counts, facts = manifest.counts, manifest.facts
    ratio = "unknown" if facts["bytes_per_token"] is None else facts["bytes_per_token"]
    print(
        f"{args.out}: {counts['tokens']:,} tokens in {counts['kept']:,} documents, "
        f"{ratio} bytes per token, vocabulary {facts['vocab_size']:,}"
    )
