from __future__ import annotations

import csv
import json
from io import StringIO
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.audit.tally import MOST_COPIES, Tally, length_bin, length_edges, signals_of
from dateline.corpus.readers import Record, Unreadable
from dateline.corpus.steps.read import Reason
from dateline.places import resolve
from dateline.records import SPLITS, Article, Evidence, Place, body_text

from .helpers import article, tally_of

TABLES = (
    *("dropped", "documents", "bytes", "characters", "years", "verified", "outlets", "evidence", "review"),
    *("continent only", "signals", "copies"),
)
NUMBERS = count()
ARTICLES = st.builds(
    lambda country, split, domain, date, text, copies: article(
        country, split, id=f"{next(NUMBERS):016x}", domain=domain, date=date, text=text, also_at=("u",) * copies
    ),
    st.sampled_from(["ke", "gb", ""]),
    st.sampled_from(SPLITS),
    st.sampled_from(["", "a.ke", "b\tc.uk"]),
    st.sampled_from(["", "2020-01-01", "2021-05-06"]),
    st.text(max_size=300),
    st.integers(0, 3),
)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    tally = Tally()
    for item in draw(st.lists(ARTICLES, max_size=8)):
        tally.keep(
            item,
            verified=draw(st.sampled_from(["agree", "single", "conflict", "none"])),
            declared=draw(st.sampled_from(["", "Kenya", "K\tE"])),
            signals=draw(st.sampled_from(["", "declared:ke,suffix:ke", "suffix:gb,path:", "outlet:ke,path:gb"])),
            review=draw(st.booleans()),
        )
    for _ in range(draw(st.integers(0, 4))):
        tally.drop(draw(st.sampled_from(["too short", "language"])), draw(st.sampled_from(["", "ke"])))
    return tally


def counts(tally: Tally) -> dict[str, list[tuple[tuple[str, ...], int]]]:
    return {name: list(tally.table(name)) for name in TABLES}


def total(*parts: Tally) -> Tally:
    found = Tally()
    for part in parts:
        found.add(part)
    return found


@given(tallies(), tallies(), tallies())
def test_tallies_add_up_in_any_order(one: Tally, two: Tally, three: Tally) -> None:
    expected = counts(total(one, two, three))
    assert counts(total(three, one, two)) == expected
    assert counts(total(one, total(three, two))) == expected
    assert counts(total(one, Tally())) == counts(one)


@given(tallies())
def test_a_tally_survives_json(tally: Tally) -> None:
    tally.note_file(Unreadable("f\udcff.gz", "", ""), Reason("unreadable file", "cut off"))
    written = tally.to_json()
    again = Tally.from_json(written)
    assert counts(again) == counts(tally)
    assert again.files == [{"file": "f\udcff.gz", "problem": "cut off"}]
    assert again.to_json() == written
    assert "\n" not in written[:-1]


@given(tallies(), tallies())
def test_json_of_parts_adds_up_to_the_whole(one: Tally, two: Tally) -> None:
    parts = [Tally.from_json(part.to_json()) for part in (one, two)]
    assert counts(total(*parts)) == counts(total(one, two))


def test_documents_are_counted_under_every_heading() -> None:
    tally = Tally()
    kept = article("ke", "test", domain="a.ke", text="x" * 200, also_at=("u1", "u2"))
    tally.keep(kept, verified="conflict", declared="Kenya", signals="declared:ke,suffix:gb,path:ke,query:", review=True)
    tally.drop("too short", "gb")
    assert counts(tally) == {
        "dropped": [(("too short", "gb"), 1)],
        "documents": [(("ke", "test"), 1)],
        "bytes": [(("ke", "test"), len(body_text("Título", "x" * 200).encode()))],
        "characters": [(("ke", str(length_bin(200))), 1)],
        "years": [(("ke", "2020"), 1)],
        "verified": [(("ke", "conflict"), 1)],
        "outlets": [(("a.ke", "ke", "test"), 1)],
        "evidence": [(("a.ke", "Kenya", "ke"), 1)],
        "review": [(("ke",), 1)],
        "continent only": [],
        "signals": [
            (("ke", "any", "right"), 1),
            (("ke", "any", "wrong"), 1),
            (("ke", "declared", "right"), 1),
            (("ke", "path", "right"), 1),
            (("ke", "suffix", "wrong"), 1),
        ],
        "copies": [((kept.id, kept.url, kept.title), 2)],
    }


