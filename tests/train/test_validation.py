"""Validation losses are of the same body tokens under every condition."""

import numpy as np
import pytest
import torch

from dateline.conditions import Conditioning, render
from dateline.model.load import build_model, llama_config
from dateline.model.scoring import Segment, score_segments
from dateline.model.sizes import ModelRecipe
from dateline.train.log import Validation

BOS = 0


@pytest.fixture(scope="module")
def model(tokenizer):
    built = build_model(llama_config(ModelRecipe(size="pico"), len(tokenizer), bos=BOS, eos=1, pad=2), 0)
    with torch.no_grad():
        built.lm_head.weight.mul_(20)
    return built


@pytest.fixture
def make(corpus, tokenizer):
    def build(fields=("domain", "country"), sequence_length=128, num_documents=12):
        return Validation(
            corpus, tokenizer, Conditioning(fields=fields), bos=BOS, sequence_length=sequence_length,
            num_documents=num_documents,
        )  # fmt: skip

    return build


def body(segment):
    return segment.input_ids[-segment.num_scored :].tolist()


def test_the_same_tokens_under_every_condition(make):
    validation = make()
    assert list(validation.segments) == ["gold", "none"]
    gold, none = validation.segments.values()
    assert [body(segment) for segment in gold] == [body(segment) for segment in none]
    assert all(len(g.input_ids) > len(n.input_ids) for g, n in zip(gold, none, strict=True))


def test_segments_are_bos_prefix_and_the_start_of_the_body(make, corpus, tokenizer):
    validation = make()
    documents = corpus.select("validation").tolist()
    for gold, none, group in zip(*validation.segments.values(), validation.groups, strict=True):
        assert none.input_ids.tolist() == [BOS, *body(none)]
        matching = [d for d in documents if corpus.tokens(d)[: none.num_scored].tolist() == body(none)]
        prefixes = []
        for document in matching:
            assert none.num_scored == min(len(corpus.tokens(document)), 63)
            meta = corpus.metadata(document)
            prefixes.append(tokenizer(render(meta, ("domain", "country")), add_special_tokens=False)["input_ids"])
        assert gold.input_ids[1 : -gold.num_scored].tolist() in prefixes
        assert group in {corpus.metadata(document).continent for document in matching}


@pytest.mark.parametrize("sequence_length", [16, 17, 128])
def test_no_segment_is_longer_than_a_row(make, sequence_length):
    validation = make(("domain", "country", "continent"), sequence_length)
    for segments in validation.segments.values():
        assert all(len(segment.input_ids) <= sequence_length for segment in segments)
        assert all(segment.num_scored >= 1 for segment in segments)


def test_the_plain_model_is_measured_without_prefix_only(make):
    assert list(make(fields=()).segments) == ["none"]


def test_documents_are_spread_evenly_over_continents(make, corpus):
    validation = make(num_documents=12)
    available = corpus.continents[corpus.select("validation")].tolist()
    share = 12 // len(set(available))
    assert {name: validation.groups.count(name) for name in set(available)} == {
        name: min(share, available.count(name)) for name in set(available)
    }


def test_more_documents_than_there_are_means_all(make, corpus):
    assert len(make(num_documents=10**6).groups) == len(corpus.select("validation"))


def test_the_sample_does_not_depend_on_the_fields(make):
    plain, placed = make(fields=()), make(fields=("country",))
    assert [body(s) for s in plain.segments["none"]] == [body(s) for s in placed.segments["none"]]


def test_measure_is_nats_per_body_token(make, model):
    validation = make()
    records = validation.measure(model, dtype="float32")
    groups = ["all", *sorted(set(validation.groups))]
    assert [(record["condition"], record["group"]) for record in records] == [
        (condition, group) for condition in ("gold", "none") for group in groups
    ]
    for record in records:
        chosen = [
            segment
            for segment, group in zip(validation.segments[record["condition"]], validation.groups, strict=True)
            if record["group"] in ("all", group)
        ]
        nats = sum(score_segments(model, [Segment(*segment)])[0] for segment in chosen)
        assert record["loss"] == pytest.approx(nats / sum(segment.num_scored for segment in chosen), rel=1e-5)


def test_measuring_leaves_model_and_generator_alone(make, model):
    validation = make()
    torch.manual_seed(3)
    state, attention = torch.get_rng_state(), model.config._attn_implementation
    model.train()
    validation.measure(model, dtype="float32")
    assert model.training
    assert model.config._attn_implementation == attention
    assert torch.equal(torch.get_rng_state(), state)


def test_documents_without_a_place_are_a_group_with_a_name(make, model, corpus, monkeypatch):
    nowhere = np.array([""] * corpus.num_documents, dtype=object)
    monkeypatch.setattr(corpus, "continents", nowhere)
    assert {record["group"] for record in make().measure(model, dtype="float32")} == {"all", "unplaced"}


def test_an_empty_split_is_no_error(make, corpus, monkeypatch):
    monkeypatch.setattr(corpus, "select", lambda split: np.zeros(0, dtype=np.int64))
    assert make().groups == []
