"""Checkpoints: a Hugging Face folder plus what a resumed run needs, whole or absent.

Enters: model, optimizer, step. Leaves: `checkpoints/step-000123/`, the last few of them.
Deliberately not done: no data position is saved; it follows from the step.
"""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dateline.config import fingerprint
from dateline.errors import UserError
from dateline.manifest import new_folder, write_atomically
from dateline.train.optim import Stepper

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

STATE = "training_state.pt"
FACTS = "dateline.json"
"""In a model folder: the fields that it was trained with, and where it comes from."""


def save_model(
    folder: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, facts: dict[str, Any], step: int
) -> None:
    """Fills a folder that transformers loads unchanged: config, safetensors, tokenizer, and `dateline.json`.

    The fingerprint in `dateline.json` is of run and step: no two checkpoints share it.
    """
    facts = {**facts, "run": facts["fingerprint"], "step": step}
    facts["fingerprint"] = fingerprint({"run": facts["run"], "step": step})
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_atomically(folder / FACTS, json.dumps(facts, indent=2) + "\n")


def save_checkpoint(
    run: Path,
    step: int,
    model: LlamaForCausalLM,
    optimizer: Stepper,
    tokenizer: PreTrainedTokenizerFast,
    facts: dict[str, Any],
    *,
    progress: dict[str, int],
    keep: int | None,
) -> Path:
    """Writes the checkpoint after `step` steps, and removes all but the newest `keep`; none where that is None.

    A checkpoint of this step that is there already is left alone: it holds the same numbers.
    """
    final = run / "checkpoints" / f"step-{step:08d}"
    if not final.exists():
        with new_folder(final) as folder:
            save_model(folder, model, tokenizer, facts, step)
            state = {
                "step": step,
                "progress": progress,
                "fingerprint": facts["fingerprint"],
                "optimizer": optimizer.state_dict(),
                "rng": torch.get_rng_state(),
                "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            }
            with (folder / STATE).open("wb") as file:  # a file of Python's own says when the disk is full
                torch.save(state, file)
    for old in checkpoints(run)[: -keep if keep is not None else 0]:
        shutil.rmtree(old)
    return final


def checkpoints(run: Path) -> list[Path]:
    """Returns the complete checkpoints of a run, oldest first."""
    return sorted((run / "checkpoints").glob("step-*"))


def belongs_to(checkpoint: Path, identity: str) -> bool:
    """Says whether a checkpoint is one of the run with this identity."""
    try:
        facts = json.loads((checkpoint / FACTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return bool(facts.get("run") == identity)


def load_checkpoint(
    checkpoint: Path, identity: str, model: LlamaForCausalLM, optimizer: Stepper
) -> tuple[int, dict[str, int]]:
    """Puts a checkpoint's numbers into model and optimizer.

    Returns:
        Steps done, and the counters of the loop.

    Raises:
        UserError: where the checkpoint is damaged or belongs to another recipe.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    try:
        state = torch.load(checkpoint / STATE, weights_only=True, map_location="cpu")
        if state["fingerprint"] != identity:
            raise UserError(
                f"{checkpoint}: is a checkpoint of another recipe ({state['fingerprint']}, now {identity}); "
                "restore the recipe or choose another --out"
            )
        load_model(model, checkpoint / "model.safetensors")
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError, SafetensorError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{checkpoint}: damaged ({problem}); delete this folder and resume from the one before"
        ) from None
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    if state["cuda_rng"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda_rng"])
    return int(state["step"]), dict(state["progress"])
