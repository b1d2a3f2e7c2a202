"""A prior is read from words, numbers or a file, and sums to one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import UserError
from dateline.evaluate.locate.prior import choose_prior, proportions

CODES = ["gb", "ng", "ke"]


def test_uniform_and_corpus():
    assert choose_prior("uniform", CODES).tolist() == pytest.approx([1 / 3] * 3)
    assert choose_prior("corpus", CODES, {"gb": 3, "ng": 1, "us": 9}).tolist() == [0.75, 0.25, 0]


@pytest.mark.parametrize("written", ["gb=3,ng=1", "Nigeria=0.5, uk=1.5", '{"gb": 6, "ng": 2}', "gb=3\nng=1\n"])
def test_numbers_inline_or_in_a_file(tmp_path, written):
    path = tmp_path / "prior.txt"
    path.write_text(written)
    assert choose_prior(str(path), CODES).tolist() == [0.75, 0.25, 0]
    if "{" not in written and "\n" not in written:
        assert choose_prior(written, CODES).tolist() == [0.75, 0.25, 0]


@given(st.lists(st.floats(0, 1e300), min_size=3, max_size=3).filter(any))
def test_proportions_sum_to_one(weights):
    found = proportions(CODES, dict(zip(CODES, weights, strict=True)), "here")
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("corpus", "give --corpus"),
        ("nonsense", "neither uniform nor corpus"),
        ("gb=much", "'much' is no number for gb"),
        ("atlantis=1", "'atlantis' is no country"),
        ("gb=-1", "finite number of zero or more"),
        ("gb=nan", "finite number of zero or more"),
        ("us=1", "gives nothing to any of gb, ng, ke"),
    ],
)
def test_mistakes_are_one_line(choice, message):
    with pytest.raises(UserError, match=message):
        choose_prior(choice, CODES)


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "prior.json"
    path.write_text('{"gb": ')
    with pytest.raises(UserError, match=r"prior\.json: not valid JSON"):
        choose_prior(str(path), CODES)
