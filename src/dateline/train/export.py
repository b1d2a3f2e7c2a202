"""Model folders (configuration, safetensors, tokenizer, `dateline.json`), which transformers loads unchanged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dateline.conditions import PREFIX_FORMAT, template
from dateline.config import fingerprint
from dateline.errors import UserError
from dateline.manifest import check_free, new_folder, read_manifest, require_manifest, write_atomically
from dateline.model.load import FACTS
from dateline.records import body_text
from dateline.tokens.tokenizer import bos_id, save_tokenizer
from dateline.train.folder import checkpoints, damage

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

SHAPE = "shape"
"""In a checkpoint: configuration and tokenizer, which together with the weights make a Hugging Face folder."""


def save_model(
    folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast, facts: Mapping[str, Any], step: int,
    state: dict[str, torch.Tensor] | None = None,
) -> None:  # fmt: skip
    """Fills a folder that transformers loads unchanged: config, safetensors, tokenizer, and `dateline.json`.

    The fingerprint in `dateline.json` is of run and step: no two checkpoints share it.

    Args:
        folder: an empty one.
        model: a causal LM.
        tokenizer: its tokenizer.
        facts: what the run says of the model.
        step: steps taken.
        state: the weights, where the model itself holds a part of them only.
    """
    model.save_pretrained(folder, state_dict=state)
    describe(folder, tokenizer, facts, step)


def describe(folder: Path, tokenizer: PreTrainedTokenizerFast, facts: Mapping[str, Any], step: int) -> None:
    """Adds to a folder with a configuration what is needed to use the model: the tokenizer, and `dateline.json`.

    `dateline.json` says with which fields the model was trained, and how to write a document for it: BOS once, the
    prefix, the body. The tokenizer adds BOS itself.
    """
    save_tokenizer(tokenizer, folder)
    _write_both_forms(folder / "config.json")
    facts = {
        **facts,
        "prefix_format": PREFIX_FORMAT,
        "prefix": template(facts["fields"]),
        "body": body_text("{title}", "{text}"),
        "bos": str(tokenizer.convert_ids_to_tokens(bos_id(tokenizer))),
        "run": facts["fingerprint"],
        "step": step,
    }
    facts["fingerprint"] = fingerprint({"run": facts["run"], "step": step})
    write_atomically(folder / FACTS, json.dumps(facts, indent=2) + "\n")


def _write_both_forms(path: Path) -> None:
    """Writes the rotary settings and the number format as transformers 4 reads them, beside the newer form.

    transformers 4 does not know `rope_parameters`: it would compute with a base of 10,000 without a warning.
    """
    config = json.loads(path.read_text(encoding="utf-8"))
    rotary = config.get("rope_parameters")
    if rotary:
        config["rope_theta"] = rotary["rope_theta"]
        config["rope_scaling"] = None if rotary["rope_type"] == "default" else rotary
    if "dtype" in config:
        config["torch_dtype"] = config["dtype"]
    write_atomically(path, json.dumps(config, indent=2) + "\n")


def unshared(model: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Returns a state without the second names of the same weights, which tied embeddings have."""
    every = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    once = {name for name, _ in model.named_parameters()}
    return {name: tensor for name, tensor in state.items() if name in once or name not in every}


def load_weights(checkpoint: Path, model: Any) -> None:
    """Puts the weights of a checkpoint into a model of the same shape, on the model's device."""
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.state_dict_loader import load

    weights = unshared(model, model.state_dict())
    load({"model": weights}, storage_reader=FileSystemReader(checkpoint), no_dist=True)


def export_model(run: Path, out: Path, step: int | None = None, overwrite: bool = False) -> Path:
    """Makes a Hugging Face folder of a run: of its final model, or of a checkpoint; returns the folder.

    Args:
        run: a folder of `dateline train`, finished or not.
        out: the new folder.
        step: of the checkpoint; None takes the final model, or the newest checkpoint where the run goes on.
        overwrite: replace an earlier model folder.

    Raises:
        UserError: where there is no such checkpoint, or it is damaged, or `out` may not be written.

    Example:
        >>> export_model(Path("runs/first"), Path("models/first-200"), step=200)
        PosixPath('models/first-200')
    """
    if overwrite and out.is_dir() and any(out.iterdir()) and not (out / FACTS).is_file():
        raise UserError(f"{out}: is not an earlier model folder, so it is not overwritten; choose another --out")
    check_free(out, overwrite=overwrite)
    finished = read_manifest(run)
    if finished is not None:
        require_manifest(run, "train", "dateline train RECIPE --out DIR")
        if step is None or step == finished.counts["steps"]:
            with new_folder(out, overwrite=overwrite) as folder:
                shutil.copytree(run / "model", folder, dirs_exist_ok=True)
            return out
    found = {int(path.name.removeprefix("step-")): path for path in checkpoints(run)}
    chosen = max(found, default=None) if step is None else step
    if chosen is None or chosen not in found:
        there = f"it has steps {', '.join(map(str, found))}" if found else "it has none"
        raise UserError(f"{run}: no checkpoint{'' if step is None else f' of step {step}'} in it; {there}")
    if problem := damage(found[chosen]):
        raise UserError(f"{found[chosen]}: damaged ({problem}); choose another --step")
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = found[chosen] / SHAPE
    build: Any = AutoModelForCausalLM.from_config
    model = build(AutoConfig.from_pretrained(shape, local_files_only=True))
    load_weights(found[chosen], model)
    with new_folder(out, overwrite=overwrite) as folder:
        shutil.copytree(shape, folder, dirs_exist_ok=True)
        model.save_pretrained(folder)
        _write_both_forms(folder / "config.json")
    return out
