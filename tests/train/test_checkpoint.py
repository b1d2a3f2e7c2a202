"""A checkpoint holds everything, loads anywhere, and is refused where it does not belong."""

import errno
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dateline.errors import UserError
from dateline.model.load import build_model, llama_config
from dateline.model.sizes import ModelRecipe
from dateline.train import checkpoint
from dateline.train.checkpoint import STATE, Saver, load_checkpoint
from dateline.train.export import describe
from dateline.train.folder import belongs_to, checkpoints, newest_intact
from dateline.train.optim import Optimizer, build_optimizer
from dateline.train.parallel import ALONE, Parallel

FACTS = {"fields": ["domain"], "fingerprint": "run-one", "seed": 3}


@pytest.fixture
def make(tokenizer):
    def build(seed=0, tied=True, steps=0, name="adamw"):
        recipe = ModelRecipe(size="pico", tie_embeddings=tied)
        model = build_model(llama_config(recipe, len(tokenizer), bos=0, eos=1, pad=2), seed)
        optimizer = build_optimizer(Optimizer(name=name), model)
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


@pytest.fixture
def save(tokenizer):
    def write(run, step, model, optimizer, *, keep=2, identity="run-one", pruned=True, **memory):
        def shape(folder, step):
            model.config.save_pretrained(folder)
            describe(folder, tokenizer, FACTS, step)

        saver = Saver(run, ALONE, identity, {"seed": 3}, {"encoded": "e"}, keep=keep, shape=shape)
        path = saver.save(step, model, optimizer, {"counts": {"tokens": 10 * step}} | memory, pruned=pruned)
        saver.wait()
        assert saver.completed() == [(step, path)]
        saver.close(failed=False)
        return path

    return write


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("tied", [True, False])
def test_training_goes_on_as_if_nothing_had_happened(tmp_path, make, save, tied, name):
    model, optimizer = make(tied=tied, steps=3, name=name)
    saved = save(tmp_path, 3, model, optimizer, guard={"skipped": 2})
    other, fresh = make(seed=9, tied=tied, name=name)
    known = load_checkpoint(saved, "run-one", other, fresh)
    assert (known["step"], known["counts"], known["guard"]) == (3, {"tokens": 30}, {"skipped": 2})
    for a, b in ((model, optimizer), (other, fresh)):
        take_step(a, b, 99)
    for (name, left), right in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right), name
    assert (other.lm_head.weight is other.model.embed_tokens.weight) is tied


def test_a_checkpoint_before_the_first_step_has_no_moments(tmp_path, make, save):
    model, optimizer = make()
    saved = save(tmp_path, 0, model, optimizer)
    assert not any(part.state for part in optimizer.parts)
    other, fresh = make(seed=9)
    assert load_checkpoint(saved, "run-one", other, fresh)["step"] == 0
    for a, b in ((model, optimizer), (other, fresh)):
        take_step(a, b, 99)
    assert torch.equal(model.lm_head.weight, other.lm_head.weight)


def test_the_generator_is_put_back(tmp_path, make, save):
    model, optimizer = make()
    torch.manual_seed(123)
    saved = save(tmp_path, 1, model, optimizer)
    expected = torch.rand(4)
    torch.manual_seed(5)
    load_checkpoint(saved, "run-one", model, optimizer)
    assert torch.equal(torch.rand(4), expected)


def names(run):
    return [folder.name for folder in checkpoints(run)]


def test_the_newest_are_kept_and_latest_names_the_newest(tmp_path, make, save):
    model, optimizer = make()
    for step in (1, 2, 10, 9_999_999, 10_000_000):
        save(tmp_path, step, model, optimizer)
        assert (tmp_path / "checkpoints" / "latest").read_text() == f"step-{step:08d}\n"
    assert names(tmp_path) == ["step-09999999", "step-10000000"]
    save(tmp_path, 10_000_001, model, optimizer, keep=1)
    assert names(tmp_path) == ["step-10000001"]
    save(tmp_path, 10_000_002, model, optimizer, keep=1, pruned=False)
    assert len(names(tmp_path)) == 2


def test_a_checkpoint_that_is_there_is_left_alone(tmp_path, make, tokenizer):
    model, optimizer = make()
    saver = Saver(tmp_path, ALONE, "run-one", {}, {}, keep=2, shape=lambda folder, step: None)
    saved = saver.save(1, model, optimizer, {})
    saver.wait()
    before = {path.name: path.stat().st_mtime_ns for path in saved.iterdir()}
    assert saver.save(1, model, optimizer, {}) == saved
    saver.close(failed=False)
    assert {path.name: path.stat().st_mtime_ns for path in saved.iterdir()} == before


