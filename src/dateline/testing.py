"""Small real corpora and tokenizers for tests, those of Dateline and those of its users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dateline.corpus.shards import ShardWriter
from dateline.manifest import Manifest, new_folder, write_manifest
from dateline.records import SPLITS, Article, stable_hash
from dateline.tokens.tokenizer import BOS, EOS, PAD, wrap_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def write_corpus(folder: Path, articles: Iterable[Article]) -> Path:
    """Writes a corpus folder and returns it; an article without a split goes to `train`.

    The fingerprint depends on the articles, so that folders with different articles are different parents.
    """
    counts: Counter[str] = Counter()
    content = 0
    with new_folder(folder) as partial:
        with ShardWriter(partial) as writer:
            for article in articles:
                placed = replace(article, split=article.split or "train")
                writer.write(placed)
                counts[placed.split] += 1
                content = stable_hash(str(content), repr(placed))
        total = counts.total()
        write_manifest(
            partial,
            Manifest.of(
                "corpus",
                {"articles": f"{content:016x}"},
                {},
                counts={"in": total, "kept": total, **{split: counts[split] for split in SPLITS}},
            ),
        )
    return folder


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a lossless tokenizer of 259 tokens: BOS, EOS and padding are 0, 1 and 2, the bytes follow."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    symbols = [BOS, EOS, PAD, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return wrap_tokenizer(tokenizer)
