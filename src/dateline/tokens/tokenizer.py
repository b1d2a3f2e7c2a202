"""Tokenizers: training, loading and saving them, and the boundary between prefix and body."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dateline.conditions import chat_template
from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.progress import quiet_transformers
from dateline.records import body_text, prompt_text, stable_hash
from dateline.tokens.fidelity import check_reading

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Tokens = npt.NDArray[np.int32]

BOS, EOS, PAD = "<bos>", "<eos>", "<pad>"
RESERVED = ("<|user|>", "<|assistant|>", "<|end|>", *(f"<|reserved_{number}|>" for number in range(5)))
"""Special tokens that no text of pre-training holds, so that tuning needs no resized embedding."""
MIN_VOCAB_SIZE = 256 + 3 + len(RESERVED)
"""Every byte and the special tokens."""


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Trains a lossless byte-level BPE.

    Args:
        texts: bodies and, so that prefixes are short, some prefixes.
        vocab_size: including the special tokens, at least 267.

    Raises:
        UserError: where the vocabulary cannot hold every byte.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if vocab_size < MIN_VOCAB_SIZE:
        raise UserError(f"vocab_size {vocab_size} is too small; a byte-level BPE needs at least {MIN_VOCAB_SIZE}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BOS, EOS, PAD, *RESERVED],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return wrap_tokenizer(tokenizer)


def wrap_tokenizer(tokenizer: Any) -> PreTrainedTokenizerFast:
    """Returns a `tokenizers` tokenizer with BOS, EOS and padding as a transformers tokenizer with a chat template."""
    from transformers import PreTrainedTokenizerFast

    wrap: Any = PreTrainedTokenizerFast
    wrapped: PreTrainedTokenizerFast = wrap(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
        chat_template=chat_template(),
    )
    adapt_tokenizer(wrapped)
    return wrapped


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Saves a tokenizer so that transformers 4 and 5, and what builds on either, open it.

    transformers 5 names a class that transformers 4 does not have.
    """
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    write_atomically(path, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def encode_texts(tokenizer: Any, texts: Sequence[str]) -> list[Tokens]:
    """Returns the tokens of each text without BOS and EOS; names of special tokens in a text are read as characters.

    Args:
        tokenizer: a transformers tokenizer, fast or slow.
        texts: prefixes or bodies; an article that writes `<eos>` means the characters.

    Example:
        >>> [tokens.tolist() for tokens in encode_texts(byte_tokenizer(), ["ab"])]
        [[67, 68]]
    """
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [np.asarray(ids, dtype=np.int32) for ids in encoded]


def adapt_tokenizer(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """Makes a tokenizer write whole documents as training does, and says in one line each what had to change.

    Two things would otherwise differ between training, which joins the tokens of prefix and body, and tools that take
    the whole text. A blank that the tokenizer puts in front of every text (Llama 2, T5) would stand in front of the
    body only where it has no prefix. And every training document begins with BOS (EOS in families that have none),
    once: the tokenizer has to add it.

    Returns:
        What was changed; empty where nothing had to be.
    """
    from tokenizers import Tokenizer, processors

    changes = []
    backend = tokenizer.backend_tokenizer
    stages = json.loads(backend.to_str())
    if _drop_leading_blank(stages):
        adapted = Tokenizer.from_str(json.dumps(stages))
        backend.normalizer, backend.pre_tokenizer = adapted.normalizer, adapted.pre_tokenizer
        backend.decoder = adapted.decoder
        changes.append("puts no blank in front of a text any more, so that a body is the same tokens behind a prefix")
    bos = bos_id(tokenizer)
    if backend.encode("x").ids != [bos, *backend.encode("x", add_special_tokens=False).ids]:
        name = str(tokenizer.convert_ids_to_tokens(bos))
        if tokenizer.bos_token_id is None:
            tokenizer.bos_token = name
        backend.post_processor = processors.TemplateProcessing(
            single=f"{name}:0 $A:0", pair=f"{name}:0 $A:0 {name}:1 $B:1", special_tokens=[(name, bos)]
        )
        changes.append(f"begins every text with {name}, once and without an end token, as training does")
    return changes


def _drop_leading_blank(stages: dict[str, Any]) -> bool:
    """Takes the blank that is put in front of every text out of a tokenizer's JSON; says whether there was one."""
    found = False
    for name in ("normalizer", "pre_tokenizer", "decoder"):
        parts = stages[name] or {}
        for part in parts.get("normalizers") or parts.get("pretokenizers") or parts.get("decoders") or [parts]:
            if part.get("prepend_scheme", "never") != "never":
                part["prepend_scheme"] = "never"
                found = True
            if part.get("type") == "ByteLevel" and part.get("add_prefix_space") and name == "pre_tokenizer":
                part["add_prefix_space"] = False
                found = True
    normalizer = stages["normalizer"] or {}
    if any(part.get("type") == "Prepend" for part in normalizer.get("normalizers") or [normalizer]):
        rest = [part for part in normalizer.get("normalizers", []) if part.get("type") != "Prepend"]
        stages["normalizer"] = {"type": "Sequence", "normalizers": rest} if rest else None
        decoder = stages["decoder"] or {}
        if "decoders" in decoder:
            decoder["decoders"] = [part for part in decoder["decoders"] if part.get("type") != "Strip"]
        found = True
    return found


def check_boundary(tokenizer: PreTrainedTokenizerFast, prefixes: Sequence[str], titles: Sequence[str]) -> None:
    """Checks that a whole document is the same tokens as its prefix and its body one after the other.

    Otherwise no tool that takes text (vLLM, llama.cpp, lm-evaluation-harness, chat templates) could show a model the
    prefix that it was trained with. The same is checked for a prompt that ends in `CONTENT:` and for BOS.

    Args:
        tokenizer: after `adapt_tokenizer`.
        prefixes: as `render` makes them.
        titles: of articles.

    Raises:
        UserError: which shows one place where the tokens differ.
    """
    bos = bos_id(tokenizer)
    for prefix, title in ((prefix, title) for title in titles for prefix in prefixes):
        text = body_text(title, "The text of an article.")
        head, prompt, body = encode_texts(tokenizer, [prefix, prompt_text(title), text])
        whole = list(tokenizer(prefix + text, split_special_tokens=True)["input_ids"])
        apart = [bos, *head.tolist(), *body.tolist()]
        if whole != apart:
            at = next((place for place, (a, b) in enumerate(zip(whole, apart, strict=False)) if a != b), len(apart))
            shown = [tokenizer.convert_ids_to_tokens(ids[max(0, at - 1) : at + 2]) for ids in (whole, apart)]
            raise UserError(
                f"the tokenizer reads a prefix in front of a body otherwise than alone ({' '.join(shown[0])!r} instead "
                f"of {' '.join(shown[1])!r}); tools that take text could not prompt the model as it was trained: use a "
                "tokenizer that splits at line ends, such as a byte-level BPE"
            )
        if body[: len(prompt)].tolist() != prompt.tolist():
            raise UserError(
                f"the tokenizer joins '{prompt_text(title)[-12:]}' with the word behind it; no prompt could end there: "
                "use a tokenizer that splits at blanks, such as a byte-level BPE"
            )


def load_tokenizer(folder: Path | str) -> PreTrainedTokenizerFast:
    """Loads a tokenizer folder as its tokenizer.json says, without any network.

    Raises:
        UserError: where the folder holds no fast tokenizer, one without an end-of-text token, or one that transformers
            reads otherwise than its tokenizer.json says.
    """
    from transformers import PreTrainedTokenizerFast

    folder = Path(folder)
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder}: no tokenizer.json; --tokenizer names a folder saved by save_pretrained")
    tokenizer = read_tokenizer(folder)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"{folder}: is not a fast tokenizer; convert it with transformers' AutoTokenizer first")
    if tokenizer.eos_token_id is None:
        raise UserError(f"{folder}: the tokenizer has no end-of-text token; set eos_token in tokenizer_config.json")
    return tokenizer


