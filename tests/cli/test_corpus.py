"""Files or a recipe into a corpus, with values from the command line; a corpus is shown; the newswire is written."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dateline.cli.corpus import Inspect, draw, read_recipe, samples
from dateline.corpus import CorpusRecipe, build_corpus, read_articles
from dateline.errors import UserError
from dateline.jobs import slurm_options
from dateline.manifest import Manifest, read_manifest
from dateline.records import Article
from dateline.testing import write_corpus

Run = Callable[..., Any]
WORDS = (
    "council",
    "river",
    "the",
    "old",
    "hall",
    "met",
    "and",
    "said",
    "of",
    "a",
    "new",
    "bridge",
    "for",
    "town",
    "in",
)


def text(number: int) -> str:
    """English words in an order of their own."""
    return f"Report {number}. " + " ".join(random.Random(number).choices(WORDS, k=80)) + "."


def manifest_of(out: Path) -> Manifest:
    manifest = read_manifest(out)
    assert manifest is not None
    return manifest


@pytest.fixture
def news(tmp_path: Path) -> Path:
    path = tmp_path / "news.jsonl"
    rows = [{"url": f"https://punchng.com/{n}", "title": f"Story {n}", "body": text(n)} for n in range(30)]
    rows += [rows[0], {"url": "https://punchng.com/short", "title": "Short", "body": "Too little."}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    return path


def test_paths_with_values(dateline: Run, news: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    said = dateline("corpus", news, "--out", out, "--columns.text", "body", "--language=null", "--splits.train", "0.8",
                    "--splits.test", "0.15", "--workers", "1")  # fmt: skip
    assert said.code == 0, said.err
    manifest = manifest_of(out)
    assert manifest.recipe["language"] is None
    assert manifest.recipe["splits"]["train"] == 0.8
    assert manifest.drops == {"duplicate": 1, "too short": 1, "unreadable": 1}
    lines = said.out.splitlines()
    assert lines[0] == f"{out}: 30 of 33 documents kept"
    assert sum(int(part.split()[1]) for part in lines[1].split(",")) == 30
    assert {"  dropped 1: duplicate", "  dropped 1: too short", "  dropped 1: unreadable"} <= set(lines)
    assert f"  each of them is in {out / 'dropped'}" in lines
    assert [line for line in lines if line.startswith("  problem: ")] == [
        f"  problem: {problem}" for problem in manifest.facts["problems"]
    ]
    assert lines[-1] == f"  see {out / 'corpus.html'}"
    assert (out / "corpus.html").is_file()
    assert "corpus: pieces: 33 documents" in said.err


def test_a_recipe_gives_the_same_corpus(dateline: Run, news: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "corpus.yaml"
    recipe.write_text(f"paths: ['{news}']\ncolumns: {{text: wrong}}\n")
    words = ("--columns.text", "body", "--workers", "1")
    assert dateline("corpus", recipe, "--out", tmp_path / "a", *words).code == 0
    assert dateline("corpus", news, "--out", tmp_path / "b", *words).code == 0
    assert manifest_of(tmp_path / "a").fingerprint == manifest_of(tmp_path / "b").fingerprint
    assert list(read_articles(tmp_path / "a")) == list(read_articles(tmp_path / "b"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.yaml", "b.jsonl"], "a.yaml: give one recipe, or paths without a recipe"),
        ([], "no recipe and no path given; name a .yaml recipe, or files, globs or folders"),
        (["a.jsonl", "--langage", "en"], "--langage: unknown key; did you mean 'language'?"),
        (
            ["a.jsonl", "--language", "en", "--language.x", "y"],
            "--language.x: the part before the last dot is a single value",
        ),
        (["a.jsonl", "--language"], "--language has no value; recipe values are given as --section.key VALUE"),
        (["a.jsonl", "--workers", "-1"], "--workers: must be greater than or equal to 0 (given: -1)"),
        (["a.jsonl", "--slurm", "partition=x"], "--slurm: is for --executor slurm"),
        (["a.jsonl", "--executor", "slurm"], "--slurm: partition and time missing; write partition=NAME,time=HH:MM:SS"),
        (["a.jsonl", "--executor", "slurm", "--slurm", "partition=x"], "--slurm: time missing; write partition="),
        (["a.jsonl", "--executor", "slurm", "--slurm", "fast"], "--slurm: 'fast' is no key=value; write partition="),
        (["gone.jsonl"], "gone.jsonl: no such file or folder"),
        (["gone*.jsonl"], "gone*.jsonl: no readable file matches this pattern (0 others do); readable are "),
    ],
)
def test_mistakes_are_named(dateline: Run, tmp_path: Path, words: list[str], message: str) -> None:
    said = dateline("corpus", *words, "--out", tmp_path / "out")
    assert said.code == 2
    assert said.err.startswith(f"dateline: {message}")
    assert list(tmp_path.iterdir()) == []


def test_an_executor_that_does_not_exist_is_refused(dateline: Run, tmp_path: Path) -> None:
    said = dateline("corpus", "a.jsonl", "--executor", "dask", "--out", tmp_path / "out")
    assert said.code == 2
    assert "dask" in said.err


def test_slurm_options_are_those_of_datatrove() -> None:
    assert slurm_options("partition=cpu, time=04:00:00,mem_per_cpu_gb=4,qos=") == {
        "partition": "cpu",
        "time": "04:00:00",
        "mem_per_cpu_gb": 4,
        "qos": "",
    }


def test_values_of_one_section_are_put_together() -> None:
    found = read_recipe(("a.jsonl",), ["--near_duplicates.keep", "true", "--near_duplicates.threshold=0.7"])
    assert (found.near_duplicates.keep, found.near_duplicates.threshold) == (True, 0.7)
    with pytest.raises(UserError, match=r"^--near_duplicates\.threshold: must be"):
        read_recipe(("a.jsonl",), ["--near_duplicates.threshold", "3"])


def test_nothing_left_is_an_error_of_one_line(dateline: Run, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "Too short."}\n')
    said = dateline("corpus", tmp_path / "in.jsonl", "--out", tmp_path / "out", "--workers", "1")
    assert said.code == 2
    assert said.err.splitlines()[-1] == (
        "dateline: no usable document is left of 1 read; dropped most often: too short 1; "
        f"each of them is in {tmp_path / 'out' / 'dropped'}"
    )


def test_overwriting_must_be_asked_for(dateline: Run, news: Path, tmp_path: Path) -> None:
    words = ["corpus", news, "--out", tmp_path / "c", "--columns.text", "body", "--workers", "1"]
    assert dateline(*words).code == 0
    (tmp_path / "c" / "corpus.html").unlink()
    assert dateline(*words).code == 0  # the same corpus: only what is missing is made
    assert (tmp_path / "c" / "corpus.html").is_file()
    assert dateline(*words, "--language", "null").code == 2
    assert dateline(*words, "--language", "null", "--overwrite").code == 0


SBATCH = """#!/bin/sh
echo "$1" >> {log}
echo Submitted batch job $(wc -l < {log})
"""


def test_a_cluster_is_told_what_to_do_and_the_user_which_jobs_do_it(
    dateline: Run, news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    (folder / "sbatch").write_text(SBATCH.format(log=log))
    (folder / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    out = tmp_path / "out"
    said = dateline("corpus", news, "--out", out, "--executor", "slurm", "--slurm", "partition=cpu,time=00:10:00",
                    "--columns.text", "body", "--near_duplicates.index", "distributed")  # fmt: skip
    assert said.code == 0, said.err
    assert said.out == f"{out}: submitted as jobs 1, 2, 3, 4, 5, 6, 7; the last one makes the folder\n"
    assert not out.exists()
    [script] = (tmp_path / ".out.work").glob("*/logs/finish/launch_script.slurm")
    wanted = ("#SBATCH --partition=cpu", "#SBATCH --time=00:10:00", f"export PATH={Path(sys.executable).parent}:$PATH")
    assert all(line in script.read_text().splitlines() for line in wanted)


def test_the_command_works_in_a_process_of_its_own_with_several_workers(news: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in news.read_text().splitlines() if '"body"' in line]
    (tmp_path / "in").mkdir()
    for number in range(2):
        half = [rows[number] | {"other": " " * (17 << 20)}, *rows[number + 2 :: 2]]  # a task has 16 MB of input
        (tmp_path / "in" / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in half))
    words = ["corpus", "in", "--out", "out", "--columns.text", "body", "--workers", "2", "--language", "null"]
    done = subprocess.run(
        [sys.executable, "-m", "dateline", *words], cwd=tmp_path, env=os.environ | {"NO_COLOR": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("out: 30 of 32 documents kept\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "news.jsonl", "out"]


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
    assert len(list(samples(Inspect(corpus=corpus, sample=100)))) == len(articles)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sample", "-1"], "--sample: must be greater than or equal to 0 (given: -1)"),
        (["--country", "ng"], "--country and --split choose articles; add --sample N"),
        (["--split", "test"], "--country and --split choose articles; add --sample N"),
        (["--sample", "1", "--country", "Atlantis"], "--country 'Atlantis': is no country; write an ISO code such as"),
        (
            ["--sample", "1", "--split", "dev"],
            "--split: must be 'train', 'validation' or 'test' (given: 'dev')",
        ),
        (["--sample", "1", "--fields", "author"], "--fields: must be 'domain', 'url', "),
        (["--sample", "1", "--country", "jp"], "CORPUS: holds no article of jp"),
        (["--sample", "1", "--country", "ng", "--split", "validation"], "CORPUS: holds no article of ng validation"),
    ],
)
def test_mistakes_of_inspect_are_named(dateline: Run, corpus: Path, words: list[str], message: str) -> None:
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


def test_two_versions_are_compared(dateline: Run, corpus: Path, tmp_path: Path) -> None:
    articles = [article(n, "ng") for n in (0, 3, 6, 50, 51)] + [article(99, "fr")]
    newer = write_corpus(tmp_path / "newer", articles)
    said = dateline("corpus", "diff", corpus, newer, "--outlets", "1")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == f"{corpus}: 25 documents; {newer}: 6"
    assert lines[1] == "  4 same, 2 came, 21 went, 0 changed"
    assert [line.split() for line in lines if line.startswith("ng ")] == [["ng", "8", "5", "3", "2", "5", "0"]]
    assert "22 more outlets; --outlets N prints more, --json all" in lines
    found = json.loads(dateline("corpus", "diff", corpus, newer, "--json").out)
    assert found["documents"]["went"] == 21
    assert found["outlets"]["paper50.com"]["came"] == 1
    assert dateline("corpus", "diff", corpus, tmp_path).code == 2
    assert "did you mean 'diff'?" in dateline("corpus", "dif", corpus, newer).err


def test_a_folder_of_that_name_is_a_path_like_any_other(
    dateline: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("inspect").mkdir()
    said = dateline("corpus", "./inspect", "--out", "out")
    assert said.err.startswith("dateline: ./inspect: no readable file in this folder (0 others); readable are ")


def test_number_and_seed_reach_the_corpus(dateline, tmp_path):
    said = dateline("newswire", "--articles", "120", "--seed", "5", "--out", tmp_path / "wire")
    assert said.code == 0, said.err
    assert said.out.startswith(f"{tmp_path / 'wire'}: 120 of 120 documents kept\n")
    assert read_manifest(tmp_path / "wire").recipe["newswire"] == {"articles": 120, "seed": 5}


def test_no_article_at_all_is_a_mistake(dateline, tmp_path):
    said = dateline("newswire", "--articles", "0", "--out", tmp_path / "wire")
    assert said.code == 2
    assert said.err.startswith("dateline: --articles: must be greater than 0")
    assert not (tmp_path / "wire").exists()
