from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from dateline.corpus.audit import Tally, summarize
from dateline.corpus.card import COLUMNS, SIZES, dataset_card
from dateline.corpus.shards import ARTICLE_COLUMNS, ShardWriter
from dateline.manifest import Manifest
from dateline.records import Article

from .helpers import recipe

ARTICLES = [
    *(
        Article(f"{n:016x}", f"https://a.ke/{n}", "a.ke", "ke", "Africa", "", f"T{n}", "x", "f:1", "train")
        for n in range(5)
    ),
    Article("a", "https://b.uk/1", "b.uk", "gb", "Europe", "2020-01-01", "É", "x", "f:1", "test", ("https://c.uk/",)),
    Article("b", "", "", "", "", "", "", "x", "f:2", "test"),
]


def card_of(
    articles: Sequence[Article] = ARTICLES, title: str = "news", drops: dict[str, int] | None = None, **asked: Any
) -> str:
    tally = Tally()
    for article in articles:
        tally.keep(article, verified="single", declared="", signals="")
    for reason, count in (drops or {}).items():
        for _ in range(count):
            tally.drop(reason, "ke")
    made = recipe("x", **asked)
    audit = summarize(tally, made)
    manifest = Manifest.of("corpus", made.model_dump(mode="json"), {}, counts={"in": audit["in"]}, drops=audit["drops"])
    return dataset_card(title, audit, manifest)


def header_of(card: str) -> dict[str, Any]:
    opening, header, _ = card.split("---\n", 2)
    assert opening == ""
    found: dict[str, Any] = yaml.safe_load(header)
    return found


def test_the_header_names_language_size_and_the_files_of_every_split_that_is_there() -> None:
    assert header_of(card_of(language="en")) == {
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["news", "localization", "dateline"],
        "size_categories": ["n<1K"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": "train", "path": "data/train-*.parquet"},
                    {"split": "test", "path": "data/test-*.parquet"},
                ],
            }
        ],
    }
    assert "language" not in header_of(card_of())


def test_norwegian_is_a_language_and_no_boolean() -> None:
    assert header_of(card_of(language="no"))["language"] == ["no"]


def test_sizes_are_those_of_the_hub() -> None:
    audit = summarize(Tally(), recipe("x"))
    manifest = Manifest.of("corpus", {}, {}, counts={"in": 0})
    for (bound, label), (_, following) in zip(SIZES, [*SIZES[1:], (0, "n>1T")], strict=True):
        if following == "n>1T":
            continue
        assert header_of(dataset_card("x", audit | {"documents": bound - 1}, manifest))["size_categories"] == [label]
        assert header_of(dataset_card("x", audit | {"documents": bound}, manifest))["size_categories"] == [following]


def test_documents_are_listed_by_country_and_drops_by_reason() -> None:
    card = card_of(drops={"too short": 2, "language": 3})
    assert "7 news articles with the place that they come from, of 12 read." in card
    assert "| Africa | Kenya | ke | 5 | 0 | 0 | 1 |\n| Europe | United Kingdom | gb | 0 | 0 | 1 | 1 |" in card
    assert "| | none found | | 0 | 0 | 1 | |" in card
    assert "| language | 3 |\n| too short | 2 |" in card
    assert "## What was left out\n\nNothing.\n" in card_of()


def test_problems_are_listed_and_nothing_in_them_is_markup() -> None:
    card = card_of(held_out_outlets=["a_b*[x](y)<z>|.ke"])
    assert "- trained on but not tested: ke\n" in card
    assert "- outlet a\\_b\\*\\[x\\](y)\\<z\\>\\|.ke is held out and absent\n" in card
    sound = card_of(
        [
            Article("0", f"https://{n}.ke/", f"{n}.ke", "ke", "Africa", "2024-02-05", "T", "x", "f", split)
            for n in range(100)
            for split in ("train", "validation", "test")
        ]
    )
    assert sound.endswith("## Known limits\n\nNone found by the audit.\n")


def test_every_column_is_explained() -> None:
    assert tuple(COLUMNS) == ARTICLE_COLUMNS
    assert all(f"| `{name}` |" in card_of() for name in ARTICLE_COLUMNS)


def test_the_hub_takes_the_header() -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.DatasetCard(card_of(language="en")).data
    assert data.language == ["en"]
    assert data.size_categories == ["n<1K"]


def test_datasets_loads_the_folder_with_its_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "news"
    for number, part in enumerate((ARTICLES[:2], ARTICLES[2:])):
        with ShardWriter(tmp_path / str(number), number=number) as writer:
            for article in part:
                writer.write(article)
        shutil.copytree(tmp_path / str(number) / "data", folder / "data", dirs_exist_ok=True)
    (folder / "dropped" / "too-short").mkdir(parents=True)
    (folder / "dropped" / "too-short" / "00000.jsonl").write_text('{"text": "no article of the corpus"}\n')
    (folder / "README.md").write_text(card_of(), encoding="utf-8")
    found = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 5, "test": 2}
    assert found["test"][0]["also_at"] == ["https://c.uk/"]
    assert [row["id"] for row in found["train"]] == [f"{n:016x}" for n in range(5)]
    assert tuple(found["train"].column_names) == ARTICLE_COLUMNS
