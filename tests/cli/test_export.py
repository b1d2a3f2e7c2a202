"""A model is taken out of a run, and transformers computes the same with it."""

import pytest
import torch

from dateline.cli.export import run
from dateline.errors import UserError


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, train_recipe):
    """A finished run with a checkpoint after its second step."""
    from dateline.config import load_recipe
    from dateline.train.loop import train_model
    from dateline.train.recipe import TrainRecipe

    out = tmp_path_factory.mktemp("export") / "run"
    train_model(load_recipe(TrainRecipe, train_recipe, ["--train.checkpoint_every", "2"]), out)
    return out


def logits(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(folder)("TITLE: Rain in Lagos", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder)(ids).logits


def test_the_newest_model_is_exported(stopped, tmp_path, capsys):
    out = tmp_path / "exported"
    run([str(stopped), "--out", str(out)])
    assert capsys.readouterr().out == (
        f"{out}: a Hugging Face model; score it with: dateline eval perplexity {out} --corpus ENCODED --out DIR\n"
    )
    assert torch.equal(logits(out), logits(stopped / "model"))


def test_a_checkpoint_is_exported_by_its_step(stopped, tmp_path):
    run([str(stopped), "--out", str(tmp_path / "two"), "--step", "2"])
    assert not torch.equal(logits(tmp_path / "two"), logits(stopped / "model"))
    with pytest.raises(UserError, match="3"):
        run([str(stopped), "--out", str(tmp_path / "three"), "--step", "3"])
    assert not (tmp_path / "three").exists()


def test_nothing_is_replaced_unless_asked(stopped, tmp_path):
    out = tmp_path / "exported"
    run([str(stopped), "--out", str(out)])
    with pytest.raises(UserError, match="already holds something"):
        run([str(stopped), "--out", str(out)])
    run([str(stopped), "--out", str(out), "--step", "2", "--overwrite"])
    assert not torch.equal(logits(out), logits(stopped / "model"))
