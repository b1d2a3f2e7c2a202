"""Uploads of a model to the Hugging Face hub: only the files of a list of allowed names, and none with a local path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dateline.errors import UserError, one_line
from dateline.model.load import FACTS, TOKENIZER_FILES, model_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi

WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
SETTINGS = (
    *("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "model.safetensors.index.json", FACTS),
)
"""JSON whose values are looked through for paths."""
ALLOWED = (*WEIGHTS, *SETTINGS, *TOKENIZER_FILES, "merges.txt", "chat_template.jinja")
"""What is uploaded of a folder. Everything else stays: checkpoints, metrics, manifests, texts, tokens."""
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PATH = re.compile(r"file://|~?/[^/\s]+/|[A-Za-z]:[\\/]|\\\\\w")


def check_repo(name: str, option: str = "--repo") -> None:
    """Refuses a name that no repository of the hub can have.

    Raises:
        UserError: which names the option.
    """
    if not _REPO.fullmatch(name) or "--" in name or ".." in name or name.endswith((".git", ".", "-")):
        raise UserError(f"{option}: '{name}' is no name on the hub; write OWNER/NAME")


def files_to_upload(model: Path) -> list[Path]:
    """Returns the files of a model folder that are uploaded, by name.

    Raises:
        UserError: where there is no model, no weights or no tokenizer, or where a file names a path of this machine.
    """
    folder = model_folder(model)
    chosen = sorted({path for pattern in ALLOWED for path in folder.glob(pattern) if path.is_file()})
    for patterns, what in ((WEIGHTS, "model*.safetensors"), (TOKENIZER_FILES, "tokenizer")):
        if not any(path.match(pattern) for path in chosen for pattern in patterns):
            raise UserError(f"{folder}: no {what} in it; name the output of 'dateline train' or 'dateline export'")
    for path in chosen:
        if path.name in SETTINGS:
            _check_settings(path)
    return chosen


def _check_settings(path: Path) -> None:
    """Refuses a settings file that names a path of this machine."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); train or export the model again") from None
    for key, text in _texts(settings):
        if _PATH.match(text) or ("/" in text and "\n" not in text and len(text) < 1000 and Path(text).exists()):
            raise UserError(f"{path}: '{key}' holds a path of this machine ({text}); remove it before you upload")


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a JSON value, with the keys that lead to it."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, f"{key}.{name}".strip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)


def upload(files: Sequence[Path], texts: Mapping[str, str], repo: str, *, private: bool = False) -> str:
    """Makes a repository where there is none, and commits files and texts to it at once.

    The token comes from `HF_TOKEN` or the login of the hub. What else lies in the repository stays.

    Args:
        files: as `files_to_upload` gives them.
        texts: path in the repository -> text, such as the card.
        repo: `OWNER/NAME`.
        private: make a new repository private; one that is there and public is refused.

    Returns:
        The address of the model's page.

    Raises:
        UserError: without a token, or where the hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if token is None:
        raise UserError("no token for the hub; set HF_TOKEN, or log in with: hf auth login")
    try:
        return _commit(HfApi(token=token), files, texts, repo, private)
    except UserError:
        raise
    except Exception as error:  # of the network or the hub, whose client raises what it happens to raise
        said = one_line(str(error)).replace(token, "<token>") or type(error).__name__
        raise UserError(f"{repo}: not uploaded to the hub: {said}") from None


def _commit(api: HfApi, files: Sequence[Path], texts: Mapping[str, str], repo: str, private: bool) -> str:
    from huggingface_hub import CommitOperationAdd

    url = api.create_repo(repo, private=private or None, exist_ok=True)
    if private and not api.model_info(repo).private:
        raise UserError(f"{repo}: is there already and is public; leave --private out, or choose another --repo")
    operations = [CommitOperationAdd(path.name, path) for path in files]
    operations += [CommitOperationAdd(name, text.encode()) for name, text in texts.items()]
    api.create_commit(repo, operations, commit_message="Upload a model with Dateline")
    return str(url)
