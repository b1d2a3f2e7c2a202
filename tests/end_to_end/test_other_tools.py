"""A model trained by Dateline, used by tools that know nothing of Dateline and take whole texts."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dateline.cli import main
from dateline.conditions import Metadata, render
from dateline.model.scoring import Segment, score_segments
from dateline.records import body_text, prompt_text
from dateline.tokens.store import EncodedCorpus
from dateline.tokens.tokenizer import encode_texts

RECIPE = """
conditions: {fields: [domain, country, continent], dropout: 0.25}
packing: {sequence_length: 256}
model: {size: pico, max_positions: 256, rope_theta: 50000.0}
optimizer: {learning_rate: 5.0e-3}
schedule: {warmup_steps: 2}
train: {steps: 12, batch_rows: 4, validate_every: 0, checkpoint_every: 0, device: cpu}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus, its tokens, a conditioned model, and its scores under gold and none."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "recipe.yaml").write_text(f"data: {folder / 'encoded'}\n{RECIPE}")
    for words in (
        ["newswire", "--articles", "400", "--out", folder / "corpus"],
        ["encode", folder / "corpus", "--out", folder / "encoded", "--vocab-size", "700"],
        ["train", folder / "recipe.yaml", "--out", folder / "run"],
        ["eval", "perplexity", folder / "run", "--corpus", folder / "encoded", "--out", folder / "scores",
         "--protocol.window", "256", "--resamples", "100"],
    ):  # fmt: skip
        main([str(word) for word in words])
    return folder


@pytest.fixture(scope="module")
def plain(made):
    """The model as any other tool opens it."""
    folder = made / "run" / "model"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), model


@pytest.mark.parametrize("condition", ["gold", "none"])
def test_one_string_through_plain_transformers_gives_the_same_perplexity(made, plain, condition):
    tokenizer, model = plain
    corpus = EncodedCorpus.open(made / "encoded")
    articles = {row["id"]: row for row in pq.read_table(made / "corpus" / "data").to_pylist()}
    nats = tokens = 0.0
    for index in corpus.select("test"):
        article = articles[corpus.ids[index]]
        place = Metadata(article["url"], article["domain"], article["country"], article["continent"], article["date"])
        prefix = render(place, ("domain", "country", "continent")) if condition == "gold" else ""
        body = body_text(article["title"], article["text"])
        ids = tokenizer(prefix + body, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            losses = -model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        first = len(tokenizer(prefix)["input_ids"]) - 1  # BOS and the prefix are given, not predicted
        nats, tokens = nats + float(losses[first:].double().sum()), tokens + len(losses[first:])
    table = pq.read_table(made / "scores" / "scores.parquet").to_pylist()
    [ours] = [
        row["value"]
        for row in table
        if row["metric"] == "ppl" and row["condition"] == condition and "all" in (row.get("slice"), row.get("group"))
    ]
    assert math.exp(nats / tokens) == pytest.approx(ours, abs=1e-4)


def test_ten_lines_of_plain_transformers_prompt_the_model_as_it_was_trained(made, plain):
    """What dateline.json says is enough; no Dateline is needed."""
    tokenizer, _ = plain
    about = json.loads((made / "run" / "model" / "dateline.json").read_text())
    prefix = about["prefix"].format(domain="punchng.com", country="ng", continent="Africa")
    text = prefix + about["body"].format(title="Budget passed", text="The House sat late.")
    ids = tokenizer(text)["input_ids"]
    assert about["bos"] == tokenizer.bos_token
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids[1:]) == text
    assert about["fields"] == ["domain", "country", "continent"]


def test_both_forms_of_the_rotary_base_are_written(made):
    config = json.loads((made / "run" / "model" / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 50_000
    assert config["rope_scaling"] is None


def test_a_model_with_the_earlier_prefix_is_scored_with_it_and_a_line_says_what_that_means(made, tmp_path, capfd):
    import shutil

    model = shutil.copytree(made / "run" / "model", tmp_path / "old")
    about = json.loads((model / "dateline.json").read_text())
    del about["prefix_format"]
    (model / "dateline.json").write_text(json.dumps(about))
    words = ["eval", "perplexity", model, "--corpus", made / "encoded", "--out", tmp_path / "scores",
             "--protocol.window", "256", "--resamples", "100", "--conditions", "gold"]  # fmt: skip
    main([str(word) for word in words])
    said = capfd.readouterr().err
    assert "its prefixes end in an empty line (prefix format 1)" in said
    assert "train again before others use the model" in said
    longest = [
        json.loads((folder / "manifest.json").read_text())["facts"]["longest_prefix"]["gold"]
        for folder in (tmp_path / "scores", made / "scores")
    ]
    assert longest[0] == longest[1] + 1  # the empty line


def test_the_code_of_the_guide_gets_prefix_and_bos_right(made, plain, tmp_path, monkeypatch, capsys):
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "without-dateline.md").read_text(encoding="utf-8")
    scored, *prompted = re.findall(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").symlink_to(made / "run")
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(compile(scored, "without-dateline.md", "exec"), found)
    assert capsys.readouterr().out == f"{found['losses'].mean():.3f} nats per body token\n"
    tokenizer, model = plain
    prefix = render(
        Metadata(domain="punchng.com", country="ng", continent="Africa"), ("domain", "country", "continent")
    )
    body = body_text("Budget passed", "Parliament in Abuja passed the budget on Tuesday.")
    apart = encode_texts(tokenizer, [prefix, body])
    ids = np.concatenate([[tokenizer.bos_token_id], *apart]).astype(np.int64)
    assert found["ids"][0].tolist() == ids.tolist()
    [ours] = score_segments(model, [Segment(ids, len(apart[1]))], dtype="float32")
    assert float(found["losses"].double().sum()) == pytest.approx(float(ours), rel=1e-4)

    for block in prompted:
        exec(compile(block, "without-dateline.md", "exec"), found)
    head, prompt = encode_texts(tokenizer, [prefix, prompt_text("Budget passed")])
    wanted = [tokenizer.bos_token_id, *head.tolist(), *prompt.tolist()]
    assert found["by_hand"][0].tolist() == found["by_variable"][0].tolist() == found["by_message"][0].tolist() == wanted
    assert found["written"][0, : len(wanted)].tolist() == wanted
    assert found["written"].shape[1] > len(wanted)
