"""Whether intervals cover, tests err and effects are found as often as they say: simulations with known truth.

Enters: nothing; losses of documents are drawn. Leaves: seconds of the bootstrap, and Markdown tables.
Deliberately not done: no real documents, whose truth nobody knows.

    python benchmarks/simulations.py [--experiments 1000] [--resamples 2000] [--repeats 5]

Documents have log-normal lengths (median 400 tokens); the loss per token varies between documents, with a skew.
Outlets have log-normal numbers of documents (mean 20; sigma 0.5, or 1 for outlets of very unequal size) and an effect
of their own of 0.1 nats, beside 0.15 nats for each document. `percentile` is the plain percentile interval of the same
resamples; false positives are p-values of at most 0.05 where the truth is zero. The +- is two binomial standard errors
of a coverage of 95%.

Seeds: 200 documents, 0.15 nats between documents, 0.05 (or 0.3) for what a document has of its own under a seed.
`ratio` is the standard deviation of the mean that comes from the seeds over that which comes from the documents.
"""

from __future__ import annotations

import argparse
import math
import time
from statistics import median

import numpy as np
from scipy.special import stdtrit

from dateline.statistics import (
    cluster_sums,
    difference_estimate,
    holm,
    minimum_detectable_effect,
    paired_difference,
    ratio_degrees,
    ratio_error,
    resampled_sums,
    seed_spread,
)

Floats = np.ndarray
LEVEL = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    speed(args.repeats)
    intervals(args.experiments, args.resamples)
    across(args.experiments)
    detectable(args.experiments, args.resamples)
    families(args.experiments, args.resamples)


def speed(repeats: int) -> None:
    """Times 10,000 resamples of 10,000 documents, of documents and of outlets."""
    rng = np.random.default_rng(0)
    change, tokens = documents(rng, 10_000)
    names = {
        "documents": None,
        "300 outlets": np.array([f"outlet{number}.com" for number in rng.integers(0, 300, 10_000)]),
        "10,000 outlets": np.array([f"outlet{number}.com" for number in range(10_000)]),
    }
    print("| Drawn | Seconds, 10,000 resamples of 10,000 documents |\n|---|--:|")
    for name, clusters in names.items():
        seconds = []
        for _ in range(repeats):
            started = time.perf_counter()
            paired_difference(change, np.zeros(len(change)), tokens, clusters=clusters)
            seconds.append(time.perf_counter() - started)
        print(f"| {name} | {median(seconds):.2f} [{min(seconds):.2f}, {max(seconds):.2f}] |", flush=True)


def intervals(experiments: int, resamples: int) -> None:
    """Counts how often the interval holds the truth, zero, for few and for many units."""
    margin = 200 * math.sqrt(0.95 * 0.05 / experiments)
    print(
        f"\n| Drawn | Units | Coverage, % (+- {margin:.1f}) | percentile | False positives, % |\n|---|--:|--:|--:|--:|"
    )
    for name, skew, sizes in (
        ("documents", None, (5, 10, 20, 50, 200)),
        ("outlets, sigma 0.5", 0.5, (2, 3, 5, 10, 20, 50)),
        ("outlets, sigma 1", 1.0, (2, 3, 5, 10, 20, 50)),
    ):
        for units in sizes:
            rng = np.random.default_rng(units)
            hits = plain = false = 0
            for experiment in range(experiments):
                columns = np.column_stack(documents(rng, units)) if skew is None else outlets(rng, units, skew)
                sums = resampled_sums(columns, resamples=resamples, seed=experiment)
                found = difference_estimate(columns, sums, 0, 1)
                low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
                hits += found.low <= 0 <= found.high
                plain += low <= 0 <= high
                false += found.p_value <= LEVEL
            shares = (f"{100 * count / experiments:.1f}" for count in (hits, plain, false))
            print(f"| {name} | {units} | {' | '.join(shares)} |", flush=True)


def across(experiments: int) -> None:
    """Counts how often the interval over seeds and documents holds the truth."""
    print(
        "\n| Seeds | Ratio | Own part | Coverage, % | Satterthwaite | False positives, % |\n|--:|--:|--:|--:|--:|--:|"
    )
    for seeds in (2, 3, 5):
        for own in (0.05, 0.3):
            for ratio in (0.0, 0.5, 1.0, 2.0, 4.0):
                rng = np.random.default_rng(seeds)
                hits = satterthwaite = false = 0
                for _ in range(experiments):
                    spread = seed_spread(*trainings(rng, seeds, 200, ratio, own))
                    found = spread.estimate()
                    hits += found.low <= 0 <= found.high
                    false += found.p_value <= LEVEL
                    parts = np.array([spread.documents, spread.seeds])
                    degrees = parts.sum() ** 2 / (parts**2 / [spread.document_degrees, seeds - 1]).sum()
                    satterthwaite += abs(spread.value) <= stdtrit(degrees, 0.975) * spread.standard_error
                shares = (f"{100 * count / experiments:.1f}" for count in (hits, satterthwaite, false))
                print(f"| {seeds} | {ratio:g} | {own:g} | {' | '.join(shares)} |", flush=True)


