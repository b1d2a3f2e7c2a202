"""A benchmark is built from held-out articles: quotas, positions, files, rejects, and its verdict on itself."""

import json
from collections import Counter
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dateline.benchmark.build import arrange, benchmark_stage, choose, held_out_articles
from dateline.benchmark.card import COLUMNS
from dateline.benchmark.checks import PAPER_QUOTA
from dateline.benchmark.drafts import Draft
from dateline.benchmark.finish import Check
from dateline.benchmark.questions import read_questions
from dateline.benchmark.recipe import BuildOptions
from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.records import Article, stable_hash
from dateline.testing import write_corpus

PLACES = ("gh", "in", "ie", "ca", "ng", "gb", "us", "lk")
OPTIONS = BuildOptions(quota=5, seed=1)


def draft(number, country="gh", **change):
    """A sound draft, unlike every other in its words."""
    words = [f"{stable_hash('word', str(number), country, str(at)):016x}".translate(LETTERS) for at in range(9)]
    article = Article(words[0], "", "", country, "Africa", "2020-01-02", "Title", f"Said {words[1]} here.", "", "test")
    sound = Draft(
        question=f"{words[2]} {words[3]} {words[4]} {words[5]}?",
        answer=words[1],
        distractors=tuple(words[6:9]),
        homes=("", "", ""),
        country=country,
        article=article,
        evidence=f"Said {words[1]} here.",
        start=0,
        kind="word",
        topic="",
        generator="test",
        prompt_version="1",
    )
    return replace(sound, **change)


LETTERS = str.maketrans("0123456789", "ghijklmnop")


class Given:
    """A generator of drafts that were made before."""

    def __init__(self, *groups):
        self.groups = list(groups)

    def drafts(self, wanted):
        while self.groups and any(number > 0 for number in wanted.values()):
            yield self.groups.pop(0)

    def facts(self):
        return {"name": "given"}


@pytest.fixture(scope="session")
def built(held_out_news, tmp_path_factory):
    """A finished benchmark with five questions for each of 18 countries. Read only."""
    out = tmp_path_factory.mktemp("built") / "set"
    manifest = benchmark_stage(held_out_news, OPTIONS, out).make(out)
    return out, manifest


def rows_of(folder, name="questions.parquet"):
    return pq.read_table(folder / name).to_pylist()


def test_every_country_has_its_questions_and_the_set_passes_its_audit(built):
    out, manifest = built
    assert manifest.facts["fit"], manifest.facts["sentence"]
    counts = Counter(item.country for item in read_questions(out / "questions.jsonl"))
    assert len(counts) == 18
    assert set(counts.values()) == {5}
    assert json.loads((out / "audit" / "audit.json").read_text())["fit"]
    assert manifest.counts["in"] == manifest.counts["kept"] + sum(manifest.drops.values())


def test_guessers_without_a_place_are_at_chance(built):
    _, manifest = built
    checks = {check["name"]: check["value"] for check in manifest.facts["checks"]}
    for name in ("options", "question and options", "form of the options"):
        assert checks[f"closed book, {name}"] == pytest.approx(0.25, abs=0.03)
    assert checks["closed book, longest option"] == pytest.approx(0.25, abs=0.03)
    assert manifest.facts["audit"]["blind wording"] == pytest.approx(0.25, abs=0.03)


def test_both_files_hold_the_same_rows_with_their_provenance(built, held_out_news):
    out, _ = built
    rows = rows_of(out)
    assert [json.loads(line) for line in (out / "questions.jsonl").read_text().splitlines()] == rows
    assert list(rows[0]) == list(COLUMNS)
    articles = {article.id: article for article in held_out_articles(held_out_news)}
    for row in rows:
        article = articles[row["article_id"]]
        assert article.text[row["evidence_start"] : row["evidence_end"]] == row["evidence"]
        assert (article.country, article.date, article.domain) == (row["country"], row["date"], row["domain"])
        assert row["options"][row["option_countries"].index(row["country"])] == row["correct_answer"]
        assert row["options"][row["option_countries"].index(row["contrast_country"])] == row["contrast_answer"]


def test_the_questions_are_read_as_pairs(built):
    out, _ = built
    items = read_questions(out / "questions.parquet")
    assert all(item.contrast_answer is not None for item in items)
    assert {item.group for item in items} == {"facts"}


def test_rejects_are_kept_with_their_reasons(built):
    out, manifest = built
    rows = rows_of(out, "rejected.parquet")
    assert Counter(row["reason"] for row in rows) == manifest.drops
    assert all(row["reasons"][0] == row["reason"] and row["question"] for row in rows)


def test_the_card_says_what_was_found(built):
    out, manifest = built
    card = (out / "README.md").read_text()
    _, header, text = card.split("---\n", 2)
    assert yaml.safe_load(header)["configs"][0]["data_files"] == [{"split": "test", "path": "questions.parquet"}]
    assert "90 four-option questions about 18 countries" in text
    assert "The set passes its own audit." in text
    assert "| closed book, longest option | 0.25" in text
    assert "| blind with country | " in text
    assert all(f"| {reason} | {number:,} |" in text for reason, number in manifest.drops.items())
    assert all(f"| `{name}` |" in text for name in COLUMNS)


