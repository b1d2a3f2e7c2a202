"""Models: built anew from a recipe, or loaded from a Hugging Face folder, to train, to evaluate or to use.

No code of a folder is run, and nothing is downloaded but a model of the hub that is asked for by name. Weights that a
checkpoint lacks are refused: transformers would draw them at random, and the scores would look like scores.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from dateline.conditions import DEFAULT_FIELDS, FIELDS, PREFIX_FORMAT, Field, PrefixFormat
from dateline.errors import UserError
from dateline.manifest import read_manifest
from dateline.model.attention import ATTENTION, locate_documents
from dateline.model.sizes import SIZES, ModelRecipe
from dateline.progress import quiet_transformers
from dateline.tokens.tokenizer import encode_texts, read_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

Precision = Literal["float32", "bfloat16"]
Tokens = npt.NDArray[np.int32]

FACTS = "dateline.json"
"""In a model folder that Dateline wrote: the fields and the prefix of its training, and where it comes from."""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tiktoken.model")
"""One of these is in every folder with a tokenizer; transformers makes an empty one up where there is none."""
_FILES = (
    "config.json",
    *("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model*.bin.index.json"),
    *(*TOKENIZER_FILES, "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)
"""What decides a model's scores."""
_COMPARED = (
    "model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "tie_word_embeddings",
)  # fmt: skip
_HUB_NAME = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*")
_PROBE = 24
"""Tokens of the two documents on which our path through a model is compared with its own."""


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


def model_fingerprint(folder: Path | str) -> str:
    """Returns 16 hex digits of a model's configuration, weights and tokenizer.

    The files themselves are hashed, about a second a gigabyte: `dateline.json` may be stale once another tool has
    copied it along with other weights.
    """
    folder = model_folder(folder)
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _FILES for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name} {path.stat().st_size} {content}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Subject:
    """A loaded model with its tokenizer, and the prefix that it was trained with."""

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

    def encode_each(self, texts: Iterable[str]) -> dict[str, Tokens]:
        """Returns text -> its tokens; equal texts are encoded once, and the empty one has none."""
        distinct = sorted({*texts} - {""})
        return {"": np.zeros(0, dtype=np.int32), **dict(zip(distinct, self.encode(distinct), strict=True))}

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


def _read_weights(folder: Path, what: str, **options: Any) -> Any:
    """Returns a folder's causal language model, on the CPU.

    Raises:
        UserError: where it cannot be loaded, or lacks weights.
    """
    from transformers import AutoModelForCausalLM

    with quiet_transformers():
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, output_loading_info=True, **options
            )
        except Exception as error:  # a damaged file raises what its reader happens to raise
            raise UserError(f"{what}: not a loadable causal language model ({_first_line(error)})") from None
    model, loading = loaded
    if missing := sorted(loading["missing_keys"]):
        raise UserError(
            f"{what}: {len(missing)} weights are not in the checkpoint, such as {missing[0]}; they would be random: "
            "save the model again"
        )
    return model


