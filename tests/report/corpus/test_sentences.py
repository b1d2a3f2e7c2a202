from __future__ import annotations

from collections.abc import Callable

import pytest

from dateline.report.corpus import sentences
from dateline.report.corpus.audit import facts_of
from dateline.report.corpus.facts import Facts

from .audits import audit, tiny

ALL = (
    sentences.drops, sentences.countries, sentences.years, sentences.outlets, sentences.lengths, sentences.duplicates,
    sentences.verification, sentences.signals, sentences.filters, sentences.balance, sentences.steps,
)  # fmt: skip


@pytest.fixture(scope="module")
def facts() -> Facts:
    return facts_of(audit())


def test_the_lead_of_a_small_corpus() -> None:
    assert sentences.lead(facts_of(tiny())) == (
        "Of 4 records read, 3 were kept, 75.0% (95% interval 30.1 to 95.4%): from 1 country, 1 outlet, "
        "about 909 tokens."
    )
    assert sentences.lead(facts_of({})) == "0 documents kept: from 0 countries."


@pytest.mark.parametrize("sentence", ALL)
def test_every_part_of_a_whole_audit_is_said_in_whole_sentences(sentence: Callable[[Facts], str], facts: Facts) -> None:
    said = sentence(facts)
    assert said.endswith(".")
    assert ".." not in said
    assert said[0].isupper() or said[0].isdigit()


@pytest.mark.parametrize("sentence", [part for part in ALL if part is not sentences.countries])
def test_what_is_not_recorded_is_not_said(sentence: Callable[[Facts], str]) -> None:
    assert sentence(facts_of({})) == ""


def test_drops_add_up_or_it_is_a_problem() -> None:
    data = audit()
    said = sentences.drops(facts_of(data))
    assert f"{data['in']:,} read = {data['documents']:,} kept + {sum(data['drops'].values()):,} dropped" in said
    data["in"] += 3
    assert "accounted" not in sentences.drops(facts_of(data))
    assert sentences.problems(facts_of(data))[0].startswith("3 records are missing: ")
    data["in"] -= 10
    assert sentences.problems(facts_of(data))[0].startswith("7 records are too many: ")


def test_problems_name_countries_and_are_not_said_twice() -> None:
    data = audit(("gh", "ie", "us"))
    data["problems"] = ["trained on but not tested: ie"]
    data["countries"]["gh"]["train"]["documents"] = 0
    data["countries"]["ie"]["test"]["documents"] = 0
    data["files"] = [{"file": "a.gz", "problem": "cut off"}, {"file": "b.gz", "problem": "cut off"}]
    data["problems"].append("b.gz: cut off")
    assert sentences.problems(facts_of(data)) == [
        "tested but not trained on: Ghana",
        "a.gz: cut off",
        "trained on but not tested: ie",
        "b.gz: cut off",
    ]


def test_years_without_documents_are_named(facts: Facts) -> None:
    assert "No documents for years in between: Jamaica (2018)." in sentences.years(facts)


def test_extremes_that_chance_would_choose_are_not_named() -> None:
    data = audit(("gh", "ie"))
    for code in ("gh", "ie"):
        data["countries"][code]["verified"] = {"agree": 40, "single": 10, "conflict": 0, "none": 0}
    assert "most frequent" not in sentences.verification(facts_of(data))
    data["countries"]["gh"]["verified"] = {"agree": 4000, "single": 10, "conflict": 0, "none": 0}
    assert "most frequent in Ghana (99.75%) and least in Ireland (80.0%)" in sentences.verification(facts_of(data))


def test_filters_name_the_widest_gap(facts: Facts) -> None:
    assert sentences.filters(facts) == (
        "3 filters remove countries unevenly, in 5 cases. The widest gap: language takes 18.4% of what was read from "
        "India (95% interval 16.4 to 20.4%), and 4.1% elsewhere."
    )
    assert sentences.filters(facts_of(tiny())).startswith("No filter takes noticeably more")


def test_signals_say_how_often_they_are_wrong(facts: Facts) -> None:
    said = sentences.signals(facts)
    assert "in some way: the outlet table for" in said
    assert "Another country is named most often by the path, for" in said


def test_copies_are_counted_by_kind() -> None:
    assert sentences.duplicates(facts_of(tiny())) == (
        "1 record was dropped as a copy, 25.0% (95% interval 4.6 to 69.9%) of what was read: 1 exact and 0 near."
    )
    older = tiny() | {"duplicates": {"exact": 1}}
    assert "near ones not recorded" in sentences.duplicates(facts_of(older))
