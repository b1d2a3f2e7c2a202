from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.corpus.audit import Tally, check_coverage, summarize
from dateline.corpus.audit.summary import LARGEST_OUTLETS, estimated_tokens
from dateline.errors import UserError
from dateline.records import SPLITS, body_text

from ..helpers import recipe
from .helpers import article, tally_of

SIZE = len(body_text("Título", "text").encode())
NONE = {"documents": 0, "bytes": 0}


def added(*tallies: Tally) -> Tally:
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole


def audit_of(*tallies: Tally, **asked: Any) -> dict[str, Any]:
    return summarize(added(*tallies), recipe("x", **asked))


def test_documents_bytes_and_drops_are_counted_by_country() -> None:
    tally = tally_of(
        *[article(domain="a.ke")] * 3,
        article(split="test", domain="b.ke", date=""),
        article("", "validation", domain="c.ke"),
    )
    for reason, code in (("too short", "ke"), ("too short", ""), ("language", "gb")):
        tally.drop(reason, code)
    found = audit_of(tally)
    assert (found["in"], found["documents"], found["drops"]) == (8, 5, {"language": 1, "too short": 2})
    assert found["splits"]["train"] == {"documents": 3, "bytes": 3 * SIZE}
    assert found["countries"] == {
        "ke": {
            "continent": "Africa",
            "outlets": 2,
            "largest_outlet": {"domain": "a.ke", "documents": 3},
            "train": {"documents": 3, "bytes": 3 * SIZE},
            "validation": NONE,
            "test": {"documents": 1, "bytes": SIZE},
            "tokens": estimated_tokens(4 * SIZE),
            "verified": {"agree": 4, "single": 0, "conflict": 0, "none": 0},
            "dropped": {"too short": 1},
            "in": 5,
        }
    }
    assert found["no_country"]["validation"] == {"documents": 1, "bytes": SIZE}
    assert found["no_country"]["dropped"] == {"too short": 1}
    assert found["verified"]["agree"] == {"documents": 5, "share": 1.0}
    assert found["undated"] == 1
    assert found["years"] == {"": {"2020": 1}, "ke": {"": 1, "2020": 3}}


def test_an_empty_tally_has_an_audit_too() -> None:
    found = audit_of()
    assert (found["in"], found["documents"], found["countries"]) == (0, 0, {})
    assert found["verified"]["none"] == {"documents": 0, "share": 0.0}
    check_coverage(found, recipe("x"))


def test_lengths_are_counted_in_bins() -> None:
    found = audit_of(tally_of(article(text="x" * 100), article(text="x" * 256), article(text="x" * 10**7)))["lengths"]
    assert len(found["edges"]) == len(found["countries"]["ke"]) + 1
    assert (found["countries"]["ke"][0], found["countries"]["ke"][4], found["countries"]["ke"][-1]) == (1, 1, 1)
    assert sum(found["countries"]["ke"]) == 3


def test_duplicates_are_told_apart_and_the_largest_clusters_named() -> None:
    tally = tally_of(article(id="a", also_at=("u1",)), article(id="b", also_at=("u1", "u2")), article(id="c"))
    for reason, code in (("duplicate", "ke"), ("near duplicate", "ke"), ("near duplicate", "gb"), ("symbols", "my")):
        tally.drop(reason, code)
    found = audit_of(tally)["duplicates"]
    assert (found["exact"], found["near"]) == (1, 2)
    assert found["countries"] == {"gb": {"exact": 0, "near": 1}, "ke": {"exact": 1, "near": 1}}
    assert [(entry["id"], entry["copies"]) for entry in found["largest"]] == [("b", 2), ("a", 1)]


def test_the_largest_outlets_are_listed_and_one_of_every_country() -> None:
    many = [article("gb", domain=f"{n:03d}.uk") for n in range(LARGEST_OUTLETS + 5) for _ in range(2)]
    found = audit_of(tally_of(*many, article("ke", domain="b.ke"), article("ke", domain="a.ke")))["outlets"]
    assert found["number"] == LARGEST_OUTLETS + 7
    assert [entry["domain"] for entry in found["largest"]] == [f"{n:03d}.uk" for n in range(LARGEST_OUTLETS)] + ["a.ke"]
    assert found["largest"][0] == {"domain": "000.uk", "country": "gb", "train": 2}


