"""A checkpoint becomes a folder that transformers loads, with the numbers that the run had."""

import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dateline.errors import UserError
from dateline.model.load import build_model, llama_config
from dateline.model.sizes import ModelRecipe
from dateline.train.export import export_model, save_model, unshared
from dateline.train.loop import train_model

FACTS = {"fields": ["domain"], "fingerprint": "run-one", "seed": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory, make_recipe):
    """A finished run of three steps, with its checkpoints after 1 and 2. Read only."""
    out = tmp_path_factory.mktemp("export") / "run"
    train_model(make_recipe(steps=3, checkpoint_every=1, validate_every=0), out)
    return out


def logits(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    with torch.no_grad():
        return model(input_ids=torch.arange(3, 60)[None]).logits


def test_a_finished_run_gives_its_model(run, tmp_path):
    folder = export_model(run, tmp_path / "model")
    assert torch.equal(logits(folder), logits(run / "model"))
    assert {path.name for path in folder.iterdir()} == {path.name for path in (run / "model").iterdir()}


def test_a_checkpoint_gives_the_logits_of_its_step(run, tmp_path):
    folder = export_model(run, tmp_path / "two", step=2)
    facts = json.loads((folder / "dateline.json").read_text())
    assert facts["step"] == 2
    assert facts["run"] == json.loads((run / "model" / "dateline.json").read_text())["run"]
    assert not torch.equal(logits(folder), logits(run / "model"))
    again = tmp_path / "again"
    shutil.copytree(run, again)
    (again / "manifest.json").unlink()
    shutil.rmtree(again / "model")
    assert torch.equal(logits(export_model(again, tmp_path / "newest")), logits(folder))
    assert AutoTokenizer.from_pretrained(folder, local_files_only=True)("A")["input_ids"]


def test_what_cannot_be_exported_is_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"run: no checkpoint of step 9 in it; it has steps 1, 2"):
        export_model(run, tmp_path / "out", step=9)
    with pytest.raises(UserError, match=r"nowhere: no checkpoint in it; it has none"):
        export_model(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "checkpoints" / "step-00000001" / "__0_0.distcp").write_bytes(b"")
    with pytest.raises(UserError, match=r"step-00000001: damaged \(__0_0\.distcp has 0 .*; choose another --step"):
        export_model(damaged, tmp_path / "out", step=1)


def test_only_model_folders_are_overwritten(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="already holds something; choose another --out or pass --overwrite"):
        export_model(run, out)
    with pytest.raises(UserError, match="is not an earlier model folder, so it is not overwritten"):
        export_model(run, out, overwrite=True)
    (out / "mine.txt").rename(out / "dateline.json")
    assert torch.equal(logits(export_model(run, out, overwrite=True)), logits(run / "model"))


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_folder_says_what_it_was_trained_with(tmp_path, tokenizer, tied):
    recipe = ModelRecipe(size="pico", tie_embeddings=tied)
    model = build_model(llama_config(recipe, len(tokenizer), bos=0, eos=1, pad=2), 0)
    facts = []
    for step in (4, 5):
        folder = tmp_path / str(step)
        folder.mkdir()
        save_model(folder, model, tokenizer, FACTS, step, unshared(model, model.state_dict()) if step == 5 else None)
        facts.append(json.loads((folder / "dateline.json").read_text()))
    assert [(fact["run"], fact["step"], fact["fields"]) for fact in facts] == [
        ("run-one", 4, ["domain"]), ("run-one", 5, ["domain"]),
    ]  # fmt: skip
    assert facts[0]["fingerprint"] != facts[1]["fingerprint"]
    assert FACTS["fingerprint"] == "run-one"
    assert torch.equal(logits(tmp_path / "4"), logits(tmp_path / "5"))
    model.set_attn_implementation("sdpa")
    with torch.no_grad():
        assert torch.equal(logits(tmp_path / "4"), model.eval()(input_ids=torch.arange(3, 60)[None]).logits)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "5", local_files_only=True)
    assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) is tied
