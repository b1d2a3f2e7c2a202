"""Outlets learned from a corpus: what is printed, what is written, and what is refused."""

import pytest

from dateline.cli.places import outlets
from dateline.errors import UserError
from dateline.places import load_outlets

EVIDENCE = """domain,declared,country,documents
lagosdaily.com,Nigeria,ng,1200
lagosdaily.com,gh,gh,30
lagosdaily.com,,,70
unknownpaper.co.za,gb,gb,40
dawn.com,pk,pk,90
few.com,ng,ng,3
"""


@pytest.fixture
def learn(capsys, monkeypatch, tmp_path):
    """Runs the verb on a corpus folder with some evidence and gives back what it printed."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(evidence, *words):
        (tmp_path / "outlets.csv").write_text(evidence, "utf-8")
        outlets(["learn", str(tmp_path), *map(str, words)])
        return capsys.readouterr().out

    return call


def test_proposals_are_printed_with_their_numbers(learn):
    out = learn(EVIDENCE)
    header, first, second, summary, hint = out.splitlines()
    assert header.split()[:4] == ["domain", "country", "support", "agreement"]
    assert first.split() == [
        "lagosdaily.com", "ng", "1,230", "97.6%", "96.5%", "to", "98.3%", "70", "then", "gh",
    ]  # fmt: skip
    assert second.split()[:3] == ["unknownpaper.co.za", "gb", "40"]
    assert second.endswith("CONFLICT, suffix .co.za: za")
    assert summary.startswith("2 domains proposed, 1 of them contradicted and not to be written; 1 passed over: in the")
    assert hint.startswith("--out proposals.csv writes them")


def test_what_nothing_contradicts_is_written_for_a_recipe(learn, tmp_path):
    path = tmp_path / "proposals.csv"
    assert f"rows written to {path}: 1;" in learn(EVIDENCE, "--out", path)
    assert {domain: found.country for domain, found in load_outlets(path).items()} == {"lagosdaily.com": "ng"}
    with pytest.raises(UserError, match=r"proposals\.csv exists"):
        learn(EVIDENCE, "--out", path)
    learn(EVIDENCE, "--out", path, "--overwrite", "--min-support", "3", "--min-agreement", "1.0")
    assert list(load_outlets(path)) == ["few.com"]


def test_nothing_to_propose_is_said(learn):
    out = learn("domain,declared,country,documents\ndawn.com,pk,pk,90\n")
    assert (
        out == "0 domains proposed, 0 of them contradicted and not to be written; 1 passed over: in the shipped table\n"
    )


@pytest.mark.parametrize(
    ("evidence", "words", "message"),
    [
        ("domain,declared,country,documents\na.com,,za,1200\n", (), "none of its 1,200 documents declares a country"),
        ("domain,declared,country,documents\n", (), "none of its 0 documents declares a country"),
        (
            "domain,declared,country,documents\na.com,Sport,,9\n",
            (),
            r"none of the declared .* is a country \('Sport'\)",
        ),
        (EVIDENCE, ("--min-support", "0"), "min_support 0: must be at least 1 document"),
        (EVIDENCE, ("--min-agreement", "0.2"), "min_agreement 0.2: must be above 0.5"),
        ("domain\n", (), "line 1: no column declared, country, documents"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(learn, evidence, words, message):
    with pytest.raises(UserError, match=message) as raised:
        learn(evidence, *words)
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no outlets\.csv here"):
        outlets(["learn", str(tmp_path)])


def test_the_action_must_be_known(capsys):
    with pytest.raises(UserError, match="unknown action 'forget'; write: dateline outlets learn forget"):
        outlets(["forget"])
    with pytest.raises(SystemExit) as left:
        outlets([])
    assert left.value.code == 2
    with pytest.raises(SystemExit) as left:
        outlets(["--help"])
    assert left.value.code == 0
    assert "learn" in capsys.readouterr().out


def test_a_wrong_option_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(UserError, match=r"^unknown option '--min-suport'; did you mean --min-support\?$"):
        outlets(["learn", str(tmp_path), "--min-suport", "3"])
