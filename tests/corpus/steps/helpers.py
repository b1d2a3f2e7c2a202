"""Records, and the pieces of a work folder that they become."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from datatrove.data import Document

from dateline.corpus.readers import Record, Unreadable
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps.decide import Decide
from dateline.corpus.steps.judge import Sign, judges
from dateline.corpus.steps.read import document_of
from dateline.corpus.steps.shard import Shard
from dateline.corpus.steps.store import Store
from dateline.corpus.work import read_rows

from ..helpers import story

OTHER = (
    "Farmers in the highlands began to plant beans and maize after a wet week, while buyers from the coast "
    "waited at the depot with empty lorries and complained about the price of diesel. "
)


def record(number: int, **changes: Any) -> Record:
    """A record that passes every gate and is like no other number's."""
    url = f"https://www.paper{number}.co.ke/news/{number}"
    known = Record(url, f"Road {number}", unlike(number), "2021-03-04", "ke", f"f.jsonl:{number + 1}")
    return replace(known, **changes)


def unlike(number: int) -> str:
    """A text of 80 words that shares no run of five words with any other number's."""
    words = f"{story(1)} {OTHER}".split()[:80]
    return " ".join(
        f"{word}{chr(97 + number % 26)}{number // 26 or ''}" if n % 3 == 0 else word for n, word in enumerate(words)
    )


def near(text: str) -> str:
    """The same text but for its last word: above 0.95 of its 5-grams stay."""
    return f"{text.rsplit(' ', 1)[0]} indeed"


def documents(records: Iterable[Record | Unreadable]) -> Iterable[Document]:
    return map(document_of, records)


def store(work: Path, piece: int, asked: CorpusRecipe, records: Sequence[Record | Unreadable]) -> Path:
    """Runs the first stage on records as one task and returns the folder of the piece."""
    stream: Any = iter(documents(records))
    for step in judges(asked):
        stream = step.run(stream)
    Store(asked, work).run(Sign(asked).run(stream), rank=piece)
    return work / "pieces" / f"{piece:05d}"


def decide(work: Path, asked: CorpusRecipe, *pieces: Sequence[Record | Unreadable]) -> list[npt.NDArray[np.void]]:
    """Stores pieces, decides on them, and returns the decisions on each."""
    for number, records in enumerate(pieces):
        store(work, number, asked, records)
    Decide(asked, work, len(pieces)).run()
    return [np.load(work / "decisions" / f"{number:05d}.npy") for number in range(len(pieces))]


def shard(work: Path, groups: Sequence[Sequence[int]]) -> list[Path]:
    """Writes the shards of decided pieces and returns their folders."""
    for number in range(len(groups)):
        Shard(work, groups).run(rank=number)
    return [work / "shards" / f"{number:05d}" for number in range(len(groups))]


def rows(piece: Path) -> list[dict[str, str]]:
    return list(read_rows(piece / "articles.arrow"))


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, compressed or not."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