def test_tasks_ask_with_and_without_the_place(built):
    out, _ = built
    item = read_questions(out / "questions.jsonl")[0]
    first = {}
    for name in ("cloze_none", "cloze_gold", "letter_none", "letter_gold"):
        settings = yaml.safe_load((out / "tasks" / f"{name}.yaml").read_text())
        assert settings["task"] == f"dateline_benchmark_{name}"
        assert settings["tag"] == "dateline_benchmark"
        assert settings["dataset_kwargs"]["data_files"]["test"] == str(out / "tasks" / f"{name}.jsonl")
        first[name] = json.loads((out / "tasks" / f"{name}.jsonl").read_text().splitlines()[0])
    asked = f"Question: {item.question}\nAnswer:"
    assert first["cloze_none"]["context"] == asked
    assert first["cloze_gold"]["context"] == f"COUNTRY: {item.country}\nCONTINENT: {item.continent}\n{asked}"
    assert first["cloze_none"]["choices"][first["cloze_none"]["gold"]] == item.options[item.answer]
    assert first["letter_gold"]["context"].startswith(f"COUNTRY: {item.country}\n")


def test_the_same_seed_gives_the_same_bytes(built, held_out_news, tmp_path):
    out, manifest = built
    again = benchmark_stage(held_out_news, OPTIONS, tmp_path / "set").make(tmp_path / "set")
    for name in ("questions.jsonl", "questions.parquet", "rejected.parquet", "README.md", "audit/audit.json"):
        assert (tmp_path / "set" / name).read_bytes() == (out / name).read_bytes(), name
    assert again.facts == manifest.facts


def test_a_row_looks_like_this(built):
    """Of a set with a fixed seed from a corpus with a fixed seed; changes with the frames (VERSION of facts.py)."""
    out, _ = built
    assert json.loads((out / "questions.jsonl").read_text().splitlines()[0]) == GOLDEN


GOLDEN = {
    "id": "b22f1841f2407327",
    "question": "A report from here is about a petition by residents. Which of these assemblies does it name?",
    "options": ["the Jatiya Sangsad", "the House of Commons", "Parliament", "the House of Representatives"],
    "correct_answer": "the Jatiya Sangsad",
    "country": "bd",
    "continent": "Asia",
    "topic": "politics",
    "kind": "chamber",
    "pair_id": "f4ee177dcf4c01e3",
    "contrast_country": "ca",
    "contrast_answer": "the House of Commons",
    "option_countries": ["bd", "ca", "sg", "jm"],
    "evidence": "Residents of Bogura brought a petition on schools to the Jatiya Sangsad on Tuesday, "
    "the Dhaka Tribune can report.",
    "evidence_start": 0,
    "evidence_end": 113,
    "article_id": "ed282d27ba7ec0b4",
    "domain": "dhakatribune.com",
    "date": "2015-03-01",
    "expires": False,
    "solved_by": [],
    "notes": [],
    "generated_by": "facts",
    "prompt_version": "facts-1",
}


def test_a_set_that_misses_its_quotas_is_written_and_says_so(held_out_news, tmp_path):
    options = BuildOptions(quota={"ng": 400, "gb": 2})
    manifest = benchmark_stage(held_out_news, options, tmp_path / "set").make(tmp_path / "set")
    assert not manifest.facts["fit"]
    number = manifest.facts["countries"]["ng"]
    assert f"Quotas are not met: ng {number} of 400; build a corpus with more" in manifest.facts["sentence"]
    assert (tmp_path / "set" / "tasks" / "cloze_gold.yaml").is_file()
    assert "The set fails its own audit." in (tmp_path / "set" / "README.md").read_text()


def test_a_threshold_that_is_not_kept_makes_the_set_unfit(held_out_news, tmp_path):
    options = BuildOptions(quota={"ng": 5}, min_position_p=1)
    manifest = benchmark_stage(held_out_news, options, tmp_path / "set").make(tmp_path / "set")
    assert "The gold position of a country is not even (p = " in manifest.facts["sentence"]
    failed = [check["name"] for check in manifest.facts["checks"] if not check["fit"]]
    assert (manifest.facts["fit"], failed) == (False, ["gold position by country"])


def test_items_that_a_guesser_solves_are_thrown_away_until_it_does_so_no_longer():
    said = "Said common here."
    items = [
        replace(
            one,
            answer="common",
            distractors=tuple(name[:6] for name in one.distractors),
            evidence=said,
            article=replace(one.article, text=said),
        )
        for one in (draft(number) for number in range(60))
    ]
    chosen = choose(Given(*([one] for one in items)), {"gh": 60}, BuildOptions())
    assert {one.reasons[0] for one in chosen.rejected} == {"solved without its place, from: options"}
    assert len(chosen.kept) < 30


