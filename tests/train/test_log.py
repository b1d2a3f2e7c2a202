"""The training log: gain and groups agree with the records that they are made of."""

import json
import math
import re

import pytest

from dateline.train.log import TrainingLog
from dateline.train.loop import train_model
from dateline.train.recipe import build_loader


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_recipe):
    out = tmp_path_factory.mktemp("log") / "run"
    train_model(make_recipe(steps=6, validate_every=3), out)
    return out


@pytest.fixture(scope="module")
def records(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def of(records, kind, step):
    return [record for record in records if (record["kind"], record["step"]) == (kind, step)]


def test_gain_is_none_minus_gold(records):
    for step in (3, 6):
        losses = {(r["condition"], r["group"]): r["loss"] for r in of(records, "validation", step)}
        gains = {record["group"]: record["gain"] for record in of(records, "gain", step)}
        assert gains == {group: losses["none", group] - losses["gold", group] for _, group in losses}
        assert "all" in gains


def test_the_gain_is_said_while_a_run_goes_on(tmp_path, make_recipe, capsys):
    train_model(make_recipe(steps=2, validate_every=2), tmp_path / "with")
    records = [json.loads(line) for line in (tmp_path / "with" / "metrics.jsonl").read_text().splitlines()]
    losses = {r["condition"]: r["loss"] for r in of(records, "validation", 2) if r["group"] == "all"}
    change = math.expm1(losses["gold"] - losses["none"])
    expected = (
        f"train with: step 2: validation loss {losses['gold']:.3f} with its prefix, {losses['none']:.3f} without: "
        f"perplexity {abs(change):.1%} {'lower' if change < 0 else 'higher'} with it"
    )
    assert expected in capsys.readouterr().err.splitlines()
    train_model(make_recipe(steps=1, validate_every=1, conditions={"fields": []}), tmp_path / "plain")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("train plain: step")]
    assert len(lines) == 1
    assert re.fullmatch(r"train plain: step 1: validation loss \d\.\d{3}", lines[0])


def test_groups_are_counted_in_the_rows_that_were_read(records, make_recipe, corpus, tokenizer):
    loader = build_loader(make_recipe(steps=6), corpus, tokenizer)
    read = 0
    for step, batch in enumerate(loader.batches(), start=1):
        read = read + batch.group_tokens
        if step in (3, 6):
            found = of(records, "groups", step)
            assert [record["group"] for record in found] == list(loader.groups)
            assert [record["body_tokens"] for record in found] == read.tolist()
            for record in found:
                available = loader.plan.stream.group_tokens[record["group"]]
                assert record["repeats"] == record["body_tokens"] / available
            assert sum(record["body_tokens"] for record in found) == of(records, "train", step)[0]["body_tokens"]


def test_time_left_in_words(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("dateline.train.log.time.perf_counter", lambda: clock[0])
    log = TrainingLog.__new__(TrainingLog)
    log._begun, log._first, log._num_steps = 0.0, 100, 1100
    assert log.left(101) == ""
    for seconds, said in ((0.2, "1 min 40 s left"), (2.0, "16 min 38 s left"), (14.0, "1 h 56 min left")):
        clock[0] = seconds
        assert log.left(102) == said
    clock[0] = 20.0
    assert log.left(1098) == "0 s left"
