"""Weights to start from: a local Hugging Face folder becomes a model that trains on packed rows.

Enters: a folder with a causal LM, and the corpus's tokenizer. Leaves: the model, with our attention, and a fingerprint
of its weights.
Deliberately not done: no network, no resized embeddings, no new tokens: a corpus is encoded with the model's own
tokenizer. Families that scale or cap their logits, or attend to a window, are refused, because they would be trained
as something that they are not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dateline.errors import UserError
from dateline.model.attention import ATTENTION, locate_documents
from dateline.model.build import llama_config, model_folder
from dateline.model.sizes import ModelRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_COMPARED = (
    "model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "tie_word_embeddings",
)  # fmt: skip
_PROBE = 24
"""Tokens of the two documents on which our path through a model is compared with its own."""


def weights_fingerprint(folder: Path | str) -> str:
    """Returns 16 hex digits of a model: those that `dateline train` gave it, or of its configuration and weights."""
    folder = model_folder(folder)
    try:
        known = json.loads((folder / "dateline.json").read_text(encoding="utf-8"))["fingerprint"]
    except FileNotFoundError:
        known = ""
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / 'dateline.json'}: damaged ({error}); export the model again") from None
    if known:
        return str(known)
    digest = hashlib.sha256()
    for path in sorted({folder / "config.json", *folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")}):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def load_pretrained(
    folder: Path | str, recipe: ModelRecipe | None, tokenizer: PreTrainedTokenizerFast, *,
    length: int, bos: int, eos: int, pad: int,
) -> Any:  # fmt: skip
    """Loads a model in float32 on the CPU, with attention that never crosses documents.

    Args:
        folder: a Hugging Face folder, or the output of `dateline train`.
        recipe: the recipe's `model` section, which must agree; None where there is none. Only its dropout of attention
            is taken, 0 where there is none.
        tokenizer: the corpus's.
        length: of a row, in tokens.
        bos: id of the token that starts a segment.
        eos: id of the token that ends a document.
        pad: id of the token that fills a row.

    Raises:
        UserError: where shape, vocabulary or architecture do not fit.
    """
    folder = model_folder(folder)
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        for name in {"attention_dropout", "attn_pdrop"} & set(config.to_dict()):
            setattr(config, name, 0.0 if recipe is None else recipe.dropout)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=config, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # a damaged file raises what its reader happens to raise
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"init_from {folder}: not a loadable causal language model ({problem})") from None
    model, loading = loaded
    if missing := sorted(loading["missing_keys"]):
        raise UserError(
            f"init_from {folder}: {len(missing)} weights are missing, such as {missing[0]}; save the model again"
        )
    _check_vocabulary(folder, model, tokenizer, eos)
    config = model.config
    positions = getattr(config, "max_position_embeddings", None)
    if positions and length > positions:
        raise UserError(
            f"init_from {folder}: packing.sequence_length {length} is longer than the {positions} positions that the "
            "model knows; lower it"
        )
    if recipe is not None:
        wanted = llama_config(recipe, int(config.vocab_size), bos=bos, eos=eos, pad=pad)
        for name in _COMPARED:
            if getattr(config, name, None) != getattr(wanted, name):
                raise UserError(
                    f"init_from {folder}: {name} is {getattr(config, name, None)}, the recipe's model section says "
                    f"{getattr(wanted, name)}; remove the section, or give the one that fits"
                )
    _check_architecture(folder, model)
    config.bos_token_id, config.eos_token_id, config.pad_token_id = bos, eos, pad
    return model


def _check_vocabulary(folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast, eos: int) -> None:
    rows = int(model.get_input_embeddings().num_embeddings)
    advice = f"encode the corpus with the model's own tokenizer: dateline encode CORPUS --tokenizer {folder}"
    if rows < len(tokenizer):
        raise UserError(
            f"init_from {folder}: the model knows {rows:,} tokens, the corpus's tokenizer has {len(tokenizer):,}; "
            f"{advice}"
        )
    if (folder / "tokenizer.json").is_file():
        from tokenizers import Tokenizer

        try:
            own = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
        except Exception as error:  # the library knows no other kind
            raise UserError(f"{folder / 'tokenizer.json'}: not a loadable tokenizer ({error})") from None
        if own != tokenizer.backend_tokenizer.get_vocab():
            raise UserError(f"init_from {folder}: its tokenizer is not the one that encoded the corpus; {advice}")
    ends = model.config.eos_token_id
    if ends is not None and eos not in (ends if isinstance(ends, list) else [ends]):
        raise UserError(
            f"init_from {folder}: the model ends a text with token {ends}, the corpus's tokenizer with {eos}; {advice}"
        )


def _check_architecture(folder: Path, model: Any) -> None:
    """Refuses a model whose loss on packed rows is not its own loss on each document."""
    config, kind = model.config, model.config.model_type
    if not hasattr(config, "num_attention_heads"):
        raise UserError(f"init_from {folder}: '{kind}' has no attention; only full attention can be trained here")
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    if layers != {"full_attention"} or windowed:
        raise UserError(f"init_from {folder}: '{kind}' attends to a window; only full attention can be trained here")
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, int(model.get_input_embeddings().num_embeddings), (2, _PROBE), generator=generator)
    model.eval()
    try:
        with torch.no_grad():
            expected = model(input_ids=ids, use_cache=False).logits
            model.set_attn_implementation(ATTENTION)
            hidden = model.base_model(
                input_ids=ids.view(1, -1),
                position_ids=torch.arange(_PROBE).repeat(2)[None],
                documents=locate_documents(np.array([_PROBE, _PROBE], dtype=np.int32), "cpu"),
                use_cache=False,
            ).last_hidden_state
            found = (hidden @ model.get_output_embeddings().weight.T).view_as(expected)
            agrees = torch.allclose(expected, found, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    except (TypeError, ValueError, AttributeError, AssertionError, KeyError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"init_from {folder}: '{kind}' does not take our attention ({problem})") from None
    if not agrees:
        raise UserError(
            f"init_from {folder}: '{kind}' computes its logits in a way of its own (scaled, capped or biased); it "
            "cannot be trained here"
        )