def test_a_country_without_test_articles_is_named(held_out_news, tmp_path):
    stage = benchmark_stage(held_out_news, BuildOptions(quota={"ng": 1, "nz": 1, "fr": 2}), tmp_path / "set")
    with pytest.raises(UserError, match=r"the test split of .* has no article from fr, nz; leave them out"):
        stage.make(tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_training_documents_are_never_asked_about(held_out_news, tmp_path):
    article = held_out_articles(held_out_news)[0]
    trained = write_corpus(tmp_path / "trained", [replace(article, split="train")])
    with pytest.raises(UserError, match="the test split has no article with a country; questions are never made from"):
        held_out_articles(trained)
    both = write_corpus(tmp_path / "both", [replace(article, split="train"), article])
    with pytest.raises(UserError, match=rf"article {article.id} of the test split is in 'train' as well"):
        held_out_articles(both)


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such folder; make it with: dateline newswire"):
        benchmark_stage(tmp_path / "nothing", BuildOptions(), tmp_path / "set")


def test_a_group_is_taken_as_a_whole_or_not_at_all():
    broken = draft(1, "in", start=7)
    chosen = choose(Given([draft(0), broken], [draft(2)], [draft(3)], [draft(4)]), {"gh": 2, "in": 1}, BuildOptions())
    assert [one.id for one in chosen.kept] == [draft(2).id, draft(3).id]
    assert [(one.draft.country, one.reasons) for one in chosen.rejected] == [
        ("gh", ("another question of its group was rejected",)),
        ("in", ("the evidence does not stand in the article",)),
        ("gh", ("its country has all questions that it is to have",)),
    ]


def test_a_repeated_question_is_rejected():
    chosen = choose(Given([draft(0)], [draft(0)], [draft(1)]), {"gh": 3}, BuildOptions())
    assert [one.reasons for one in chosen.rejected] == [("repeats an earlier question",)]
    assert len(chosen.kept) == 2


@given(st.lists(st.sampled_from(PLACES), min_size=1, max_size=120), st.integers(0, 5))
def test_answers_are_spread_evenly_over_the_positions_as_a_whole_and_by_country(codes, seed):
    items = arrange([draft(number, code) for number, code in enumerate(codes)], seed)
    for several in (items, *([one for one in items if one.country == code] for code in set(codes))):
        counts = [sum(item.answer == place for item in several) for place in range(4)]
        assert max(counts) - min(counts) <= 1
    assert [one.id for one in items] == [
        one.id for one in arrange([draft(n, c) for n, c in enumerate(codes)][::-1], seed)
    ]


@given(
    st.lists(st.sampled_from(PLACES[:4]), max_size=40), st.dictionaries(st.sampled_from(PLACES[:4]), st.integers(1, 9))
)
def test_quotas_are_met_where_drafts_allow_it_and_never_exceeded(codes, wanted):
    drafts = [draft(number, code) for number, code in enumerate(codes)]
    chosen = choose(Given(*([one] for one in drafts)), wanted, BuildOptions())
    kept = Counter(one.country for one in chosen.kept)
    solved = Counter(one.draft.country for one in chosen.rejected if one.reasons[0].startswith("solved"))
    for code, number in wanted.items():
        assert kept[code] <= number
        assert kept[code] + solved[code] >= min(number, codes.count(code))
    assert not set(kept) - set(wanted)


@pytest.mark.parametrize(
    ("value", "fit", "verdict"),
    [(0.28, True, "kept"), (0.31, True, "kept (its interval holds chance)"), (0.4, False, "not kept")],
)
def test_a_check_says_why_it_lets_a_guesser_through(value, fit, verdict):
    assert Check("closed book, options", value, 0.3, fit, "").verdict == verdict


@pytest.mark.parametrize(
    ("given_as", "found"),
    [
        ("paper", {code: 2 * number for code, number in PAPER_QUOTA.items()}),
        (7, {"gh": 7, "in": 7}),
        ("ng=20, gb=50", {"ng": 20, "gb": 50}),
        ("{Nigeria: 20, UK: 50}", {"ng": 20, "gb": 50}),
        ({"ng": 20}, {"ng": 20}),
    ],
)
def test_quotas_can_be_written_in_several_ways(given_as, found):
    assert BuildOptions(quota=given_as).wanted(["gh", "in"]) == found
    assert sum(BuildOptions(quota="paper").wanted([]).values()) == 800


@pytest.mark.parametrize(
    ("given_as", "message"),
    [
        ("much", "must be paper, a number, or a number for each country"),
        ("ng=a", "must be a whole number"),
        ("xx=3", "'xx' is no country; write a code such as ng, or a name"),
        ("ng=3,Nigeria=4", "names ng twice"),
        ("{}", "names no country"),
        ("ng=0", "must be greater than or equal to 1"),
    ],
)
def test_a_quota_that_is_none_is_refused_in_one_line(given_as, message):
    with pytest.raises(UserError, match=message) as found:
        validate_recipe(BuildOptions, {"quota": given_as})
    assert "\n" not in str(found.value)
