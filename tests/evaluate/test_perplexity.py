"""Perplexity: equal to a naive loop, on the same tokens under every condition, averaged as by hand."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import normalizers
from transformers import AutoModelForCausalLM, AutoTokenizer

import dateline.model.scoring as scoring
from dateline.conditions import Metadata, parse_condition, render
from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.evaluate.parts import PARTS
from dateline.evaluate.perplexity import (
    Origin,
    Scored,
    countries_of,
    leak_scores,
    levels,
    loss_table,
    marginal,
    perplexity_stage,
    prior_of,
    with_swaps,
)
from dateline.evaluate.protocol import Protocol
from dateline.evaluate.recipe import MEASURES, Perplexity
from dateline.experiment.comparisons import differences
from dateline.manifest import read_manifest
from dateline.records import Article, body_text
from dateline.scores import merge_scores, read_losses, read_scores
from dateline.testing import write_corpus as write_articles
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import load_tokenizer

STRICT = Protocol(window=96, prefix_room=48)
CONDITIONS = ("gold", "none", "wrong", "swap:ke")


def stage(model, corpus, *, run="tiny", **changes):
    settings = {"protocol": STRICT.model_dump(), "conditions": CONDITIONS, "device": "cpu", "resamples": 200}
    if isinstance(changes.get("protocol"), Protocol):
        changes["protocol"] = changes["protocol"].model_dump()
    return perplexity_stage(model, validate_recipe(Perplexity, {"corpus": str(corpus), **settings, **changes}), run)


def evaluate(model, corpus, out, **changes):
    return stage(model, corpus, **changes).make(out)


@pytest.fixture(scope="module")
def done(llama, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("scores") / "tiny"
    manifest = evaluate(llama, corpus, out)
    return out, manifest


def rows(out, condition="gold"):
    return [row for row in read_losses(out).to_pylist() if row["slice_by"] == "all" and row["condition"] == condition]


def naive(folder, bos, prefix, body, length):
    """One document at a time, one chunk at a time, straight from the definition."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    total = 0.0
    for start in range(0, len(body), length):
        chunk = body[start : start + length]
        ids = torch.tensor([[bos, *prefix, *chunk]])
        with torch.no_grad():
            logp = model(ids).logits[0].double().log_softmax(-1)
        total -= sum(float(logp[len(prefix) + i, token]) for i, token in enumerate(chunk))
    return total


def test_nll_is_that_of_a_naive_loop(done, llama, corpus):
    out, _ = done
    encoded, folder = EncodedCorpus.open(corpus), llama / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for condition in ("gold", "none"):
        for row in rows(out, condition)[::4]:
            index = encoded.ids.index(row["id"])
            text = render(encoded.metadata(index), ("domain", "country")) if condition == "gold" else ""
            prefix = tokenizer(text, add_special_tokens=False)["input_ids"]
            body = encoded.tokens(index).tolist()
            assert row["n_tokens"] == len(body)
            expected = naive(folder, tokenizer.bos_token_id, prefix, body, STRICT.chunk_length)
            assert row["nll"] == pytest.approx(expected, rel=1e-5)


def test_scored_tokens_are_the_same_under_every_condition(llama, corpus, tmp_path, monkeypatch):
    seen = []

    def record(model, segments, **options):
        seen.append(segments)
        return [np.ones(segment.num_scored, dtype=np.float32) for segment in segments]

    monkeypatch.setattr(scoring, "score_tokens", record)
    evaluate(llama, corpus, tmp_path / "out")
    assert len(seen) == len(CONDITIONS)  # a document without a place has the same prefix under several: scored once
    scored = [[segment.input_ids[-segment.num_scored :].tolist() for segment in segments] for segments in seen]
    assert all(chunk in scored[0] for several in scored for chunk in several)
    counts = {tuple(row["n_tokens"] for row in rows(tmp_path / "out", condition)) for condition in CONDITIONS}
    assert len(counts) == 1
    encoded = EncodedCorpus.open(corpus)
    every = np.concatenate([encoded.tokens(int(index)) for index in encoded.select("test")]).tolist()
    assert [token for chunk in scored[0] for token in chunk] == every
    assert max(len(segment.input_ids) for segments in seen for segment in segments) <= STRICT.window
    heads = {len(segments[0].input_ids) - segments[0].num_scored for segments in seen}
    assert len(heads) > 1