def test_an_outlet_belongs_to_the_country_of_most_of_its_documents() -> None:
    both = [article("gb", domain="x.com"), *[article("ke", "test", domain="x.com")] * 2]
    found = audit_of(tally_of(*both))
    assert found["outlets"]["largest"] == [{"domain": "x.com", "country": "ke", "train": 1, "test": 2}]
    assert (found["countries"]["ke"]["outlets"], found["countries"]["gb"]["outlets"]) == (1, 0)
    assert found["countries"]["ke"]["largest_outlet"] == {"domain": "x.com", "documents": 2}
    assert found["countries"]["gb"]["largest_outlet"] == {"domain": "x.com", "documents": 1}


def test_signals_say_how_much_of_the_country_an_address_gives_away() -> None:
    found = audit_of(
        tally_of(*[article()] * 3, signals="declared:ke,suffix:ke"), tally_of(article(), signals="path:gb")
    )
    assert found["signals"]["ke"] == {
        **{"documents": 4, "declared": 3, "outlet": 0, "suffix": 3, "subdomain": 0, "query": 0, "path": 0, "any": 3}
    }
    assert found["signals_wrong"]["ke"]["path"] == 1


def test_a_filter_that_costs_one_country_more_is_in_the_audit_and_in_words() -> None:
    tally = tally_of(*[article()] * 70, *[article("gb", domain="b.uk")] * 900)
    for _ in range(30):
        tally.drop("language", "ke")
    found = audit_of(tally)
    assert [(entry["reason"], entry["country"]) for entry in found["filters"]] == [("language", "ke")]
    assert "the language filter takes 30.0% of ke (30 of 100) and 0.0% elsewhere" in found["problems"]


def test_the_balance_counts_countries_and_leaves_out_what_has_none() -> None:
    found = audit_of(tally_of(article(), article("gb"), article("gb"), article("gb"), article("")))["balance"]
    assert {name: entry["repeats"] for name, entry in found["continent"].items()} == {"Africa": 2.0, "Europe": 2 / 3}
    assert "" not in found["country"]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["", "ke", "gb", "my"]), st.sampled_from(SPLITS)), max_size=20),
    st.lists(st.tuples(st.sampled_from(["duplicate", "language"]), st.sampled_from(["", "ke", "lk"])), max_size=20),
)
def test_every_document_is_in_every_sum_once(kept: list[tuple[str, str]], lost: list[tuple[str, str]]) -> None:
    tally = tally_of(*(article(code, split) for code, split in kept))
    for reason, code in lost:
        tally.drop(reason, code)
    found = audit_of(tally)
    assert found["documents"] == len(kept)
    assert found["in"] == len(kept) + sum(found["drops"].values()) == len(kept) + len(lost)
    entries = [*found["countries"].values(), found["no_country"]]
    assert {split: sum(entry[split]["documents"] for entry in entries) for split in SPLITS} == {
        split: found["splits"][split]["documents"] for split in SPLITS
    }
    assert json.loads(json.dumps(found)) == found


def test_a_country_that_is_tested_and_not_trained_on_is_an_error() -> None:
    found = audit_of(tally_of(article("ke"), article("gb", "test"), article("my", "test"), article("my", "validation")))
    with pytest.raises(UserError) as raised:
        check_coverage(found, recipe("x", held_out=["ke"]))
    assert str(raised.value) == (
        "2 countries have test documents but no training documents: gb (1), my (1); if that is meant, write "
        "`held_out: [gb, my]`, else add documents or leave them out with `countries`"
    )
    with pytest.raises(UserError, match=r"^1 country has test documents but no training documents: my \(1\)"):
        check_coverage(found, recipe("x", held_out=["gb"]))
    check_coverage(found, recipe("x", held_out=["gb", "my"]))


def test_documents_without_a_country_are_no_coverage_error() -> None:
    check_coverage(audit_of(tally_of(article("", "test"))), recipe("x"))
