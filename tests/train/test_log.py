"""The training log: gain and groups agree with the records that they are made of."""

import json

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
