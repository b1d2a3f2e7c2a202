from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.tokens.mix import DocumentStream, Mix, region_share, select_training

COUNTRIES = {"ng": "Africa", "ke": "Africa", "pk": "Asia", "gb": "Europe"}


def make(lengths, countries, splits=None, keys=None):
    """What a stream needs of an encoded corpus."""
    splits = np.array(splits if splits is not None else ["train"] * len(lengths), dtype=object)
    return SimpleNamespace(
        folder="enc",
        lengths=np.array(lengths, dtype=np.int64),
        keys=np.array(range(len(lengths)) if keys is None else keys, dtype=np.uint64),
        countries=np.array(countries, dtype=object),
        continents=np.array([COUNTRIES.get(country, "") for country in countries], dtype=object),
        select=lambda name: np.flatnonzero(splits == name),
    )


@st.composite
def corpora(draw):
    pairs = draw(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(sorted(COUNTRIES))), min_size=1, max_size=25))
    return make(*zip(*pairs, strict=True))


mixes = st.sampled_from([Mix(), Mix(by="country"), Mix(weights="natural")])


def read(stream, start, end):
    return list(zip(*(array.tolist() for array in stream.window(start, end)), strict=True))


@given(corpora(), mixes, st.integers(0, 99), st.lists(st.integers(0, 900), max_size=8))
def test_windows_partition_the_stream_wherever_they_are_cut(corpus, mix, seed, cuts):
    stream = DocumentStream(corpus, mix, seed)
    cuts = sorted({0, *cuts, 900})
    pieces = [read(stream, *pair) for pair in pairwise(cuts)]
    whole = read(DocumentStream(corpus, mix, seed), 0, 900)

    def of_group(items, members):
        return [item for item in items if item[0] in members]

    for members in stream.groups.values():
        members = set(members.tolist())
        assert [item for piece in pieces for item in of_group(piece, members)] == of_group(whole, members)
    assert len(set(whole)) == len(whole), "no document twice in an epoch"


@given(corpora(), st.integers(0, 99), st.integers(1, 4))
def test_a_natural_mix_reads_each_document_once_an_epoch(corpus, seed, epochs):
    stream = DocumentStream(corpus, Mix(weights="natural"), seed)
    assert stream.epoch_tokens == corpus.lengths.sum()
    everything = [(document, epoch) for epoch in range(epochs) for document in range(len(corpus.lengths))]
    assert sorted(read(stream, 0, epochs * stream.epoch_tokens)) == sorted(everything)
    assert stream.repeats(epochs * stream.epoch_tokens) == {"all": epochs}


@given(corpora(), st.integers(0, 99))
def test_half_an_epoch_more_reads_half_of_the_tokens_again(corpus, seed):
    stream = DocumentStream(corpus, Mix(weights="natural"), seed)
    total = round(1.5 * stream.epoch_tokens)
    counts = np.bincount(stream.window(0, total)[0], minlength=len(corpus.lengths))
    assert set(counts.tolist()) <= {1, 2}
    assert 0 <= (counts * corpus.lengths).sum() - total < corpus.lengths.max()


@given(corpora(), st.sampled_from(["continent", "country"]), st.integers(0, 99), st.integers(1, 2000))
def test_equal_weights_give_equal_tokens_to_within_a_document(corpus, by, seed, total):
    stream = DocumentStream(corpus, Mix(by=by), seed)
    documents, _ = stream.window(0, total)
    labels = corpus.continents if by == "continent" else corpus.countries
    assert set(stream.groups) == set(labels)
    for name in stream.groups:
        mine = documents[labels[documents] == name]
        tokens = corpus.lengths[mine].sum()
        share = total / len(stream.groups)
        assert share - 1 < tokens < share + corpus.lengths.max()
        assert stream.repeats(total)[name] == pytest.approx(share / corpus.lengths[labels == name].sum())


@given(corpora(), mixes)
def test_the_shares_of_all_regions_make_the_whole(corpus, mix):
    regions = sorted(set(corpus.continents.tolist()))
    shares = [region_share(corpus, mix.model_copy(update={"include": (region,)})) for region in regions]
    assert sum(shares) == region_share(corpus, mix) == 1
    for region, share in zip(regions, shares, strict=True):
        if len(regions) > 1:
            assert region_share(corpus, mix.model_copy(update={"exclude": (region,)})) == 1 - share
        if mix.weights == "natural":
            assert share == Fraction(int(corpus.lengths[corpus.continents == region].sum()), int(corpus.lengths.sum()))
        elif mix.by == "continent":
            assert share == Fraction(1, len(regions))


