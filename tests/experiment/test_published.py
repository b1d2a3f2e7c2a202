"""Published effects are those of the published table: the figures of section 2 of the paper's summary."""

import math

import pytest

from dateline.experiment.published import (
    Figure,
    perplexities,
    published_fields,
    published_loss,
    published_share_to_reach,
    published_size,
)

ALL = "url+country+continent"
REGIONS = ("Africa", "America", "Asia", "Europe", "all")
HEADLINES = {
    ("0.5b", "local", ALL): (9.53, 9.84, 8.50, 9.62),
    ("0.5b", "all", ALL): (9.29, 11.48, 10.24, 10.58, 10.77),
    ("0.5b", "local", ""): (10.63, 10.47, 9.38, 10.49),
    ("0.5b", "all", ""): (10.20, 12.29, 11.15, 11.34, 11.66),
    ("1b", "local", ALL): (9.06, 8.33, 7.53, 8.54),
    ("1b", "all", ALL): (7.91, 9.72, 8.75, 8.97, 9.15),
    ("1b", "local", ""): (10.49, 8.98, 8.29, 9.32),
    ("1b", "all", ""): (8.72, 10.45, 9.56, 9.67, 9.96),
}
"""(size, trained on, fields at own protocol) -> perplexity by region, as printed."""
BY_FIELD = {"continent": (9.96, 10.08), "country": (9.92, 10.01), "url": (9.11, 10.13),
            "url+continent": (9.14, 10.16), "url+country": (9.18, 10.21), ALL: (9.15, 10.21)}  # fmt: skip
"""1b, by fields: perplexity with the own prefix, and with none."""


def ppl(*figure):
    return math.exp(published_loss(Figure(*figure)))


@pytest.mark.parametrize("key", HEADLINES)
def test_headline_numbers(key):
    size, trained_on, fields = key
    for region, printed in zip(REGIONS, HEADLINES[key], strict=False):
        place = region if trained_on == "local" else "all"
        assert ppl(size, place, "", fields, 10_000, region, fields) == pytest.approx(printed, abs=0.006)


@pytest.mark.parametrize("fields", BY_FIELD)
def test_fields(fields):
    own, none = BY_FIELD[fields]
    assert ppl("1b", "all", "", fields, 10_000, "all", fields) == pytest.approx(own, abs=0.006)
    assert ppl("1b", "all", "", fields, 10_000, "all", "") == pytest.approx(none, abs=0.006)


@pytest.mark.parametrize(("fields", "gaps"), [(ALL, (0.425, 0.261, 0.313, 0.414)), ("", (0.436, 0.259, 0.314, 0.415))])
def test_gaps_of_left_out_continents(fields, gaps):
    for region, gap in zip(REGIONS, gaps, strict=False):
        sides = [
            published_loss(Figure("1b", "all", left_out, fields, 10_000, region, fields)) for left_out in (region, "")
        ]
        assert sides[0] - sides[1] == pytest.approx(gap, abs=6e-4)


def test_steps():
    for fields, printed in ((ALL, (11.99, 10.39, 9.30, 9.15)), ("", (13.09, 11.26, 10.11, 9.96))):
        for step, value in zip((2_000, 4_000, 8_000, 10_000), printed, strict=True):
            assert ppl("1b", "all", "", fields, step, "all", fields) == pytest.approx(value, abs=0.006)


def test_the_conditioned_model_reaches_the_plain_models_end_after_5_to_6_thousand_steps():
    assert 0.5 < published_share_to_reach("1b", "all") < 0.6
    assert published_share_to_reach("0.5b", "Africa") is None  # no checkpoints were published by region


def test_several_regions_are_the_mean_of_theirs():
    africa, asia = (published_loss(Figure("1b", "Europe", "", "", 10_000, region, "")) for region in ("Africa", "Asia"))
    both = published_loss(Figure("1b", "Europe", "", "", 10_000, "Africa+Asia", ""))
    assert both == pytest.approx((africa + asia) / 2, rel=1e-12)


def test_what_was_not_published_is_none():
    assert published_loss(Figure("0.5b", "all", "Africa", "", 10_000, "Africa", "")) is None
    assert published_loss(Figure("1b", "all", "", "", 10_000, "Africa+Atlantis", "")) is None


def test_fields_that_are_compared_with_theirs():
    assert published_fields(("domain", "country", "continent")) == ALL
    assert published_fields(("continent", "url")) == "url+continent"
    assert published_fields(()) == ""
    assert published_fields(("url_hash",)) is None
    assert published_fields(("domain", "date")) is None


def test_sizes_that_are_compared_with_theirs():
    assert [published_size(size) for size in ("pico", "nano", "0.5b", "1b", "")] == ["1b", "1b", "0.5b", "1b", "1b"]


def test_the_table_is_whole():
    assert len(perplexities()) == 550
    assert {figure.size for figure in perplexities()} == {"0.5b", "1b"}
