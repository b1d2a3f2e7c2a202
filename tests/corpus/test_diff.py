"""Two versions of a corpus compared."""

from pathlib import Path
from typing import Any

import pytest

from dateline.corpus import build_corpus, diff_corpora
from dateline.errors import UserError

from .helpers import SPLITS_OFF, recipe, row, story, write_jsonl


def build_rows(folder: Path, rows: list[dict[str, Any]], **values: Any) -> Path:
    build_corpus(recipe(write_jsonl(folder / "in.jsonl", rows), splits=SPLITS_OFF, **values), folder / "out")
    return folder / "out"


def corpora(tmp_path: Path, before: list[dict[str, Any]], after: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    first = build_rows(tmp_path / "first", before)
    second = build_rows(tmp_path / "second", after, **values)
    return diff_corpora(first, second)


def test_what_came_went_and_changed_is_counted_by_country_and_outlet(tmp_path: Path) -> None:
    british = {"url": "https://www.bbc.co.uk/1", "country": "gb"}
    before = [row(0), row(1), row(2), row(3, **british)]
    after = [row(0), row(1, title="Another headline"), row(3, **british), row(4, **british | {"url": "https://x.uk/4"})]
    found = corpora(tmp_path, before, after)
    assert found["documents"] == {"before": 4, "after": 4, "same": 2, "came": 1, "went": 1, "changed": 1}
    assert found["countries"] == {
        "gb": {"before": 1, "after": 2, "same": 1, "came": 1, "went": 0, "changed": 0},
        "ke": {"before": 3, "after": 2, "same": 1, "came": 0, "went": 1, "changed": 1},
    }
    assert found["outlets"]["x.uk"]["came"] == 1
    assert found["outlets"]["gov2.co.ke"]["went"] == 1
    assert found["moved"] == {"country": {}, "split": {}}
    assert "in.jsonl" in found["why"]


def test_what_moved_is_told_apart_from_what_came(tmp_path: Path) -> None:
    before = [row(0), row(1), row(2, url="https://a.com/2", country="")]
    after = [row(0, country="gb"), row(1), row(2, url="https://a.com/2", country="ng")]
    found = corpora(tmp_path, before, after, held_out=["ng"], countries=["gb", "ke", "ng"])
    assert found["documents"]["same"] == 3
    assert found["moved"] == {"country": {"ke -> gb": 1, "none -> ng": 1}, "split": {"train -> test": 1}}
    assert found["why"].startswith("countries: ")


def test_a_corpus_is_the_same_as_itself(tmp_path: Path) -> None:
    out = build_rows(tmp_path / "first", [row(0), row(1, text=story(1), url="")])
    found = diff_corpora(out, out)
    assert found["documents"] == {"before": 2, "after": 2, "same": 2, "came": 0, "went": 0, "changed": 0}
    assert found["why"] == ""
    with pytest.raises(UserError, match=r"nowhere: no such folder; make it with: dateline corpus RECIPE"):
        diff_corpora(out, tmp_path / "nowhere")
