from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from dateline.conditions import DEFAULT_FIELDS, FIELDS, Metadata, render, template
from dateline.conditions.template import LABELS

PUNCH = Metadata("https://punchng.com/a", "punchng.com", "ng", "Africa", "2024-01-02")


def test_the_default_prefix_golden():
    assert render(PUNCH, DEFAULT_FIELDS) == "URL: punchng.com\nCOUNTRY: ng\nCONTINENT: Africa\n"


def test_other_fields_golden():
    assert render(PUNCH, ("url", "date")) == "URL: https://punchng.com/a\nDATE: 2024-01-02\n"
    assert render(PUNCH, ("url_hash",)) == "URL: b377948a298374b6\n"


def test_unknown_fields_leave_no_line_and_nothing_known_leaves_no_prefix():
    assert render(PUNCH._replace(domain="", country=" \n"), DEFAULT_FIELDS) == "CONTINENT: Africa\n"
    assert render(Metadata(), DEFAULT_FIELDS) == ""
    assert render(PUNCH, ()) == ""


def test_the_order_of_fields_does_not_matter():
    fields = ("domain", "country", "continent", "date")
    assert len({render(PUNCH, order) for order in permutations(fields)}) == 1


def test_every_field_has_a_label():
    assert set(LABELS) == set(FIELDS)


@given(st.builds(Metadata, *[st.text(max_size=12)] * 5), st.sets(st.sampled_from(FIELDS)))
def test_a_prefix_is_labelled_lines_whatever_the_metadata(metadata, fields):
    text = render(metadata, tuple(fields))
    if not text:
        return
    lines = text.split("\n")
    assert lines[-1] == ""
    assert [line.partition(": ")[0] for line in lines[:-1]] == [
        LABELS[field] for field in LABELS if field in fields and render(metadata, (field,))
    ]
    assert len(text.rstrip("\n").splitlines()) == len(lines) - 1


def test_models_trained_with_an_empty_line_keep_it():
    assert render(PUNCH, ("country",), prefix_format=1) == "COUNTRY: ng\n\n"
    assert render(Metadata(), ("country",), prefix_format=1) == ""


def test_the_template_is_the_prefix_with_names_for_values():
    named = Metadata(url="{url}", domain="{domain}", country="{country}", continent="{continent}", date="{date}")
    for fields in (DEFAULT_FIELDS, ("url", "date"), ("continent",), ()):
        assert template(fields) == render(named, fields)
