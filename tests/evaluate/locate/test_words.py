"""Names of places are gone from a masked text and nothing else is; the baseline places texts by their words."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.evaluate.locate.words import (
    NEUTRAL,
    Name,
    index_names,
    mask_names,
    place_by_words,
    place_names,
    with_domains,
)

TRAIN = ["naira oil senate", "naira oil Lagos", "senate naira Lagos"] * 4 + ["pound rail rain", "rail rain London"] * 2
COUNTRIES = ["ng"] * 12 + ["gb"] * 4
UNIFORM = np.array([0.5, 0.5])
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


@given(
    st.lists(st.sampled_from(KNOWN) | st.sampled_from(["the", "The", "in", ",", "\n", "a’s", "-", "42"]), max_size=12)
)
def test_no_name_is_left_and_masking_again_changes_nothing(words):
    masked = mask_names(" ".join(words))
    assert mask_names(masked) == masked


@given(st.text(max_size=200))
def test_any_text_is_answered(text):
    assert isinstance(mask_names(text), str)


@given(st.lists(st.sampled_from(["water", "minister", "said", "42", "été", "naïve", "o'clock"]), max_size=20))
def test_texts_without_names_stay_as_they_are(words):
    text = " ".join(words)
    assert mask_names(text) == text


def test_words_identify_the_country_and_rows_sum_to_one():
    pytest.importorskip("sklearn")
    found = place_by_words(TRAIN, COUNTRIES, ["rail and rain", "the naira"], ["ng", "gb"], UNIFORM)
    assert found.log_probabilities.argmax(axis=1).tolist() == [1, 0]
    assert np.exp(found.log_probabilities).sum(axis=1) == pytest.approx([1, 1])
    assert found.facts["train_documents"] == 16
    assert found.facts["converged"]


def test_the_prior_takes_the_place_of_the_training_proportions():
    pytest.importorskip("sklearn")
    shares = np.array([0.75, 0.25])
    even = place_by_words(TRAIN, COUNTRIES, ["rain"], ["ng", "gb"], UNIFORM).log_probabilities[0]
    trained = place_by_words(TRAIN, COUNTRIES, ["rain"], ["ng", "gb"], shares).log_probabilities[0]
    assert (trained[0] - trained[1]) - (even[0] - even[1]) == pytest.approx(np.log(3))


def test_documents_of_other_places_are_left_out():
    pytest.importorskip("sklearn")
    found = place_by_words([*TRAIN, "euro"], [*COUNTRIES, "ie"], ["rain"], ["ng", "gb"], UNIFORM)
    assert found.facts["train_documents"] == 16


def test_a_baseline_that_cannot_be_trained_says_why(monkeypatch):
    pytest.importorskip("sklearn")
    with pytest.raises(UserError, match="cannot learn us: no training document"):
        place_by_words(TRAIN, COUNTRIES, ["x"], ["ng", "us"], UNIFORM)
    with pytest.raises(UserError, match="finds no words"):
        place_by_words(["?", "!"], ["ng", "gb"], ["x"], ["ng", "gb"], UNIFORM)
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)
    with pytest.raises(UserError, match=r"dateline\[eval\].*--no-baseline"):
        place_by_words(TRAIN, COUNTRIES, ["x"], ["ng", "gb"], UNIFORM)
