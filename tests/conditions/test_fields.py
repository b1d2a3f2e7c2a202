import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.conditions import FIELDS, Metadata, field_value
from dateline.records import stable_hash

PUNCH = Metadata("https://punchng.com/a", "punchng.com", "ng", "Africa", "2024-01-02")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", "punchng.com"),
        ("url", "https://punchng.com/a"),
        ("url_hash", "b377948a298374b6"),
        ("country", "ng"),
        ("continent", "Africa"),
        ("date", "2024-01-02"),
    ],
)
def test_values_golden(field, value):
    assert field_value(PUNCH, field) == value


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_unknown_is_empty_and_nothing_is_guessed(field):
    assert field_value(Metadata(), field) == ""


def test_the_hash_tells_outlets_apart_and_nothing_else():
    assert field_value(PUNCH._replace(url="https://punchng.com/b", country="gb"), "url_hash") == "b377948a298374b6"
    assert field_value(PUNCH._replace(domain="dawn.com"), "url_hash") == f"{stable_hash('domain', 'dawn.com'):016x}"


@given(st.text(), st.sampled_from(FIELDS))
def test_a_value_is_one_line_without_space_around_it(text, field):
    value = field_value(Metadata(*[text] * 5), field)
    assert len(value.splitlines()) <= 1
    assert value == value.strip()
    if field != "url_hash":
        assert value.split() == text.split()
