"""How a corpus is tokenized, as a section of recipes and as options of `dateline encode`."""

from __future__ import annotations

from pydantic import Field

from dateline.config import Section


class EncodeRecipe(Section):
    """How a corpus is tokenized."""

    tokenizer: str | None = None
    """A folder with a Hugging Face tokenizer; null trains a byte-level BPE on the training split."""
    vocab_size: int = 32_768
    """Size of the trained vocabulary; ignored where `tokenizer` is given."""
    training_articles: int = Field(default=100_000, ge=1)
    """The BPE is trained on at most this many articles, bodies and prefixes."""
