"""A tokenizer that needs no training: every UTF-8 byte is one token, so that a test counts tokens by counting bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dateline.tokens.tokenizer import BOS, EOS, PAD, wrap_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a lossless tokenizer of 259 tokens: BOS, EOS and padding are 0, 1 and 2, the bytes follow."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    symbols = [BOS, EOS, PAD, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return wrap_tokenizer(tokenizer)
