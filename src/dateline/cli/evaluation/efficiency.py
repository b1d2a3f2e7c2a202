"""`dateline eval efficiency`: how much text a run needs to reach another run's loss.

Enters: a finished run with checkpoints, another finished run, an encoded corpus. Leaves: a folder, and a sentence.
Deliberately not done: nothing is trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dateline.cli.evaluation.protocol import at_least, read_protocol

if TYPE_CHECKING:
    from dateline.records import Score


@dataclass(frozen=True)
class Efficiency:
    """Finds the body tokens after which a run predicts as well as another one does in the end.

    RUN needs checkpoints: train it with, say, --train.checkpoint_every 100 --train.keep_checkpoints 100.
    Values of the protocol can be given as --protocol.window 512 (no more than the model reads) or
    --protocol.num_documents 500.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Finished run with checkpoints."""
    versus: Path
    """Finished run whose last loss is to be reached; it is told nothing."""
    corpus: Path
    """Encoded corpus."""
    out: Path
    """Folder to make."""
    condition: str = "gold"
    """What RUN is told: gold, none, country, ..."""
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
    args, rest = tyro.cli(Efficiency, prog="dateline eval efficiency", args=words, return_unknown_args=True)
    at_least(1, batch_tokens=args.batch_tokens)
    protocol = read_protocol("strict", rest, "dateline eval efficiency")
    from dateline.evaluate.perplexity.efficiency import evaluate_efficiency
    from dateline.evaluate.perplexity.leak import WARNING, leaks
    from dateline.evaluate.table import read_scores

    manifest = evaluate_efficiency(
        args.run,
        args.versus,
        args.corpus,
        protocol=protocol,
        out=args.out,
        condition=args.condition,
        batch_tokens=args.batch_tokens,
        device=args.device,
        dtype=args.precision,
        resamples=args.resamples,
        overwrite=args.overwrite,
    )
    scores = read_scores(args.out)
    for score in scores:
        if score.grouping == "body_tokens":
            ends = "one document" if math.isnan(score.ci_low) else f"{score.ci_low:.4f}, {score.ci_high:.4f}"
            print(f"{int(score.group):>15,} body tokens: {score.value:.4f} [{ends}] nats per token")
    print(sentence(next(s for s in scores if s.metric == "share_to_reach"), manifest.facts))
    if leaks(scores[0].fields):
        print(f"LEAK: {scores[0].condition}: {WARNING}")
    print(f"95% intervals over {scores[0].num_documents:,} documents, one run; everything is in {args.out}")


def sentence(share: Score, facts: dict[str, object]) -> str:
    """Says how much text was needed, and how sure that is."""
    total = int(str(facts["versus_body_tokens"]))
    what = f"{share.run} ({share.condition}) against the last loss of {share.versus} after {total:,} body tokens"
    if math.isinf(share.value):
        return f"{what}: reached at none of {facts['points']} points."
    if math.isnan(share.ci_low):
        return f"{what}: reached with {100 * share.value:.1f}% [one document: no interval] of these."
    ends = ["not reached" if math.isinf(end) else f"{100 * end:.1f}%" for end in (share.ci_low, share.ci_high)]
    early = float(str(facts["reached_before_first_point"]))
    bound = f" {100 * early:.0f}% of the resamples were there at the first point: an upper bound." if early > 0 else ""
    return f"{what}: reached with {100 * share.value:.1f}% [{ends[0]}, {ends[1]}] of these.{bound}"
