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


def test_a_gguf_file_is_written_from_a_checkpoint_and_checked(stopped, tmp_path, capsys):
    gguf = pytest.importorskip("gguf")
    out = tmp_path / "two.gguf"
    run([str(stopped), "--format", "gguf", "--out", str(out), "--step", "2"])
    assert capsys.readouterr().out == (
        f"{out}: GGUF in f16, and a Modelfile beside it; check it with: dateline export check {out}\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["two.Modelfile", "two.gguf"]
    run(["check", str(out)])
    assert "agrees: tokenizer from the file: 14 of 14 texts" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        run(["check", str(out), "--against", str(stopped)])
    assert stop.value.code == 3
    assert "DIFFERS: the model compared with: " in capsys.readouterr().out
    reader = gguf.GGUFReader(out, mode="r+")
    next(tensor for tensor in reader.tensors if tensor.name == "output_norm.weight").data[:] *= -1
    reader.data.flush()
    with pytest.raises(SystemExit) as stop:
        run(["check", str(out)])
    assert stop.value.code == 3
    assert "DIFFERS: transformers from the file: " in capsys.readouterr().out


def test_a_gguf_file_is_written_from_a_model_folder(stopped, tmp_path, capsys):
    pytest.importorskip("gguf")
    folder, out = stopped / "model", tmp_path / "m.gguf"
    run([str(folder), "--format", "gguf", "--out", str(out), "--dtype", "q8_0"])
    run(["check", str(out), "--against", str(stopped)])
    assert "DIFFERS" not in capsys.readouterr().out
    with pytest.raises(UserError, match="leave --step out"):
        run([str(folder), "--format", "gguf", "--out", str(tmp_path / "n.gguf"), "--step", "2"])
    with pytest.raises(UserError, match="exists already"):
        run([str(folder), "--format", "gguf", "--out", str(out)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.Modelfile", "m.gguf"]


@pytest.mark.parametrize("words", [["--out", "m.gguf"], ["--out", "m", "--dtype", "f16"]])
def test_options_of_gguf_without_the_format_are_refused(stopped, words):
    with pytest.raises(UserError, match="add --format gguf"):
        run([str(stopped), *words])
