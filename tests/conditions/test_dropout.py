import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.conditions import Conditioning, shown_fields
from dateline.conditions.dropout import uniform
from dateline.config import validate_recipe
from dateline.errors import UserError

N = 20_000
KEYS = np.random.default_rng(0).integers(0, 2**64, N, dtype=np.uint64)
FIRST = np.zeros(N, dtype=np.int64)

keys = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30)
seeds = st.integers(0, 2**63)
shares = st.floats(0, 1)


def within(observed, share, n=N):
    return abs(observed - share) <= 5 * np.sqrt(share * (1 - share) / n)


@given(keys, seeds, st.integers(0, 1000), shares, shares, st.randoms(use_true_random=False))
def test_a_document_s_mask_depends_on_nothing_but_itself(keys, seed, epoch, dropout, field_dropout, random):
    conditioning = Conditioning(dropout=dropout, field_dropout={"country": field_dropout})

    def masks(of):
        return shown_fields(conditioning, seed, np.array(of, dtype=np.uint64), np.full(len(of), epoch)).tolist()

    together = masks(keys)
    assert together == masks(keys)
    assert together == [masks([key])[0] for key in keys]
    order = list(range(len(keys)))
    random.shuffle(order)
    assert masks([keys[i] for i in order]) == [together[i] for i in order]


@given(seeds, keys, st.integers(0, 10**6))
def test_draws_lie_in_the_unit_interval_and_differ_between_streams(seed, keys, stream):
    array, epochs = np.array(keys, dtype=np.uint64), np.zeros(len(keys), dtype=np.int64)
    draws = uniform(seed, array, epochs, stream)
    assert ((draws >= 0) & (draws < 1)).all()
    assert (draws != uniform(seed, array, epochs, stream + 1)).all()
    assert (draws != uniform(seed, array, epochs + 1, stream)).all()
    assert (draws != uniform(seed + 1, array, epochs, stream)).all()


def test_draws_golden():
    draws = uniform(7, np.array([0, 1, 2**64 - 1], dtype=np.uint64), np.array([0, 1, 2]), 3)
    assert draws.tolist() == [0.5207738457544916, 0.9991742259414187, 0.7810372470339363]


def test_draws_are_uniform_even_for_consecutive_keys():
    draws = uniform(0, np.arange(N, dtype=np.uint64), FIRST, 0)
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    assert ((counts - N / 20) ** 2 / (N / 20)).sum() < 50  # chi square with 19 degrees of freedom: p about 1e-4
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.04


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_whole_prefix_is_dropped_for_its_share_of_documents(share):
    mask = shown_fields(Conditioning(dropout=share), 0, KEYS, FIRST)
    assert set(mask.tolist()) <= {0, 0b111}
    assert within((mask == 0).mean(), share)


def test_each_field_is_dropped_apart_from_the_others_and_from_the_whole():
    conditioning = Conditioning(dropout=0.2, field_dropout={"domain": 0.3, "continent": 1.0})
    mask = shown_fields(conditioning, 0, KEYS, FIRST)
    assert within((mask & 1 > 0).mean(), 0.8 * 0.7)
    assert within((mask & 2 > 0).mean(), 0.8)
    assert not (mask & 4).any()
    both = Conditioning(dropout=0, field_dropout={"domain": 0.5, "country": 0.5})
    counts = np.bincount(shown_fields(both, 0, KEYS, FIRST) & 3, minlength=4)
    assert all(within(count / N, 0.25) for count in counts)


def test_another_epoch_and_another_seed_choose_other_documents():
    conditioning = Conditioning(dropout=0.5)
    first, second, other = (
        shown_fields(conditioning, seed, KEYS, FIRST + epoch) == 0 for seed, epoch in ((0, 0), (0, 1), (1, 0))
    )
    assert within((first & second).mean(), 0.25)
    assert within((first & other).mean(), 0.25)


def test_without_fields_nothing_is_shown():
    assert not shown_fields(Conditioning(fields=(), dropout=0), 0, KEYS, FIRST).any()
    assert shown_fields(Conditioning(), 0, KEYS[:0], FIRST[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"fields": ["domain", "domain"]}, "recipe: a field is named twice"),
        ({"fields": ["domain", "url_hash"]}, "recipe: domain, url and url_hash share the line 'URL:'; choose one"),
        (
            {"fields": ["domain"], "field_dropout": {"date": 0.1, "country": 0.2}},
            "recipe: field_dropout names country, date, which fields does not",
        ),
        ({"dropout": 1.5}, "recipe: dropout: must be less than or equal to 1 (given: 1.5)"),
        ({"cooldown": -0.1}, "recipe: cooldown: must be greater than or equal to 0 (given: -0.1)"),
        ({"droput": 0.1}, "recipe: unknown key 'droput'; did you mean 'dropout'?"),
    ],
)
def test_a_wrong_section_is_refused(data, expected):
    with pytest.raises(UserError) as caught:
        validate_recipe(Conditioning, data)
    assert str(caught.value) == expected


def test_an_unknown_field_is_refused_with_those_that_are_known():
    with pytest.raises(UserError, match=r"fields\.0: must be 'domain', 'url', 'url_hash', 'country'"):
        validate_recipe(Conditioning, {"fields": ["region"]})
