"""What other tools make of a model's prefix: perplexity from whole texts, tokenized by plain transformers.

    python benchmarks/boundary.py EXPERIMENT/runs/conditioned/model EXPERIMENT/corpus [--documents 400]

Prints the perplexity of the bodies of test articles behind their true prefix, tokenized as training did (prefix and
body apart) and as tools do that take text (as one string), and without a prefix. BOS is in front each time, and the
body tokens are the same each time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dateline.conditions import Metadata, render
from dateline.corpus import read_articles
from dateline.records import body_text


def nats(model: Any, ids: list[int], scored: int) -> float:
    """Returns -log p of the last `scored` tokens in nats."""
    whole = torch.tensor([ids])
    with torch.no_grad():
        losses = -model(whole).logits[0, :-1].log_softmax(-1).gather(1, whole[0, 1:, None])[:, 0]
    return float(losses[-scored:].double().sum())


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--documents", type=int, default=400)
    args = parser.parse_args()
    about = json.loads((args.model / "dateline.json").read_text(encoding="utf-8"))
    form = about.get("prefix_format", 1)
    tokenizer: Any = AutoTokenizer.from_pretrained(args.model)
    model: Any = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    bos = tokenizer.bos_token_id

    def encode(text: str) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return found

    sums = {"prefix as in training": 0.0, "prefix and body as one string": 0.0, "no prefix": 0.0}
    tokens = different = documents = 0
    for article in itertools.islice(read_articles(args.corpus, split="test"), args.documents):
        place = Metadata(article.url, article.domain, article.country, article.continent, article.date)
        prefix = render(place, about["fields"], prefix_format=form)
        body_ids = encode(body_text(article.title, article.text))
        apart, joint = encode(prefix) + body_ids, encode(prefix + body_text(article.title, article.text))
        assert joint[-len(body_ids) :] == body_ids
        for name, ids in zip(sums, (apart, joint, body_ids), strict=True):
            sums[name] += nats(model, [bos, *ids], len(body_ids))
        tokens, documents, different = tokens + len(body_ids), documents + 1, different + (apart != joint)
    print(f"{args.model}: prefix format {form}, {documents} documents, {tokens:,} body tokens")
    for name, total in sums.items():
        print(f"  {name:<30} perplexity {math.exp(total / tokens):.4f}")
    print(f"  other tokens as one string: {different} of {documents} documents")


if __name__ == "__main__":
    main()
