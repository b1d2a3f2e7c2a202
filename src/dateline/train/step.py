"""One optimizer step: batches in, averaged gradients, weights moved.

Enters: a recipe; then, step by step, this process's micro-batches. Leaves: loss and gradient norm of the whole batch,
and then the new weights.
Deliberately not done: no decision whether a step is good (guard.py), no schedule, nothing written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from dateline.model.attention import Documents, locate_documents
from dateline.model.build import build_model, llama_config
from dateline.model.loss import cross_entropy_sum
from dateline.model.pretrained import load_pretrained
from dateline.tokens.loader import Batch, Loader
from dateline.train.measures.totals import flops_of
from dateline.train.optim import Stepper, build_optimizer
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
            loader: whose BOS, EOS and padding the model is told.
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
        self.optimizer: Stepper = build_optimizer(recipe.optimizer, self.model)

    def gradients(
        self, batches: Sequence[Batch], num_labels: int, at: Callable[[str], None] = lambda doing: None
    ) -> tuple[float, float]:
        """Computes the gradients of one step, clipped; the same on every process, or this process's part of them.

        Args:
            batches: this process's micro-batches.
            num_labels: labels in the batches of all processes: what the sum is divided by.
            at: told what is being done.

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
        """Moves the weights with this learning rate, and forgets the gradients."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.discard()

    def discard(self) -> None:
        """Forgets the gradients; weights and optimizer stay as they are."""
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
