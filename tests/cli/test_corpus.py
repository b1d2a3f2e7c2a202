"""Files or a recipe into a corpus, with values from the command line."""

import json

import pytest

from dateline.manifest import read_manifest

TEXT = "The council met in the old town hall on Monday and said that the river would be watched day and night. " * 4


@pytest.fixture
def news(tmp_path):
    path = tmp_path / "news.jsonl"
    rows = [
        {"url": f"https://punchng.com/{n}", "title": f"Story {n}", "body": f"Report {n}. {TEXT}"} for n in range(30)
    ]
    rows += [rows[0], {"url": "https://punchng.com/short", "title": "Short", "body": "Too little."}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    return path


def test_paths_with_values(dateline, news, tmp_path):
    out = tmp_path / "corpus"
    said = dateline("corpus", news, "--out", out, "--columns.text", "body", "--language=null", "--splits.train", "0.8",
                    "--splits.test", "0.15")  # fmt: skip
    assert said.code == 0, said.err
    manifest = read_manifest(out)
    assert manifest.recipe["language"] is None
    assert manifest.recipe["splits"]["train"] == 0.8
    assert manifest.drops == {"duplicate": 1, "too short": 1, "unreadable": 1}
    assert said.out.startswith(f"{out}: 30 of 33 documents kept\n")
    assert f"see {out / 'dropped.jsonl'} for each of them" in said.out


def test_a_recipe_gives_the_same_corpus(dateline, news, tmp_path):
    recipe = tmp_path / "corpus.yaml"
    recipe.write_text(f"paths: ['{news}']\ncolumns: {{text: wrong}}\n")
    assert dateline("corpus", recipe, "--out", tmp_path / "a", "--columns.text", "body").code == 0
    assert dateline("corpus", news, "--out", tmp_path / "b", "--columns.text", "body").code == 0
    assert read_manifest(tmp_path / "a").fingerprint == read_manifest(tmp_path / "b").fingerprint


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.yaml", "b.jsonl"], "a.yaml: give one recipe, or paths without a recipe"),
        ([], "no recipe and no path given; name a .yaml recipe, or files, globs or folders"),
        (["a.jsonl", "--langage", "en"], "command line: unknown key 'langage'; did you mean 'language'?"),
        (["a.jsonl", "--language", "en", "--language.x", "y"], "--language.x: language is no section; give --language"),
        (["a.jsonl", "--language"], "--language has no value; recipe values are given as --section.key VALUE"),
    ],
)
def test_mistakes_are_named(dateline, tmp_path, words, message):
    said = dateline("corpus", *words, "--out", tmp_path / "out")
    assert said.code == 2
    assert said.err.startswith(f"dateline: {message}")
    assert not (tmp_path / "out").exists()


def test_overwriting_must_be_asked_for(dateline, news, tmp_path):
    words = ["corpus", news, "--out", tmp_path / "c", "--columns.text", "body"]
    assert dateline(*words).code == 0
    assert dateline(*words).code == 2
    assert dateline(*words, "--overwrite").code == 0