def test_batches_do_not_change_the_scores(done, llama, corpus, tmp_path):
    for batch_tokens in (1, 500):
        evaluate(llama, corpus, tmp_path / str(batch_tokens), batch_tokens=batch_tokens)
        for condition in CONDITIONS:
            ours = np.array([row["nll"] / row["n_tokens"] for row in rows(done[0], condition)])
            theirs = np.array([row["nll"] / row["n_tokens"] for row in rows(tmp_path / str(batch_tokens), condition)])
            np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_scores_are_the_averages_of_the_documents(done):
    out, manifest = done
    scores = [s for s in read_scores(out) if s.slice_by in ("all", "continent", "country") and s.condition]
    assert len(scores) == len(CONDITIONS) * 3 * (1 + 3 + 4)
    assert {(s.condition, s.shown) for s in scores} == {
        ("gold", "domain+country"), ("none", ""), ("wrong", "domain+country"), ("swap:ke", "domain+country"),
    }  # fmt: skip
    assert {s.n_outlets for s in scores if s.slice_by == "all"} == {4}
    assert {score.slice for score in scores if score.slice_by == "country"} == {"ng", "pk", "gb", "ke"}
    for condition in CONDITIONS:
        table = rows(out, condition)
        for score in (score for score in scores if score.condition == condition):
            members = table if score.slice_by == "all" else [row for row in table if row[score.slice_by] == score.slice]
            nll, tokens, size = (sum(row[name] for row in members) for name in ("nll", "n_tokens", "n_bytes"))
            expected = {"nll": nll / tokens, "ppl": math.exp(nll / tokens), "bits_per_byte": nll / math.log(2) / size}
            assert score.value == pytest.approx(expected[score.metric])
            units = {"nll": "nats/token", "ppl": "perplexity", "bits_per_byte": "bits/byte"}
            assert (score.measure, score.unit) == ("perplexity", units[score.metric])
            assert score.ci_low <= score.value <= score.ci_high
            assert (score.n_documents, score.n_tokens) == (len(members), tokens)
            assert score.protocol == STRICT.fingerprint()
            assert score.model == manifest.parents["model"]
            assert score.data == manifest.parents["corpus"]


def test_manifest_says_what_was_done(done, llama, corpus):
    out, manifest = done
    assert read_manifest(out) == manifest
    assert manifest.stage == "perplexity"
    assert manifest.counts["in"] == manifest.counts["kept"] == 12
    assert manifest.recipe["fields"] == ["domain", "country"]
    assert manifest.facts["longest_prefix"]["none"] == 0 < manifest.facts["longest_prefix"]["gold"]
    assert manifest.facts["tokenizer"] == "the corpus's"
    assert manifest.recipe["conditions"] == list(CONDITIONS)
    assert stage(llama, corpus).finished(out) == manifest
    assert stage(llama, corpus, batch_tokens=64).finished(out) == manifest  # speed is no part of the result
    assert stage(llama, corpus, resamples=300).finished(out) is None
    json.dumps(manifest.model_dump())


