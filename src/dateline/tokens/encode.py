"""A corpus folder becomes an encoded corpus: every article is tokenized exactly once, without special tokens.

No processes: `tokenizers` uses all cores from one thread, while a second thread reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dateline.conditions import DEFAULT_FIELDS, FIELDS, Metadata, render
from dateline.corpus import read_articles
from dateline.errors import UserError
from dateline.manifest import require_manifest
from dateline.progress import progress
from dateline.records import Article, body_text
from dateline.stage import Made, Stage, say
from dateline.tokens.fidelity import RoundTrips
from dateline.tokens.recipe import EncodeRecipe
from dateline.tokens.store import SCHEMA, TEXT_COLUMNS, ShardWriter
from dateline.tokens.tokenizer import (
    adapt_tokenizer,
    check_boundary,
    load_tokenizer,
    save_tokenizer,
    tokenizer_fingerprint,
    train_tokenizer,
)

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerFast

STAGE = "encode"
FORMAT = 2
"""2: the saved tokenizer adds BOS, has reserved tokens, and puts no blank in front of a text."""
BATCH_DOCUMENTS = 1_000
HARD_TITLES = ("", " blanks", "\nline end", "\u0301mark", "\U0001f600", "2026", "\u201cquoted\u201d")
"""Beginnings of titles that a tokenizer might join with what stands before them."""


def encode_stage(recipe: EncodeRecipe, corpus: Path) -> Stage:
    """Returns the stage that tokenizes a corpus folder.

    Raises:
        UserError: where the corpus or the tokenizer is missing.

    Example:
        >>> encode_stage(EncodeRecipe(vocab_size=2048), Path("runs/corpus")).make(Path("runs/encoded")).counts["tokens"]
        163840
    """
    parents = {"corpus": require_manifest(corpus, "corpus", "dateline corpus PATH... --out DIR").fingerprint}
    data = recipe.model_dump(mode="json")
    if recipe.tokenizer is not None:
        parents["tokenizer"] = tokenizer_fingerprint(load_tokenizer(recipe.tokenizer))
        data["vocab_size"] = None
    return Stage(STAGE, data, parents, lambda folder: _fill(recipe, corpus, folder), FORMAT)


def _fill(recipe: EncodeRecipe, corpus: Path, folder: Path) -> Made:
    """Writes tokenizer and shards of an encoded corpus."""
    total = require_manifest(corpus, "corpus", "dateline corpus").counts["kept"]
    if recipe.tokenizer is None:
        tokenizer = train_tokenizer(_training_texts(corpus, recipe.training_articles), recipe.vocab_size)
    else:
        tokenizer = load_tokenizer(recipe.tokenizer)
    for change in adapt_tokenizer(tokenizer):
        say(f"{recipe.tokenizer}: as saved with the corpus, the tokenizer {change}")
    _check_boundary(tokenizer, corpus)
    save_tokenizer(tokenizer, folder / "tokenizer")
    trips = RoundTrips(tokenizer)
    num_tokens = num_bytes = longest = given_back = 0
    with ShardWriter(folder) as writer, progress("encode", total, "articles") as advance:
        for batch, counts in _encode(tokenizer, trips, read_articles(corpus)):
            if not counts.all():
                empty = batch.column("id")[int(counts.argmin())]
                raise UserError(f"{corpus}: the tokenizer gives no token at all for article {empty}; use another")
            writer.write(batch)
            num_tokens += int(counts.sum())
            sizes = batch.column("num_bytes").to_numpy()
            num_bytes += int(sizes.sum())
            given_back += int(counts[sizes > 0].sum())
            longest = max(longest, int(counts.max()))
            advance(batch.num_rows)
    if writer.num_documents == 0:
        raise UserError(f"{corpus}: holds no article; build the corpus again")
    if trips.example is not None:
        text, back = trips.example
        say(
            f"dateline: warning: {corpus}: the tokenizer does not give back {trips.lossy:,} of "
            f"{writer.num_documents:,} documents ({text} comes back as {back}); evaluations will print no bits per "
            "byte for them"
        )
    return Made(
        counts={"in": writer.num_documents, "kept": writer.num_documents, "tokens": num_tokens, "bytes": num_bytes},
        facts={
            "vocab_size": len(tokenizer),
            "tokenizer": tokenizer_fingerprint(tokenizer),
            "bytes_per_token": round(num_bytes / given_back, 3) if given_back else None,
            "longest": longest,
            "lossy_documents": trips.lossy,
        },
        packages=("tokenizers", "transformers", "pyarrow"),
    )


def _check_boundary(tokenizer: PreTrainedTokenizerFast, corpus: Path) -> None:
    """Checks prefixes of different outlets in front of different titles, some of the corpus and some hard ones."""
    places: dict[str, Article] = {}
    for article in islice(read_articles(corpus), BATCH_DOCUMENTS):
        places.setdefault(article.domain, article)
    chosen = list(islice(places.values(), 30))
    prefixes = ["", *(render(_metadata(article), (field,)) for article in chosen[:5] for field in FIELDS)]
    prefixes += [render(_metadata(article), DEFAULT_FIELDS) for article in chosen]
    check_boundary(tokenizer, sorted(set(prefixes)), [chosen[0].title, *HARD_TITLES] if chosen else HARD_TITLES)


def _training_texts(corpus: Path, limit: int) -> Iterator[str]:
    articles = (article for article in read_articles(corpus) if article.split == "train")
    found = False
    for article in islice(articles, limit):
        found = True
        yield body_text(article.title, article.text)
        yield render(_metadata(article), DEFAULT_FIELDS)
    if not found:
        raise UserError(f"{corpus}: no article in the train split, so no tokenizer can be trained; pass --tokenizer")


def _metadata(article: Article) -> Metadata:
    return Metadata(article.url, article.domain, article.country, article.continent, article.date)


def _encode(
    tokenizer: PreTrainedTokenizerFast, trips: RoundTrips, articles: Iterator[Article]
) -> Iterator[tuple[pa.RecordBatch, np.ndarray[Any, Any]]]:
    """Yields record batches in order; reading and tokenizing the next ones overlaps with building this one."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True  # an article that writes "<eos>" means the characters

    def take() -> tuple[list[Article], list[str]]:
        batch = list(islice(articles, BATCH_DOCUMENTS))
        return batch, [body_text(article.title, article.text) for article in batch]

    def encode(taken: Future[tuple[list[Article], list[str]]]) -> tuple[list[Article], list[str], list[Encoding]]:
        batch, texts = taken.result()
        return batch, texts, backend.encode_batch_fast(texts, add_special_tokens=False)

    with ThreadPoolExecutor(max_workers=1) as reader, ThreadPoolExecutor(max_workers=1) as encoder:
        taken = reader.submit(take)
        pending = encoder.submit(encode, taken)
        while True:
            taken = reader.submit(take)
            batch, texts, encodings = pending.result()
            if not batch:
                return
            pending = encoder.submit(encode, taken)
            lists = [encoding.ids for encoding in encodings]
            counts = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
            offsets = np.concatenate([[0], np.cumsum(counts)])
            values = np.concatenate([np.asarray(ids, dtype=np.int32) for ids in lists])
            tokens = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values, type=pa.int32()))
            columns: list[pa.Array[Any]] = [tokens]
            columns += [pa.array([getattr(a, name) for a in batch], type=pa.string()) for name in TEXT_COLUMNS]
            columns.append(pa.array(trips.num_bytes(texts, lists), type=pa.int32()))
            yield pa.RecordBatch.from_arrays(columns, schema=SCHEMA), counts
