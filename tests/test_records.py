import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.records import Article, Place, article_id, body_text, stable_hash


def test_stable_hash_is_the_same_on_every_machine():
    assert stable_hash() == 0xE4A6A0577479B2B4
    assert stable_hash("domain", "punchng.com") == 0xB377948A298374B6
    assert stable_hash("naïve ₦") == 0x5BDA2CF59B3E40E5


def test_article_id_golden():
    assert article_id("https://a.ng/1", "Title", "Text") == "60d765232886e762"


@given(st.lists(st.text(), max_size=4))
def test_stable_hash_fits_in_64_bits_even_for_text_that_is_no_unicode(parts):
    assert 0 <= stable_hash(*parts) < 2**64


@given(st.tuples(st.text(), st.text(), st.text()))
def test_article_id_is_16_hex_digits_and_sees_every_part(parts):
    identity = article_id(*parts)
    assert len(identity) == 16
    assert int(identity, 16) >= 0
    for position in range(3):
        changed = list(parts)
        changed[position] += "."
        assert article_id(*changed) != identity


def test_the_order_of_parts_matters():
    assert stable_hash("a", "b") != stable_hash("b", "a")
    assert stable_hash("ab", "") != stable_hash("a", "b")


def test_body_text_golden():
    assert body_text("Flood", "It rained.\n\nMuch.") == "TITLE: Flood\n\nCONTENT: It rained.\n\nMuch."


def test_records_cannot_be_changed():
    place = Place(domain="bbc.co.uk")
    with pytest.raises(dataclasses.FrozenInstanceError):
        place.country = "gb"
    assert (place.country, place.verified, place.evidence) == ("", "none", ())
    assert [field.name for field in dataclasses.fields(Article)][-2:] == ["split", "also_at"]
