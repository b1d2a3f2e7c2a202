"""Tuning end to end: what is trained, what is written, and what is refused."""

import json
import sys
from itertools import pairwise

import pytest
import torch

import dateline
from dateline.conditions import Metadata, chat_template
from dateline.errors import UserError
from dateline.model.load import load_subject
from dateline.tune.data import read_examples
from dateline.tune.recipe import TuneOptions
from dateline.tune.rendering import Renderer

pytest.importorskip("trl", reason="tuning needs the extra 'tune' (trl)")
pytest.importorskip("peft", reason="tuning needs the extra 'tune' (peft)")

from dateline.tune.run import make_trainer, tokenize_examples, tune_stage

FAST = {"epochs": 1, "batch_rows": 8, "window": 128, "learning_rate": 1e-2, "rank": 8, "device": "cpu"}


def tune(model, data, out, **options):
    return tune_stage(model, data, TuneOptions(**{**FAST, **options})).make(out)


def weights(folder):
    from safetensors.torch import load_file

    return load_file(next(folder.glob("**/model.safetensors")))


@pytest.fixture(scope="module", params=["lora", "full"])
def tuned(request, base, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    row = {"prompt": "Question: Which currency?\nAnswer:", "completion": " the naira", "country": "ng"}
    (folder / "data.jsonl").write_text(json.dumps(row) + "\n")
    out = folder / "tuned"
    long = {"epochs": 60, "batch_rows": 1, "rank": 64, "alpha": 64, "learning_rate": 3e-3, "dropout": 0}
    return request.param, out, tune(base, folder / "data.jsonl", out, method=request.param, **long)


def test_the_loss_falls_and_the_manifest_says_what_was_trained_on(tuned):
    method, out, manifest = tuned
    assert manifest.facts["loss_last"] < 0.65 * manifest.facts["loss_first"]  # a random head allows adapters no less
    assert manifest.counts["with_place"] == 1
    assert manifest.counts["learned_tokens"] == 60 * len(" the naira" + "e")
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(1, manifest.counts["steps"] + 1))
    assert ("merge_difference" in manifest.facts) == (method == "lora")


def test_what_is_merged_computes_the_same_and_keeps_the_head(tuned, base):
    method, out, manifest = tuned
    before, after = weights(base), weights(out)
    assert before.keys() == after.keys()
    assert "lm_head.weight" not in after
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("q_proj" in name for name in changed)
    if method == "lora":
        assert manifest.facts["merge_difference"] < 1e-5
        assert all("_proj" in name for name in changed)
    subject = load_subject(out, device="cpu")
    assert subject.model.get_input_embeddings().weight is subject.model.get_output_embeddings().weight


def test_the_tuned_model_is_known_and_answers(tuned):
    _, out, _ = tuned
    facts = json.loads((out / "model" / "dateline.json").read_text())
    assert facts["fields"] == ["domain", "country", "continent"]
    assert facts["dropout"] == 0.5
    assert facts["prefix"] == "URL: {domain}\nCOUNTRY: {country}\nCONTINENT: {continent}\n"
    subject = load_subject(out, device="cpu")
    assert subject.tokenizer.chat_template == chat_template(marks=True)
    model = dateline.load(out, device="cpu")
    assert model.fields == ("domain", "country", "continent")
    ids = torch.tensor(
        [[0, *subject.encode(["COUNTRY: ng\nCONTINENT: Africa\nQuestion: Which currency?\nAnswer:"])[0]]]
    )
    written = subject.model.generate(ids, max_new_tokens=11, do_sample=False)[0, ids.shape[1] :]
    assert subject.tokenizer.decode(written) == " the naira<eos>"


def test_adapters_merge_into_untied_embeddings_too(make_model, data, tmp_path):
    base = make_model(tie_embeddings=False)
    manifest = tune(base, data, tmp_path / "tuned")
    assert manifest.facts["merge_difference"] < 1e-5
    assert torch.equal(weights(base)["lm_head.weight"], weights(tmp_path / "tuned")["lm_head.weight"])


def test_the_same_seed_gives_the_same_weights(base, data, tmp_path):
    for name in ("a", "b"):
        tune(base, data, tmp_path / name, batch_rows=1)
    one, other = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_packed_examples_do_not_see_each_other(base, data, tmp_path):
    subject = load_subject(base, device="cpu")
    options = TuneOptions(**{**FAST, "batch_rows": 1}, method="full")
    rows = tokenize_examples(
        read_examples(data), Renderer(subject.tokenizer, chat_template(marks=True)), subject.fields, options
    )
    trainer = make_trainer(subject, rows, options, tmp_path)
    batches = list(trainer.get_train_dataloader())
    assert len(batches) < len(rows)
    model = subject.model.eval()
    alone = {}
    with torch.no_grad():
        for row in rows:
            alone[tuple(row.input_ids)] = model(torch.tensor([row.input_ids])).logits[0]
        for batch in batches:
            known = {name: value for name, value in batch.items() if name != "labels"}
            packed = model(**known).logits[0]
            starts = [*(batch["position_ids"][0] == 0).nonzero().flatten().tolist(), packed.shape[0]]
            for start, end in pairwise(starts):
                ids = tuple(batch["input_ids"][0, start:end].tolist())
                assert torch.allclose(packed[start:end], alone[ids], atol=1e-5)


