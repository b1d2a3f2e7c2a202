"""Proposals from declared countries: when there is one, what it says, and the table that it becomes."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.places import load_outlets, outlet
from dateline.places.learn import OutletEvidence, Proposal, read_evidence, weigh, write_proposals
from dateline.statistics import wilson

HEADER = "domain,declared,country,documents\n"


def declared(domain: str, **documents: int) -> list[OutletEvidence]:
    """Documents of a domain by declared country; `none` declares nothing and has no country."""
    return [
        OutletEvidence(domain, "" if code == "none" else code, "" if code == "none" else code, number)
        for code, number in documents.items()
    ]


def test_a_new_outlet_is_proposed_with_its_numbers() -> None:
    [found], _ = weigh(
        [*declared("lagosdaily.com", ng=19, gh=1, none=7), OutletEvidence("lagosdaily.com", "NGA", "ng", 20)]
    )
    assert (found.domain, found.country, found.support, found.agreement) == ("lagosdaily.com", "ng", 40, 39 / 40)
    assert (found.runner_up, found.undecided, found.conflict) == ("gh", 7, "")
    assert (found.low, found.high) == wilson(39, 40)[1:3]


def test_names_codes_and_case_are_the_same_country() -> None:
    rows = [OutletEvidence("lagosdaily.com", word, "ng", 10) for word in ("ng", "NGA", "Nigeria", " nigeria ")]
    assert [(row.country, row.support, row.runner_up) for row in weigh(rows)[0]] == [("ng", 40, "")]


def test_too_little_and_too_mixed_evidence_gives_nothing_and_is_counted() -> None:
    rows = [
        *declared("few.com", ng=19),
        *declared("enough.com", ng=20),
        *declared("mixed.com", ng=89, gh=11),
        *declared("clear.com", ng=90, gh=10),
        *declared("silent.com", none=500),
        *declared("atlantic.com", atlantis=50),
        *declared("dawn.com", pk=50),
        *declared("yahoo.com", us=500),
        *declared("ann.blogspot.com", us=500),
        *declared("medium.com", us=500),
        *declared("", us=500),
        *declared("news.bbc.co.uk", gb=500),
        *declared("localhost", gb=500),
    ]
    proposals, passed_over = weigh(rows)
    assert [row.domain for row in proposals] == ["clear.com", "enough.com"]
    assert passed_over == {
        "too few documents": 1,
        "countries disagree": 1,
        "no declared country": 2,
        "in the shipped table": 1,
        "shared platform or portal": 3,
        "no registered domain": 3,
    }
    assert [row.domain for row in weigh(rows, min_support=19, min_agreement=0.89)[0]] == [
        "clear.com", "mixed.com", "enough.com", "few.com",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "country", "conflict"),
    [
        ("dawn.com", "in", "shipped table: pk"),
        ("dailymaverick.co.za", "gb", "shipped table: za, suffix .co.za: za"),
        ("unknownpaper.co.za", "gb", "suffix .co.za: za"),
        ("unknownpaper.co.za", "za", ""),
        ("unknownpaper.eu", "za", "suffix .eu: Europe"),
        ("unknownpaper.eu", "ie", ""),
        ("unknownpaper.tv", "ie", ""),
    ],
)
def test_what_contradicts_a_proposal_is_named(domain: str, country: str, conflict: str) -> None:
    assert [row.conflict for row in weigh(declared(domain, **{country: 30}))[0]] == [conflict]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_support": 0}, "min_support 0: must be at least 1 document"),
        ({"min_agreement": 0.5}, "min_agreement 0.5: must be above 0.5 and at most 1"),
        ({"min_agreement": 1.1}, "min_agreement 1.1: must be above 0.5"),
        ({"min_agreement": float("nan")}, "min_agreement nan: must be above 0.5"),
    ],
)
def test_thresholds_outside_their_range_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        weigh([], **settings)  # type: ignore[arg-type]


EVIDENCE = st.builds(
    OutletEvidence,
    domain=st.sampled_from(["a.com", "b.org", "c.co.za", "dawn.com", "medium.com", "news.a.com", ""]),
    declared=st.sampled_from(["", "ng", "NGA", "gb", "za", "atlantis"]),
    country=st.sampled_from(["", "ng", "gb"]),
    documents=st.integers(1, 50),
)


@given(rows=st.lists(EVIDENCE, max_size=40), data=st.data())
def test_proposals_hold_what_they_promise_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[OutletEvidence], data: st.DataObject
) -> None:
    proposals, passed_over = weigh(rows)
    assert len(proposals) + passed_over.total() == len({row.domain for row in rows})
    for row in proposals:
        assert row.support >= 20
        assert 0.9 <= row.agreement <= 1
        assert 0 < row.low < row.agreement <= row.high <= 1
        assert row.country != row.runner_up
        known = outlet(row.domain)
        assert known is None or (known.country != row.country and row.conflict)
    assert weigh(data.draw(st.permutations(rows))) == (proposals, passed_over)

    path = tmp_path_factory.mktemp("proposals") / "proposals.csv"
    kept = [row for row in proposals if not row.conflict]
    assert write_proposals(proposals, path) == len(kept)
    assert {domain: found.country for domain, found in load_outlets(path).items()} == {
        row.domain: row.country for row in kept
    }


def test_evidence_is_read_from_a_corpus_folder_or_its_file(tmp_path: Path) -> None:
    path = tmp_path / "outlets.csv"
    path.write_text(HEADER + "a.com,Nigeria,ng,12\na.com,,,3\n,gb,gb,1\n", "utf-8")
    rows = read_evidence(tmp_path)
    assert rows == [
        OutletEvidence("a.com", "Nigeria", "ng", 12),
        OutletEvidence("a.com", "", "", 3),
        OutletEvidence("", "gb", "gb", 1),
    ]
    assert read_evidence(str(path)) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"domain,documents\na.com,1\n", "line 1: no column declared, country; build the corpus again"),
        (b"", "line 1: no column domain, declared, country, documents"),
        (HEADER.encode() + b"a.com,ng,ng,many\n", "line 2: 'many' is no number of documents"),
        (HEADER.encode() + b"a.com,ng,ng,-1\n", "line 2: '-1' is no number of documents"),
        (HEADER.encode() + b"a.com\n", "line 2: '' is no number of documents"),
        (HEADER.encode() + b"a.com,ng,ng,%s\n" % (b"9" * 5000), "is no number of documents"),
        (HEADER.encode() + b"a.com,\xe9,ng,1\n", "not UTF-8 at byte 40"),
        (HEADER.encode() + b'"a.com,ng,ng,1\n', "not a CSV table: unexpected end of data; build the corpus again"),
    ],
)
def test_damaged_evidence_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "outlets.csv").write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_evidence(tmp_path)
    assert message in str(raised.value)
    assert str(tmp_path / "outlets.csv") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_without_evidence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no outlets\.csv here; name a folder that dateline corpus has built"):
        read_evidence(tmp_path)
    with pytest.raises(UserError, match="cannot read the corpus's outlets: No such file"):
        read_evidence(tmp_path / "absent")


def test_what_is_written_is_a_table_for_recipes(tmp_path: Path) -> None:
    path = tmp_path / "proposals.csv"
    rows = [*declared("lagosdaily.com", ng=39, gh=1), *declared("unknownpaper.co.za", gb=30)]
    assert write_proposals(weigh(rows)[0], path) == 1
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {
                "domain": "lagosdaily.com",
                "country": "ng",
                "name": "lagosdaily.com",
                "support": "40",
                "agreement": "0.9750",
            }
        ]


def test_a_file_with_hand_edits_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "proposals.csv"
    path.write_text("mine", "utf-8")
    rows: list[Proposal] = []
    with pytest.raises(UserError, match="exists, perhaps with rows edited by hand; give another name, or --overwrite"):
        write_proposals(rows, path)
    assert path.read_text("utf-8") == "mine"
    assert write_proposals(rows, path, overwrite=True) == 0
    assert load_outlets(path) == {}
    with pytest.raises(UserError, match="cannot write the proposals: No such file"):
        write_proposals(rows, tmp_path / "absent" / "proposals.csv")
