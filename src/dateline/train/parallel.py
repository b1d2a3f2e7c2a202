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
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"device '{name}': PyTorch sees no CUDA device; use --train.device cpu")
    try:
        return torch.device(name)
    except RuntimeError:
        raise UserError(f"device '{name}': unknown; use auto, cpu or cuda") from None


def choose_precision(name: Precision, device: torch.device) -> torch.dtype:
    """Returns the format of matrix products; weights, optimizer and attention scores stay in float32.

    `auto` takes bfloat16 where the hardware multiplies it: CUDA since Ampere, CPUs with AVX512-BF16 or AMX. There it
    doubles the speed of the `nano` model.
    """
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Returns the context in which a forward pass runs."""
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)
