"""Training, loading and comparing tokenizers: transformers tokenizers with BOS and EOS, never from the network."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dateline.errors import UserError
from dateline.progress import quiet_transformers
from dateline.records import stable_hash
from dateline.tokens.fidelity import check_reading

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD = "<bos>", "<eos>", "<pad>"
MIN_VOCAB_SIZE = 256 + 3
"""Every byte and the three special tokens."""


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Trains a lossless byte-level BPE.

    Args:
        texts: bodies and, so that prefixes are short, some prefixes.
        vocab_size: including the three special tokens, at least 259.

    Raises:
        UserError: where the vocabulary cannot hold every byte.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    if vocab_size < MIN_VOCAB_SIZE:
        raise UserError(f"vocab_size {vocab_size} is too small; a byte-level BPE needs at least {MIN_VOCAB_SIZE}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    wrap: Any = PreTrainedTokenizerFast
    wrapped: PreTrainedTokenizerFast = wrap(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD, clean_up_tokenization_spaces=False
    )
    return wrapped


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
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
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