def test_a_declared_country_alone_is_no_signal_of_the_address() -> None:
    assert dict(tally_of(article(), signals="declared:ke").table("signals")) == {("ke", "declared", "right"): 1}


def test_a_continent_without_a_country_is_counted_apart() -> None:
    nowhere = Article("0", "u", "", "", "Africa", "", "t", "x", "f", "train")
    tally = tally_of(nowhere)
    assert list(tally.table("continent only")) == [(("Africa",), 1)]
    assert list(tally.table("outlets")) == []


def test_files_that_could_not_be_read_are_remembered_and_other_drops_are_not() -> None:
    tally = Tally()
    broken = Unreadable("a.jsonl.gz", "cut off at byte 9", "")
    tally.note_file(broken, Reason("unreadable file", broken.problem))
    tally.note_file(Unreadable("a.jsonl:3", "not JSON", "{"), Reason("unreadable", "not JSON"))
    tally.note_file(Record("", "", "", "", "", "b:1"), Reason("too short"))
    assert tally.files == [{"file": "a.jsonl.gz", "problem": "cut off at byte 9"}]
    assert total(tally, tally).files == tally.files * 2


def test_only_the_largest_clusters_of_copies_are_remembered() -> None:
    def part(numbers: range) -> Tally:
        return tally_of(*(article(id=f"{n:016x}", also_at=("u",) * (n + 1)) for n in numbers))

    whole = total(part(range(0, 40, 2)), part(range(1, 40, 2)))
    found = sorted(number for _, number in whole.table("copies"))
    assert found == list(range(40 - MOST_COPIES + 1, 41))
    assert [*Tally.from_json(part(range(40)).to_json()).table("copies")] == [*whole.table("copies")]


def test_the_table_of_evidence_is_csv_whatever_was_declared() -> None:
    declared = 'K"e,n\nya'
    tally = tally_of(*[article()] * 2, article("gb", domain="b.uk"), article("gb", domain=""), declared=declared)
    assert list(csv.reader(StringIO(tally.evidence_table()))) == [
        ["domain", "declared", "country", "documents"],
        ["a.ke", declared, "ke", "2"],
        ["b.uk", declared, "gb", "1"],
    ]


@pytest.mark.parametrize("declared", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)"])
def test_the_table_of_evidence_holds_no_formulas(declared: str) -> None:
    tally = tally_of(article(), declared=declared)
    assert list(csv.reader(StringIO(tally.evidence_table())))[1] == ["a.ke", f"'{declared}", "ke", "1"]


@given(st.integers(0, 10**7))
def test_a_length_lies_between_the_edges_of_its_bin(characters: int) -> None:
    edges, number = length_edges(), length_bin(characters)
    assert number == 0 or edges[number] - 1 <= characters
    assert number == len(edges) - 2 or characters <= edges[number + 1]
    assert length_bin(characters) <= length_bin(characters + 1)


def test_edges_are_a_quarter_of_an_octave_apart() -> None:
    edges = length_edges()
    assert (len(edges), edges[0], edges[4], edges[-1]) == (49, 128, 256, 128 * 2**12)


def test_signals_name_each_piece_of_evidence_and_the_place_of_a_hint() -> None:
    assert signals_of(Place()) == ""
    seen = (
        Evidence("declared", "ng", "Africa", "declared: Nigeria"),
        Evidence("hint", "gb", "Europe", "path /uk/"),
        Evidence("hint", "", "Africa", "query edition=africa"),
        Evidence("hint", "ke", "Africa", "sub-domain ke."),
    )
    assert signals_of(Place(evidence=seen)) == "declared:ng,path:gb,query:,subdomain:ke"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://uk.example.com/x", "subdomain:gb"),
        ("https://www.example.com/uk/x", "path:gb"),
        ("https://www.example.com/x?edition=uk", "query:gb"),
        ("https://www.example.co.ke/x", "suffix:ke"),
    ],
)
def test_signals_of_addresses_are_known_by_where_they_stand(url: str, kind: str) -> None:
    assert kind in signals_of(resolve(url)).split(",")


def test_json_is_plain_ascii_for_any_text() -> None:
    written = tally_of(article(domain="müller.ke"), declared="Ke\udcff").to_json()
    assert written.isascii()
    assert json.loads(written)["counts"]["evidence"] == {"müller.ke\tKe\udcff\tke": 1}
