from __future__ import annotations

from dateline.report.corpus.audit import facts_of

from .audits import audit, tiny


def test_problems_of_splits() -> None:
    data = audit(("gh", "ie", "us"))
    data["countries"]["gh"]["train"]["documents"] = 0
    data["countries"]["ie"]["test"]["documents"] = 0
    for split in ("train", "validation", "test"):
        data["countries"]["us"][split]["documents"] = 0
    problems = {country.code: country.problems for country in facts_of(data).countries}
    assert problems == {
        "gh": ("tested but not trained on",),
        "ie": ("trained on but not tested",),
        "us": ("no document was kept",),
    }


def test_shares_of_a_country() -> None:
    ghana = facts_of(tiny()).countries[0]
    assert ghana.copied is not None
    assert (ghana.copied.part, ghana.copied.whole) == (1, 4)
    agree = ghana.standing("agree")
    assert agree is not None
    assert (agree.part, agree.whole) == (2, 3)


def test_the_largest_countries_keep_the_order_of_the_page() -> None:
    facts = facts_of(audit())
    shown = facts.ordered(5)
    assert [country.code for country in shown] == [c.code for c in facts.countries if c in shown]
    assert min(c.documents for c in shown) >= max(c.documents for c in facts.countries if c not in shown)


def test_the_largest_outlet_of_a_country() -> None:
    facts = facts_of(tiny())
    found = facts.largest_of("gh")
    assert found is not None
    assert found.domain == "graphic.com.gh"
    assert facts.largest_of("ie") is None


def test_tokens_are_the_sum_of_the_estimates() -> None:
    data = audit(("gh", "ie"))
    total = sum(row["tokens"] for row in data["countries"].values())
    assert facts_of(data).tokens == total
