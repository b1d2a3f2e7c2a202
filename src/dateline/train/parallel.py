"""Device, number format and distributed training: DDP keeps a whole model on every device, FSDP2 a part of each layer.

The processes are started by a launcher (torchrun, submitit). There is no tensor or pipeline parallelism.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from inspect import signature
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from dateline.config import Section
from dateline.errors import UserError

Precision = Literal["auto", "float32", "bfloat16"]
T = TypeVar("T")


class Parallel(Section):
    """How several processes share a run; none of it changes what the run learns, beyond rounding."""

    strategy: Literal["auto", "ddp", "fsdp2"] = "auto"
    """`ddp`: a whole model on every device. `fsdp2`: weights, gradients and moments are cut into as many parts as there
    are processes. `auto` is `ddp`."""
    activation_checkpointing: Literal["off", "selective", "full"] = "off"
    """`full` keeps only what enters a layer and computes the rest again; `selective` also keeps the results of matrix
    products and of attention, and computes norms, rotations and activations again."""


class RemoteRankFailure(Exception):
    """Another rank of the run has failed and reports why; this one ends silently."""


@dataclass(frozen=True)
class World:
    """The processes of a run, seen from one of them."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    joined: bool = False
    """Whether there is a process group, even of one."""
    saving: Any = None
    """A process group of its own for checkpoints, which are written while training goes on."""

    def total(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Returns the sum over all processes, shape unchanged; on the CPU, so that no device waits."""
        if not self.joined:
            return numbers
        tensor = torch.from_numpy(numbers.copy())
        dist.all_reduce(tensor)
        return tensor.numpy()

    def together(self, make: Callable[[], T]) -> T:
        """Returns what `make` gives here, if no process fails; otherwise every process ends, and one says why.

        Raises:
            Exception: what `make` raised, on the first process that failed.
            RemoteRankFailure: on all others.
        """
        if not self.joined:
            return make()
        error: Exception | None = None
        try:
            made = make()
        except Exception as caught:  # raised again below
            error = caught
        failed: list[bool] = [False] * self.size
        dist.all_gather_object(failed, error is not None)
        if any(failed):
            if error is not None and failed.index(True) == self.rank:
                raise error
            raise RemoteRankFailure
        return made

    def first(self, make: Callable[[], T]) -> T:
        """Returns on every process what `make` gives on the first, which alone runs it: it may write files."""
        made = self.together(lambda: make() if self.rank == 0 else None)
        if self.joined:
            box = [made]
            dist.broadcast_object_list(box, src=0)
            made = box[0]
        return made  # type: ignore[return-value]

    def wait(self) -> None:
        """Returns when every process has come here."""
        self.total(np.zeros(1, dtype=np.int64))


ALONE = World()
"""One process without a launcher."""


def is_first() -> bool:
    """Says whether this process is the first of those that a launcher has started together, or the only one."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def processes(recipe: Parallel, device: str, patience: float) -> Iterator[World]:
    """Joins the processes that torchrun (or any launcher that sets its variables) has started; leaves at the end.

    Args:
        recipe: a group of one is made only where the recipe asks for `fsdp2` under a launcher.
        device: the recipe's; on the CPU, gloo connects the processes, on CUDA NCCL and, for small counts, gloo.
        patience: minutes that one process waits for another.

    Raises:
        UserError: where the environment is incomplete.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if dist.is_initialized():
        yield _world()
        return
    if size == 1 and not (recipe.strategy == "fsdp2" and "RANK" in os.environ):
        yield ALONE
        return
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        if name not in os.environ:
            raise UserError(f"WORLD_SIZE is {size}, but {name} is not set; start the processes with torchrun")
    on_cuda = device != "cpu" and torch.cuda.is_available()
    if on_cuda:
        torch.cuda.set_device(choose_device(device, int(os.environ["LOCAL_RANK"])))
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_cuda else "gloo", timeout=timedelta(minutes=patience))
    try:
        yield _world()
    finally:
        dist.destroy_process_group()


def _world() -> World:
    local = int(os.environ.get("LOCAL_RANK", "0"))
    return World(dist.get_rank(), dist.get_world_size(), local, joined=True, saving=dist.new_group(backend="gloo"))


def choose_device(name: str, local_rank: int | None = None) -> torch.device:
    """Returns the device by name; `auto` takes CUDA where it is, and each of several processes its own.

    Raises:
        UserError: where the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"device '{name}': unknown; use auto, cpu or cuda")
    if device.type == "cuda" and local_rank is not None:
        if device.index is not None:
            raise UserError(f"device '{name}': several processes cannot share it; use auto or cuda")
        device = torch.device("cuda", local_rank)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        seen = torch.cuda.device_count() or "no"
        name = str(device)
        raise UserError(f"device '{name}': PyTorch sees {seen} CUDA device(s); use auto or cpu, or one that is there")
    return device


