"""Where a curve reaches a target, by hand and on runs of a few steps."""

import numpy as np
import pytest
from dateline.evaluate.perplexity.efficiency import Point, crossing, efficiency_scores, evaluate_efficiency
from dateline.evaluate.table import read_scores
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
from dateline.errors import UserError
from dateline.evaluate.protocol import Protocol
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.train.loop import train_model
from dateline.train.recipe import TrainRecipe

STRICT = Protocol(window=128, num_documents=12)


def test_a_straight_line_over_the_logarithm():
    at = np.array([100.0, 1000.0, 10_000.0])
    curves = np.array([[5.0, 4.0, 3.0], [5.0, 4.0, 3.0], [5.0, 4.0, 3.0], [5.0, 4.0, 3.0], [5.0, 4.0, 4.5]])
    found = crossing(at, curves, np.array([3.5, 4.0, 6.0, 2.9, 4.2]))
    np.testing.assert_allclose(found, [10**3.5, 1000, 100, np.inf, 10**2.8])


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=8), st.floats(0.05, 11))
def test_the_point_lies_between_neighbours_on_both_sides_of_the_target(losses, target):
    at = np.array([10.0 * 2**step for step in range(len(losses))])
    found = crossing(at, np.array([losses]), np.array([target]))[0]
    first = next((index for index, loss in enumerate(losses) if loss <= target), None)
    if first is None:
        assert np.isinf(found)
    else:
        assert at[max(0, first - 1)] * 0.999 <= found <= at[first] * 1.001


def scores_of(nll_by_point, target, total=1000):
    points = [Point(step, 100 * 10**step, np.array(nll)) for step, nll in enumerate(nll_by_point)]
    tokens = np.full(len(target), 10)
    about = {"run": "a", "condition": "gold", "num_documents": len(target), "num_tokens": 10, "protocol": "strict-1",
             "model": "m", "corpus": "c"}  # fmt: skip
    return efficiency_scores(points, np.array(target), tokens, total, about, "b/none", resamples=200, seed=0)


def test_the_interval_comes_from_documents_and_may_be_open():
    noise = np.linspace(-1, 1, 20)
    scores, early = scores_of([50 + noise, 40 + noise, 30 + noise], 35 + 0 * noise)
    reach = {s.metric: s for s in scores if s.versus}
    assert reach["tokens_to_reach"].value == pytest.approx(10**3.5)
    assert reach["share_to_reach"].ci_low < reach["share_to_reach"].value == pytest.approx(10**0.5)
    assert [s.group for s in scores if s.grouping == "body_tokens"] == ["100", "1000", "10000"]
    assert early == 0
    scores, early = scores_of([50 + 0 * noise, 40 + 0 * noise], 40 + 5 * noise)
    assert np.isinf(scores[-1].ci_high)
    scores, early = scores_of([[1.0], [0.5]], [2.0])
    assert (scores[-1].value, early) == (0.1, 1.0)
    assert np.isnan(scores[-1].ci_low)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    build_corpus(CorpusRecipe(newswire=NewswireSource(articles=300), language=None), root / "corpus")
    encode_stage(EncodeRecipe(vocab_size=500), root / "corpus").make(root / "encoded")
    common = {
        "data": str(root / "encoded"), "packing": {"sequence_length": 128}, "mix": {"weights": "natural"},
        "model": {"size": "pico", "max_positions": 128}, "optimizer": {"learning_rate": 5e-3, "clip_norm": 1.0},
        "schedule": {"warmup_steps": 1},
    }  # fmt: skip
    for name, fields, steps, every in (("plain", [], 4, 0), ("conditioned", ["country"], 8, 2)):
        training = {"steps": steps, "batch_rows": 2, "device": "cpu", "validate_every": 0, "checkpoint_every": every,
                    "keep_checkpoints": 9}  # fmt: skip
        recipe = {**common, "conditions": {"fields": fields}, "train": training}
        train_model(TrainRecipe.model_validate(recipe), root / name)
    return root


def test_checkpoints_of_a_run_become_a_curve_and_a_crossing(runs, tmp_path):
    manifest = evaluate_efficiency(
        runs / "conditioned", runs / "plain", runs / "encoded", protocol=STRICT, out=tmp_path / "e", resamples=100
    )
    scores = read_scores(tmp_path / "e")
    curve = [s for s in scores if s.grouping == "body_tokens"]
    assert manifest.recipe["steps"] == [2, 4, 6, 8]
    assert [int(s.group) for s in curve] == sorted(int(s.group) for s in curve)
    assert curve[0].value > curve[-1].value
    (reach,) = [s for s in scores if s.metric == "tokens_to_reach"]
    assert (reach.run, reach.condition, reach.versus, reach.num_documents) == ("conditioned", "gold", "plain/none", 12)
    assert reach.ci_low <= reach.value <= reach.ci_high
    (share,) = [s for s in scores if s.metric == "share_to_reach"]
    assert share.value == pytest.approx(reach.value / manifest.facts["versus_body_tokens"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"run_folder": "plain"},
            "has no checkpoint before its end, so no curve; train it with train",
        ),
        ({"condition": "swap:all"}, "condition 'swap:all' stands for several; name one, such as gold"),
        ({"protocol": Protocol(name="paper")}, "use protocol strict"),
        ({"versus_folder": "encoded"}, "holds the result of 'encode', not 'train'"),
    ],
)
def test_what_has_no_curve_is_refused(runs, tmp_path, changes, message):
    folders = {"run_folder": "conditioned", "versus_folder": "plain", "corpus_folder": "encoded"}
    named = {key: runs / changes.get(key, value) for key, value in folders.items()}
    rest = {"protocol": STRICT, **{key: value for key, value in changes.items() if key not in folders}}
    with pytest.raises(UserError, match=message):
        evaluate_efficiency(*named.values(), out=tmp_path / "e", **rest)
    assert not (tmp_path / "e").exists()