def shown(data, fields=("country",), **options):
    """Which country each copy of each example shows, and its learned text."""
    from dateline.testing import byte_tokenizer

    tokenizer = byte_tokenizer()
    rows = tokenize_examples(
        read_examples(data),
        Renderer(tokenizer, chat_template(marks=True)),
        fields,
        TuneOptions(**{"window": 512, **options}),
    )
    texts = [tokenizer.decode(row.input_ids) for row in rows]
    return [text.partition("COUNTRY: ")[2][:2] for text in texts]


def test_examples_show_their_own_place_or_none(data):
    own = ["ng", "ng", "gh", "gh", "gb", "gb", "", ""]
    assert shown(data, dropout=0, epochs=2) == own * 2
    assert shown(data, dropout=1) == [""] * 24
    assert shown(data, fields=(), dropout=0) == [""] * 24


def test_dropout_is_drawn_anew_in_each_epoch(data):
    found = shown(data, dropout=0.5, epochs=40)
    epochs = {tuple(found[start : start + 6]) for start in range(0, 320, 8)}
    assert len(epochs) > 10
    placed = [place for start in range(0, 320, 8) for place in found[start : start + 6]]
    assert 0.4 < sum(place == "" for place in placed) / len(placed) < 0.6
    assert found == shown(data, dropout=0.5, epochs=40)


def test_random_metadata_has_nothing_to_do_with_the_example(data, write):
    found = shown(data, metadata="random", dropout=0, epochs=50)
    assert set(found) == {"ng", "gh", "gb"}
    assert set(found[::8]) == {"ng", "gh", "gb"}
    unplaced = shown(write({"prompt": "a", "completion": "b"}), metadata="random", dropout=0, epochs=200)
    assert len(set(unplaced)) == 18


def test_random_metadata_comes_with_a_warning(base, data, tmp_path, capsys):
    tune(base, data, tmp_path / "tuned", metadata="random")
    assert "warning: metadata random: examples show places that are not theirs" in capsys.readouterr().err


def test_data_without_places_come_with_a_warning(base, write, tmp_path, capsys):
    tune(base, write({"prompt": "a", "completion": "b"}), tmp_path / "tuned")
    assert "has a place, so that no example shows a prefix" in capsys.readouterr().err


def test_a_model_from_elsewhere_gets_the_default_fields(make_model, data, tmp_path):
    tune(make_model(fields=None), data, tmp_path / "tuned")
    assert dateline.load(tmp_path / "tuned", device="cpu").fields == ("domain", "country", "continent")


def test_a_plain_model_is_tuned_without_a_prefix_or_with_named_fields(make_model, data, tmp_path):
    base = make_model(fields=())
    with pytest.raises(UserError, match="was trained without a prefix; tune it without one"):
        tune(base, data, tmp_path / "no")
    tune(base, data, tmp_path / "none", metadata="none")
    assert json.loads((tmp_path / "none" / "model" / "dateline.json").read_text())["fields"] == []
    tune(base, data, tmp_path / "country", fields=("country",))
    assert json.loads((tmp_path / "country" / "model" / "dateline.json").read_text())["fields"] == ["country"]


def test_an_example_longer_than_the_window_is_named(base, write, tmp_path):
    data = write({"prompt": "a", "completion": "b"}, {"prompt": "a" * 200, "completion": "b"})
    with pytest.raises(UserError, match=r"data\.jsonl:2: takes 203 tokens with its prefix, more than --window 128"):
        tune(base, data, tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()
    with pytest.raises(UserError, match="--window 300 is longer than the 256 positions"):
        tune(base, data, tmp_path / "tuned", window=300)


def test_a_template_without_marks_is_refused(make_model, data, tmp_path):
    base = make_model(template="{% for m in messages %}{{ m.content }}{% endfor %}")
    with pytest.raises(UserError, match="has no generation marks"):
        tune(base, data, tmp_path / "tuned")


def test_folders_that_are_no_model_are_refused(base, data, tmp_path):
    with pytest.raises(UserError, match=r"no config\.json in it"):
        tune(tmp_path, data, tmp_path / "tuned")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="is an adapter without its base model"):
        tune(tmp_path, data, tmp_path / "tuned")
    with pytest.raises(UserError, match="no such file"):
        tune(base, tmp_path / "no.jsonl", tmp_path / "tuned")


def test_a_loss_that_is_no_number_is_said(base, data, tmp_path):
    with pytest.raises(UserError, match="tuning diverged"):
        tune(base, data, tmp_path / "tuned", method="full", learning_rate=1e30, epochs=4, batch_rows=1)


def test_the_url_of_an_example_shows_its_outlet(write, base, tmp_path):
    (example,) = read_examples(write({"prompt": "a", "completion": "b", "url": "https://punchng.com/a"}))
    assert example.place == Metadata("https://punchng.com/a", "punchng.com", "ng", "Africa")


def test_without_trl_the_message_names_the_extra(base, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(UserError, match=r"pip install 'dateline\[tune\]'"):
        tune(base, data, tmp_path / "tuned")