def load_subject(folder: Path, *, device: str = "auto", precision: Precision = "float32") -> Subject:
    """Loads a model and its tokenizer to evaluate or to generate.

    Args:
        folder: a Hugging Face model folder, or a train output that holds one under `model/`.
        device: `auto` takes a GPU where there is one; otherwise a torch device.
        precision: `float32` for weights and computation; under `bfloat16` weights stay in the format of the folder, so
            that float32 ones lose nothing but what each matrix product rounds.

    Raises:
        UserError: where something is missing, unreadable or does not fit together.

    Example:
        >>> subject = load_subject(Path("runs/first"), device="cpu")
        >>> nats = score_segments(subject.model, [Segment(np.array([subject.bos, 7, 8, 9]), num_scored=3)])
        >>> nats.shape
        (1,)
    """
    folder = model_folder(folder)
    if precision not in get_args(Precision):
        raise UserError(f"precision '{precision}' is not known; use float32 or bfloat16")
    target = _device(device)
    model = _read_weights(folder, str(folder), dtype=torch.float32 if precision == "float32" else "auto")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(f"{folder}: no tokenizer in it; save the model's tokenizer there with save_pretrained")
    tokenizer = read_tokenizer(folder)
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

    Models that were trained with none, and models from elsewhere, are prompted with the default fields. They never saw
    such a prefix; `none` remains the condition that suits them.
    """
    return known_fields(folder) or DEFAULT_FIELDS


def known_fields(folder: Path) -> tuple[Field, ...] | None:
    """Returns the fields that a model was trained with, empty for a plain model; None where nothing says so."""
    folder = model_folder(folder)
    named = model_facts(folder).get("fields")
    if named is None:
        return None
    unknown = [name for name in named if name not in FIELDS]
    if unknown:
        raise UserError(f"{folder / FACTS}: unknown field '{unknown[0]}'; made by a newer Dateline?")
    return tuple(named)


def trained_without_prefix(folder: Path) -> bool | None:
    """Returns whether a model's training also showed documents without a prefix; None where nothing says so.

    `dateline.json` says it; for a model that is older than the entry, the manifest of the run that the model lies in.
    """
    folder = model_folder(folder)
    about = model_facts(folder)
    if about.get("fields") == []:
        return True
    conditions: Any = about
    if "dropout" not in about:
        manifest = read_manifest(folder.parent)
        conditions = manifest.recipe.get("conditions") if manifest is not None and manifest.stage == "train" else None
    if not isinstance(conditions, dict) or "dropout" not in conditions:
        return None
    return bool(conditions["dropout"] > 0 or conditions.get("cooldown", 0) > 0)


def find_model(name: Path | str) -> Path:
    """Returns the folder of a model: a folder, or where the hub's model of that name is kept on this machine.

    A model of the hub that is not on this machine is downloaded: its name asks for it. `HF_HUB_OFFLINE=1` forbids it.
    Only configuration, weights and tokenizer are taken; no code of a model is run.

    Args:
        name: a folder, or a name on the hub (`gpt2`, `HuggingFaceTB/SmolLM2-135M`).

    Raises:
        UserError: where there is neither.
    """
    folder = Path(name)
    below_a_folder = len(folder.parts) > 1 and folder.parent.exists()  # runs/conditoned: a slip, not a model of the hub
    if isinstance(name, Path) or folder.exists() or below_a_folder or not _HUB_NAME.fullmatch(name):
        return model_folder(folder)
    from huggingface_hub import snapshot_download

    patterns = [*_FILES, FACTS, "generation_config.json"]
    try:
        try:
            return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=True))
        except FileNotFoundError:
            return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # of the network, the hub, or a name that is none
        raise UserError(
            f"{name}: no such folder, and no model of that name could be had from the hub ({_first_line(error)}); name "
            "the output of 'dateline train', a Hugging Face model folder, or a model of the hub"
        ) from None


def trained_prefix_format(folder: Path) -> PrefixFormat:
    """Returns how the prefix of a model's training ended; models from elsewhere get the present format.

    For a model that was trained with the earlier format, a line on standard error says what that means.

    Raises:
        UserError: where the format is not known to this version.
    """
    about = model_facts(folder)
    found = about.get("prefix_format", 1) if about.get("fields") else PREFIX_FORMAT
    if found not in get_args(PrefixFormat):
        raise UserError(f"{folder / FACTS}: prefix_format {found!r} is not known; made by a newer Dateline?")
    if found == 1:
        print(
            f"{folder}: its prefixes end in an empty line (prefix format 1), as in its training; tools that take text "
            "(vLLM, llama.cpp, lm_eval) split that line into other tokens and may lose more than the prefix gains: "
            "train again before others use the model",
            file=sys.stderr,
        )
    chosen: PrefixFormat = found
    return chosen


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
    from transformers import AutoConfig

    what = f"init_from {folder}"
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise UserError(f"{what}: not a loadable causal language model ({_first_line(error)})") from None
    for name in {"attention_dropout", "attn_pdrop"} & set(config.to_dict()):
        setattr(config, name, 0.0 if recipe is None else recipe.dropout)
    model = _read_weights(folder, what, config=config, dtype=torch.float32)
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


def model_facts(folder: Path) -> dict[str, Any]:
    """Returns what `dateline.json` in a model folder says; empty where there is no such file.

    Raises:
        UserError: where it is not a JSON mapping.
    """
    path = folder / FACTS
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
