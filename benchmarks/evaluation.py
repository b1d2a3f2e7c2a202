"""Evaluation speed against a loop that scores one document at a time in float32, with the same numbers.

Enters: nothing; a newswire corpus and an untrained model are made in a temporary folder. Leaves: documents per second,
a ratio, and the largest difference between the two in nats per token.
Deliberately not done: no statistics inside the timing on either side.

    python benchmarks/evaluation.py [--size nano] [--documents 600] [--repeats 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from dateline.conditions import Conditioner, parse_condition
from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
from dateline.evaluate.documents import encode_prefixes, take_documents
from dateline.evaluate.protocol import Protocol
from dateline.evaluate.subject import load_subject
from dateline.model.build import build_model, llama_config
from dateline.model.scoring import Segment, score_segments
from dateline.model.sizes import ModelRecipe
from dateline.tokens.encode import EncodeRecipe, encode_corpus
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="nano")
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        recipe = CorpusRecipe(newswire=NewswireSource(articles=args.documents * 25))
        build_corpus(recipe, root / "corpus")
        encode_corpus(EncodeRecipe(vocab_size=args.vocab_size), root / "corpus", root / "encoded")
        corpus = EncodedCorpus.open(root / "encoded")
        tokenizer = load_tokenizer(corpus.tokenizer_folder)
        config = llama_config(ModelRecipe(size=args.size), len(tokenizer), bos=0, eos=1, pad=2)
        build_model(config, seed=0).save_pretrained(root / "model")
        tokenizer.save_pretrained(root / "model")
        subject = load_subject(root / "model", dtype=args.precision)
        protocol = Protocol(num_documents=args.documents)
        documents = take_documents(corpus, protocol, subject)
        conditioner = Conditioner(
            parse_condition("gold", ["domain", "country", "continent"]), seed=0, pool=documents.metadata
        )
        prefixes = encode_prefixes(subject, conditioner, documents)
        segments = [
            segment
            for prefix, body in zip(prefixes, documents.bodies, strict=True)
            for segment in protocol.segments(0, prefix, body)
        ]
        naive = AutoModelForCausalLM.from_pretrained(root / "model", dtype=torch.float32).eval()
        ours, alone, worst = [], [], 0.0
        for _ in range(args.repeats):
            started = time.perf_counter()
            expected = one_at_a_time(naive, segments)
            alone.append(len(segments) / (time.perf_counter() - started))
            started = time.perf_counter()
            found = score_segments(subject.model, segments, dtype=args.precision)
            ours.append(len(segments) / (time.perf_counter() - started))
            scored = np.array([segment.num_scored for segment in segments])
            worst = max(worst, float(np.abs((found - expected) / scored).max()))
    ratios = [a / b for a, b in zip(ours, alone, strict=True)]
    print(
        f"{args.size}, {len(segments)} documents, {args.precision}: {statistics.median(ours):,.1f} documents/s, one at "
        f"a time in float32 {statistics.median(alone):,.1f}; ratio {statistics.median(ratios):.2f} "
        f"[{min(ratios):.2f}, {max(ratios):.2f}]; largest difference {worst:.1e} nats per token"
    )


@torch.no_grad()
def one_at_a_time(model: torch.nn.Module, segments: list[Segment]) -> np.ndarray:
    """Scores each segment by itself, as the simplest correct script would."""
    result = []
    for segment in segments:
        ids = torch.from_numpy(segment.input_ids)[None]
        logits = model(input_ids=ids).logits.float()
        losses = torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="none")
        result.append(float(losses[-segment.num_scored :].sum()))
    return np.array(result)


if __name__ == "__main__":
    main()