def test_weights_by_name_give_shares_of_tokens():
    corpus = make([1] * 100, ["ng"] * 50 + ["pk"] * 50)
    stream = DocumentStream(corpus, Mix(weights={"Africa": 3, "Asia": 1.0}), 0)
    documents, epochs = stream.window(0, 200)
    assert (corpus.continents[documents] == "Africa").sum() == 150
    assert np.bincount(epochs).tolist() == [100, 50, 50]
    assert stream.repeats(200) == {"Africa": 3.0, "Asia": 1.0}


def test_a_stretch_too_short_for_any_group_holds_no_document():
    stream = DocumentStream(make([10, 10], ["ng", "pk"]), Mix(), 0)
    for start in (0, 20):
        documents, epochs = stream.window(start + 20, start + 21)
        assert len(documents) == len(epochs) == 0


@given(st.permutations(list(range(20))), st.integers(0, 9))
@settings(deadline=None, max_examples=30)
def test_the_order_depends_on_the_documents_and_not_on_where_they_are_stored(order, seed):
    lengths = [3 + number % 5 for number in range(20)]
    straight = make(lengths, ["ng", "pk"] * 10)
    moved = make([lengths[i] for i in order], [["ng", "pk"][i % 2] for i in order], keys=order)
    one, other = (DocumentStream(corpus, Mix(), seed).window(0, 250)[0] for corpus in (straight, moved))
    assert straight.keys[one].tolist() == moved.keys[other].tolist()


def test_epochs_and_seeds_have_orders_of_their_own():
    corpus = make([1] * 50, ["ng"] * 50)
    first = DocumentStream(corpus, Mix(), 0)
    orders = [
        first.window(0, 50)[0].tolist(),
        first.window(50, 100)[0].tolist(),
        DocumentStream(corpus, Mix(), 1).window(0, 50)[0].tolist(),
        list(range(50)),
    ]
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"include": ["Africa"]}, [0, 1]),
        ({"include": ["Africa", "gb"]}, [0, 1, 3]),
        ({"exclude": ["ke"]}, [0, 2, 3]),
        ({"include": ["Africa"], "exclude": ["ke"]}, [0]),
        ({"exclude": ["Africa", "Asia"]}, [3]),
        ({"include": "africa"}, [0, 1]),
        ({"include": "AFRICA,GB"}, [0, 1, 3]),
        ({"exclude": "[africa, pk]"}, [3]),
        ({"exclude": "Africa, africa,asia"}, [3]),
    ],
)
def test_filters_choose_training_documents_by_continent_or_country(mix, expected):
    corpus = make([5] * 5, ["ng", "ke", "pk", "gb", "ng"], ["train"] * 4 + ["test"])
    mix = validate_recipe(Mix, mix)
    assert select_training(corpus, mix).tolist() == expected
    assert DocumentStream(corpus, mix, 0).epoch_tokens == 5 * len(expected)


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        ({"include": ["Afrika"]}, "mix: 'Afrika' is no continent or country of enc; it has Africa, Asia, Europe"),
        ({"exclude": ["fr"]}, "mix: 'fr' is no continent or country of enc; it has Africa, Asia, Europe"),
        (
            {"include": ["Asia"], "exclude": ["pk"]},
            "mix: no training document of enc is left by include and exclude",
        ),
        ({"include": ["gb"]}, "mix: no training document of enc is left by include and exclude"),
        (
            {"weights": {"Africa": 1, "Oceania": 1}},
            "mix.weights: give one weight for each continent in the corpus; check Asia, Oceania",
        ),
        (
            {"weights": {"ng": 1}, "by": "country"},
            "mix.weights: give one weight for each country in the corpus; check pk",
        ),
        (
            {"weights": {"Africa": 1, "Asia": 0}},
            "mix.weights: weights are positive; use mix.exclude to leave a group out",
        ),
    ],
)
def test_names_and_weights_that_do_not_fit_the_corpus_are_refused(mix, expected):
    corpus = make([5] * 3, ["ng", "pk", "gb"], ["train", "train", "test"])
    with pytest.raises(UserError) as caught:
        DocumentStream(corpus, validate_recipe(Mix, mix), 0)
    assert str(caught.value) == expected


def test_a_wrong_section_is_refused():
    with pytest.raises(UserError, match=r"^recipe: by: must be 'continent' or 'country' \(given: 'outlet'\)$"):
        validate_recipe(Mix, {"by": "outlet"})
    with pytest.raises(UserError, match=r"^recipe: weights: must be 'equal' or 'natural' \(given: 'fair'\)"):
        validate_recipe(Mix, {"weights": "fair"})
