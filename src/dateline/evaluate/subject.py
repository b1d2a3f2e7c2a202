"""The model under test: any causal language model in a local Hugging Face folder, loaded without network or its code.

Weights that a checkpoint lacks are refused: transformers would initialize them at random, and the scores would look
like scores.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from dateline.conditions import DEFAULT_FIELDS, FIELDS, PREFIX_FORMAT, Field, PrefixFormat
from dateline.errors import UserError
from dateline.progress import quiet_transformers
from dateline.tokens.tokenizer import encode_texts, read_tokenizer

if TYPE_CHECKING:
    import torch

Dtype = Literal["float32", "bfloat16"]
Tokens = npt.NDArray[np.int32]

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model*.bin.index.json")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt")


@dataclass(frozen=True)
class Subject:
    """A loaded model with its tokenizer, and what it was trained to be told."""

    folder: Path
    model: Any
    """A transformers causal language model in evaluation mode on its device."""
    tokenizer: Any
    """A transformers tokenizer, fast or slow."""
    bos: int
    """Opens every segment: BOS, or EOS for families that have no BOS (GPT-2, Qwen)."""
    fields: tuple[Field, ...]
    """What its prefix shows."""
    prefix_format: PrefixFormat
    """How its prefix ends: as in its training."""
    positions: int | None
    """The longest sequence that it can read; None for models without such a limit."""
    vocabulary: int
    """Rows of its embedding table."""

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Returns the tokens of each text, without BOS or EOS.

        Special tokens that are spelled out in a text (`<|endoftext|>` in an article about language models) are read as
        text: an article cannot end itself.
        """
        return encode_texts(self.tokenizer, texts)

    def check_fits(self, largest: int) -> None:
        """Refuses token ids that the model has no embedding for.

        Raises:
            UserError: which names both numbers.
        """
        if largest >= self.vocabulary:
            raise UserError(
                f"{self.folder}: the tokenizer does not fit the model: it gives token {largest}, the model knows "
                f"{self.vocabulary} tokens; put the model's own tokenizer into its folder"
            )


TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tiktoken.model")
"""One of these is in every folder with a tokenizer; transformers makes an empty one up where there is none."""


def load_subject(folder: Path, *, device: str = "auto", dtype: Dtype = "float32") -> Subject:
    """Loads a model and its tokenizer from a local folder.

    Args:
        folder: a Hugging Face model folder, or a train output that holds one under `model/`.
        device: `auto` takes a GPU where there is one; otherwise a torch device.
        dtype: `float32` for weights and computation; under `bfloat16` weights stay in the format of the folder, so that
            float32 ones lose nothing but what each matrix product rounds.

    Raises:
        UserError: where something is missing, unreadable or does not fit together.
    """
    import torch
    import transformers

    from dateline.model.build import model_folder

    folder = model_folder(folder)
    if dtype not in ("float32", "bfloat16"):
        raise UserError(f"dtype '{dtype}' is not known; use float32 or bfloat16")
    target = _device(device)
    with quiet_transformers():
        try:
            loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                dtype=torch.float32 if dtype == "float32" else "auto",
                output_loading_info=True,
            )
        except Exception as error:  # a damaged file raises what its reader happens to raise
            raise UserError(f"{folder}: not a loadable causal language model ({_first_line(error)})") from None
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(f"{folder}: no tokenizer in it; save the model's tokenizer there with save_pretrained")
    tokenizer = read_tokenizer(folder)
    model, loading = loaded
    missing = sorted(loading["missing_keys"])
    if missing:
        raise UserError(
            f"{folder}: {len(missing)} weights are not in the checkpoint, such as {missing[0]}; "
            "they would be random: save the model again"
        )
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if bos is None:
        raise UserError(f"{folder}: the tokenizer has neither BOS nor EOS; set bos_token in tokenizer_config.json")
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return Subject(
        folder=folder,
        model=model.to(target).eval(),
        tokenizer=tokenizer,
        bos=int(bos),
        fields=trained_fields(folder),
        prefix_format=trained_prefix_format(folder),
        positions=int(positions) if positions and positions > 0 else None,
        vocabulary=int(model.get_input_embeddings().num_embeddings),
    )


def trained_fields(folder: Path) -> tuple[Field, ...]:
    """Returns the fields that a model folder, or the train output that holds it, was trained with.

    Models that were trained with none, and models from elsewhere, are asked with the default fields: what they make of
    a prefix that they never saw is a question worth asking, and `none` remains the condition that suits them.
    """
    return known_fields(folder) or DEFAULT_FIELDS


def known_fields(folder: Path) -> tuple[Field, ...] | None:
    """Returns the fields that a model was trained with, empty for a plain model; None where nothing says so."""
    from dateline.model.build import model_folder

    folder = model_folder(folder)
    named = _about(folder).get("fields")
    if named is None:
        return None
    unknown = [name for name in named if name not in FIELDS]
    if unknown:
        raise UserError(f"{folder / 'dateline.json'}: unknown field '{unknown[0]}'; made by a newer Dateline?")
    return tuple(named)


def trained_prefix_format(folder: Path) -> PrefixFormat:
    """Returns how the prefix of a model's training ended; models from elsewhere get the present format.

    For a model that was trained with the earlier format, a line on standard error says what that means.

    Raises:
        UserError: where the format is not known to this version.
    """
    about = _about(folder)
    found = about.get("prefix_format", 1) if about.get("fields") else PREFIX_FORMAT
    if found not in get_args(PrefixFormat):
        raise UserError(f"{folder / 'dateline.json'}: prefix_format {found!r} is not known; made by a newer Dateline?")
    if found == 1:
        print(
            f"{folder}: its prefixes end in an empty line (prefix format 1), as in its training; tools that take text "
            "(vLLM, llama.cpp, lm_eval) split that line into other tokens and may lose more than the prefix gains: "
            "train again before others use the model",
            file=sys.stderr,
        )
    chosen: PrefixFormat = found
    return chosen


def subject_fingerprint(folder: Path) -> str:
    """Returns 16 hex digits of what is tested: those of `dateline train`, or of all files that decide the scores.

    For a model from elsewhere configuration, weights and tokenizer are hashed whole, which takes about a second a
    gigabyte.
    """
    from dateline.model.build import model_folder

    folder = model_folder(folder)
    known = _about(folder).get("fingerprint")
    if known:
        return str(known)
    digest = hashlib.sha256()
    files = {folder / "config.json", *(path for pattern in _WEIGHTS + _TOKENIZER for path in folder.glob(pattern))}
    for path in sorted(files):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name} {path.stat().st_size} {content}\n".encode())
    return digest.hexdigest()[:16]


def _about(folder: Path) -> dict[str, Any]:
    path = folder / "dateline.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); train or export the model again") from None
    if not isinstance(about, dict):
        raise UserError(f"{path}: holds no mapping; train or export the model again")
    return about


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device '{name}' is not known; use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device '{name}': no GPU is visible here; use auto or cpu")
    return device


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
