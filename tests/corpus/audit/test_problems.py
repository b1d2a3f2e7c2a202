from __future__ import annotations

from typing import Any

from dateline.corpus.audit import Tally, summarize
from dateline.corpus.audit.summary import SMALL_TEST, problems_of
from dateline.corpus.readers import Unreadable
from dateline.corpus.steps.read import Reason

from ..helpers import recipe
from .helpers import article, tally_of

ENOUGH = [article(split="test", domain=f"{n}.ke") for n in range(SMALL_TEST)]
SOUND = [*ENOUGH, article(domain="0.ke"), article(split="validation", domain="1.ke")]


def problems(tally: Tally, **asked: Any) -> list[str]:
    """The problems that the audit of a build says."""
    found: list[str] = summarize(tally, recipe("x", **asked))["problems"]
    return found


def test_a_sound_corpus_has_none() -> None:
    assert problems(tally_of(*SOUND), countries=["ke"]) == []


def test_problems_are_said_in_words_the_gravest_first() -> None:
    tally = tally_of(
        article("ke"), article("gb", "test", date="", domain=""), article("", domain=""), verified="conflict"
    )
    found = problems(
        tally,
        countries=["ke", "gb", "lk"],
        held_out=["gb", "lk"],
        held_out_outlets=["bbc.co.uk"],
        test_from="2024-01-01",
    )
    assert found == [
        "country lk is expected and absent",
        "country lk is held out and absent",
        "outlet bbc.co.uk is held out and absent",
        "no document is in validation",
        "trained on but not tested: ke",
        "fewer than 100 test documents: gb (1)",
        "1 document has no country",
        "1 document has no date; is its column named in `columns`?",
        "3 documents have conflicting evidence of their country",
        "1 documents without a date were split by their hash in spite of test_from",
    ]


def test_files_that_could_not_be_read_come_first_and_only_five_are_named() -> None:
    tally = tally_of(*SOUND)
    for number in range(7):
        told = Unreadable(f"n{number}.gz", f"n{number}.gz:12: is cut off", "")
        tally.note_file(told, Reason("unreadable file", told.problem))
    assert problems(tally) == [
        *(f"n{number}.gz: 12: is cut off" for number in range(5)),
        "2 more files could not be read, or not to their end",
    ]


def test_names_of_files_are_printable_and_on_one_line() -> None:
    tally = tally_of(*SOUND)
    told = Unreadable("a\x1b[31m\n\u202e.gz", "a\x1b[31m\n\u202e.gz: no column; columns there: \x07", "")
    tally.note_file(told, Reason("unreadable file", told.problem))
    assert problems(tally)[0] == r"a\x1b[31m \u202e.gz: no column; columns there: \x07"


def test_documents_without_a_date_matter_where_splits_go_by_date() -> None:
    said = "1 documents without a date are trained on, though splits go by date"
    tally = tally_of(*SOUND, article(date="", domain="2.ke"))
    assert problems(tally, splits={"by": "date"}) == [said]
    assert problems(tally) == []


def test_an_outlet_that_dominates_a_small_country_is_named_however_many_large_ones_there_are() -> None:
    large = [article("gb", split, domain=f"{n}.uk") for n in range(120) for split in ("test", "train")]
    tally = tally_of(*SOUND, *large, *[article("my", domain="a.my")] * 2, article("my", domain="b.my"))
    asked: dict[str, Any] = {"splits": {"enough": 3}}
    untested = "trained on but not tested: my"
    assert problems(tally, **asked) == [untested, "one outlet has most of the documents of: my (a.my, 67%)"]
    assert problems(tally) == [untested], "too few documents to say so"
    newswire: dict[str, Any] = {"paths": (), "newswire": {"articles": 10}}
    assert problems(tally, **asked, **newswire) == [untested]


def test_an_outlet_that_writes_for_several_countries_dominates_none_by_what_it_wrote_elsewhere() -> None:
    wide = [article("gb", split, domain="w.com") for _ in range(100) for split in ("test", "train")]
    others = [article("gb", split, domain=f"{n}.uk") for n in range(100) for split in ("test", "train")]
    assert problems(tally_of(*SOUND, *wide, *others, *[article(domain="w.com")] * 40)) == []


def test_filters_are_named_with_both_shares() -> None:
    audit = summarize(tally_of(*SOUND), recipe("x"))
    audit["filters"] = [
        {"reason": "symbols", "country": "ke", "dropped": 1_200, "in": 4_000, "share": 0.3, "elsewhere": 0.0123}
    ]
    assert problems_of(audit, recipe("x"), []) == [
        "the symbols filter takes 30.0% of ke (1,200 of 4,000) and 1.2% elsewhere"
    ]