def test_what_is_saved_is_what_was_there_when_saving_began(tmp_path, make):
    model, optimizer = make(steps=1)
    before = model.lm_head.weight.detach().clone()
    saver = Saver(tmp_path, ALONE, "run-one", {}, {}, keep=2, shape=lambda folder, step: None)
    saved = saver.save(1, model, optimizer, {})
    take_step(model, optimizer, 7)  # training goes on while files are written
    saver.close(failed=False)
    assert not torch.equal(model.lm_head.weight, before)
    load_checkpoint(saved, "run-one", model, optimizer)
    assert torch.equal(model.lm_head.weight, before)


def test_another_recipes_checkpoint_is_refused_before_anything_is_touched(tmp_path, make, save):
    model, optimizer = make()
    saved = save(tmp_path, 1, model, optimizer)
    other, fresh = make(seed=9)
    before = other.lm_head.weight.detach().clone()
    with pytest.raises(UserError, match=r"checkpoint of another recipe \(run-one, now run-two\); restore the recipe"):
        load_checkpoint(saved, "run-two", other, fresh)
    assert torch.equal(other.lm_head.weight, before)
    assert not any(part.state for part in fresh.parts)
    assert belongs_to(saved, "run-one")
    assert not belongs_to(saved, "run-two")


# Disks that fill up


def test_a_file_that_cannot_be_written_is_an_error_and_the_checkpoint_before_stays(tmp_path, make, save, monkeypatch):
    model, optimizer = make(steps=1)
    save(tmp_path, 1, model, optimizer)

    class Full(checkpoint.FileSystemWriter):
        def write_data(self, *_):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "FileSystemWriter", Full)
    with pytest.raises(OSError, match="No space left on device"):
        save(tmp_path, 2, model, optimizer)
    assert names(tmp_path) == ["step-00000001"]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["latest", "step-00000001"]
    assert newest_intact(tmp_path).name == "step-00000001"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MB: a checkpoint of the smallest model fits, two do not."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", disk], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_disk_that_is_really_full(small_disk, make_recipe):
    from dateline.train.loop import train_model

    with pytest.raises(OSError) as caught:  # noqa: PT011
        train_model(make_recipe(checkpoint_every=2, validate_every=0), small_disk / "run")
    assert caught.value.errno == errno.ENOSPC
    assert names(small_disk / "run") == ["step-00000002"]
    assert newest_intact(small_disk / "run").name == "step-00000002"


# Other numbers of processes


@pytest.mark.parametrize(("before", "after", "strategy"), [(2, 1, "fsdp2"), (1, 4, "fsdp2"), (2, 1, "ddp")])
def test_a_run_goes_on_with_another_number_of_processes(tmp_path, make_recipe, train_on, before, after, strategy):
    """Stopped after 2 of 4 steps; the weights are those of a run on one process, beyond rounding."""
    from dateline.train.loop import train_model

    whole, out = tmp_path / "whole", tmp_path / "run"
    recipe = make_recipe(steps=4, validate_every=0)
    train_model(recipe, whole)
    several = recipe.model_copy(update={"parallel": Parallel(strategy=strategy)})
    stop = """
import signal
from dateline.errors import Interrupted
from dateline.train.loop import _Run
take = _Run._take
def watched(self, *words):
    loss = take(self, *words)
    if self.done == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    return loss
_Run._take = watched
try:
    train_model(recipe, out)
except Interrupted as stopped:
    print(stopped)
    sys.exit(0)
"""
    train_on(several, out, before, before=stop)
    assert names(out) == ["step-00000002"]
    train_on(several, out, after, resume=True)
    one, other = (load_file(run / "model" / "model.safetensors") for run in (whole, out))
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=1e-3, rtol=0)
    lines = [(run / "metrics.jsonl").read_text().count('"train"') for run in (whole, out)]
    assert lines == [4, 4]


def test_no_run_no_checkpoints(tmp_path):
    assert checkpoints(tmp_path / "nowhere") == []
    assert newest_intact(tmp_path / "nowhere") is None


def test_the_state_is_plain_json(tmp_path, make, save):
    model, optimizer = make()
    assert Path(save(tmp_path, 1, model, optimizer) / STATE).read_text().startswith('{"step": 1, "run": "run-one"')
