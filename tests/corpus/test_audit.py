import pytest

from dateline.corpus.audit import Audit
from dateline.errors import UserError
from dateline.records import Article, body_text

from .helpers import recipe

CONTINENTS = {"ke": "Africa", "gb": "Europe", "my": "Asia", "": ""}


def article(country: str, split: str, *, domain: str = "d.x", date: str = "2020-01-01", continent: str = "") -> Article:
    return Article("0", "u", domain, country, continent or CONTINENTS[country], date, "Título", "text", "f:1", split)


def audit_of(*articles: Article, verified: str = "agree") -> Audit:
    audit = Audit()
    for item in articles:
        audit.add(item, verified)
    return audit


def test_documents_and_bytes_are_counted_by_country_and_split() -> None:
    audit = audit_of(
        *[article("ke", "train", domain="a.ke")] * 3,
        article("ke", "test", domain="b.ke", date=""),
        article("", "validation", continent="Africa"),
    )
    size = len(body_text("Título", "text").encode())
    found = audit.summary(recipe("x"))
    assert found["documents"] == 5
    assert found["splits"]["train"] == {"documents": 3, "bytes": 3 * size}
    assert found["countries"] == {
        "ke": {
            "continent": "Africa",
            "outlets": 2,
            "train": {"documents": 3, "bytes": 3 * size},
            "validation": {"documents": 0, "bytes": 0},
            "test": {"documents": 1, "bytes": size},
        }
    }
    assert found["no_country"]["validation"]["documents"] == 1
    assert found["continent_only"] == {"Africa": 1}
    assert found["outlets"]["number"] == 3
    assert found["outlets"]["largest"][0] == {"domain": "a.ke", "country": "ke", "train": 3}
    assert found["verified"]["agree"] == {"documents": 5, "share": 1.0}
    assert found["undated"] == 1


def test_a_country_that_is_tested_and_not_trained_on_is_an_error() -> None:
    audit = audit_of(article("ke", "train"), article("gb", "test"), article("my", "test"), article("my", "validation"))
    with pytest.raises(UserError) as raised:
        audit.check_coverage(recipe("x", held_out=["ke"]))
    assert str(raised.value) == (
        "2 countries have test documents but no training documents: gb (1), my (1); if that is meant, write "
        "`held_out: [gb, my]`, else add documents or leave them out with `countries`"
    )
    with pytest.raises(UserError, match=r"^1 country has test documents but no training documents: my \(1\)"):
        audit.check_coverage(recipe("x", held_out=["gb"]))
    audit.check_coverage(recipe("x", held_out=["gb", "my"]))


def test_documents_without_a_country_are_no_coverage_error() -> None:
    audit_of(article("", "test")).check_coverage(recipe("x"))


def test_problems_are_said_in_words() -> None:
    audit = audit_of(article("ke", "train"), article("gb", "test", date=""), article("", "train"), verified="conflict")
    asked = recipe(
        "x",
        countries=["ke", "gb", "lk"],
        held_out=["gb", "lk"],
        held_out_outlets=["bbc.co.uk"],
        test_from="2024-01-01",
    )
    assert audit.problems(asked) == [
        "country lk is expected and absent",
        "country lk is held out and absent",
        "outlet bbc.co.uk is held out and absent",
        "no document is in validation",
        "trained on but not tested: ke",
        "fewer than 100 test documents: gb (1)",
        "1 documents have no country",
        "3 documents have conflicting evidence of their country",
        "1 documents without a date were split by their hash in spite of test_from",
    ]
