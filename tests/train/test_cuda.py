"""A GPU computes what the CPU computes: training, resuming, scores, texts. The cases on the CPU test the tests."""

import numpy as np
import pytest
import torch

from dateline.generate.decode import decode
from dateline.model.load import load_subject
from dateline.model.loss import cross_entropy_sum
from dateline.model.scoring import Segment, score_tokens
from dateline.train.callbacks import Callback
from dateline.train.loop import train_model

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def training_losses(losses, out):
    return [record["loss"] for record in losses(out) if record["kind"] == "train"]


@pytest.fixture(scope="module")
def reference(make_recipe, losses, tmp_path_factory):
    """A run on the CPU in float32: its folder, and its losses by step."""
    out = tmp_path_factory.mktemp("reference") / "run"
    train_model(make_recipe(steps=8), out)
    return out, training_losses(losses, out)


@pytest.mark.parametrize("device", DEVICES)
def test_bfloat16_training_follows_float32(device, make_recipe, losses, tmp_path):
    found = []
    for where, precision in (("cpu", "float32"), (device, "bfloat16")):
        recipe = make_recipe(steps=8, optimizer={"name": "muon"}, device=where, precision=precision, compile="off")
        train_model(recipe, tmp_path / precision)
        found.append(training_losses(losses, tmp_path / precision))
    assert found[0][-1] < found[0][0] - 0.1
    np.testing.assert_allclose(found[1], found[0], rtol=0.02)


@pytest.mark.parametrize(
    ("device", "how"),
    [("cpu", "selective"), *(pytest.param("cuda", how, marks=pytest.mark.cuda) for how in ("selective", "full"))],
)
def test_recomputed_activations_change_nothing(device, how, make_recipe, losses, reference, tmp_path):
    recipe = make_recipe(steps=8, device=device, precision="bfloat16", compile="off")
    parallel = recipe.parallel.model_copy(update={"activation_checkpointing": how})
    train_model(recipe.model_copy(update={"parallel": parallel}), tmp_path / "run")
    np.testing.assert_allclose(training_losses(losses, tmp_path / "run"), reference[1], rtol=0.02)


class Stop(Callback):
    """Ends the run by an error right after its first checkpoint."""

    def checkpoint(self, step, folder):
        raise RuntimeError("stopped by the test")


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_that_was_killed_goes_on(device, make_recipe, losses, reference, tmp_path):
    recipe = make_recipe(steps=8, device=device, precision="bfloat16", compile="off", checkpoint_every=4)
    with pytest.raises(RuntimeError, match="stopped by the test"):
        train_model(recipe, tmp_path / "run", callbacks=[Stop()])
    train_model(recipe, tmp_path / "run", resume=True)
    found = training_losses(losses, tmp_path / "run")
    assert len(found) == 8
    np.testing.assert_allclose(found, reference[1], rtol=0.02)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("bfloat16", 0.1)])
@pytest.mark.parametrize("device", DEVICES)
def test_scores_are_those_of_the_cpu(device, precision, tolerance, reference):
    rng = np.random.default_rng(0)
    lengths = [90, 17, 64, 2, 33]
    segments = [Segment(rng.integers(3, 500, length), max(1, length - 8)) for length in lengths]
    wanted = score_tokens(load_subject(reference[0], device="cpu").model, segments, batch_tokens=1)
    model = load_subject(reference[0], device=device, precision=precision).model
    found = score_tokens(model, segments, batch_tokens=256, dtype=precision)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


@pytest.mark.parametrize("device", DEVICES)
def test_texts_are_those_of_the_cpu(device, reference):
    texts = []
    for where, batch in (("cpu", 1), (device, 4096)):
        subject = load_subject(reference[0], device=where)
        prompts = [np.array([subject.bos, *range(first, first + 6)]) for first in (20, 40, 60)]
        keys = [(str(number),) for number in range(3)]
        texts.append(
            [
                decode(subject, prompts, num_tokens=12, temperature=temperature, keys=keys, batch_tokens=batch)
                for temperature in (0.0, 1.0)
            ]
        )
    assert texts[0] == texts[1]
    assert any(texts[0][0])


@pytest.mark.parametrize("device", DEVICES)
def test_the_loss_and_its_gradients_are_pytorchs(device):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 50, 32, generator=generator)
    weight = torch.randn(700, 32, generator=generator)
    labels = torch.randint(0, 700, (3, 50), generator=generator)
    labels[0, :20] = -100
    wanted, found = [], []
    inputs = [hidden.double().requires_grad_(), weight.double().requires_grad_()]
    logits = (inputs[0] @ inputs[1].T).view(-1, 700)
    loss = torch.nn.functional.cross_entropy(logits, labels.view(-1), ignore_index=-100, reduction="sum")
    wanted = [loss, *torch.autograd.grad(loss, inputs)]
    inputs = [hidden.to(device).requires_grad_(), weight.to(device).requires_grad_()]
    loss = cross_entropy_sum(*inputs, labels.to(device))
    found = [loss, *torch.autograd.grad(loss, inputs)]
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.cpu().double(), other, rtol=1e-3, atol=1e-3)


@pytest.mark.cuda
def test_compiled_training_follows_float32(make_recipe, losses, reference, tmp_path):
    train_model(make_recipe(steps=8, device="cuda", precision="bfloat16", compile="on"), tmp_path / "run")
    np.testing.assert_allclose(training_losses(losses, tmp_path / "run"), reference[1], rtol=0.02)
