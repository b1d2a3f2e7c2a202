"""Where a curve reaches a target, by hand and on short runs, against whole evaluations of their checkpoints."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus import CorpusRecipe, NewswireSource, build_corpus
from dateline.errors import UserError
from dateline.evaluate.efficiency import Point, crossing, efficiency_scores, efficiency_stage
from dateline.evaluate.perplexity import perplexity_stage
from dateline.evaluate.protocol import Protocol
from dateline.evaluate.recipe import MEASURES, Efficiency, Perplexity
from dateline.manifest import read_manifest
from dateline.scores import read_losses, read_scores
from dateline.tokens.encode import EncodeRecipe, encode_stage
from dateline.train.export import export_model
from dateline.train.folder import checkpoint_path
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


def scores_of(nll_by_point, target, total=1000, groups=()):
    points = [Point(step, 100 * 10**step, np.array(nll)) for step, nll in enumerate(nll_by_point)]
    tokens = np.full(len(target), 10)
    about = {"run": "a", "measure": "efficiency", "condition": "gold", "n_documents": len(target), "n_tokens": 10,
             "protocol": "strict-1", "model": "m", "data": "c"}  # fmt: skip
    return efficiency_scores(points, np.array(target), tokens, total, about, "b", groups=groups, resamples=200, seed=0)


def test_the_interval_comes_from_documents_and_may_be_open():
    noise = np.linspace(-1, 1, 20)
    scores, early = scores_of([50 + noise, 40 + noise, 30 + noise], 35 + 0 * noise)
    reach = {s.metric: s for s in scores if s.versus}
    assert reach["tokens_to_reach"].value == pytest.approx(10**3.5)
    assert reach["share_to_reach"].ci_low < reach["share_to_reach"].value == pytest.approx(10**0.5)
    assert (reach["tokens_to_reach"].unit, reach["share_to_reach"].unit) == ("tokens", "share")
    levels = [(s.metric, s.slice_by, s.slice, s.value) for s in scores if not s.versus]
    assert levels == [
        ("nll", "step", "0", pytest.approx(5)), ("body_tokens", "step", "0", 100),
        ("nll", "step", "1", pytest.approx(4)), ("body_tokens", "step", "1", 1000),
        ("nll", "step", "2", pytest.approx(3)), ("body_tokens", "step", "2", 10_000),
    ]  # fmt: skip
    assert early == 0
    scores, early = scores_of([50 + 0 * noise, 40 + 0 * noise], 40 + 5 * noise)
    assert np.isinf(scores[-1].ci_high)
    scores, early = scores_of([[1.0], [0.5]], [2.0])
    assert (scores[-1].value, early) == (0.1, 1.0)
    assert np.isnan(scores[-1].ci_low)


def test_a_group_of_documents_has_the_crossing_that_it_has_alone():
    noise = np.linspace(-1, 1, 20)
    curve = [np.concatenate([level + noise, level - 4 + 2 * noise]) for level in (50, 40, 30)]
    target, tokens = np.full(40, 35.0), 10
    members = np.arange(20, 40)
    scores, _ = scores_of(curve, target, groups=[("continent", "Asia", members)])
    alone, _ = scores_of([nll[members] for nll in curve], target[members])
    apart = [s for s in scores if s.slice_by == "continent"]
    expected = [s for s in alone if s.versus]
    assert [(s.metric, s.value, s.ci_low, s.ci_high) for s in apart] == [
        (s.metric, s.value, s.ci_low, s.ci_high) for s in expected
    ]
    assert {(s.slice, s.n_documents, s.n_tokens, s.versus) for s in apart} == {("Asia", 20, 20 * tokens, "b/none")}
    assert [s.slice for s in scores if s.versus] == ["all", "all", "Asia", "Asia"]
    assert apart[0].value < next(s for s in scores if s.versus).value


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


def stage(runs, **changes):
    folders = {"model": "conditioned", "versus": "plain", "corpus": "encoded"}
    named = {key: runs / changes.pop(key, value) for key, value in folders.items()}
    model = named.pop("model")
    settings = {"protocol": STRICT, "resamples": 100, "device": "cpu", **changes}
    return efficiency_stage(model, Efficiency(**{key: str(at) for key, at in named.items()}, **settings), "conditioned")


@pytest.fixture(scope="module")
def done(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("efficiency") / "e"
    stage(runs).make(out)
    return out


def test_checkpoints_of_a_run_become_a_curve_and_a_crossing(done, runs):
    scores, manifest = read_scores(done), read_manifest(done)
    assert manifest.recipe["steps"] == [2, 4, 6, 8]
    curve = {
        metric: [s for s in scores if s.slice_by == "step" and s.metric == metric] for metric in ("nll", "body_tokens")
    }
    assert [s.slice for s in curve["nll"]] == [s.slice for s in curve["body_tokens"]] == ["2", "4", "6", "8"]
    assert curve["nll"][0].value > curve["nll"][-1].value
    read = [s.value for s in curve["body_tokens"]]
    assert read == sorted(read)
    assert read[-1] == read_manifest(runs / "conditioned").counts["body_tokens"]
    (reach,) = [s for s in scores if s.metric == "tokens_to_reach" and s.slice_by == "all"]
    assert (reach.run, reach.condition, reach.shown, reach.versus) == ("conditioned", "gold", "country", "plain/none")
    assert reach.n_documents == 12
    assert reach.ci_low <= reach.value <= reach.ci_high
    (share,) = [s for s in scores if s.metric == "share_to_reach" and s.slice_by == "all"]
    assert share.value == pytest.approx(reach.value / manifest.facts["versus_body_tokens"])
    apart = [s for s in scores if s.metric == "share_to_reach" and s.slice_by == "continent"]
    assert [s.slice for s in apart] == sorted({s.slice for s in apart}) != []
    assert sum(s.n_documents for s in apart) == 12
    assert sum(s.n_tokens for s in apart) == share.n_tokens
    assert stage(runs).finished(done) == manifest


@pytest.mark.parametrize("step", [2, 6, 8])
def test_the_curve_is_what_a_whole_evaluation_of_an_exported_checkpoint_gives(done, runs, tmp_path, step):
    exported = export_model(runs / "conditioned", tmp_path / "exported", step)
    options = Perplexity(
        corpus=str(runs / "encoded"), conditions=("gold",), protocol=STRICT, resamples=100, device="cpu"
    )
    perplexity_stage(exported, options, "conditioned").make(tmp_path / "scores")
    (whole,) = [s for s in read_scores(tmp_path / "scores") if s.slice_by == "all" and s.metric == "nll"]
    (point,) = [s for s in read_scores(done) if s.metric == "nll" and s.slice == str(step)]
    assert (point.value, point.ci_low, point.ci_high) == (whole.value, whole.ci_low, whole.ci_high)
    assert (point.n_documents, point.n_tokens, point.shown) == (whole.n_documents, whole.n_tokens, whole.shown)
    assert (point.protocol, point.data) == (whole.protocol, whole.data)


def test_the_target_is_the_other_runs_last_loss_without_a_prefix(done, runs, tmp_path):
    options = Perplexity(corpus=str(runs / "encoded"), conditions=("none",), protocol=STRICT, device="cpu")
    perplexity_stage(runs / "plain", options, "plain").make(tmp_path / "scores")
    losses = [row for row in read_losses(tmp_path / "scores").to_pylist() if row["slice_by"] == "all"]
    target = sum(row["nll"] for row in losses) / sum(row["n_tokens"] for row in losses)
    scores = read_scores(done)
    nll, tokens = (
        np.array([s.value for s in scores if s.slice_by == "step" and s.metric == metric])
        for metric in ("nll", "body_tokens")
    )
    (reach,) = [s for s in scores if s.metric == "tokens_to_reach" and s.slice_by == "all"]
    assert reach.value == pytest.approx(crossing(tokens, nll[None], np.array([target]))[0])


def test_a_swap_says_what_its_prefix_shows(runs, tmp_path):
    """No outlet can be claimed for another country, so `swap` shows less than it was asked to."""
    stage(runs, condition="swap:ke", fields=("domain", "country")).make(tmp_path / "e")
    assert {score.shown for score in read_scores(tmp_path / "e")} == {"country"}


def test_the_registry_leads_to_the_stage(runs):
    options = Efficiency(
        corpus=str(runs / "encoded"), versus=str(runs / "plain"), protocol=STRICT, resamples=100, batch_tokens=64
    )
    found = MEASURES["efficiency"].stage(runs / "conditioned", options, "conditioned")
    assert found.fingerprint == stage(runs).fingerprint
    assert stage(runs, condition="none").fingerprint != found.fingerprint


@pytest.fixture
def copied(runs, tmp_path):
    """Folders that may be damaged."""
    for name in ("conditioned", "plain", "encoded"):
        shutil.copytree(runs / name, tmp_path / name)
    return tmp_path


def test_a_damaged_checkpoint_is_refused_before_anything_is_scored(copied, capsys):
    checkpoint = checkpoint_path(copied / "conditioned", 6)
    (weights,) = checkpoint.glob("*.distcp")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(
        UserError, match=r"step-00000006: damaged \(.* is not what was written \(checksum\)\)"
    ) as caught:
        stage(copied).make(copied / "e")
    assert "\n" not in str(caught.value)
    assert "score" not in capsys.readouterr().err
    assert not (copied / "e").exists()


def test_a_checkpoint_less_is_another_curve(copied, runs):
    shutil.rmtree(checkpoint_path(copied / "conditioned", 4))
    assert stage(copied).recipe["steps"] == [2, 6, 8]
    assert stage(copied).fingerprint != stage(runs).fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "plain"}, "has no checkpoint before its end, so no curve; train it with train"),
        ({"condition": "swap:all"}, "condition 'swap:all' stands for several; name one, such as gold"),
        ({"condition": "marginal"}, "condition 'marginal:uniform' stands for several; name one, such as gold"),
        ({"protocol": Protocol(name="paper")}, "use protocol strict"),
        ({"versus": "encoded"}, "holds the result of 'encode', not 'train'"),
        ({"corpus": "plain"}, "holds the result of 'train', not 'encode'"),
    ],
)
def test_what_has_no_curve_is_refused(runs, changes, message):
    with pytest.raises(UserError, match=message):
        stage(runs, **changes)
