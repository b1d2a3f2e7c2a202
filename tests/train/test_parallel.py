"""Device and number format are chosen by what the machine has; several processes learn what one learns."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.train.loop import train_model
from dateline.train.parallel import ALONE, Parallel, autocast, choose_device, choose_precision, processes
from dateline.train.recipe import TrainRecipe, build_loader

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def pretend_cuda(monkeypatch, count, bfloat16=True):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)


def test_auto_takes_cuda_where_it_is(monkeypatch):
    pretend_cuda(monkeypatch, 0)
    assert choose_device("auto") == CPU
    pretend_cuda(monkeypatch, 1)
    assert choose_device("auto") == CUDA


def test_a_device_is_taken_by_name(monkeypatch):
    pretend_cuda(monkeypatch, 2)
    assert choose_device("cpu") == CPU
    assert choose_device("cuda") == CUDA
    assert choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_that_is_not_there_is_refused(monkeypatch, name):
    pretend_cuda(monkeypatch, 0)
    with pytest.raises(UserError, match=f"device '{name}': PyTorch sees no CUDA device.*use auto or cpu"):
        choose_device(name)


def test_a_number_too_high_is_refused(monkeypatch):
    pretend_cuda(monkeypatch, 2)
    with pytest.raises(UserError, match="device 'cuda:2': PyTorch sees 2 CUDA device"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x", "CPU "])
def test_unknown_devices_are_refused(name):
    with pytest.raises(UserError, match=f"device '{name}': unknown; use auto, cpu or cuda"):
        choose_device(name)


def test_each_process_takes_a_device_of_its_own(monkeypatch):
    pretend_cuda(monkeypatch, 2)
    assert choose_device("auto", 1) == torch.device("cuda:1")
    assert choose_device("cuda", 0) == torch.device("cuda:0")
    assert choose_device("cpu", 5) == CPU
    with pytest.raises(UserError, match="device 'cuda:1': several processes cannot share it; use auto or cuda"):
        choose_device("cuda:1", 0)
    with pytest.raises(UserError, match="device 'cuda:2': PyTorch sees 2 CUDA device"):
        choose_device("auto", 2)


def test_a_named_precision_is_taken(monkeypatch):
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16
    pretend_cuda(monkeypatch, 1)
    assert choose_precision("bfloat16", CUDA) == choose_precision("auto", CUDA) == torch.bfloat16


def test_float32_on_a_gpu_is_refused_because_attention_has_none(monkeypatch):
    pretend_cuda(monkeypatch, 1)
    with pytest.raises(UserError, match=r"train\.precision: the CUDA attention kernel computes in bfloat16 only"):
        choose_precision("float32", CUDA)


@pytest.mark.parametrize("name", ["auto", "bfloat16"])
def test_a_gpu_without_bfloat16_is_refused(monkeypatch, name):
    pretend_cuda(monkeypatch, 1, bfloat16=False)
    with pytest.raises(UserError, match="has no bfloat16, which attention needs"):
        choose_precision(name, CUDA)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"architecture": "aarch64"}, torch.float32),
    ],
)
def test_auto_precision_asks_the_cpu(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert choose_precision("auto", CPU) == expected


def test_auto_precision_is_float32_where_the_cpu_cannot_be_asked(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", CPU) == torch.float32


def test_auto_precision_works_on_this_machine():
    assert choose_precision("auto", CPU) in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_multiplies_in_the_format(dtype):
    x = torch.ones(2, 2)
    with autocast(CPU, dtype):
        assert (x @ x).dtype == dtype
    assert (x @ x).dtype == torch.float32


# One process among several


def test_without_a_launcher_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes(Parallel(), "cpu", 30) as world:
        assert world is ALONE
        assert world.together(lambda: 3) == world.first(lambda: 3) == 3
        assert world.total(np.array([4])).tolist() == [4]


def test_half_an_environment_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    message = "WORLD_SIZE is 2, but RANK is not set; start the processes with torchrun"
    with pytest.raises(UserError, match=message), processes(Parallel(), "cpu", 30):
        pass


@pytest.fixture(scope="module")
def epochs(make_recipe, corpus, tokenizer):
    """A length of which one row is left for the last step: of four processes, three get nothing but padding."""
    for epochs in np.arange(0.04, 0.08, 0.001).tolist():
        recipe = make_recipe(epochs=epochs, mix={"weights": "natural"})
        if build_loader(recipe, corpus, tokenizer).plan.num_rows() % 4 == 1:
            return epochs
    pytest.fail("no length leaves one row")


def curve(run):
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [
        (record["step"], record["tokens"], record["body_tokens"], record["fill"], record["loss"], record["grad_norm"])
        for record in records
        if record["kind"] == "train"
    ]


def validation(run):
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [r.get("loss", r.get("gain", r.get("repeats"))) for r in records if r["kind"] != "train"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, make_recipe, epochs):
    """One process; the last batch is short, so that of four processes some get nothing but padding."""
    out = tmp_path_factory.mktemp("alone") / "run"
    train_model(recipe_of(make_recipe, epochs), out)
    return out


def recipe_of(make_recipe, epochs, strategy="auto", checkpointing="off", **values):
    recipe = make_recipe(epochs=epochs, mix={"weights": "natural"}, **values)
    data = recipe.model_dump(mode="json") | {
        "parallel": {"strategy": strategy, "activation_checkpointing": checkpointing}
    }
    return validate_recipe(TrainRecipe, data)


@pytest.mark.parametrize(
    ("size", "values"),
    [
        (4, {}),
        (2, {"strategy": "fsdp2", "checkpointing": "selective", "micro_rows": 1}),
        (2, {"micro_rows": 1, "checkpointing": "full"}),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "-".join(map(str, value.values())) or "ddp",
)
def test_several_processes_learn_what_one_learns(alone, make_recipe, epochs, train_on, tmp_path, size, values):
    out = train_on(recipe_of(make_recipe, epochs, **values), tmp_path / "run", size)
    for one, several in zip(curve(alone), curve(out), strict=True):
        assert several[:4] == one[:4]
        assert several[4:] == pytest.approx(one[4:], abs=1e-5, rel=1e-5)
    assert validation(out) == pytest.approx(validation(alone), abs=1e-5)
    mine, theirs = (load_file(run / "model" / "model.safetensors") for run in (out, alone))
    assert mine.keys() == theirs.keys()
    for name in theirs:
        torch.testing.assert_close(mine[name], theirs[name], atol=2e-3, rtol=0)


def test_muon_learns_the_same_on_sharded_weights(make_recipe, train_on, tmp_path):
    values = {"optimizer": {"name": "muon"}, "steps": 3, "validate_every": 0}
    whole = make_recipe(**values)
    train_model(whole, tmp_path / "whole")
    sharded = whole.model_copy(update={"parallel": Parallel(strategy="fsdp2")})
    out = train_on(sharded, tmp_path / "run", 2)
    for one, two in zip(curve(tmp_path / "whole"), curve(out), strict=True):
        assert two == pytest.approx(one, rel=2e-3)


@pytest.mark.parametrize("how", ["selective", "full"])
def test_computing_activations_again_changes_nothing(make_recipe, tmp_path, how):
    values = {"steps": 2, "validate_every": 0, "model": {"dropout": 0.1}}
    train_model(make_recipe(**values), tmp_path / "kept")
    again = make_recipe(**values).model_copy(update={"parallel": Parallel(activation_checkpointing=how)})
    train_model(again, tmp_path / "again")
    one, two = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("kept", "again"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_an_error_of_one_process_is_told_once_and_ends_all(make_recipe, start, tmp_path):
    before = "if os.environ['RANK'] == '1':\n    recipe = recipe.model_copy(update={'data': 'nowhere'})"
    processes = start(make_recipe(), tmp_path / "run", 2, before=before)
    for process in processes:
        process.join(60)
        assert process.exitcode == 1
    assert "parallel.RemoteRankFailure" in (tmp_path / "said0.txt").read_text()
    assert "UserError: nowhere: no such folder" in (tmp_path / "said1.txt").read_text()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("values", "size", "message"),
    [
        ({"batch_rows": 4}, 3, r"batch_rows 4 cannot be shared by 3 processes; take a multiple of 3, such as 6"),
        ({"batch_rows": 4, "micro_rows": 4}, 2, r"by 2 processes of 4 rows each; take a multiple of 8, such as 8"),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(make_recipe, values, size, message):
    from dateline.train.parallel import World
    from dateline.train.recipe import accumulation

    with pytest.raises(UserError, match=message):
        accumulation(make_recipe(**values), World(0, size, 0))
