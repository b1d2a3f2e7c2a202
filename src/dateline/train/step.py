"""One optimizer step: micro-batches in, averaged gradients, weights moved; and the counts of the batch over all ranks.

Whether a step is taken is decided in `guard.py`; the learning rate comes from `schedule.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from dateline.model.attention import Documents, locate_documents
from dateline.model.load import build_model, llama_config, load_pretrained
from dateline.model.loss import cross_entropy_sum
from dateline.tokens.loader import IGNORED, Batch, Loader
from dateline.train.optim import build_optimizer
from dateline.train.parallel import World, autocast, checkpoint_activations, distribute, synchronize
from dateline.train.recipe import TrainRecipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedTokenizerFast


class Objective(torch.nn.Module):
    """Model and loss as one module, so that DDP and FSDP2 see everything that a gradient flows through."""

    def __init__(self, model: Any, device: torch.device, low: torch.dtype, *, compiled: bool) -> None:
        """Args: a causal LM; its device; the format of autocast, float32 for none; whether to compile the decoder."""
        super().__init__()
        self.model = model
        self.device, self.low = device, low
        decoder: Any = model.base_model
        self._decode = (torch.compile(decoder) if compiled else decoder,)  # in a tuple: no second name for its weights

    def forward(self, input_ids: Tensor, position_ids: Tensor, labels: Tensor, documents: Documents) -> Tensor:
        """Returns the summed loss in nats.

        Args:
            input_ids: shape [rows, length].
            position_ids: restart with every segment, same shape.
            labels: next tokens, or -100, same shape.
            documents: from `locate_documents`.
        """
        with autocast(self.device, self.low):
            hidden = self._decode[0](
                input_ids=input_ids, position_ids=position_ids, documents=documents, use_cache=False
            ).last_hidden_state
            return cross_entropy_sum(hidden, self.model.get_output_embeddings().weight, labels)


class Engine:
    """Takes steps: the model, the same model as a module of all processes, and its optimizer."""

    def __init__(
        self, recipe: TrainRecipe, tokenizer: PreTrainedTokenizerFast, loader: Loader, world: World,
        device: torch.device, dtype: torch.dtype,
    ) -> None:  # fmt: skip
        """Builds model and optimizer.

        Args:
            recipe: of the run.
            tokenizer: the corpus's.
            loader: whose BOS, EOS and padding ids go into the model's configuration.
            world: the processes.
            device: of this process.
            dtype: of matrix products.

        Raises:
            UserError: where the weights to start from do not fit.
        """
        self.recipe, self.world, self.device = recipe, world, device
        ids = {"bos": loader.bos, "eos": loader.eos, "pad": loader.pad}
        if recipe.init_from is None:
            self.model: Any = build_model(llama_config(recipe.model, len(tokenizer), **ids), recipe.seed, device)
        else:
            wanted = recipe.model if "model" in recipe.model_fields_set else None
            length = recipe.packing.sequence_length
            self.model = load_pretrained(recipe.init_from, wanted, tokenizer, length=length, **ids).to(device)
        self.num_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.flops_fixed, self.flops_attended = flops_of(self.model)
        checkpoint_activations(recipe.parallel.activation_checkpointing, self.model)
        sharded = world.joined and recipe.parallel.strategy == "fsdp2"
        compiled = recipe.train.compile == "on" or (recipe.train.compile == "auto" and device.type == "cuda")
        # whatever a family calls them, a decoder's layers are its first list of modules
        layers = next(part for part in self.model.base_model.modules() if isinstance(part, torch.nn.ModuleList))
        if compiled and sharded:  # each layer by itself: its weights come and go around it
            for layer in layers:
                layer.compile()
        low = torch.float32 if sharded else dtype  # FSDP2 has a policy of its own
        objective = Objective(self.model, device, low, compiled=compiled and not sharded)
        self.module: Any = distribute(objective, recipe.parallel, world, dtype, layers)
        self.optimizer = build_optimizer(recipe.optimizer, self.model)

    def gradients(
        self, batches: Sequence[Batch], num_labels: int, at: Callable[[str], None] = lambda doing: None
    ) -> tuple[float, float]:
        """Computes the gradients of one step, clipped; the same on every process, or this process's part of them.

        Args:
            batches: this process's micro-batches.
            num_labels: labels in the batches of all processes: what the sum is divided by.
            at: progress callback: called with the part of the step that begins (`forward`, `backward`, ...).

        Returns:
            The loss of the whole batch in nats per label, and the norm of its gradient before clipping.
        """
        self.module.train()
        total = torch.zeros((), device=self.device)
        for number, batch in enumerate(batches):
            with synchronize(self.module, last=number + 1 == len(batches)):
                at("forward")
                loss = self._forward(batch) / num_labels
                total += loss.detach()
                at("backward")
                # DDP and FSDP2 average over processes, and a sum is wanted
                torch.autograd.backward(loss * self.world.size if self.world.size > 1 else loss)
        at("gradient norm")
        norm: Any = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.clip_norm)
        if hasattr(norm, "full_tensor"):  # each process has seen its part of the gradients
            norm = norm.full_tensor()
        if self.world.joined:
            dist.all_reduce(total)
        loss_value, norm_value = torch.stack([total, norm.to(total.dtype)]).tolist()  # the step's only wait for a GPU
        return loss_value, norm_value

    def apply(self, rate: float) -> None:
        """Moves the weights with this learning rate, and zeroes the gradients."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.discard()

    def discard(self) -> None:
        """Zeroes the gradients; weights and optimizer stay as they are."""
        self.optimizer.zero_grad(set_to_none=True)

    def _forward(self, batch: Batch) -> Tensor:
        loss: Tensor = self.module(
            self._move(batch.input_ids),
            self._move(batch.position_ids),
            self._move(batch.labels),
            locate_documents(batch.segment_lengths, self.device),
        )
        return loss

    def _move(self, array: Any) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor


