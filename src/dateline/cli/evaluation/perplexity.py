"""`dateline eval perplexity`: a model's scores by condition and place.

Enters: a model folder and an encoded corpus. Leaves: a folder with scores by group and by document, and a table.
Deliberately not done: comparisons here are over all documents; those by group are an experiment's business.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from dateline.cli.evaluation.protocol import at_least, read_protocol
from dateline.cli.evaluation.tables import print_rows, split_words
from dateline.config import validate_recipe

if TYPE_CHECKING:
    from dateline.records import Score


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
    versus: Path | None = None
    """Scores of another model on the same documents: each condition is compared with that model told nothing."""
    cluster: Literal["document", "outlet"] = "document"
    """What differences are resampled by."""
    resamples: int = 10_000
    """Bootstrap resamples."""
    device: str = "auto"
    """auto, cpu or cuda."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args, rest = tyro.cli(Perplexity, prog="dateline eval perplexity", args=words, return_unknown_args=True)
    at_least(1, batch_tokens=args.batch_tokens)
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
    sizes = {s.group: s.num_documents for s in scores if s.metric == "ppl" and s.grouping in ("all", "continent")}
    print(", ".join(f"{group} {number:,}" for group, number in sizes.items()) + " documents\n")
    parts = [score for score in scores if score.grouping == "part"]
    if parts:
        print("nats per token by part of the document")
        print_rows(summary_rows(parts, metric="nll", grouping="part"))
        print()
    pairs = compare(args.out, args.versus, args.cluster, args.resamples)
    if pairs:
        print("paired differences in nats per token, p after Holm's correction, and what could have been detected")
        print_rows([difference_row(score) for score in pairs])
        print()
    share = next((s for s in scores if s.metric == METRIC and s.grouping == "all"), None)
    if share is not None and share.num_documents > 1:
        ends = f"[{100 * share.ci_low:.1f}, {100 * share.ci_high:.1f}]"
        print(f"{100 * share.value:.1f}% {ends} of the words of titles stand in the URL after the host")
    if lossy := manifest.facts["lossy_documents"]:
        print(
            f"dateline: warning: no bits per byte: the tokenizer does not give back the text of {lossy:,} of "
            f"{manifest.counts['kept']:,} documents, so not all of their bytes were scored",
            file=sys.stderr,
        )
    for name in manifest.facts["leaks"]:
        print(f"LEAK: {name}: {WARNING}")
    for name, strange in manifest.facts["unseen_fields"].items():
        print(f"note: {name}: the model was not trained with {', '.join(strange)}")
    for name in manifest.facts["swaps_without_outlet"]:
        print(f"note: {name}: no document is from there, so only country and continent are told, and no outlet")
    print(f"perplexity with 95% intervals over {manifest.counts['kept']:,} documents; everything is in {args.out}")


def compare(out: Path, versus: Path | None, cluster: Literal["document", "outlet"], resamples: int) -> list[Score]:
    """Returns paired differences over all documents: of conditions from `none`, and of all from another model's `none`.

    Swaps are left out: an experiment compares them with one another.
    """
    from dateline.evaluate.comparisons import correct, differences
    from dateline.evaluate.table import read_documents

    documents = read_documents(out)
    scored = dict.fromkeys(str(name) for name in documents.column("condition").to_pylist())
    names = [name for name in scored if not name.startswith("swap:")]
    told = [name for name in names if name != "none"]
    pairs = [(documents, name) for name in told if "none" in names]
    if versus is not None:
        other = read_documents(versus)
        pairs += [(other, name) for name in names]
    settings: dict[str, Any] = {"condition_versus": "none", "cluster": cluster, "resamples": resamples}
    return correct([s for table, name in pairs for s in differences(documents, table, condition=name, **settings)])


def difference_row(score: Score) -> dict[str, str]:
    """Returns a comparison as a row for people."""
    unknown = math.isnan(score.ci_low)
    ends = "no interval" if unknown else f"{score.ci_low:+.4f}, {score.ci_high:+.4f}"
    return {
        "condition": score.condition,
        "versus": score.versus,
        "difference": f"{score.value:+.4f} [{ends}]",
        "p": "" if unknown or score.p_holm is None else f"{score.p_holm:.2g}",
        "detectable": "" if unknown or score.mde is None else f"{score.mde:.4f}",
    }