def detectable(experiments: int, resamples: int) -> None:
    """Counts how often a true effect of the size of the minimum detectable one is found."""
    print("\n| Drawn | Units | Minimum detectable effect (median), nats | Found, % |\n|---|--:|--:|--:|")
    for units in (10, 50, 200):
        rng = np.random.default_rng(units)
        samples = [np.column_stack(documents(rng, units)) for _ in range(experiments)]
        effect = median(
            minimum_detectable_effect(ratio_error(columns, 0, 1), degrees=ratio_degrees(columns, 1))
            for columns in samples
        )
        count = 0
        for experiment in range(experiments):
            change, tokens = documents(rng, units, effect)
            found = paired_difference(change, np.zeros(units), tokens, resamples=resamples, seed=experiment)
            count += found.p_value <= LEVEL
        print(f"| documents | {units} | {effect:.3f} | {100 * count / experiments:.1f} |", flush=True)
    for seeds in (2, 3, 5):
        rng = np.random.default_rng(seeds)
        spreads = [seed_spread(*trainings(rng, seeds, 200, 1.0, 0.05)) for _ in range(experiments)]
        effect = median(spread.minimum_detectable_effect() for spread in spreads)
        count = 0
        for _ in range(experiments):
            change, tokens = trainings(rng, seeds, 200, 1.0, 0.05)
            count += seed_spread(change + effect * tokens, tokens).estimate().p_value <= LEVEL
        print(f"| seeds | {seeds} | {effect:.3f} | {100 * count / experiments:.1f} |", flush=True)


def families(experiments: int, resamples: int) -> None:
    """Counts how often any of 18 countries without a difference is called different, after Holm's correction."""
    rng = np.random.default_rng(18)
    before = after = 0
    for experiment in range(experiments):
        p_values = []
        for _ in range(18):
            change, tokens = documents(rng, 40)
            found = paired_difference(change, np.zeros(40), tokens, resamples=resamples, seed=experiment)
            p_values.append(found.p_value)
        before += min(p_values) <= LEVEL
        after += min(holm(p_values)) <= LEVEL
    print(
        f"\n18 countries of 40 documents without a difference: at least one p <= {LEVEL} in "
        f"{100 * before / experiments:.1f}% of experiments, {100 * after / experiments:.1f}% after Holm's correction"
    )


def documents(rng: np.random.Generator, number: int, effect: float = 0.0) -> tuple[Floats, Floats]:
    """Returns nats and tokens of each document; the nats per token have the given mean."""
    tokens = np.clip(rng.lognormal(6, 0.8, number), 20, 8000).round()
    return tokens * (effect + 0.4 * rng.standard_normal(number) + rng.gamma(1, 0.3, number) - 0.3), tokens


def outlets(rng: np.random.Generator, number: int, skew: float) -> Floats:
    """Returns nats and tokens of each outlet, shape [outlets, 2]."""
    sizes = np.maximum(1, (20 * rng.lognormal(-(skew**2) / 2, skew, number)).round()).astype(int)
    owners = np.repeat(np.arange(number), sizes)
    tokens = np.clip(rng.lognormal(6, 0.8, len(owners)), 20, 8000).round()
    nats = tokens * (0.1 * rng.standard_normal(number)[owners] + 0.15 * rng.standard_normal(len(owners)))
    return cluster_sums(np.column_stack([nats, tokens]), owners)


def trainings(rng: np.random.Generator, seeds: int, number: int, ratio: float, own: float) -> tuple[Floats, Floats]:
    """Returns differences, shape [seeds, documents], and tokens."""
    tokens = rng.integers(50, 800, number).astype(np.float64)
    spread = 0.15
    of_documents = math.sqrt((spread**2 + own**2 / seeds) * (tokens**2).sum()) / tokens.sum()
    per_token = (
        ratio * of_documents * math.sqrt(seeds) * rng.standard_normal((seeds, 1))
        + spread * rng.standard_normal(number)
        + own * rng.standard_normal((seeds, number))
    )
    return tokens * per_token, tokens


if __name__ == "__main__":
    main()
