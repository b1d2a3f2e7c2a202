"""Speed and memory of building a corpus from JSON Lines, by number of workers and of articles.

Enters: nothing; articles are put together from sentences of the embedded newswire. Leaves: articles a second, their
ratio between one and two workers, time by step, and the peak memory of the largest process.
Deliberately not done: no network and no real texts; for real news give --articles FILE with a column `text`.

    python benchmarks/corpus.py [--sizes 10000 100000] [--repeats 3] [--language] [--workers 1 2]

An article has the length of a news article (about 700 words, 4,300 characters). Three in a hundred are exact copies of
an earlier one under another address, five are copies with a sentence left out or added, two are too short.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dateline.corpus.newswire import Newswire

ARTICLES_PER_FILE = 4_000
BUILD = """
import json, resource, sys, time
from pathlib import Path
from dateline.config import validate_recipe
from dateline.corpus import CorpusRecipe, build_corpus
paths, out, workers, language = json.loads(sys.argv[1])
recipe = validate_recipe(CorpusRecipe, {"paths": [paths], "language": language})
if __name__ == "__main__":
    started = time.perf_counter()
    manifest = build_corpus(recipe, Path(out), workers=workers)
    print(json.dumps({
        "seconds": time.perf_counter() - started,
        "counts": manifest.counts, "drops": manifest.drops, "steps": manifest.facts["seconds"],
        "peak": max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)),
    }))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--language", action="store_true", help="with the language gate")
    parser.add_argument("--articles", type=Path, help="Parquet file whose column `text` is used as it is")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for size in args.sizes:
            files = Path(folder) / f"news-{size}"
            write_news(files, size, args.articles)
            measure(files, size, args)
            shutil.rmtree(files)


def measure(files: Path, size: int, args: argparse.Namespace) -> None:
    """Builds in turn with each number of workers, so that slow minutes of the machine strike all alike."""
    found: dict[int, list[dict]] = {workers: [] for workers in args.workers}
    for _ in range(args.repeats):
        for workers in args.workers:
            found[workers].append(build(files, workers, "en" if args.language else None))
    gate = "with" if args.language else "without"
    first = found[args.workers[0]]
    for workers, runs in found.items():
        speeds = [size / run["seconds"] for run in runs]
        ratios = [one["seconds"] / run["seconds"] for one, run in zip(first, runs, strict=True)]
        print(
            f"{size:,} articles, {workers} worker{'s' * (workers > 1)}, {gate} language: "
            f"{statistics.median(speeds):,.0f} articles/s [{min(speeds):,.0f}, {max(speeds):,.0f}], "
            f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}] times {args.workers[0]} worker; "
            f"peak of the largest process {max(run['peak'] for run in runs) / 1024:,.0f} MiB"
        )
    run = first[-1]
    print(f"  kept {run['counts']['kept']:,}; dropped {run['drops']}")
    total = sum(run["steps"].values())
    for name, seconds in sorted(run["steps"].items(), key=lambda item: -item[1]):
        print(f"  {name:<12} {1e3 * seconds / size:7.3f} ms an article {100 * seconds / total:5.1f}%")


def build(files: Path, workers: int, language: str | None) -> dict:
    out = files.with_name("corpus")
    words = json.dumps([str(files), str(out), workers, language])
    script = files.with_name("build.py")
    script.write_text(BUILD)
    said = subprocess.run([sys.executable, str(script), words], check=True, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(out)
    return json.loads(said.stdout)


def write_news(files: Path, size: int, real: Path | None) -> None:
    files.mkdir()
    rows = real_rows(real, size) if real else made_up_rows(size)
    for first in range(0, size, ARTICLES_PER_FILE):
        with (files / f"{first // ARTICLES_PER_FILE:05d}.jsonl").open("w") as file:
            for _ in range(min(ARTICLES_PER_FILE, size - first)):
                file.write(json.dumps(next(rows)) + "\n")


def made_up_rows(size: int) -> Iterator[dict[str, str]]:
    rng = np.random.default_rng(0)
    wire = list(Newswire().articles(30_000, 0))
    pool = sorted({f"{part}." for article in wire for part in article.text.rstrip(".").split(". ")})
    per_sentence = sum(map(len, pool)) / len(pool)
    earlier: list[list[str]] = []
    for number in range(size):
        source = wire[int(rng.integers(len(wire)))]
        draw = rng.random()
        if earlier and draw < 0.08:
            sentences = list(earlier[int(rng.integers(len(earlier)))])
            if draw >= 0.03:
                place = int(rng.integers(len(sentences)))
                sentences[place : place + 1] = [] if rng.random() < 0.5 else [*sentences[place : place + 1], pool[0]]
        elif draw < 0.10:
            sentences = [pool[int(rng.integers(len(pool)))]]
        else:
            length = int(np.clip(rng.lognormal(np.log(3_100), 0.8), 600, 40_000) / per_sentence)
            sentences = [pool[index] for index in rng.integers(len(pool), size=length)]
            if len(earlier) < 2_000:
                earlier.append(sentences)
            elif rng.random() < 0.2:
                earlier[int(rng.integers(len(earlier)))] = sentences
        paragraphs = [" ".join(sentences[first : first + 3]) for first in range(0, len(sentences), 3)]
        yield {
            "url": f"https://{source.domain}/{number}",
            "title": source.title,
            "text": "\n".join(paragraphs),
            "date": source.date,
            "country": source.country,
        }


def real_rows(path: Path, size: int) -> Iterator[dict[str, str]]:
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pylist()
    for number in range(size):
        row = rows[number % len(rows)]
        turn = number // len(rows)  # later rounds differ in most of their 5-grams
        text = row["text"] if not turn else " ".join(f"{word}{turn}" for word in row["text"].split(" "))
        yield {name: row.get(name) or "" for name in ("url", "title", "date", "country")} | {"text": text}


if __name__ == "__main__":
    main()
