from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.corpus.readers import Record, Unreadable
from dateline.corpus.recipe import CorpusRecipe
from dateline.corpus.steps.judge import judge, judges
from dateline.corpus.steps.read import Candidate, Reason

from ..helpers import recipe
from .helpers import record, unlike

GERMAN = "Der Minister sagte am Montag, dass die neue Straße vor dem Regen eröffnet werde. " * 4
ENGLISH = "The minister said on Monday that the new road would open before the rains came to the highlands. " * 4


def judged(item: Record | Unreadable, **asked: Any) -> Candidate:
    [(_, candidate)] = judge([item], recipe("x", **asked))
    return candidate


def test_documents_are_cleaned_and_placed_before_any_gate() -> None:
    given = record(
        1, text="<p>Rain &amp; wind</p>", title=" A\n<b>B</b> ", url=" https://a.co.ke/1 ", date="4 March 2021"
    )
    [(document, candidate)] = judge([given], recipe("x"))
    assert document.text == "Rain & wind"
    assert (candidate.title, candidate.url, candidate.date) == ("A B", "https://a.co.ke/1", "2021-03-04")
    assert candidate.place.country == "ke"
    assert candidate.dropped == Reason("too short", "11 characters")
    assert candidate.record == given


@pytest.mark.parametrize(
    ("changes", "asked", "reason"),
    [
        ({}, {}, None),
        ({"text": " <p></p> "}, {}, Reason("no text")),
        ({"text": "x" * 199}, {}, Reason("too short", "199 characters")),
        ({"text": "x" * 200}, {}, None),
        ({"text": "x" * 501}, {"max_characters": 500}, Reason("too long", "501 characters")),
        ({"text": "x" * 500}, {"max_characters": 500}, None),
        ({"country": ""}, {"countries": ["gb"]}, Reason("other country", "ke")),
        ({}, {"countries": ["ke"]}, None),
        ({"url": "", "country": ""}, {"countries": ["ke"]}, None),
        ({"text": GERMAN}, {}, None),
        ({"text": ENGLISH}, {"language": "en"}, None),
        ({"text": "a! " * 200 + "?!" * 200}, {}, Reason("symbols", "0.75")),
        ({"text": "one line of it\n" * 40}, {}, Reason("repeated lines", "0.97")),
        ({"text": "one line of it\n" * 40}, {"max_repeated_share": 1}, None),
    ],
)
def test_each_gate_drops_what_the_recipe_does_not_want(
    changes: dict[str, Any], asked: dict[str, Any], reason: Reason | None
) -> None:
    assert judged(record(1, **changes), **asked).dropped == reason


def test_documents_without_a_place_are_dropped_where_one_is_required() -> None:
    nowhere = record(1, url="", country="")
    assert judged(nowhere).dropped is None
    found = judged(nowhere, require_place=True).dropped
    assert found is not None
    assert found.reason == "no place"
    assert found.detail


def test_another_language_is_named_with_what_the_page_declared() -> None:
    found = judged(record(1, text=GERMAN, language="en-GB"), language="en").dropped
    assert found is not None
    assert found.reason == "language"
    assert found.detail.startswith("de ")
    assert found.detail.endswith(", declared en-GB")
    plain = judged(record(1, text=GERMAN), language="en").dropped
    assert plain is not None
    assert "declared" not in plain.detail


CONFLICT = {"url": "https://www.x.co.ke/1", "country": "gb"}
AGREE = {"url": "https://www.x.co.ke/1", "country": "ke"}
DECLARED_ONLY = {"url": "https://www.x.com/1", "country": "gb"}
SUFFIX_ONLY = {"url": "https://www.x.co.ke/1", "country": ""}
NOTHING = {"url": "https://www.x.com/1", "country": ""}


@pytest.mark.parametrize(
    ("asked", "dropped"),
    [
        ({}, {}),
        ({"on_conflict": "drop"}, {"conflict": "place conflict"}),
        ({"on_conflict": "trust_declared"}, {}),
        (
            {"on_unverified": "drop"},
            dict.fromkeys(["declared only", "suffix only", "nothing"], "place unverified"),
        ),
        ({"on_unverified": "trust_declared"}, dict.fromkeys(["suffix only", "nothing"], "place unverified")),
    ],
)
def test_the_recipe_says_what_to_do_with_unsure_places(asked: dict[str, Any], dropped: dict[str, str]) -> None:
    cases = {
        "conflict": CONFLICT,
        "agree": AGREE,
        "declared only": DECLARED_ONLY,
        "suffix only": SUFFIX_ONLY,
        "nothing": NOTHING,
    }
    found = {name: judged(record(1, **changes), **asked).dropped for name, changes in cases.items()}
    assert {name: reason.reason for name, reason in found.items() if reason} == dropped


def test_the_detail_of_a_conflict_names_both_sides() -> None:
    found = judged(record(1, **CONFLICT), on_conflict="drop").dropped
    assert found is not None
    assert "suffix .ke" in found.detail or "suffix .co.ke" in found.detail
    assert "gb" in found.detail


def test_of_several_gates_the_first_gives_the_reason_and_the_place_is_known() -> None:
    found = judged(record(1, text="kurz", country="ke"), language="en", countries=["gb"])
    assert found.dropped == Reason("too short", "4 characters")
    assert found.place.country == "ke"


def test_an_outlet_table_of_ones_own_is_asked(tmp_path: Any) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("domain,country,name\nx.com,ng,The X\n")
    assert judged(record(1, **NOTHING), outlets=[str(table)]).place.country == "ng"
    assert judged(record(1, **NOTHING)).place.country == ""


def test_the_newswire_passes_no_gate_of_language_or_quality() -> None:
    asked = CorpusRecipe.model_validate({"newswire": {"articles": 1}})
    assert [step.name for step in judges(asked)] == ["clean", "place", "length", "place gate"]
    names = [step.name for step in judges(CorpusRecipe(paths=("x",)))]
    assert names == ["clean", "place", "length", "place gate", "language", "quality"]
    assert "language" not in [step.name for step in judges(recipe("x"))]


ODD = st.text(max_size=80)
RECORDS = st.one_of(
    st.builds(Record, ODD, ODD, st.one_of(ODD, st.just(unlike(1))), ODD, ODD, st.just("f:1"), ODD),
    st.builds(Unreadable, st.just("f:1"), ODD, ODD),
)


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=6), st.booleans())
def test_every_record_comes_out_once_in_order_and_is_judged_the_same_again(
    records: list[Record | Unreadable], strict: bool
) -> None:
    asked = recipe("x", require_place=strict, min_characters=5)
    once = [candidate for _, candidate in judge(records, asked)]
    assert [candidate.record for candidate in once] == records
    assert once == [candidate for _, candidate in judge(records, asked)]
    for candidate in once:
        assert candidate.dropped is not None or isinstance(candidate.record, Record)
        assert not strict or candidate.dropped is not None or candidate.place.country
