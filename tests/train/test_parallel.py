"""Device and number format are chosen by what the machine has."""

import pytest
import torch

from dateline.errors import UserError
from dateline.train.parallel import autocast, choose_device, choose_precision

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


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_a_named_precision_is_taken(device):
    assert choose_precision("float32", device) == torch.float32
    assert choose_precision("bfloat16", device) == torch.bfloat16


@pytest.mark.parametrize(("supported", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_precision_asks_the_gpu(monkeypatch, supported, expected):
    pretend_cuda(monkeypatch, 1, bfloat16=supported)
    assert choose_precision("auto", CUDA) == expected


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
