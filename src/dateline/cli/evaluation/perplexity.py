"""`dateline eval perplexity`: a model's scores by condition and place.

Enters: a model folder and an encoded corpus. Leaves: a folder with scores by group and by document, and a table.
Deliberately not done: nothing is compared with another model; that is an experiment's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dateline.cli.evaluation.protocol import read_protocol
from dateline.cli.evaluation.tables import print_rows, split_words
from dateline.config import validate_recipe


@dataclass(frozen=True)
class Perplexity:
    """Scores a model on the test split, on the same body tokens under every condition.

    MODEL is the output of dateline train or any Hugging Face folder of a causal language model, whatever its tokenizer.
    Values of the protocol can be given as --protocol.window 1024 or --protocol.num_documents 500.
    """

    model: Annotated[Path, tyro.conf.Positional]
    """Model folder."""
    corpus: Path
    """Encoded corpus."""
    out: Path
    """Folder to make."""
    conditions: str = "gold,none,wrong"
    """What the model is told, separated by commas: gold, none, wrong, swap:<country>, swap:all, marginal:uniform,
    marginal:corpus, or fields of the true place joined by + (country, url_hash, country+continent)."""
    by: str = "continent,country"
    """Groupings besides all, separated by commas: continent, country, domain."""
    protocol: Literal["strict", "paper"] = "strict"
    """strict: whole documents, the same tokens under every condition; paper: 1,024-token truncation."""
    run: str = ""
    """Name in the tables (default: the model folder's name)."""
    fields: str = ""
    """Fields of the prefix, separated by commas (default: those that the model was trained with)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the forward pass."""
    batch_tokens: int = 8192
    """Padded tokens in a batch."""
    resamples: int = 10_000
    """Bootstrap resamples over documents."""
    device: str = "auto"
    """auto, cpu or cuda."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args, rest = tyro.cli(Perplexity, prog="dateline eval perplexity", args=words, return_unknown_args=True)
    protocol = read_protocol(args.protocol, rest, "dateline eval perplexity")
    from dateline.conditions import Conditioning

    fields = None
    if args.fields:
        fields = validate_recipe(Conditioning, {"fields": split_words(args.fields)}, source="--fields").fields
    from dateline.evaluate.perplexity import evaluate_perplexity
    from dateline.evaluate.perplexity.leak import METRIC, WARNING
    from dateline.evaluate.table import read_scores, summary_rows

    manifest = evaluate_perplexity(
        args.model,
        args.corpus,
        protocol=protocol,
        conditions=split_words(args.conditions),
        by=split_words(args.by),
        run=args.run or args.model.resolve().name,
        out=args.out,
        batch_tokens=args.batch_tokens,
        device=args.device,
        dtype=args.precision,
        resamples=args.resamples,
        overwrite=args.overwrite,
        fields=fields,
    )
    scores = read_scores(args.out)
    print_rows(summary_rows(scores))
    share = next((s for s in scores if s.metric == METRIC and s.grouping == "all"), None)
    if share is not None:
        ends = f"[{100 * share.ci_low:.1f}, {100 * share.ci_high:.1f}]"
        print(f"{100 * share.value:.1f}% {ends} of the words of titles stand in the URL after the host")
    for name in manifest.facts["leaks"]:
        print(f"LEAK: {name}: {WARNING}")
    print(f"perplexity with 95% intervals over documents; everything is in {args.out}")
