"""Public fakes: small corpora and tokenizers for tests, those of Dateline and those of its users.

Enters: a few articles written by hand. Leaves: folders and objects that real stages accept.
Deliberately not done: no mocks; what is here is made by the code that makes the real thing.
"""

from dateline.testing.corpora import write_corpus
from dateline.testing.tokenizers import byte_tokenizer

__all__ = ["byte_tokenizer", "write_corpus"]
