"""How often the place of a URL is right when the declared country is held back, by evidence and by verification.

Enters: a Parquet file whose rows have a URL and a declared country; optionally a hand-made table of domains.
Leaves: tables on standard output.
Deliberately not done: no judgement of which of the two is right; where they differ, the declared country is the truth.

    python benchmarks/places.py FILE [--url url] [--country country] [--hand domain_country.csv]

Accuracy is the share of right countries among documents that got one; `none` counts those that got none (or a continent
only). Two intervals of 95%: Wilson over documents, which takes them for independent, and a bootstrap over domains
(2,000 resamples, seeded), which does not. Where nothing is wrong a bootstrap has no width, so the last column has the
domains whose documents are all right, with Wilson's lower bound over domains.
"""

from __future__ import annotations

import argparse
import csv
import importlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pyarrow.parquet as pq

from dateline.places import country, resolve
from dateline.statistics import wilson

RESAMPLES = 2_000
SEED = 0
IN_SAMPLE = """\
Mind, for the project's sample (news-real.parquet, domain_country.csv): its countries were themselves given by domain,
from the hand-made rows of domain_country.csv and from country-code suffixes. Before the shipped outlet table was
compared with those rows, 266 of 302 were right; some rows were added afterwards. So `outlet` is in-sample in part, and
`suffix` agrees in part by construction. The tables without the outlet table rest on rules not made from the sample."""


class Scored(NamedTuple):
    """One document, or one row of a hand-made table."""

    domain: str
    evidence: str
    verified: str
    right: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--url", default="url")
    parser.add_argument("--country", default="country")
    parser.add_argument("--hand", type=Path, help="CSV with domain, country_iso2, source; rows with source=hand count")
    args = parser.parse_args()
    print(IN_SAMPLE)
    rows = list(read_rows(args.file, args.url, args.country))
    print(f"\n{args.file.name}: {len(rows):,} rows with a declared country, which resolve() is not told")
    compare(rows)
    if args.hand:
        with args.hand.open(encoding="utf-8", newline="") as file:
            hand = [row for row in csv.DictReader(file) if row["source"] == "hand"]
        pairs = [(row["domain"], found.alpha2) for row in hand if (found := country(row["country_iso2"]))]
        print(f"\n{args.hand.name}: {len(pairs)} of {len(hand)} rows made by hand have a country; a row is a document")
        compare(pairs)


def read_rows(path: Path, url: str, declared: str) -> Iterator[tuple[str, str]]:
    """Yields URL and declared country (alpha-2) of every row that declares one."""
    for batch in pq.ParquetFile(path).iter_batches(columns=[url, declared]):
        for address, code in zip(batch.column(url).to_pylist(), batch.column(declared).to_pylist(), strict=True):
            found = country(code or "")
            if found:
                yield address or "", found.alpha2


def compare(rows: Sequence[tuple[str, str]]) -> None:
    """Prints the table with all evidence, and the one with suffix and hints only."""
    print("\nwith the shipped outlet table")
    show(score(rows))
    print("\nwithout it: suffix and hints only")
    with table_held_away():
        show(score(rows))


@contextmanager
def table_held_away() -> Iterator[None]:
    """Makes `resolve` know no outlet while the block runs."""
    module = importlib.import_module("dateline.places.resolve")
    with mock.patch.object(module, "outlet", return_value=None):
        yield


def score(rows: Iterable[tuple[str, str]]) -> list[Scored]:
    """Returns what decided each URL's country, and whether the declared country agrees."""
    scored = []
    for url, truth in rows:
        place = resolve(url)
        decided = bool(place.country)
        scored.append(
            Scored(
                domain=place.domain or url,
                evidence=(place.decided_by if decided else "") or "none",
                verified=place.verified if decided else "none",
                right=place.country == truth,
            )
        )
    return scored


def show(scored: Sequence[Scored]) -> None:
    """Prints one line for each kind of evidence, each verification, and the whole, and what was wrong most often."""
    groups = [("any country", [row for row in scored if row.evidence != "none"])]
    groups += [(f"evidence {kind}", [row for row in scored if row.evidence == kind]) for kind in EVIDENCE]
    groups += [(f"verified {kind}", [row for row in scored if row.verified == kind]) for kind in VERIFIED]
    print(
        f"{'':<18}{'documents':>10}{'share':>8}{'domains':>9}{'accuracy':>10}  {'documents 95%':<20}"
        f"{'domains 95%':<20}domains all right"
    )
    for name, group in groups:
        print(line(name, group, len(scored)))
    wrong = Counter(row.domain for row in scored if row.evidence != "none" and not row.right)
    if wrong:
        print("wrong: " + ", ".join(f"{domain} {number}" for domain, number in wrong.most_common(12)))


EVIDENCE = ("outlet", "suffix", "hint", "none")
VERIFIED = ("agree", "single", "conflict", "none")


def line(name: str, group: Sequence[Scored], total: int) -> str:
    """Returns one line of the table."""
    domains: dict[str, list[bool]] = defaultdict(list)
    for row in group:
        domains[row.domain].append(row.right)
    start = f"{name:<18}{len(group):>10,}{len(group) / total:>8.1%}{len(domains):>9,}"
    if not group or name.endswith(" none"):
        return f"{start}{'-':>10}"
    right = sum(row.right for row in group)
    flawless = sum(all(answers) for answers in domains.values())
    low = wilson(flawless, len(domains)).low
    return (
        f"{start}{right / len(group):>10.2%}  {interval(wilson(right, len(group))[1:3]):<20}"
        f"{interval(over_domains(list(domains.values()))):<20}{flawless} of {len(domains)}, from {low:.1%}"
    )


def over_domains(answers: Sequence[Sequence[bool]]) -> tuple[float, float]:
    """Returns the 95% interval of the share of right answers, domains drawn with replacement."""
    sizes = np.array([len(group) for group in answers], dtype=np.float64)
    right = np.array([sum(group) for group in answers], dtype=np.float64)
    rng = np.random.default_rng(SEED)
    shares = np.empty(RESAMPLES)
    for index in range(RESAMPLES):
        drawn = rng.integers(0, len(sizes), len(sizes))
        shares[index] = right[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(shares, (0.025, 0.975))
    return float(low), float(high)


def interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:.2%}, {bounds[1]:.2%}]"


if __name__ == "__main__":
    main()
