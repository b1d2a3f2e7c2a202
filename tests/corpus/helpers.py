"""What several tests of the corpus room need: files to read, recipes to read them with, and looks into a corpus."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from dateline.config import validate_recipe
from dateline.corpus import CorpusRecipe

SENTENCES = """the minister, a farmer, the court, our reporter, the union, the coach, a nurse, the governor
opened, refused, promised, visited, closed, painted, measured, praised, inspected, forgot, sold, defended
the new road, a water tank, the old market, the school gate, three buses, the budget, a fishing boat
near the river, behind the station, in the hills, at the harbour, beside the stadium, in the capital
on Monday, before the rains, after the vote, last week, at noon, during the holidays, this morning"""
PARTS = [line.split(", ") for line in SENTENCES.splitlines()]
SPLITS_OFF = {"train": 1, "validation": 0, "test": 0}


def story(number: int, words: int = 60) -> str:
    """An English text that no other number has, and that is no near copy of any other."""
    drawn = random.Random(number)
    sentences = [f"Report {number}."]
    while sum(sentence.count(" ") + 1 for sentence in sentences) < words:
        said = " ".join(drawn.choice(part) for part in PARTS)
        sentences.append(f"{said[0].upper()}{said[1:]}.")
    return " ".join(sentences) + f" It happened in district {number}."


def near_copy(text: str) -> str:
    """The same text with two words more at the end: still far above a Jaccard similarity of 0.8."""
    return f"{text} More follows."


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "url": f"https://www.gov{number}.co.ke/news/{number}",
        "title": f"Road {number} opens",
        "text": story(number),
        "date": "2021-03-04",
        "country": "ke",
        **changes,
    }


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any] | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (item if isinstance(item, str) else json.dumps(item) for item in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def recipe(*paths: Path | str, **values: Any) -> CorpusRecipe:
    return validate_recipe(CorpusRecipe, {"paths": [str(path) for path in paths], "language": None, **values})


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.decode("utf-8").split("\n") if line]


def dropped(out: Path) -> list[dict[str, Any]]:
    """What a build dropped, reason by reason."""
    return [line for path in sorted((out / "dropped").rglob("*.jsonl.gz")) for line in read_jsonl(path)]


def review(out: Path) -> list[dict[str, Any]]:
    """The place conflicts that a build lists for people."""
    return [line for path in sorted((out / "review").glob("*.jsonl")) for line in read_jsonl(path)]


def corpus_bytes(out: Path) -> dict[str, str]:
    """File -> hash of everything that must not depend on who built a corpus, or how often it was stopped."""
    files = [path for name in ("data", "dropped", "review") for path in sorted((out / name).rglob("*"))]
    files += [out / "audit.json", out / "outlets.csv"]
    return {str(path.relative_to(out)): blake2b(path.read_bytes()).hexdigest() for path in files if path.is_file()}


def shared(name: str) -> Path:
    """A file of the shared real data, or a skip that says where it was looked for."""
    root = Path(os.environ.get("DATELINE_SHARED") or Path(__file__).parents[3] / "shared")
    path = root / "data" / name
    if not path.exists():
        pytest.skip(f"no real data at {path}; set DATELINE_SHARED to the folder that holds data/")
    return path