def test_no_bits_per_byte_for_bytes_that_were_not_scored(llama, tmp_path):
    """From a tokenizer that loses capitals, through encode, to a model of that tokenizer."""
    model = shutil.copytree(llama, tmp_path / "run") / "model"
    lower = load_tokenizer(model)
    lower.backend_tokenizer.normalizer = normalizers.Replace("Flood", "flood")
    lower.save_pretrained(model)
    lower.save_pretrained(tmp_path / "tokenizer")
    titles = {"lossy": ["Flood", "Rates", "Cup"], "faithful": ["Rates", "Cup"]}
    found = {}
    for name, several in titles.items():
        stories = [
            Article(f"{number:016x}", "u", "dawn.com", "pk", "Asia", "", title, "the river", "hand", "test")
            for number, title in enumerate(several)
        ]
        corpus = write_articles(tmp_path / name, stories)
        encode_stage(EncodeRecipe(tokenizer=str(tmp_path / "tokenizer")), corpus).make(tmp_path / f"{name}-encoded")
        out = tmp_path / f"{name}-scores"
        manifest = evaluate(
            tmp_path / "run", tmp_path / f"{name}-encoded", out, conditions=("gold", "marginal:uniform")
        )
        assert manifest.facts["tokenizer"] == "the corpus's"
        sizes = sorted(row["n_bytes"] for row in rows(out))
        found[name] = manifest.facts["lossy_documents"], sizes, {score.metric for score in read_scores(out)}
    cup, rates = (len(body_text(title, "the river")) for title in ("Cup", "Rates"))
    assert found["lossy"][:2] == (1, [0, cup, rates])
    assert found["faithful"][:2] == (0, [cup, rates])
    assert {"nll", "ppl"} <= found["lossy"][2]
    assert found["faithful"][2] - found["lossy"][2] == {"bits_per_byte"}


