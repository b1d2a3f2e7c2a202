"""Small real corpora and tokenizers for tests, those of Dateline and those of its users."""

from dateline.testing.corpora import write_corpus
from dateline.testing.tokenizers import byte_tokenizer

__all__ = ["byte_tokenizer", "write_corpus"]
