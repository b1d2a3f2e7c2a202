import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.conditions import (
    DEFAULT_FIELDS,
    FIELDS,
    Condition,
    Conditioner,
    Metadata,
    expand_conditions,
    parse_condition,
    render,
)
from dateline.errors import UserError

PUNCH = Metadata("https://punchng.com/a", "punchng.com", "ng", "Africa", "2024-01-02")
NATION = Metadata("https://nation.africa/b", "nation.africa", "ke", "Africa", "2024-01-03")
BBC = Metadata("https://bbc.co.uk/c", "bbc.co.uk", "gb", "Europe", "2024-01-04")
DAWN = Metadata("https://dawn.com/d", "dawn.com", "pk", "Asia", "2024-01-05")
POOL = [PUNCH, NATION, BBC, DAWN]


KNOWN = (
    "known are gold, none, wrong, swap:<country>, swap:all, marginal:uniform, marginal:corpus, and fields joined by "
    "'+': domain, url, url_hash, country, continent, date"
)


def conditioner(name, pool=POOL, *, seed=0, fields=DEFAULT_FIELDS):
    return Conditioner(parse_condition(name, fields), seed=seed, pool=pool)


def test_names_become_conditions():
    assert parse_condition("gold", ["domain"]) == Condition("gold", ("domain",), "gold")
    assert parse_condition("none", ["domain"]) == Condition("none", (), "none")
    assert parse_condition("wrong", ["domain"]) == Condition("wrong", ("domain",), "wrong")
    for name in ("swap:ng", "swap: NG ", "swap:nga", "swap:Nigeria"):  # the corpus knows `ng` only
        assert parse_condition(name, ["domain"]) == Condition("swap:ng", ("domain",), "swap", "ng")


def test_fields_can_be_chosen_by_name_and_are_told_truly():
    assert parse_condition("continent + country", ["domain"]) == Condition(
        "country+continent", ("country", "continent"), "gold"
    )
    assert conditioner("country").prefix(PUNCH, "1") == "COUNTRY: ng\n"
    assert conditioner("url").prefix(PUNCH, "1") == "URL: https://punchng.com/a\n"
    assert "punch" not in conditioner("url_hash").prefix(PUNCH, "1")


def test_all_swaps_are_one_for_each_country_with_documents():
    asked = [parse_condition(name, ["domain"]) for name in ("swap:gb", "swap:all", "none")]
    expanded = expand_conditions(asked, ["ng", "", "gb", "ng", "ke"])
    assert [condition.name for condition in expanded] == ["swap:gb", "swap:ke", "swap:ng", "none"]
    assert expanded[1] == parse_condition("swap:ke", ["domain"])
    with pytest.raises(UserError, match="condition 'swap:all': no document has a known country; leave it out"):
        expand_conditions(asked, ["", ""])


def test_a_marginal_condition_has_a_prior_and_no_prefix_of_its_own():
    assert parse_condition("marginal", ["country"]) == parse_condition("marginal:uniform", ["country"])
    assert parse_condition("marginal:corpus", ["country"]).prior == "corpus"
    for name in ("marginal:corpus", "swap:all"):
        with pytest.raises(ValueError, match="stands for several prefixes"):
            conditioner(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("golden", f"unknown condition 'golden'; {KNOWN}"),
        ("swap", f"unknown condition 'swap'; {KNOWN}"),
        ("country+planet", f"unknown condition 'country+planet'; {KNOWN}"),
        ("domain+url", "condition 'domain+url': a line of the prefix is named twice; domain, url, url_hash share one"),
        ("date+date", "condition 'date+date': a line of the prefix is named twice; domain, url, url_hash share one"),
        ("swap:", "condition 'swap:': '' is not an ISO 3166 country code; write e.g. swap:ng"),
        ("swap:Utopia", "condition 'swap:Utopia': 'utopia' is not an ISO 3166 country code; write e.g. swap:ng"),
    ],
)
def test_unknown_names_are_refused(name, expected):
    with pytest.raises(UserError) as caught:
        parse_condition(name, DEFAULT_FIELDS)
    assert str(caught.value) == expected


def test_gold_is_the_truth_and_none_is_nothing():
    assert conditioner("gold").prefix(PUNCH, "1") == "URL: punchng.com\nCOUNTRY: ng\nCONTINENT: Africa\n"
    assert conditioner("none").prefix(PUNCH, "1") == ""


def test_wrong_needs_another_continent_to_claim():
    expected = (
        "condition 'wrong': all documents are from one continent, so there is no counterfactual place; "
        "leave it out or use swap:<country>"
    )
    for pool in ([PUNCH, NATION], [PUNCH, Metadata(domain="who.example")]):
        with pytest.raises(UserError) as caught:
            conditioner("wrong", pool)
        assert str(caught.value) == expected
        conditioner("gold", pool)
        conditioner("swap:gb", pool)


places = st.builds(
    lambda place, page, day: place._replace(url=f"{place.url}/{page}", date=f"2024-02-{day:02}"),
    st.sampled_from(POOL),
    st.integers(0, 9),
    st.integers(1, 28),
)


@given(st.lists(places, max_size=12), st.integers(0, 99), st.text(max_size=8), st.randoms(use_true_random=False))
def test_wrong_is_another_continent_s_place_and_no_matter_of_pool_order(extra, seed, document, shuffler):
    pool = [*POOL, *extra]
    shuffled = [*pool, *extra]
    shuffler.shuffle(shuffled)
    liar, other = conditioner("wrong", pool, seed=seed), conditioner("wrong", shuffled, seed=seed)
    for metadata in pool:
        claimed = liar.metadata(metadata, document)
        assert claimed == other.metadata(metadata, document)
        assert claimed.continent != metadata.continent
        assert claimed.date == metadata.date
        assert claimed._replace(date="") in {place._replace(date="") for place in pool}
        assert liar.prefix(metadata, document) == render(claimed, DEFAULT_FIELDS)


def test_wrong_does_not_give_the_truth_away_in_any_field():
    liar = conditioner("wrong", fields=[field for field in FIELDS if field not in ("url", "url_hash")])
    for number in range(50):
        assert not any(truth in liar.prefix(PUNCH, str(number)) for truth in ("punchng.com", ": ng", "Africa"))
    liar = conditioner("wrong", fields=["url"])
    assert {liar.prefix(PUNCH, str(number)) for number in range(50)} == {f"URL: {p.url}\n" for p in (BBC, DAWN)}


def test_wrong_draws_all_other_outlets_evenly_however_many_documents_they_have():
    pool = [PUNCH, *[BBC] * 90, DAWN, NATION]
    random.Random(0).shuffle(pool)
    drawn = [conditioner("wrong", pool).metadata(PUNCH, str(number)).domain for number in range(1000)]
    assert set(drawn) == {"bbc.co.uk", "dawn.com"}
    assert abs(drawn.count("dawn.com") - 500) < 80


def test_another_seed_tells_other_lies():
    documents = [str(number) for number in range(40)]
    lies = [[conditioner("wrong", seed=seed).metadata(PUNCH, name).domain for name in documents] for seed in (0, 1)]
    assert lies[0] != lies[1]


def test_swap_claims_outlets_of_the_country_or_the_country_alone():
    for place in POOL:
        assert conditioner("swap:ng").metadata(place, "1") == PUNCH._replace(date=place.date)
    assert conditioner("swap:fr").metadata(PUNCH, "1") == Metadata("", "", "fr", "Europe", PUNCH.date)
    assert conditioner("swap:fr").prefix(PUNCH, "1") == "COUNTRY: fr\nCONTINENT: Europe\n"
