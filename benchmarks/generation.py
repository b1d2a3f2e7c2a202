"""Generation speed: tokens per second of greedy continuations, one prompt at a time and in batches.

Prompts are the first 24 tokens of test documents, so that they can be read together. On a GPU where there is one.

    python benchmarks/generation.py --model runs/conditioned --corpus runs/encoded [--prompts 64] [--tokens 64]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from dateline.generate.decode import decode
from dateline.model.load import load_subject
from dateline.tokens.store import EncodedCorpus

PROMPT_TOKENS = 24


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="its encoded corpus")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64, help="of a continuation, at most")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64], help="prompts read together")
    parser.add_argument("--precisions", nargs="+", default=["bfloat16", "float32"], choices=("float32", "bfloat16"))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(words)
    corpus = EncodedCorpus.open(args.corpus)
    long = [index for index in corpus.select("test") if corpus.lengths[index] >= PROMPT_TOKENS]
    print("| Prompts together | Precision | Prompts | tokens/s |\n|--:|---|--:|--:|", flush=True)
    for precision in args.precisions:
        subject = load_subject(args.model, precision=precision)
        prompts = [
            np.array([subject.bos, *corpus.tokens(index)[:PROMPT_TOKENS]], dtype=np.int32)
            for index in long[: args.prompts]
        ]
        for batch in args.batches:
            some = prompts[: max(4, batch)]  # one at a time, a few say enough
            room = batch * (1 + PROMPT_TOKENS + args.tokens)
            speeds = []
            for repeat in range(args.repeats + 1):
                started = time.perf_counter()
                texts = decode(subject, some, num_tokens=args.tokens, batch_tokens=room, precision=precision)
                if subject.model.device.type == "cuda":
                    torch.cuda.synchronize()
                seconds = time.perf_counter() - started
                if repeat:  # the first one loads kernels
                    speeds.append(sum(map(len, subject.encode(texts))) / seconds)
            print(
                f"| {batch} | {precision} | {len(some)} | {statistics.median(speeds):,.0f} "
                f"[{min(speeds):,.0f}, {max(speeds):,.0f}] |",
                flush=True,
            )


if __name__ == "__main__":
    main()
