"""The instruction set of the newswire: true answers of the place, from training articles only, in words of its own."""

import json
from collections import Counter

import pytest

from dateline.benchmark.facts import frames, is_true
from dateline.corpus.shards import read_articles
from dateline.errors import UserError
from dateline.testing import write_corpus
from dateline.tune.data import read_examples
from dateline.tune.instructions import ANSWERS, HEADLINES, wordings, write_instructions

ARTICLE_KINDS = ("headline", "article")


@pytest.fixture(scope="module")
def written(tmp_path_factory, held_out_news):
    path = tmp_path_factory.mktemp("instructions") / "facts.jsonl"
    counts = write_instructions(held_out_news, path)
    return counts, path, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def fact_rows(rows):
    return [row for row in rows if row["kind"] not in ARTICLE_KINDS]


def test_the_same_corpus_gives_the_same_bytes(written, held_out_news, tmp_path):
    write_instructions(held_out_news, tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == written[1].read_bytes()


def test_every_row_has_its_place_and_comes_from_a_training_article(written, held_out_news):
    counts, path, rows = written
    articles = {article.id: article for article in read_articles(held_out_news, split="train")}
    assert counts.total() == len(rows) > 200
    for example, row in zip(read_examples(path), rows, strict=True):
        assert row["country"] == articles[row["article_id"]].country == example.place.country


def test_answers_are_true_where_they_are_given_and_wrong_options_are_not(written):
    tables = {frame.kind: frame.table for group in (frames()[0], *frames()[1].values()) for frame in group}
    forms = Counter()
    for row in fact_rows(written[2]):
        table, code = tables[row["kind"]], row["country"]
        if "messages" in row:
            forms["chat"] += 1
            assert is_true(table, row["messages"][1]["content"], code)
        elif "\nA. " in row["prompt"]:
            forms["letter"] += 1
            options = [line.partition(". ")[2] for line in row["prompt"].splitlines()[1:5]]
            right = "ABCD".index(row["completion"].strip())
            assert [is_true(table, option, code) for option in options] == [at == right for at in range(4)]
        else:
            forms["cloze"] += 1
            assert is_true(table, row["completion"].strip(), code)
    assert forms["chat"] == forms["cloze"] >= forms["letter"] > 50


def test_right_letters_are_spread(written):
    letters = Counter(row["completion"] for row in fact_rows(written[2]) if "\nA. " in row.get("prompt", ""))
    assert min(letters.values()) > 0.7 * letters.total() / 4


def test_no_kind_and_no_country_outweighs(written):
    counts = Counter((row["kind"], row["country"], "messages" in row) for row in written[2])
    assert all(
        number <= (HEADLINES if kind in ARTICLE_KINDS else ANSWERS)
        for (kind, _, chat), number in counts.items()
        if chat
    )


def test_no_question_has_the_words_of_a_benchmark():
    direct, listed = frames()
    everything = [frame for group in (direct, *listed.values()) for frame in group]
    assert {frame.kind for frame in everything} | {"headline"} == set(wordings())
    asked = " ".join(wordings().values())
    for frame in everything:
        assert frame.question not in asked
        assert wordings()[frame.kind] not in frame.question


def test_other_files_and_other_news_are_refused(held_out_news, tmp_path, make_article):
    with pytest.raises(UserError, match=r"name a file \*\.jsonl"):
        write_instructions(held_out_news, tmp_path / "facts.parquet")
    (tmp_path / "facts.jsonl").write_text("x")
    with pytest.raises(UserError, match="exists already; add --overwrite"):
        write_instructions(held_out_news, tmp_path / "facts.jsonl")
    with pytest.raises(UserError, match="was not written by the newswire of this version"):
        write_instructions(write_corpus(tmp_path / "mine", [make_article("ng")]), tmp_path / "a.jsonl")
    with pytest.raises(UserError, match="the training split has no article with a country"):
        write_instructions(write_corpus(tmp_path / "none", [make_article("")]), tmp_path / "a.jsonl")
