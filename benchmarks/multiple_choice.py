"""Multiple-choice scoring: a context read once for all options, against every option scored behind its context.

Random contexts and options of typical lengths, random weights; both sides take turns, and the largest difference of
their numbers is printed. The second side is what lm-evaluation-harness does where options have several tokens.

    python benchmarks/multiple_choice.py [--size micro] [--questions 256] [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from types import SimpleNamespace

import numpy as np
import torch

from dateline.evaluate.mcq.ask import continuation_nats
from dateline.model.load import build_model, llama_config
from dateline.model.scoring import Segment, score_segments
from dateline.model.sizes import SIZES, ModelRecipe

VOCAB = 8192
BATCH_TOKENS = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="micro", choices=tuple(SIZES))
    parser.add_argument("--questions", type=int, default=256)
    parser.add_argument("--options", type=int, default=4)
    parser.add_argument("--context", type=int, default=60, help="mean tokens of a context")
    parser.add_argument("--answer", type=int, default=5, help="most tokens of an option")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    model = build_model(llama_config(ModelRecipe(size=args.size), VOCAB, bos=0, eos=1, pad=2), seed=0).eval()
    model.set_attn_implementation("sdpa")
    draw = np.random.default_rng(0)
    spread = args.context // 3
    contexts = [
        draw.integers(3, VOCAB, args.context + draw.integers(-spread, spread + 1)).astype(np.int32)
        for _ in range(args.questions)
    ]
    choices = [
        [draw.integers(3, VOCAB, draw.integers(2, args.answer + 1)).astype(np.int32) for _ in range(args.options)]
        for _ in contexts
    ]

    def once() -> np.ndarray:
        subject = SimpleNamespace(model=model)
        return np.concatenate(
            continuation_nats(subject, contexts, choices, batch_tokens=BATCH_TOKENS, precision="float32")  # type: ignore[arg-type]
        )

    def anew() -> np.ndarray:
        segments = [
            Segment(np.concatenate([context, tokens]).astype(np.int64), len(tokens))
            for context, several in zip(contexts, choices, strict=True)
            for tokens in several
        ]
        return score_segments(model, segments, batch_tokens=BATCH_TOKENS)

    once(), anew()
    ratios = []
    for _ in range(args.repeats):
        started = time.perf_counter()
        first = once()
        middle = time.perf_counter()
        second = anew()
        ratios.append((time.perf_counter() - middle) / (middle - started))
    print(
        f"{args.size}, {args.questions} questions of {args.options} options, contexts of {args.context} tokens, "
        f"{torch.get_num_threads()} threads: {statistics.median(ratios):.2f} times as fast "
        f"[{min(ratios):.2f}, {max(ratios):.2f}]; largest difference {np.abs(first - second).max():.1e} nats"
    )


if __name__ == "__main__":
    main()
