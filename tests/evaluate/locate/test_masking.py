"""What the tables call a place is gone from a text; everything else stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.evaluate.locate.masking import NEUTRAL, Name, index_names, mask_names, place_names, with_domains

KNOWN = sorted({name.text for several in place_names().values() for name in several})


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Nigeria's minister flew to Lagos.", "somewhere's minister flew to somewhere."),
        ("The United States and the UK agree", "somewhere and somewhere agree"),
        ("Two Nigerians, three kenyan runners", "Two somewheres, three somewhere runners"),
        ("Read punchng.com or www.BBC.co.uk/news", "Read somewhere or www.somewhere/news"),
        ("the New York Times wrote, the Gleaner too", "somewhere wrote, somewhere too"),
        ("a gleaner in the nation's fields has time", "a gleaner in the nation's fields has time"),
        ("Give us time, said he; US troops left", "Give us time, said he; somewhere troops left"),
        ("Cote d’Ivoire and Côte d'Ivoire and South Africa", "Cote d’Ivoire and somewhere and somewhere"),
        ("We roast a turkey; Turkey objects", "We roast a turkey; somewhere objects"),
        ("Indiana is not India", "Indiana is not somewhere"),
        ("", ""),
    ],
)
def test_names_of_places_and_outlets(text, masked):
    assert mask_names(text) == masked


def test_domains_of_a_corpus_are_names_too():
    names = with_domains(["tiny-gazette.example", ""])
    assert mask_names("from tiny-gazette.example and Kenya", names) == "from somewhere and somewhere"


def test_the_longest_name_counts():
    names = index_names([Name("York", True), Name("York City Hall", True)])
    assert mask_names("York city hall of York", names) == f"{NEUTRAL} of {NEUTRAL}"


@settings(deadline=None)  # the first call reads scipy or the tables
@given(
    st.lists(st.sampled_from(KNOWN) | st.sampled_from(["the", "The", "in", ",", "\n", "a’s", "-", "42"]), max_size=12)
)
def test_no_name_is_left_and_masking_again_changes_nothing(words):
    masked = mask_names(" ".join(words))
    assert mask_names(masked) == masked


@settings(deadline=None)  # the first call reads scipy or the tables
@given(st.text(max_size=200))
def test_any_text_is_answered(text):
    assert isinstance(mask_names(text), str)


@settings(deadline=None)  # the first call reads scipy or the tables
@given(st.lists(st.sampled_from(["water", "minister", "said", "42", "été", "naïve", "o'clock"]), max_size=20))
def test_texts_without_names_stay_as_they_are(words):
    text = " ".join(words)
    assert mask_names(text) == text