def read_tokenizer(folder: Path) -> Any:
    """Returns the tokenizer of a folder, fast or slow: that of tokenizer.json where there is one.

    Raises:
        UserError: where it cannot be loaded, or where transformers reads another tokenizer than tokenizer.json says.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        with quiet_transformers():
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            if (folder / "tokenizer.json").is_file():
                check_reading(folder, tokenizer)
                if isinstance(tokenizer, PreTrainedTokenizerFast) and type(tokenizer) is not PreTrainedTokenizerFast:
                    tokenizer = _plain(folder, tokenizer)
    except UserError:
        raise
    except Exception as error:  # a damaged file raises what its reader happens to raise
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{folder}: not a loadable tokenizer ({problem}); save it there with save_pretrained") from None
    tokenizer.model_max_length = int(1e30)  # lengths are Dateline's business: no warning about long documents
    return tokenizer


def _plain(folder: Path, tokenizer: Any) -> PreTrainedTokenizerFast:
    """Returns tokenizer.json without the class of its model type, which would rebuild it wherever it is saved."""
    from transformers import PreTrainedTokenizerFast

    plain: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    check_reading(folder, plain)
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):  # the class knows its own without being told
        token = getattr(tokenizer, name)
        if token is not None and plain.backend_tokenizer.token_to_id(token) is not None:
            setattr(plain, name, token)
    return plain


def bos_id(tokenizer: PreTrainedTokenizerFast) -> int:
    """Returns the token that starts every segment: BOS, or EOS for families that have none (GPT-2, Qwen)."""
    identifier = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return int(identifier)


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """Returns 16 hex digits: equal where the same text gives the same tokens, and segments start and end alike.

    What is added around a text (post-processor) and how lengths are changed (truncation, padding) does not count:
    Dateline does neither.
    """
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = {name: part for name, part in parts.items() if name not in ("post_processor", "truncation", "padding")}
    special = f"{tokenizer.bos_token_id},{tokenizer.eos_token_id}"
    return f"{stable_hash(json.dumps(kept, sort_keys=True), special):016x}"
