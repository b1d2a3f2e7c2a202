"""A recipe becomes a transformers model.

Enters: the recipe's `model` section. Leaves: a causal LM with random weights; and where a folder keeps its model.
Deliberately not done: no weights from the network; names of hub models belong to a later room.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dateline.errors import UserError
from dateline.model.attention import ATTENTION
from dateline.model.sizes import SIZES, ModelRecipe

if TYPE_CHECKING:
    from transformers import LlamaConfig, LlamaForCausalLM


def llama_config(recipe: ModelRecipe, vocab_size: int, *, bos: int, eos: int, pad: int) -> LlamaConfig:
    """Returns the transformers configuration of a recipe."""
    from transformers import LlamaConfig

    shape = SIZES[recipe.size]
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_key_value_heads,
        max_position_embeddings=recipe.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        rms_norm_eps=1e-5,
        attention_dropout=recipe.dropout,
        tie_word_embeddings=recipe.tie_embeddings,
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=pad,
    )


def build_model(config: LlamaConfig, seed: int, device: torch.device | str = "cpu") -> LlamaForCausalLM:
    """Builds a model with random float32 weights that depend on nothing but configuration and seed.

    Weights are drawn on the CPU, because generators differ between devices. Matrices that write into the residual
    stream start smaller by sqrt(2 * layers) (GPT-2), so that its variance does not grow with depth.
    """
    from transformers import LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config._attn_implementation = ATTENTION
        model: Any = LlamaForCausalLM(config)
        std = 0.02 / (2 * config.num_hidden_layers) ** 0.5
        for name, parameter in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                torch.nn.init.normal_(parameter, std=std)
    return model.to(device)  # type: ignore[no-any-return]


def model_folder(folder: Path | str) -> Path:
    """Returns where the Hugging Face files are: the folder itself, or `model/` in the output of `dateline train`.

    Raises:
        UserError: where there is no config.json.
    """
    folder = Path(folder)
    for candidate in (folder, folder / "model"):
        if (candidate / "config.json").is_file():
            return candidate
    problem = "no config.json in it" if folder.exists() else "no such folder"
    raise UserError(f"{folder}: {problem}; name the output of 'dateline train' or a Hugging Face model folder")
