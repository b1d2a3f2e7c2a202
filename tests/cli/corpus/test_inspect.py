"""What is in a corpus folder: the audit, or articles as a model reads them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dateline.cli.corpus.inspect import Inspect, draw, samples
from dateline.corpus import CorpusRecipe, build_corpus, read_articles
from dateline.records import Article
from dateline.testing import write_corpus

Run = Callable[..., Any]


def article(number: int, country: str, split: str = "train", **more: Any) -> Article:
    continent = "Africa" if country in ("ng", "ke") else "Europe"
    return Article(
        f"{number:016x}",
        f"https://paper{number}.com/story",
        f"paper{number}.com",
        country,
        continent,
        "2021-03-04",
        f"Title {number}",
        f"First line of {number}.\n\nSecond line.",
        f"in.jsonl:{number}",
        split,
        **more,
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    articles = [article(n, ("ng", "gb", "ke")[n % 3], ("train", "train", "train", "test")[n % 4]) for n in range(24)]
    return write_corpus(tmp_path / "corpus", [*articles, article(99, "fr", also_at=("https://copy.fr/1",))])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "wire"
    build_corpus(CorpusRecipe.model_validate({"newswire": {"articles": 400}}), out)
    return out


def test_the_audit_is_printed(dateline: Run, built: Path) -> None:
    said = dateline("corpus", "inspect", built)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0].startswith("wire")
    assert all(word in said.out for word in ("Nigeria", "Africa", "problem: ", "dropped"))


def test_articles_are_shown_as_a_model_reads_them(dateline: Run, corpus: Path) -> None:
    said = dateline("corpus", "inspect", corpus, "--sample", 1, "--country", "fr")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"--- {99:016x}  train  in.jsonl:99\n"
        "also at https://copy.fr/1\n"
        "| URL: paper99.com\n"
        "| COUNTRY: fr\n"
        "| CONTINENT: Europe\n"
        "\n"
        "TITLE: Title 99\n"
        "\n"
        "CONTENT: First line of 99.\n"
        "\n"
        "Second line.\n"
        "\n"
    )


def test_the_fields_of_the_prefix_can_be_chosen(dateline: Run, corpus: Path) -> None:
    said = dateline("corpus", "inspect", corpus, "--sample", 1, "--country", "fr", "--fields", "date")
    assert [line for line in said.out.splitlines() if line.startswith("|")] == ["| DATE: 2021-03-04"]


def test_a_sample_is_of_the_country_and_split_that_are_asked_for(dateline: Run, corpus: Path) -> None:
    said = dateline("corpus", "inspect", corpus, "--sample", 5, "--country", "Nigeria", "--split", "test")
    heads = [line for line in said.out.splitlines() if line.startswith("---")]
    expected = [item.id for item in read_articles(corpus, split="test") if item.country == "ng"]
    assert [head.split()[1:3] for head in heads] == [[identity, "test"] for identity in expected]
    assert said.out.count("| COUNTRY: ng\n") == len(expected) == 2


def test_the_same_seed_draws_the_same_articles_in_the_order_of_the_corpus(corpus: Path) -> None:
    articles = list(read_articles(corpus))
    drawn = draw(iter(articles), 10, 3)
    assert drawn == draw(iter(articles), 10, 3)
    assert drawn == [item for item in articles if item in drawn]
    assert len({tuple(item.id for item in draw(iter(articles), 10, seed)) for seed in range(5)}) > 1
    assert {item.id for item in draw(iter(articles), 4, 3)} < {item.id for item in drawn}
    assert len(list(samples(Inspect(corpus, sample=100)))) == len(articles)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sample", "-1"], "--sample -1: give a number of articles"),
        (["--country", "ng"], "--country and --split choose articles; add --sample N"),
        (["--split", "test"], "--country and --split choose articles; add --sample N"),
        (["--sample", "1", "--country", "Atlantis"], "--country 'Atlantis': is no country; write an ISO code such as"),
        (["--sample", "1", "--split", "dev"], "there is no split 'dev'; there are train, validation, test"),
        (["--sample", "1", "--fields", "author"], "--fields author: no such field; known are domain, url, url_hash"),
        (["--sample", "1", "--country", "jp"], "CORPUS: holds no article of jp"),
        (["--sample", "1", "--country", "ng", "--split", "validation"], "CORPUS: holds no article of ng validation"),
    ],
)
def test_mistakes_are_named(dateline: Run, corpus: Path, words: list[str], message: str) -> None:
    said = dateline("corpus", "inspect", corpus, *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"dateline: {message.replace('CORPUS', str(corpus))}")


def test_what_is_no_corpus_is_said_so(dateline: Run, tmp_path: Path) -> None:
    said = dateline("corpus", "inspect", tmp_path / "gone")
    assert said.code == 2
    assert said.err.startswith(f"dateline: {tmp_path / 'gone'}: no such folder; make it with: dateline corpus RECIPE")


def test_the_page_can_be_written_again(dateline: Run, built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wire"
    shutil.copytree(built, folder)
    assert not (folder / "corpus.html").exists()
    said = dateline("corpus", "inspect", folder, "--html")
    assert (said.code, said.out) == (0, f"wrote {folder / 'corpus.html'}\n")
    first = (folder / "corpus.html").read_text()
    assert "Nigeria" in first
    dateline("corpus", "inspect", folder, "--html")
    assert (folder / "corpus.html").read_text() == first


def test_a_folder_of_that_name_is_a_path_like_any_other(
    dateline: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("inspect").mkdir()
    said = dateline("corpus", "./inspect", "--out", "out")
    assert said.err.startswith("dateline: ./inspect: no readable file in this folder (0 others); readable are ")
