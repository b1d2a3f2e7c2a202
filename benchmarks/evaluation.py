"""Evaluation speed against a loop that scores one document at a time, with the same numbers; on a GPU if there is one.

Prints documents per second, ratios, and how far the numbers are apart in nats per token: over all documents, and for
the worst one. Corpus and model are made in a temporary folder, from the newswire or from a file of news, or `--model`
and `--corpus` name a trained one and its encoded corpus. Neither side's timing includes statistics.

    python benchmarks/evaluation.py [--articles news.parquet] [--size micro] [--documents 1000] [--repeats 3]
    python benchmarks/evaluation.py --model runs/conditioned --corpus runs/encoded --documents 1000

The loop is what the simplest correct script does: `model(ids).logits`, then cross-entropy, one by one. Ours is
`score_bodies` in batches of `--batch-tokens`, in each of `--precisions`; both take turns. The loop computes in float32
unless `--loop-precision` says otherwise.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from dateline.conditions import Conditioner, parse_condition
from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
from dateline.evaluate.documents import encode_prefixes, take_documents
from dateline.evaluate.losses import score_bodies
from dateline.evaluate.protocol import Protocol, Tokens
from dateline.model.load import Precision, Subject, build_model, llama_config, load_subject
from dateline.model.sizes import SIZES, ModelRecipe
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", help="real news: a Parquet, JSON Lines or CSV file")
    parser.add_argument("--model", type=Path, help="a trained model instead of random weights")
    parser.add_argument("--corpus", type=Path, help="its encoded corpus")
    parser.add_argument("--size", default="micro", choices=tuple(SIZES))
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"], choices=("float32", "bfloat16"))
    parser.add_argument("--loop-precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(words)
    if (args.model is None) != (args.corpus is None):
        parser.error("--model and --corpus belong together")
    with tempfile.TemporaryDirectory() as name:
        folder, encoded = (args.model, args.corpus) if args.model else make(Path(name), args)
        subject = load_subject(folder)
        protocol = Protocol(num_documents=args.documents, window=min(args.window, subject.positions or args.window))
        documents = take_documents(EncodedCorpus.open(encoded), protocol, subject)
        conditioner = Conditioner(
            parse_condition("gold", subject.fields),
            seed=0,
            pool=documents.metadata,
            prefix_format=subject.prefix_format,
        )
        heads = encode_prefixes(subject, conditioner, documents)
        naive = AutoModelForCausalLM.from_pretrained(subject.folder, dtype=torch.float32).eval()
        naive.to(subject.model.device)
        loops: dict[str, Callable[[], np.ndarray]] = {
            "one at a time": partial(
                one_at_a_time, naive, subject, protocol, heads, documents.bodies, args.loop_precision
            )
        }
        for precision in args.precisions:
            loops[precision] = partial(
                in_batches, subject, protocol, heads, documents.bodies, args.batch_tokens, precision
            )
        seconds: dict[str, list[float]] = {name: [] for name in loops}
        found: dict[str, np.ndarray] = {}
        for repeat in range(args.repeats):
            names = list(loops)
            for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
                started = time.perf_counter()
                found[name] = loops[name]()
                seconds[name].append(time.perf_counter() - started)
    tokens = np.array([len(body) for body in documents.bodies])
    number = len(documents.ids)
    segments = [
        segment
        for head, body in zip(heads, documents.bodies, strict=True)
        for segment in protocol.segments(subject.bos, head, body)
    ]
    mean = sum(len(segment.input_ids) for segment in segments) / number
    print(f"{number} documents of {mean:.0f} tokens with prefixes, {len(segments)} segments, {args.repeats} rounds\n")
    print("| Loop | documents/s | Faster by | Difference over all | Of the worst document |\n|---|--:|--:|--:|--:|")
    for name, taken in seconds.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds["one at a time"], taken, strict=True)]
        change = found[name] - found["one at a time"]
        print(
            f"| {name} | {number / statistics.median(taken):.1f} | {statistics.median(ratios):.2f} "
            f"[{min(ratios):.2f}, {max(ratios):.2f}] | {change.sum() / tokens.sum():+.1e} | "
            f"{np.abs(change / tokens).max():.1e} |"
        )


def make(root: Path, args: argparse.Namespace) -> tuple[Path, Path]:
    """Makes a corpus and a model with random weights; returns the folders of model and encoded corpus."""
    recipe = CorpusRecipe(newswire=NewswireSource(articles=args.documents * 25))
    if args.articles:
        recipe = CorpusRecipe(paths=(args.articles,), require_place=True)
    build_corpus(recipe, root / "corpus")
    encode_stage(EncodeRecipe(vocab_size=args.vocab_size), root / "corpus").make(root / "encoded")
    tokenizer = load_tokenizer(root / "encoded" / "tokenizer")
    config = llama_config(ModelRecipe(size=args.size), len(tokenizer), bos=0, eos=1, pad=2)
    build_model(config, seed=0).save_pretrained(root / "model")
    tokenizer.save_pretrained(root / "model")
    return root / "model", root / "encoded"


def in_batches(
    subject: Subject,
    protocol: Protocol,
    heads: Sequence[Tokens],
    bodies: Sequence[Tokens],
    batch_tokens: int,
    precision: Precision,
) -> np.ndarray:
    """Returns the nats of each document as the evaluation computes them."""
    losses = score_bodies(subject, protocol, heads, bodies, batch_tokens=batch_tokens, precision=precision)
    return np.array([part.sum(dtype=np.float64) for part in losses])


@torch.no_grad()
def one_at_a_time(
    model: torch.nn.Module,
    subject: Subject,
    protocol: Protocol,
    heads: Sequence[Tokens],
    bodies: Sequence[Tokens],
    precision: Precision,
) -> np.ndarray:
    """Returns the nats of each document as the simplest correct script would compute them."""
    result = []
    for head, body in zip(heads, bodies, strict=True):
        nats = 0.0
        for segment in protocol.segments(subject.bos, head, body):
            ids = torch.from_numpy(segment.input_ids)[None].to(subject.model.device)
            with torch.autocast(ids.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                logits = model(input_ids=ids).logits.float()
            losses = torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="none")
            nats += float(losses[-segment.num_scored :].sum())
        result.append(nats)
    return np.array(result)


if __name__ == "__main__":
    main()
