"""The sentence and the refusals; the work is tested where it is done."""

import math

import pytest

from dateline.cli.evaluation.efficiency import sentence
from dateline.records import Score

FACTS = {"versus_body_tokens": 1000, "points": 4, "reached_before_first_point": 0.0}


def share(value, low, high):
    return Score("a", "gold", "all", "all", "share_to_reach", value, low, high, 9, 90, "strict-1", "m", "c", "b/none")


@pytest.mark.parametrize(
    ("score", "early", "expected"),
    [
        (share(0.5, 0.4, 0.61), 0.0, "reached with 50.0% [40.0%, 61.0%] of these."),
        (share(0.5, 0.4, math.inf), 0.0, "reached with 50.0% [40.0%, not reached] of these."),
        (share(0.1, 0.1, 0.2), 0.3, "of these. 30% of the resamples were there at the first point: an upper bound."),
        (share(0.5, math.nan, math.nan), 0.0, "reached with 50.0% [one document: no interval] of these."),
        (
            share(math.inf, 0.4, math.inf),
            0.0,
            "of b/none after 1,000 body tokens: reached at none of 4 points.",
        ),
    ],
)
def test_a_result_in_words(score, early, expected):
    assert expected in sentence(score, {**FACTS, "reached_before_first_point": early})


def test_a_run_without_checkpoints_is_refused_in_one_line(dateline, finished, tmp_path):
    run, plain, encoded = (finished / name for name in ("runs/conditioned", "runs/plain", "encoded"))
    said = dateline("eval", "efficiency", run, "--versus", plain, "--corpus", encoded, "--out", tmp_path / "e",
                    "--protocol.window", "128")  # fmt: skip
    assert said.code == 2
    assert "has no checkpoint before its end, so no curve" in said.err
    assert list(tmp_path.iterdir()) == []
