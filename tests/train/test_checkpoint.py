"""A checkpoint holds everything, loads anywhere, and is refused where it does not belong."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dateline.errors import UserError
from dateline.model.build import build_model, llama_config
from dateline.model.sizes import ModelRecipe
from dateline.train.checkpoint import STATE, belongs_to, checkpoints, load_checkpoint, save_checkpoint, save_model
from dateline.train.optim import Optimizer, build_optimizer

FACTS = {"fields": ["domain"], "fingerprint": "run-one", "seed": 3}


@pytest.fixture
def make(tokenizer):
    def build(seed=0, tied=True, steps=0):
        recipe = ModelRecipe(size="pico", tie_embeddings=tied)
        model = build_model(llama_config(recipe, len(tokenizer), bos=0, eos=1, pad=2), seed)
        optimizer = build_optimizer(Optimizer(), model)
        for step in range(steps):
            take_step(model, optimizer, step)
        return model, optimizer

    return build


def take_step(model, optimizer, number):
    generator = torch.Generator().manual_seed(number)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()
    optimizer.zero_grad()


def logits_of(model):
    model.set_attn_implementation("sdpa")
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(3, 40)[None]).logits


@pytest.fixture
def save(tokenizer):
    def write(run, step, model, optimizer, *, keep=2, progress=None, facts=FACTS):
        counts = progress or {"tokens": 10 * step}
        return save_checkpoint(run, step, model, optimizer, tokenizer, facts, progress=counts, keep=keep)

    return write


@pytest.mark.parametrize("tied", [True, False])
def test_training_goes_on_as_if_nothing_had_happened(tmp_path, make, save, tied):
    model, optimizer = make(tied=tied, steps=3)
    saved = save(tmp_path, 3, model, optimizer, progress={"tokens": 77, "body_tokens": 55})
    other, fresh = make(seed=9, tied=tied)
    assert load_checkpoint(saved, "run-one", other, fresh) == (3, {"tokens": 77, "body_tokens": 55})
    for a, b in ((model, optimizer), (other, fresh)):
        take_step(a, b, 99)
    for (name, left), right in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right), name
    assert (other.lm_head.weight is other.model.embed_tokens.weight) is tied


def test_the_generator_is_put_back(tmp_path, make, save):
    model, optimizer = make()
    torch.manual_seed(123)
    saved = save(tmp_path, 1, model, optimizer)
    expected = torch.rand(4)
    torch.manual_seed(5)
    load_checkpoint(saved, "run-one", model, optimizer)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("tied", [True, False])
def test_transformers_loads_a_checkpoint_unchanged(tmp_path, make, save, tokenizer, tied):
    model, optimizer = make(tied=tied, steps=1)
    saved = save(tmp_path, 1, model, optimizer)
    loaded = AutoModelForCausalLM.from_pretrained(saved, local_files_only=True)
    assert torch.equal(logits_of(loaded), logits_of(model))
    assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) is tied
    text = "TITLE: Flood\n\nCONTENT: Água, ₦500."
    reloaded = AutoTokenizer.from_pretrained(saved, local_files_only=True)
    assert reloaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert reloaded.eos_token_id == tokenizer.eos_token_id


def test_the_model_folder_says_what_it_was_trained_with(tmp_path, make, tokenizer):
    model, _ = make()
    facts = []
    for step in (4, 5):
        folder = tmp_path / str(step)
        folder.mkdir()
        save_model(folder, model, tokenizer, FACTS, step)
        facts.append(json.loads((folder / "dateline.json").read_text()))
    assert [(fact["run"], fact["step"], fact["fields"], fact["seed"]) for fact in facts] == [
        ("run-one", 4, ["domain"], 3),
        ("run-one", 5, ["domain"], 3),
    ]
    assert facts[0]["fingerprint"] != facts[1]["fingerprint"]
    assert FACTS["fingerprint"] == "run-one"


def names(run):
    return [folder.name for folder in checkpoints(run)]


def test_the_newest_are_kept(tmp_path, make, save):
    model, optimizer = make()
    for step in (1, 2, 10, 9_999_999, 10_000_000):
        save(tmp_path, step, model, optimizer)
    assert names(tmp_path) == ["step-09999999", "step-10000000"]
    save(tmp_path, 10_000_001, model, optimizer, keep=1)
    assert names(tmp_path) == ["step-10000001"]


def test_without_a_number_all_are_kept(tmp_path, make, save):
    model, optimizer = make()
    for step in (1, 2, 3):
        save(tmp_path, step, model, optimizer, keep=None)
    assert names(tmp_path) == ["step-00000001", "step-00000002", "step-00000003"]


def test_a_checkpoint_that_is_there_is_left_alone(tmp_path, make, save):
    model, optimizer = make()
    saved = save(tmp_path, 1, model, optimizer)
    before = {path.name: path.stat().st_mtime_ns for path in saved.iterdir()}
    assert save(tmp_path, 1, model, optimizer) == saved
    assert {path.name: path.stat().st_mtime_ns for path in saved.iterdir()} == before


def test_a_checkpoint_is_whole_or_absent(tmp_path, make, save, monkeypatch):
    model, optimizer = make()

    def fail(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="no space"):
        save(tmp_path, 1, model, optimizer)
    assert checkpoints(tmp_path) == []
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_no_run_no_checkpoints(tmp_path):
    assert checkpoints(tmp_path / "nowhere") == []


def test_another_recipes_checkpoint_is_refused_before_anything_is_touched(tmp_path, make, save):
    model, optimizer = make()
    saved = save(tmp_path, 1, model, optimizer)
    other, fresh = make(seed=9)
    before = other.lm_head.weight.detach().clone()
    with pytest.raises(UserError, match=r"checkpoint of another recipe \(run-one, now run-two\); restore the recipe"):
        load_checkpoint(saved, "run-two", other, fresh)
    assert torch.equal(other.lm_head.weight, before)
    assert fresh.state_dict()["state"] == {}


def test_belongs_to(tmp_path, make, save):
    model, optimizer = make()
    saved = save(tmp_path, 1, model, optimizer)
    assert belongs_to(saved, "run-one")
    assert not belongs_to(saved, "run-two")
    (saved / "dateline.json").write_text("{")
    assert not belongs_to(saved, "run-one")
    (saved / "dateline.json").unlink()
    assert not belongs_to(saved, "run-one")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("name", [STATE, "model.safetensors"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_in_one_line(tmp_path, make, save, name, damage):
    model, optimizer = make()
    saved = save(tmp_path, 1, model, optimizer)
    DAMAGES[damage](saved / name)
    with pytest.raises(UserError, match=r"step-00000001: damaged \(.+\); delete this folder") as caught:
        load_checkpoint(saved, "run-one", model, optimizer)
    assert "\n" not in str(caught.value)
