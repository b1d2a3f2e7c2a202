"""Where a run computes: the device, its number format, and (later) its place among other processes.

Enters: the recipe's wishes. Leaves: a device, a dtype and a context for mixed precision.
Deliberately not done: one process only; DDP and FSDP2 will enter through this module and nowhere else.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import torch

from dateline.errors import UserError

Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str) -> torch.device:
    """Returns the device by name; `auto` takes CUDA where it is.

    Raises:
        UserError: where the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"device '{name}': unknown; use auto, cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        seen = torch.cuda.device_count() or "no"
        raise UserError(f"device '{name}': PyTorch sees {seen} CUDA device(s); use auto or cpu, or one that is there")
    return device


def choose_precision(name: Precision, device: torch.device) -> torch.dtype:
    """Returns the format of matrix products; weights, optimizer and attention scores stay in float32.

    `auto` takes bfloat16 where the hardware multiplies it: CUDA since Ampere, CPUs with AVX512-BF16 or AMX. There it
    doubles the speed of the `nano` model.
    """
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if _cpu_multiplies_bfloat16() else torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    ask = getattr(torch.cpu, "get_capabilities", None)  # older PyTorch cannot be asked in public: float32 there
    known = {} if ask is None else ask()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Returns the context in which a forward pass runs."""
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)
