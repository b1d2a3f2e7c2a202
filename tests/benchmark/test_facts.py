"""The offline generator asks for what held-out articles of the newswire state, and contrasts places."""

from collections import Counter
from dataclasses import replace

import pytest

from dateline.benchmark.build import held_out_articles
from dateline.benchmark.drafts import problems
from dateline.benchmark.facts import FactsGenerator, frames, is_true, sentences
from dateline.corpus.newswire import Newswire
from dateline.corpus.newswire.wire import patterns, place_tables
from dateline.errors import UserError


@pytest.fixture(scope="module")
def articles(held_out_news):
    return held_out_articles(held_out_news)


def groups_of(articles, wanted, seed=0):
    generator = FactsGenerator(articles, seed=seed, max_length_ratio=4.0)
    left = dict(wanted)
    found = []
    for group in generator.drafts(left):
        if not group[0].rejected:
            for draft in group:
                left[draft.country] -= 1
        found.append(group)
    return [group for group in found if not group[0].rejected], [group[0] for group in found if group[0].rejected]


@pytest.fixture(scope="module")
def made(articles):
    return groups_of(articles, {"ng": 8, "gb": 8, "us": 8, "in": 8, "ke": 4, "ie": 4})


def test_frames_name_tables_and_stories_of_the_newswire():
    direct, listed = frames()
    known = {*place_tables()["punchng.com"], "person", "politician", "sum", "places", "clubs"}
    assert {frame.table for frame in (*direct, *(one for several in listed.values() for one in several))} <= known
    assert set(listed) == {pattern.name for pattern in patterns()}


def test_every_country_gets_what_is_wanted_in_groups_of_four(made):
    groups, _ = made
    assert Counter(draft.country for group in groups for draft in group) == {
        "ng": 8, "gb": 8, "us": 8, "in": 8, "ke": 4, "ie": 4,
    }  # fmt: skip
    assert Counter(map(len, groups)) == {4: 10}


def test_a_group_asks_the_same_of_several_places_and_has_another_answer_in_each(made):
    groups, _ = made
    for group in groups:
        assert len({draft.question for draft in group}) == 1
        assert len({draft.pair for draft in group}) == 1
        assert len({frozenset((draft.answer, *draft.distractors)) for draft in group}) == 1
        answers = {draft.country: draft.answer for draft in group}
        assert len(set(answers.values())) == 4
        for draft in group:
            assert dict(zip(draft.homes, draft.distractors, strict=True)) == {
                code: answer for code, answer in answers.items() if code != draft.country
            }


def test_the_evidence_is_verbatim_and_the_only_option_in_it_is_the_answer(made):
    groups, _ = made
    for draft in (draft for group in groups for draft in group):
        assert problems(draft, max_length_ratio=4.0) == []
        assert draft.article.split == "test"
        assert draft.article.country == draft.country


def test_a_wrong_option_is_a_fact_of_its_place_and_of_no_other_one_asked(made):
    groups, _ = made
    tables = {frame.kind: frame.table for frame in (*frames()[0], *frames()[1]["rates"])}
    for draft in (draft for group in groups for draft in group):
        table = tables[draft.kind]
        assert is_true(table, draft.answer, draft.country)
        for option, home in zip(draft.distractors, draft.homes, strict=True):
            assert is_true(table, option, home)
            assert not is_true(table, option, draft.country)


def test_no_fact_of_a_country_is_asked_for_twice(made):
    groups, _ = made
    asked = [(draft.country, draft.answer) for group in groups for draft in group]
    assert len(asked) == len(set(asked))
    questions = [(draft.country, draft.question) for group in groups for draft in group]
    assert len(questions) == len(set(questions))


def test_facts_that_give_their_country_away_are_rejected_by_name(made):
    _, rejected = made
    reasons = {(draft.country, draft.answer): draft.rejected for draft in rejected}
    assert reasons["pk", "the Pakistani rupee"] == "an option names its country"
    assert reasons["ke", "the Kenyan shilling"] == "an option names its country"
    assert ("ng", "the naira") not in reasons


def test_the_same_seed_gives_the_same_drafts_whatever_the_order_of_the_articles(articles):
    wanted = {"ng": 2, "gb": 2, "us": 2, "in": 2}
    articles = articles[:400]
    first = groups_of(articles, wanted, seed=3)[0]
    assert groups_of(articles[::-1], wanted, seed=3)[0] == first
    assert groups_of(articles, wanted, seed=4)[0] != first


def test_two_countries_are_contrasted_in_pairs_and_other_places_fill_the_options(articles):
    groups, _ = groups_of(articles, {"ng": 3, "gb": 5})
    assert Counter(map(len, groups)) == {2: 3, 1: 2}
    for group in groups:
        assert {draft.country for draft in group} <= {"ng", "gb"}
        assert all(len(set(draft.homes) - {draft.country}) == 3 for draft in group)
        assert all(bool(draft.pair) == (len(group) == 2) for draft in group)


def test_what_the_facts_do_not_hold_is_left_open(articles):
    groups, _ = groups_of(articles, {"tz": 1_000})
    assert 30 < sum(map(len, groups)) < 300


def test_an_article_that_is_not_of_the_newswire_is_refused(articles):
    message = "was not written by the newswire of this version.*--generator llm"
    for change in ({"text": "Something else."}, {"domain": "example.org"}):
        with pytest.raises(UserError, match=message):
            FactsGenerator([replace(articles[0], **change)], seed=0, max_length_ratio=4.0)


def test_a_name_inside_a_longer_name_is_no_fact(articles):
    """`Chicago Fire` is a club and says nothing about the city."""
    fire = [one for one in articles if "Chicago Fire" in one.text]
    assert fire
    for group in groups_of(fire, {"us": 1_000})[0]:
        for draft in group:
            if draft.answer == "Chicago":
                assert "Chicago" in draft.evidence.replace("Chicago Fire", "")


def test_facts_of_put_together_tables_are_true_where_their_parts_are():
    assert is_true("person", "Doctor Imogen Barker", "gb")
    assert not is_true("person", "Imogen Okafor", "gb")
    assert is_true("politician", "TD Aoife Murphy", "ie")
    assert is_true("sum", "Rs 40 crore", "pk")
    assert not is_true("sum", "R40 million", "pk")
    assert is_true("places", "Leeds and Yorkshire", "gb")
    assert not is_true("places", "Leeds and Kerry", "gb")
    assert not is_true("clubs", "Arsenal and Leeds", "gb")


def test_the_grammar_tells_how_an_article_was_written():
    wire = Newswire()
    article = wire.article(seed=7, index=0)
    pattern, bindings = wire.grammar.derivation(article.title, article.text, article.domain)
    assert pattern.name == "film-festival"
    assert ("city", "city", "Chattogram") in bindings
    assert wire.grammar.derivation(article.title, article.text, "bbc.co.uk") is None
    assert wire.grammar.derivation("Title", "Text", article.domain) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two.", ["One.", "Two."]),
        ('"We are ready," he said. It costs Rs. 5 crore.', ['"We are ready," he said.', "It costs Rs. 5 crore."]),
        ("No end", ["No end"]),
        ("He said: \"Go.\" Then he left.", ['He said: "Go."', "Then he left."]),
    ],
)  # fmt: skip
def test_sentences_are_found(text, parts):
    assert [text[start:end] for start, end in sentences(text)] == parts
