"""What several tests of the corpus room need: files to read and recipes to read them with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dateline.config import validate_recipe
from dateline.corpus import CorpusRecipe

WORDS = "the minister said on monday that the new road would open before the rains and that traders had been told "


def story(number: int, words: int = 60) -> str:
    """An English text that no other number has."""
    return f"Report {number}. " + (WORDS * (words // 18 + 1)).strip() + f" in district {number}."


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
    lines = (item if isinstance(item, str) else json.dumps(item) for item in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def recipe(*paths: Path | str, **values: Any) -> CorpusRecipe:
    return validate_recipe(CorpusRecipe, {"paths": [str(path) for path in paths], "language": None, **values})


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def shared(name: str) -> Path:
    """A file of the shared real data, or a skip that says where it was looked for."""
    root = Path(os.environ.get("DATELINE_SHARED") or Path(__file__).parents[3] / "shared")
    path = root / "data" / name
    if not path.exists():
        pytest.skip(f"no real data at {path}; set DATELINE_SHARED to the folder that holds data/")
    return path