def choose_precision(name: Precision, device: torch.device) -> torch.dtype:
    """Returns the format of matrix products; weights and optimizer stay in float32.

    `auto` takes bfloat16 where the hardware multiplies it: CUDA since Ampere, CPUs with AVX512-BF16 or AMX. There it
    doubles the speed of the `nano` model.

    Raises:
        UserError: for float32 on CUDA, whose attention kernel computes in bfloat16 only.
    """
    if device.type == "cuda":
        if name == "float32":
            raise UserError(
                "train.precision: the CUDA attention kernel computes in bfloat16 only; use auto, or the CPU"
            )
        if not torch.cuda.is_bf16_supported():
            raise UserError(
                f"device '{device}': the GPU has no bfloat16, which attention needs; use an Ampere or later"
            )
        return torch.bfloat16
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    return torch.bfloat16 if _cpu_multiplies_bfloat16() else torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    ask = getattr(torch.cpu, "get_capabilities", None)  # older PyTorch cannot be asked in public: float32 there
    known = {} if ask is None else ask()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Returns the context in which a forward pass runs."""
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def checkpoint_activations(how: str, model: Any) -> None:
    """Lets a transformers model forget activations and compute them again, as the recipe says."""
    if how == "off":
        return
    options: dict[str, Any] = {"use_reentrant": False}
    if how == "selective":
        from torch.utils.checkpoint import create_selective_checkpoint_contexts

        contexts: Any = create_selective_checkpoint_contexts
        options["context_fn"] = lambda: contexts(_products())
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable(options)


def _products() -> list[Any]:
    """Returns the operations whose results are worth their memory: matrix products and attention."""
    aten, found = torch.ops.aten, []
    for operation in (
        aten.mm, aten.addmm, aten.bmm, aten._scaled_dot_product_flash_attention_for_cpu,
        aten._scaled_dot_product_flash_attention, aten._scaled_dot_product_efficient_attention,
    ):  # fmt: skip
        found.append(operation.default)
    if torch.cuda.is_available():
        import_module("torch.nn.attention.varlen")  # registers the operation
        found.append(torch.ops.torch_attn._varlen_attn.default)
    return found


def distribute(module: torch.nn.Module, recipe: Parallel, world: World, dtype: torch.dtype, layers: Any) -> Any:
    """Returns the module whose backward pass leaves the same, averaged gradients on every process.

    Under `fsdp2` each layer is a unit of its own, and all that is outside the layers is another; in bfloat16, weights
    travel and multiply in bfloat16, gradients are averaged in float32.

    Args:
        module: model and loss as one module, on its device.
        recipe: the strategy.
        world: the processes.
        dtype: of matrix products.
        layers: the model's layers.
    """
    if not world.joined:
        return module
    if recipe.strategy == "fsdp2":
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        kind = next(module.parameters()).device.type
        mesh = init_device_mesh(kind, (world.size,))
        low = dtype == torch.bfloat16
        policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if low else MixedPrecisionPolicy()
        for layer in layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        return fully_shard(module, mesh=mesh, mp_policy=policy)
    ddp: Any = torch.nn.parallel.DistributedDataParallel
    # a transformers model's buffers are constants; the option that says so has a new name since PyTorch 2.13
    name = "forward_sync_buffers" if "forward_sync_buffers" in signature(ddp).parameters else "broadcast_buffers"
    return ddp(module, gradient_as_bucket_view=True, **{name: False})


def synchronize(module: Any, *, last: bool) -> AbstractContextManager[object]:
    """Returns the context of one micro-batch: gradients travel with the last of a step only."""
    if isinstance(module, torch.nn.parallel.DistributedDataParallel):
        return nullcontext() if last else module.no_sync()
    if hasattr(module, "set_requires_gradient_sync"):
        module.set_requires_gradient_sync(last)
    return nullcontext()


@contextmanager
def whole_weights(module: Any) -> Iterator[None]:
    """Holds the weights outside the layers in one piece while the block runs, so that the model can be called."""
    sharded = hasattr(module, "unshard")
    if sharded:
        module.unshard()
    try:
        yield
    finally:
        if sharded:
            module.reshard()
