"""The rule of verdicts: every case once, never two at a time, and the same for both signs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dateline.experiment.verdicts import Study, judge, rule_in_words

RULE = {"margin": 0.01, "level": 0.05}


@pytest.mark.parametrize(
    ("effect", "interval", "p_holm", "published", "verdict"),
    [
        (-0.06, (-0.07, -0.05), 0.001, -0.09, "replicates"),
        (-0.06, (-0.07, -0.05), 0.05, -0.09, "too small to tell"),  # the level itself is not below the level
        (0.06, (0.05, 0.07), 0.001, -0.09, "contradicts"),
        (-0.02, (-0.05, 0.01), 0.2, -0.09, "too small to tell"),
        (-0.001, (-0.004, 0.002), 1.0, -0.09, "contradicts"),  # surely none
        (-0.004, (-0.006, -0.002), 0.001, -0.09, "contradicts"),  # surely less than the margin, though not zero
        (-0.001, (-0.01, 0.01), 1.0, 0.009, "replicates"),  # a published null
        (-0.001, (-0.012, 0.01), 1.0, 0.009, "too small to tell"),
        (-0.06, (-0.07, -0.05), 0.001, 0.009, "contradicts"),
        (-0.02, (-0.04, -0.005), 0.001, 0.009, "too small to tell"),  # may still be within the margin
        (-0.06, (-0.07, -0.05), 0.001, None, "found"),
        (-0.06, (-0.07, 0.05), 0.3, None, "too small to tell"),
        (-0.001, (-0.004, 0.002), 1.0, None, "none within the margin"),
        (None, (None, None), None, -0.09, "too small to tell"),
        (-0.06, (None, None), None, -0.09, "too small to tell"),
        (-0.06, (-0.07, -0.05), None, -0.09, "too small to tell"),
        (math.inf, (0.5, math.inf), 0.001, -0.5, "contradicts"),  # never reached
    ],
)
def test_every_case(effect, interval, p_holm, published, verdict):
    assert judge(effect, interval, p_holm, published, **RULE) == verdict


sizes = st.floats(-1, 1)
shares = st.floats(0, 1)


@st.composite
def effects(draw):
    effect = draw(sizes)
    return effect, (effect - draw(shares), effect + draw(shares)), draw(st.one_of(st.none(), shares))


@given(effects(), st.one_of(st.none(), sizes), st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_both_signs_are_judged_alike(found, published, margin, level):
    effect, (low, high), p_holm = found
    rule = {"margin": margin, "level": level}
    mirrored = None if published is None else -published
    verdict = judge(effect, (low, high), p_holm, published, **rule)
    assert verdict == judge(-effect, (-high, -low), p_holm, mirrored, **rule)


@given(effects(), sizes, st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_what_replicates_an_effect_contradicts_its_opposite_and_never_both(found, published, margin, level):
    effect, interval, p_holm = found
    rule = {"margin": margin, "level": level}
    one, opposite = (judge(effect, interval, p_holm, sign * published, **rule) for sign in (1, -1))
    if abs(published) < margin or -margin <= interval[0] <= interval[1] <= margin:
        assert one == opposite  # a null has no sign
    elif one == "replicates":
        assert opposite == "contradicts"
        assert p_holm < level
        assert (effect < 0) == (published < 0)
    elif one == "contradicts":
        assert opposite == "replicates"


@given(effects(), st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_what_was_not_published_is_neither_replicated_nor_contradicted(found, margin, level):
    effect, interval, p_holm = found
    assert judge(effect, interval, p_holm, None, margin=margin, level=level) in (
        "found",
        "none within the margin",
        "too small to tell",
    )


def test_the_rule_in_words_has_its_numbers():
    text = rule_in_words(Study(margin=0.023, share_margin=0.17, level=0.031, truth_share=0.63))
    for number in ("±0.023", "±0.17", "below 0.031", "at least 0.63"):
        assert number in text


@pytest.mark.parametrize("values", [{"margin": 0}, {"level": 1}, {"truth_share": 0}, {"share": 0.5}])
def test_a_rule_that_makes_no_sense_is_refused(values):
    with pytest.raises(ValidationError):
        Study(**values)