class Totals(NamedTuple):
    """Counts of one batch, all processes together."""

    labels: int
    """Positions on which loss is taken."""
    tokens: int
    """Tokens that are not padding."""
    body_tokens: int
    positions: int
    """Tokens with padding."""
    attended: int
    """Pairs of positions that attention joins."""
    groups: npt.NDArray[np.int64]
    """Body tokens of each group of the mix."""
    stop: bool
    """Whether a process has received a signal to stop."""
    failed: bool
    """Whether a process cannot go on."""

    @property
    def mean_attended(self) -> float:
        """Positions that a token attends to, itself included."""
        return self.attended / self.positions

    @property
    def fill(self) -> float:
        """Share of positions that are not padding."""
        return self.tokens / self.positions


def add_up(world: World, batches: Sequence[Batch], num_groups: int, *, stop: bool, failed: bool) -> Totals:
    """Returns the totals of a step; one small message between the processes, which also agree on whether to go on."""
    numbers = np.zeros(7 + num_groups, dtype=np.int64)
    numbers[:2] = stop, failed
    for batch in batches:
        if not batch.num_rows:
            continue
        lengths = batch.segment_lengths.astype(np.int64)
        numbers[2] += int((batch.labels != IGNORED).sum())
        numbers[3:7] += batch.num_tokens, batch.num_body_tokens, batch.input_ids.size, int(lengths @ (lengths + 1)) // 2
        numbers[7:] += batch.group_tokens
    numbers = world.total(numbers)
    stopped, broken, labels, tokens, body_tokens, positions, attended = numbers[:7].tolist()
    return Totals(labels, tokens, body_tokens, positions, attended, numbers[7:], stopped > 0, broken > 0)


def flops_of(model: Any) -> tuple[float, float]:
    """Returns the model FLOPs of a training token: a constant, and what is added for each position attended.

    6 for every weight of a matrix that the token meets, the output embedding included, plus 12 * layers * width of
    attention for every position attended (Chowdhery et al., 2022, appendix B): `model.sizes.flops_per_token`, for a
    model that is already built.
    """
    config = model.config
    heads = config.num_attention_heads
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    matrices = sum(parameter.numel() for parameter in model.parameters() if parameter.ndim >= 2)
    if not config.tie_word_embeddings:
        matrices -= model.get_input_embeddings().weight.numel()
    return 6.0 * matrices, 12.0 * config.num_hidden_layers * width
