"""Encoding speed against the `tokenizers` library alone on the same texts, and memory against corpus size.

Enters: nothing; newswire corpora are made in a temporary folder. Leaves: documents per second, a ratio, peak memory.
Deliberately not done: no training of the vocabulary inside the timing; both use the same tokenizer.

    python benchmarks/encoding.py [--articles 4000] [--join 10] [--repeats 5]

A document is `--join` newswire articles one after another: 10 make about 4,000 bytes, the mean of real news.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dateline.corpus import CorpusRecipe, build_corpus, read_articles
from dateline.corpus.newswire import newswire
from dateline.records import body_text
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.tokens.tokenizer import load_tokenizer

CHILD = """
import json, resource, sys
from pathlib import Path
from dateline.tokens.encode import EncodeRecipe, encode_stage
encode_stage(EncodeRecipe(tokenizer=sys.argv[2]), Path(sys.argv[1])).make(Path(sys.argv[3]), overwrite=True)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=4_000)
    parser.add_argument("--join", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        sizes = [args.articles // 4, args.articles, args.articles * 4]
        for size in sizes:
            write_documents(root / "articles.jsonl", size, args.join)
            recipe = CorpusRecipe(paths=(str(root / "articles.jsonl"),), language=None)
            build_corpus(recipe, root / f"corpus{size}")
        encode_stage(EncodeRecipe(vocab_size=8192), root / f"corpus{sizes[0]}").make(root / "first")
        tokenizer = root / "first" / "tokenizer"
        corpus = root / f"corpus{args.articles}"
        texts = [body_text(article.title, article.text) for article in read_articles(corpus)]
        backend = load_tokenizer(tokenizer).backend_tokenizer
        encoding = EncodeRecipe(tokenizer=str(tokenizer))
        ours, alone = [], []
        for _ in range(args.repeats):
            started = time.perf_counter()
            for start in range(0, len(texts), 1000):
                encodings = backend.encode_batch_fast(texts[start : start + 1000], add_special_tokens=False)
                sum(len(encoding.ids) for encoding in encodings)
            alone.append(len(texts) / (time.perf_counter() - started))
            started = time.perf_counter()
            encode_stage(encoding, corpus).make(root / "out", overwrite=True)
            ours.append(len(texts) / (time.perf_counter() - started))
        ratios = [a / b for a, b in zip(ours, alone, strict=True)]
        print(
            f"{len(texts):,} documents of {sum(map(len, texts)) // len(texts):,} characters: "
            f"dateline encode {statistics.median(ours):,.0f} documents/s (reading Parquet and writing Arrow included), "
            f"tokenizers alone {statistics.median(alone):,.0f}; ratio {statistics.median(ratios):.2f} "
            f"[{min(ratios):.2f}, {max(ratios):.2f}]"
        )
        for size in sizes:
            command = [sys.executable, "-c", CHILD, str(root / f"corpus{size}"), str(tokenizer), str(root / "memory")]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"peak memory of encoding {size:,} articles: {json.loads(result.stdout.splitlines()[-1]):,} MiB")


def write_documents(path: Path, number: int, join: int) -> None:
    """Writes documents of several newswire articles each as JSON Lines."""
    articles = newswire(number * join, seed=0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(number):
            parts = [next(articles) for _ in range(join)]
            text = " ".join(part.text for part in parts)
            file.write(json.dumps({"url": parts[0].url, "title": parts[0].title, "text": text}) + "\n")


if __name__ == "__main__":
    main()
