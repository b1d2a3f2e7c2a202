"""Training, loading and comparing tokenizers.

Enters: texts, or a folder with a Hugging Face tokenizer. Leaves: a transformers tokenizer with BOS and EOS.
Deliberately not done: no normalization, so that decoding gives back the same bytes; no tokenizer from the network.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dateline.errors import UserError
from dateline.records import stable_hash

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
    """Loads a tokenizer folder without any network.

    Raises:
        UserError: where the folder holds no fast tokenizer, or one without an end-of-text token.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    folder = Path(folder)
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder}: no tokenizer.json; --tokenizer names a folder saved by save_pretrained")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: not a loadable tokenizer ({str(error).splitlines()[0]})") from None
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"{folder}: is not a fast tokenizer; convert it with transformers' AutoTokenizer first")
    if tokenizer.eos_token_id is None:
        raise UserError(f"{folder}: the tokenizer has no end-of-text token; set eos_token in tokenizer_config.json")
    tokenizer.model_max_length = int(1e30)  # lengths are Dateline's business: no warning about long documents
    return tokenizer


def bos_id(tokenizer: PreTrainedTokenizerFast) -> int:
    """Returns the token that starts every segment: BOS, or EOS for families that have none (GPT-2, Qwen)."""
    identifier = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return int(identifier)


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """Returns 16 hex digits of the vocabulary and merges: equal where the same text gives the same tokens."""
    special = f"{tokenizer.bos_token_id},{tokenizer.eos_token_id}"
    return f"{stable_hash(tokenizer.backend_tokenizer.to_str(), special):016x}"
