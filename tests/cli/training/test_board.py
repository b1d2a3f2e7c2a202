"""What the board says, number by number."""

import pytest

from dateline.cli.training.board import State, board, gains, headline, seconds_left, span, sparkline

RUN = {"num_steps": 100, "done": 0, "num_parameters": 1_234_567, "world_size": 2, "device": "cpu", "outcome": None}


def train(step, **values):
    return {
        "kind": "train", "step": step, "loss": 3.25, "lr": 1e-3, "grad_norm": 0.5, "tokens": step * 1000,
        "body_tokens": step * 900, "tokens_per_second": 500.0, "fill": 0.995, **values,
    }  # fmt: skip


def validation(step, condition, group, loss):
    return {"kind": "validation", "step": step, "condition": condition, "group": group, "loss": loss}


def told(step, none, gold, group="all"):
    return [validation(step, "gold", group, gold), validation(step, "none", group, none)]


def state(*records, run=RUN, complete=False, quiet=0.0, checkpoint=None):
    return State("first", run, records, checkpoint, complete, quiet)


def test_the_line_of_a_run_under_way():
    assert headline(state(train(1), train(20, mfu=0.541), *told(20, 3.0, 2.75))) == (
        "first: step 20/100  loss 3.2500  gain +0.2500  500 tokens/s  MFU 54.1%  2 min 40 s left"
    )


def test_the_board_of_a_run_under_way():
    records = [
        train(10), *told(10, 3.0, 3.0), *told(10, 3.0, 2.9, "Africa"),
        train(20), *told(20, 3.0, 2.75), *told(20, 3.5, 3.6, "Africa"),
        {"kind": "groups", "step": 20, "group": "Africa", "body_tokens": 6_000, "repeats": 1.5},
        {"kind": "groups", "step": 20, "group": "Asia", "body_tokens": 12_000, "repeats": 0.25},
        {"kind": "skipped", "step": 12, "reason": "spike"},
    ]  # fmt: skip
    assert "\n".join(board(state(*records, checkpoint=16))) == (
        "first  1,234,567 parameters, 2 processes on cpu\n"
        "  step 20 of 100  20%  2 min 40 s left\n"
        "  loss 3.2500  learning rate 1.00e-03  gradient norm 0.500\n"
        "  500 tokens/s  MFU not measured  fill 99.5%  20,000 tokens, 18,000 of them body\n"
        "  newest checkpoint after step 16\n"
        "  1 step skipped\n"
        "\n"
        "  validation at step 20                 gold      none      gain\n"
        "    all                               2.7500    3.0000   +0.2500  ▁█\n"
        "    Africa                            3.6000    3.5000   -0.1000  █▁\n"
        "\n"
        "  read                                 body tokens    share    times\n"
        "    Africa                                   6,000    33.3%     1.50\n"
        "    Asia                                    12,000    66.7%     0.25"
    )


def test_a_model_without_metadata_has_no_gain():
    plain = state(train(4), validation(4, "none", "all", 3.0))
    assert "gain" not in headline(plain)
    assert board(plain)[-2:] == [
        "  validation at step 4                  none",
        "    all                               3.0000",
    ]


def test_a_run_of_which_little_is_known():
    assert headline(state(run={})) == "first: step 0  no step yet"
    assert board(state(train(4), run={}))[1] == "  step 4  time left not known"
    assert headline(state(run={**RUN, "done": 40})) == "first: step 40/100  no step yet"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("failed", "failed; its own output says why"),
        ("interrupted", "stopped, to be resumed"),
        ("finished", "writing the model"),
    ],
)
def test_how_the_last_call_ended(outcome, said):
    ended = state(train(20), run={**RUN, "outcome": outcome})
    assert headline(ended).endswith(f"  {said}")
    assert ended.ended == (outcome == "failed")
    assert headline(state(train(100), run={**RUN, "outcome": outcome}, complete=True)).endswith("  finished")


def test_a_silent_run_says_how_long_it_has_been_silent():
    assert "silent" not in headline(state(train(20), quiet=100.0))
    assert headline(state(train(20), quiet=7500.0)).endswith("2 min 40 s left (silent for 2 h 5 min)")


def test_gains_of_every_group_as_they_grew():
    records = [*told(4, 3.0, 2.5), *told(4, 3.0, 3.5, "Asia"), *told(8, 3.0, 2.0), validation(12, "gold", "all", 1.0)]
    assert gains(records) == {"all": [0.5, 1.0], "Asia": [-0.5]}


def test_the_time_left_needs_a_length_and_a_speed():
    assert seconds_left(state(train(20))) == 160.0
    assert seconds_left(state(train(20), run={})) is None
    assert seconds_left(state()) is None
    assert seconds_left(state(train(20, tokens_per_second=0.0))) is None


def test_a_sparkline_has_the_newest_values():
    assert sparkline([0.0, 0.5, 1.0]) == "▁▄█" or sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([2.0]) == "▁"
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([9.0, *range(30)], width=8) == "▁▂▃▄▅▆▇█"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (7_500, "2 h 5 min"),
        (93_600, "1 d 2 h"),
    ],
)
def test_lengths_of_time(seconds, words):
    assert span(seconds) == words