def test_any_model_with_its_own_tokenizer(done, gpt2, corpus, tmp_path):
    manifest = evaluate(gpt2, corpus, tmp_path / "gpt2", run="foreign", protocol=Protocol(window=200, prefix_room=150))
    assert manifest.facts["tokenizer"] == "the model's own, on the same bytes"
    assert manifest.facts["unknown_tokens"] == 0
    assert manifest.recipe["fields"] == ["domain", "country", "continent"]
    table = rows(tmp_path / "gpt2")
    assert [row["n_bytes"] for row in table] == [row["n_bytes"] for row in rows(done[0])]
    assert [row["n_tokens"] for row in table] != [row["n_tokens"] for row in rows(done[0])]
    encoded, tokenizer = EncodedCorpus.open(corpus), AutoTokenizer.from_pretrained(gpt2)
    index = encoded.ids.index(table[3]["id"])
    body = tokenizer(encoded_text(encoded, index), add_special_tokens=False)["input_ids"]
    prefix = tokenizer(
        render(encoded.metadata(index), ("domain", "country", "continent")), add_special_tokens=False
    )["input_ids"]  # fmt: skip
    expected = naive(gpt2, tokenizer.eos_token_id, prefix, body, 49)
    assert table[3]["nll"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(UserError, match="scored with protocol"):
        merge_scores([done[0], tmp_path / "gpt2"])


def encoded_text(encoded, index):
    return AutoTokenizer.from_pretrained(encoded.tokenizer_folder).decode(encoded.tokens(index))


def test_paper_protocol_truncates_and_its_conditions_are_not_paired(llama, corpus, tmp_path):
    protocol = Protocol(name="paper", truncation=64)
    evaluate(llama, corpus, tmp_path / "out", protocol=protocol, conditions=("gold", "none"))
    encoded, tokenizer = EncodedCorpus.open(corpus), AutoTokenizer.from_pretrained(llama / "model")
    for condition in ("gold", "none"):
        row = rows(tmp_path / "out", condition)[-1]
        index = encoded.ids.index(row["id"])
        text = render(encoded.metadata(index), ("domain", "country")) if condition == "gold" else ""
        prefix = tokenizer(text, add_special_tokens=False)["input_ids"]
        kept = encoded.tokens(index).tolist()[: 64 - 1 - len(prefix)]
        assert row["n_tokens"] == len(kept)
        assert row["n_bytes"] < encoded.num_bytes[index]
        expected = naive(llama / "model", tokenizer.bos_token_id, prefix, kept, 64)
        assert row["nll"] == pytest.approx(expected, rel=1e-5)
    documents = read_losses(tmp_path / "out")
    with pytest.raises(UserError, match="different tokens were scored"):
        differences(documents, documents, condition="gold", condition_versus="none")


def test_strict_conditions_are_paired(done):
    documents = read_losses(done[0])
    scores = differences(documents, documents, condition="gold", condition_versus="none", by=["continent"])
    gold, none = (sum(row["nll"] for row in rows(done[0], name)) for name in ("gold", "none"))
    assert scores[0].value == pytest.approx((gold - none) / scores[0].n_tokens)
    assert scores[0].versus == "tiny/none"
    assert len(scores) == 4


def test_fields_can_be_chosen_and_the_sample_is_counted(llama, corpus, tmp_path):
    manifest = evaluate(
        llama, corpus, tmp_path / "out", fields=["continent"], conditions=("gold",), by=(),
        protocol=STRICT.model_copy(update={"num_documents": 4}), precision="bfloat16",
    )  # fmt: skip
    assert manifest.recipe["fields"] == ["continent"]
    assert manifest.counts["in"] == 12
    assert manifest.counts["kept"] == 4
    assert manifest.drops == {"not in the sample": 8}


def test_a_broken_checkpoint_is_named_with_document_and_condition(llama, corpus, tmp_path):
    broken = shutil.copytree(llama / "model", tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="run 'tiny' under 'gold': the nll of document 0000000000000001 is nan"):
        evaluate(broken, corpus, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": Protocol()}, r"reads 256 tokens, the protocol's window is 2,048; set protocol.window to 256"),
        ({"protocol": Protocol(window=96, prefix_room=3)}, r"under '.*' has \d+ tokens, the protocol reserves 3"),
        ({"conditions": ("bronze",)}, "unknown condition 'bronze'"),
        ({"conditions": ()}, "no conditions to score under"),
        ({"conditions": ("gold", "gold")}, "conditions names 'gold' twice"),
        ({"by": ("planet",)}, r"by\.0: must be 'continent', 'country' or 'domain'"),
        ({"by": ("country", "country")}, "by names 'country' twice"),
        ({"resamples": 1}, "resamples: must be greater than or equal to 2"),
        ({"run": ""}, "the run has no name"),
        ({"protocol": STRICT.model_copy(update={"split": "train"})}, "no documents in split 'train'"),
    ],
)
def test_what_does_not_fit_is_refused(llama, corpus, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        evaluate(llama, corpus, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_missing_folders_and_taken_outputs_are_refused(done, llama, corpus, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        evaluate(tmp_path / "nowhere", corpus, tmp_path / "out")
    with pytest.raises(UserError, match="no such folder; make it with: dateline encode"):
        evaluate(llama, tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(UserError, match="already holds something"):
        evaluate(llama, corpus, done[0])


def test_metadata_is_that_of_the_store(corpus):
    assert EncodedCorpus.open(corpus).metadata(1) == Metadata(
        "https://dawn.com/1", "dawn.com", "pk", "Asia", "2024-01-02"
    )


def test_parts_add_up_to_the_document_and_are_the_same_tokens_under_every_condition(done):
    out, _ = done
    parts = [row for row in read_losses(out).to_pylist() if row["slice_by"] != "all"]
    assert {row["condition"] for row in parts} == {"gold", "none", "wrong"}
    assert {row["n_bytes"] for row in parts} == {None}
    for condition in ("gold", "none", "wrong"):
        for document in rows(out, condition):
            for slice_by in ("part", "position"):
                mine = [
                    row for row in parts
                    if (row["id"], row["condition"], row["slice_by"]) == (document["id"], condition, slice_by)
                ]  # fmt: skip
                assert sum(row["n_tokens"] for row in mine) == document["n_tokens"]
                assert sum(row["nll"] for row in mine) == pytest.approx(document["nll"], rel=1e-6)
    sizes = {
        c: sorted((r["id"], r["slice_by"], r["slice"], r["n_tokens"]) for r in parts if r["condition"] == c)
        for c in ("gold", "none", "wrong")
    }
    assert sizes["gold"] == sizes["none"] == sizes["wrong"]
    scored = [s for s in read_scores(out) if s.slice_by == "part" and s.metric == "nll" and s.condition == "gold"]
    assert [s.slice for s in scored] == ["title", "first 64", "rest"]
    assert sum(s.value * s.n_tokens for s in scored) == pytest.approx(sum(r["nll"] for r in rows(out, "gold")))


def test_the_body_ids_under_fields_swaps_and_their_mixture_are_the_same(llama, corpus, tmp_path, monkeypatch):
    seen = []
    inner = scoring.score_tokens
    monkeypatch.setattr(scoring, "score_tokens", lambda model, s, **o: seen.append(s) or inner(model, s, **o))
    names = ("gold", "country", "continent", "domain", "url_hash", "country+continent", "swap:all", "marginal")
    evaluate(llama, corpus, tmp_path / "out", conditions=names, protocol=Protocol(window=128, prefix_room=80))
    scored = [[segment.input_ids[-segment.num_scored :].tolist() for segment in segments] for segments in seen]
    assert len(scored) == 6 + 4
    assert all(chunk in scored[0] for ids in scored for chunk in ids)
    read = [segment.input_ids.tobytes() for segments in seen for segment in segments]
    assert len(read) == len(set(read)) < 10 * len(scored[0])
    nll = {
        row["condition"]: row["nll"]
        for row in read_losses(tmp_path / "out").to_pylist()
        if row["slice_by"] == "all" and row["id"] == f"{1:016x}"
    }
    swaps = sorted(name for name in nll if name.startswith("swap:"))
    assert swaps == ["swap:gb", "swap:ke", "swap:ng", "swap:pk"]
    exact = -np.logaddexp.reduce([math.log(1 / 4) - nll[name] for name in swaps])
    assert nll["marginal:uniform"] == pytest.approx(exact)


def test_title_words_in_the_url_are_reported_and_a_leak_is_named(llama, corpus, tmp_path):
    manifest = evaluate(llama, corpus, tmp_path / "o", conditions=("url", "none"),
                        protocol=Protocol(window=128, prefix_room=80))  # fmt: skip
    assert manifest.facts["leaks"] == ["url"]
    assert manifest.facts["title_in_url"] == 0.0
    (share,) = [s for s in read_scores(tmp_path / "o") if s.metric == "title_in_url" and s.slice_by == "all"]
    assert (share.value, share.condition, share.n_documents, share.n_tokens) == (0.0, "", 12, None)
    assert (share.measure, share.unit, share.shown) == ("perplexity", "share", "")


def test_a_mixture_over_places_needs_the_same_tokens(llama, corpus, tmp_path):
    with pytest.raises(UserError, match="'marginal' sums over places on the same tokens, which 'paper' does not"):
        evaluate(llama, corpus, tmp_path / "o", conditions=("marginal",), protocol=Protocol(name="paper"))


def test_fields_that_the_model_never_saw_are_named(llama, corpus, tmp_path):
    manifest = evaluate(llama, corpus, tmp_path / "o", conditions=("gold", "continent", "none"))
    assert manifest.facts["unseen_fields"] == {"continent": ["continent"]}
    about = shutil.copytree(llama / "model", tmp_path / "foreign") / "dateline.json"
    about.unlink()
    manifest = evaluate(about.parent, corpus, tmp_path / "f", conditions=("continent",))
    assert manifest.facts["unseen_fields"] == {}  # nothing says what it saw


def test_the_result_is_known_by_the_model_the_corpus_and_the_options(llama, gpt2, corpus, write_corpus, articles,
                                                                      tokenizer, tmp_path):  # fmt: skip
    other = write_corpus(tmp_path / "other", articles, tokenizer, wrong_bytes=1)
    fields = ["domain", "country"]
    stages = [
        stage(llama, corpus), stage(llama, corpus, run="other"), stage(gpt2, corpus, fields=fields),
        stage(llama, other), stage(llama, corpus, conditions=("gold",)), stage(llama, corpus, by=("continent",)),
        stage(llama, corpus, fields=["country"]), stage(llama, corpus, seed=1),
        stage(llama, corpus, precision="bfloat16"), stage(llama, corpus, protocol=Protocol(window=96, prefix_room=47)),
    ]  # fmt: skip
    assert len({one.fingerprint for one in stages}) == len(stages)
    same = [stage(llama / "model", corpus), stage(llama, corpus, fields=fields), stage(llama, corpus, device="auto")]
    assert {one.fingerprint for one in same} == {stages[0].fingerprint}


def test_the_registry_leads_to_the_stage(llama, corpus):
    options = Perplexity(corpus=str(corpus), conditions=CONDITIONS, protocol=STRICT, resamples=200)
    assert MEASURES["perplexity"].stage(llama, options, "tiny").fingerprint == stage(llama, corpus).fingerprint


ORIGIN = Origin("a", "strict-1", "m", "c")
PLACES = {
    "id": np.array(["1", "2", "3"]),
    "domain": np.array(["x", "y", ""]),
    "country": np.array(["ng", "ng", "gb"]),
    "continent": np.array(["Africa", "Africa", "Europe"]),
}


def scored(*nll, parts=True):
    """Three documents of 2, 4 and 8 tokens, of which 2 are the title, at half a nat each."""
    tokens = np.array([2, 4, 8], dtype=np.int64)
    part_tokens = np.zeros((3, len(PARTS)), dtype=np.int64)
    part_tokens[:, 0] = [2, 2, 2]
    part_tokens[:, 1] = [0, 2, 6]
    part_nll = np.zeros((3, len(PARTS)))
    part_nll[:, :2] = part_tokens[:, :2] * 0.5
    return Scored("country", np.array(nll), tokens, 3 * tokens, *((part_nll, part_tokens) if parts else (None, None)))


TABLES = {"gold": scored(1.0, 4.0, 8.0), "swap:ng": scored(2.0, 8.0, 16.0, parts=False)}


def found(**wanted):
    scores = levels(TABLES, PLACES, ORIGIN, ("country",), 100, 0)
    return [s for s in scores if all(getattr(s, key) == value for key, value in wanted.items())]


def test_a_slice_is_averaged_by_its_tokens():
    (one,) = found(condition="gold", metric="nll", slice="ng")
    assert (one.value, one.n_documents, one.n_tokens, one.n_outlets) == (5 / 6, 2, 6, 2)
    assert (one.run, one.protocol, one.model, one.data) == ORIGIN
    (all_bits,) = found(condition="swap:ng", metric="bits_per_byte", slice_by="all")
    assert all_bits.value == pytest.approx(26 / 42 / math.log(2))
    assert (all_bits.n_outlets, all_bits.shown) == (2, "country")


def test_a_slice_of_one_document_has_no_interval():
    (one,) = found(condition="gold", metric="ppl", slice="gb")
    assert one.value == pytest.approx(math.e)
    assert math.isnan(one.ci_low)


def test_parts_are_of_the_documents_that_have_them():
    title, first = found(slice_by="part", metric="nll")
    assert (title.slice, title.n_documents, title.n_tokens, title.value) == ("title", 3, 6, 0.5)
    assert (first.slice, first.n_documents, first.n_tokens, first.condition) == ("first 64", 2, 8, "gold")
    assert not found(slice_by="part", metric="bits_per_byte")


def test_losses_have_a_row_for_each_document_condition_and_part():
    table = loss_table(TABLES, PLACES, ORIGIN).to_pylist()
    assert [(row["condition"], row["slice_by"], row["slice"], row["id"], row["nll"], row["n_tokens"], row["n_bytes"])
            for row in table] == [
        ("gold", "all", "all", "1", 1.0, 2, 6), ("gold", "all", "all", "2", 4.0, 4, 12),
        ("gold", "all", "all", "3", 8.0, 8, 24), ("swap:ng", "all", "all", "1", 2.0, 2, 6),
        ("swap:ng", "all", "all", "2", 8.0, 4, 12), ("swap:ng", "all", "all", "3", 16.0, 8, 24),
        ("gold", "part", "title", "1", 1.0, 2, None), ("gold", "part", "title", "2", 1.0, 2, None),
        ("gold", "part", "title", "3", 1.0, 2, None), ("gold", "part", "first 64", "2", 1.0, 2, None),
        ("gold", "part", "first 64", "3", 3.0, 6, None),
    ]  # fmt: skip
    assert {(row["run"], row["shown"], row["model"], row["protocol"], row["data"]) for row in table} == {
        ("a", "country", "m", "strict-1", "c")
    }
    only = loss_table({"swap:ng": TABLES["swap:ng"]}, PLACES, ORIGIN)
    assert set(only.column("slice_by").to_pylist()) == {"all"}


def test_leaks_are_shares_of_words_and_titles_without_words_are_no_number():
    counts = np.array([[1.0, 2.0], [0.0, 2.0], [0.0, 0.0]])
    scores = leak_scores(counts, PLACES, ORIGIN, ("country",), 100, 0)
    assert [(s.slice, s.value, s.n_documents, s.n_tokens) for s in scores] == [
        ("all", 0.25, 3, None), ("ng", 0.25, 2, None),
    ]  # fmt: skip


METADATA = [Metadata(country="ng"), Metadata(country="gb"), Metadata(), Metadata(country="ng")]


def condition(name):
    return parse_condition(name, ("country",))


def swapped(*nll):
    ones = np.ones(len(nll), dtype=np.int64)
    return Scored("country", np.array(nll), ones, ones)


def test_what_a_mixture_is_made_of_is_scored_once():
    asked = [condition(name) for name in ("gold", "swap:gb", "marginal:corpus", "marginal")]
    assert [one.name for one in with_swaps(asked, METADATA)] == ["gold", "swap:gb", "swap:ng"]
    assert countries_of(METADATA) == ["gb", "ng"]
    with pytest.raises(UserError, match="condition 'marginal:uniform': no document has a known country"):
        with_swaps([condition("marginal")], [Metadata()])


def test_the_mixture_is_that_of_probabilities_not_of_losses():
    tables = {"swap:gb": swapped(2.0, 700.0), "swap:ng": swapped(3.0, 900.0)}
    mixed = marginal(condition("marginal"), tables, {"gb": 0.25, "ng": 0.75})
    assert mixed.nll[0] == pytest.approx(-math.log(0.25 * math.exp(-2) + 0.75 * math.exp(-3)))
    assert mixed.nll[1] == pytest.approx(700 - math.log(0.25))  # no underflow
    assert mixed.shown == "country"
    alone = marginal(condition("marginal"), tables, {"gb": 1.0, "ng": 0.0})
    np.testing.assert_array_equal(alone.nll, tables["swap:gb"].nll)


def test_priors_are_even_or_those_of_the_training_split(corpus, write_corpus, articles, tokenizer, tmp_path):
    encoded = EncodedCorpus.open(corpus)
    assert prior_of(condition("marginal"), encoded, METADATA) == {"gb": 0.5, "ng": 0.5}
    with pytest.raises(UserError, match="has no training documents from gb, ng; use marginal:uniform"):
        prior_of(condition("marginal:corpus"), encoded, METADATA)
    changed = [dict(article, split="train") for article in articles if article["country"] in ("ng", "gb", "pk")]
    trained = EncodedCorpus.open(write_corpus(tmp_path / "trained", changed, tokenizer))
    prior = prior_of(condition("marginal:corpus"), trained, METADATA)
    counts = {code: sum(article["country"] == code for article in changed) for code in ("ng", "gb")}
    assert prior == {code: count / sum(counts.values()) for code, count in counts.items()}
