"""Countries: counts against quotas, and labels that do not agree."""

import pytest

from dateline.errors import UserError
from dateline.evaluate.mcq.audit.countries import PAPER_QUOTA, balance, labels, parse_quota


def test_the_published_quotas_are_four_hundred_items():
    assert sum(PAPER_QUOTA.values()) == 400
    assert parse_quota("paper") == PAPER_QUOTA


def test_quotas_are_read_by_code_or_name():
    assert parse_quota("us=34, Canada = 33") == {"us": 34, "ca": 33}
    assert parse_quota("even") == "even"


@pytest.mark.parametrize("text", ["us", "us=", "us=-1", "us=1.5", "xx=3", "us=1,USA=2", "us=1,", "us=\u00b2"])
def test_quotas_that_are_none_are_refused(text):
    with pytest.raises(UserError, match="write even, paper, or each country once, like us=34,ca=33"):
        parse_quota(text)


def test_quotas_of_nothing_are_refused():
    with pytest.raises(UserError, match="adds up to nothing"):
        parse_quota("us=0")


def test_without_quotas_small_countries_are_named(make_questions, make_set):
    found = balance(make_set(make_questions(116)))
    assert (found.verdict, found.value) == ("look", 1.0)
    assert "Fewer than 30 have: ca, gh, ie, in" in found.sentence
    assert found.facts["counts"] == {"ca": 29, "gh": 29, "ie": 29, "in": 29}
    assert balance(make_set(make_questions(120))).verdict == "fit"


def test_even_quotas(make_questions, make_set):
    assert balance(make_set(make_questions(40)), "even").sentence == (
        "4 countries have 10 items each; 0 of 40 (0.0%) stand in the wrong one: the quotas are met."
    )
    tilted = make_questions(40, lambda place: {"country": "gh"} if place < 20 else {})
    found = balance(make_set(tilted), "even")
    assert (found.verdict, found.value) == ("unfit", 15 / 40)
    assert found.facts["off"] == {"ca": -5.0, "gh": 15.0, "ie": -5.0, "in": -5.0}


def test_quotas_are_proportions(make_questions, make_set):
    found = make_set(make_questions(40))
    assert balance(found, {"gh": 5, "in": 5, "ie": 5, "ca": 5}).verdict == "fit"
    assert balance(found, {"gh": 5, "in": 5, "ie": 5, "us": 5}).facts["off"] == {"ca": 10.0, "us": -10.0}


def test_items_without_a_country_are_not_hidden(make_questions, make_set):
    found = balance(make_set(make_questions(4, lambda place: {"country": "", "label": ""})))
    assert found.facts["counts"] == {"unknown": 4}


def test_two_ways_to_write_a_country_or_a_continent_are_found(make_questions, make_set):
    questions = make_questions(
        8, lambda place: {"country": "us", "continent": "America", "label": "USA" if place else "US"}
    )
    (found, contrary), suspects = labels(make_set(questions, ["America"] * 7 + ["North America"]))
    assert (found.verdict, found.value, contrary.value) == ("look", 2 / 8, 0.0)
    assert found.facts["several"] == {"us": {"USA": 7, "US": 1}, "America": {"America": 7, "North America": 1}}
    assert [suspect.why for suspect in suspects] == [
        "country is written 'US', elsewhere 'USA'",
        "continent is written 'North America', elsewhere 'America'",
    ]


def test_a_continent_that_contradicts_the_country_is_found(make_questions, make_set):
    questions = make_questions(4, lambda place: {"country": "gh", "continent": "Africa", "label": "Ghana"})
    (_, contrary), suspects = labels(make_set(questions, ["Africa", "Africa", "Asia", ""]))
    assert (contrary.verdict, contrary.value) == ("unfit", 1 / 4)
    assert suspects[-1].why == "continent 'Asia' contradicts the country gh, which is in Africa"


def test_sets_without_continents_have_no_contradictions(make_questions, make_set):
    findings, suspects = labels(make_set(make_questions(4), [""] * 4))
    assert [finding.verdict for finding in findings] == ["fit", "fit"]
    assert not suspects
