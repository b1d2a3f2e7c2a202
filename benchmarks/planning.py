"""Time and fill of planning rows for a million documents with lengths like news.

Enters: nothing; lengths are drawn. Leaves: seconds and fill.
Deliberately not done: no tokens exist; a plan needs lengths only.

    python benchmarks/planning.py [--documents 1000000] [--repeats 3]

Body lengths are log-normal with a median of 500 tokens and a mean of about 700, cut at 30,000; prefixes take 12 to 30.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from dateline.tokens.pack import pack, split_into_chunks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--sequence-length", type=int, default=2048)
    parser.add_argument("--window-rows", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    bodies = np.clip(rng.lognormal(np.log(500), 0.82, args.documents), 20, 30_000).astype(np.int64)
    prefixes = rng.integers(12, 31, args.documents)
    ends = np.cumsum(bodies)
    bounds = np.searchsorted(ends, np.arange(0, ends[-1], args.window_rows * args.sequence_length))
    seconds, fills = [], []
    for _ in range(args.repeats):
        started = time.perf_counter()
        rows = tokens = 0
        for first, last in zip(bounds, [*bounds[1:], args.documents], strict=True):
            chunks = split_into_chunks(bodies[first:last], prefixes[first:last], args.sequence_length)
            rows += pack(chunks, args.sequence_length, rng.random(len(chunks.size))).num_rows
            tokens += int(chunks.size.sum())
        seconds.append(time.perf_counter() - started)
        fills.append(tokens / (rows * args.sequence_length))
    print(
        f"{args.documents:,} documents (mean {bodies.mean():.0f} body tokens) into {rows:,} rows of "
        f"{args.sequence_length} in {statistics.median(seconds):.1f} s [{min(seconds):.1f}, {max(seconds):.1f}]; "
        f"fill {100 * min(fills):.2f}%"
    )


if __name__ == "__main__":
    main()
